"""Large libraries that MMDetection imports at its start are imported when a part wants them, and then work."""

import importlib
import sys

import numpy as np
import pytest
from fresh_process import run_fresh
from mmdet.datasets.transforms import Albu
from mmdet.models.dense_heads import paa_head
from mmdet.models.task_modules.tracking import InterpolateTracklets

from det_inception.compat.deferred import DeferredModule, deferred_imports


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of two modules; name and a list that tells which of them ran."""
    name = f'large_{tmp_path.name}'.replace('-', '_')
    folder = tmp_path / name
    folder.mkdir()
    (folder / '__init__.py').write_text('ran = []\nVALUE = 3\n')
    (folder / 'part.py').write_text(
        f'import {name}\n{name}.ran.append(1)\ndef double(x, *, plus=0): return 2 * x + plus\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    for module in [module for module in sys.modules if module.startswith(name)]:
        del sys.modules[module]


def test_nothing_runs_until_it_is_used(package):
    with deferred_imports({package: [], f'{package}.part': ['double']}):
        large = importlib.import_module(package)
        part = importlib.import_module(f'{package}.part')
        from_import = __import__(f'{package}.part', fromlist=['double']).double
        assert large.part is part
        with pytest.raises(ImportError, match='other'):
            exec(f'from {package}.part import other')
    assert package not in sys.modules
    assert large.VALUE == 3
    assert large.ran == []
    assert from_import(4, plus=1) == 9
    assert large.ran == [1]
    with pytest.raises(AttributeError, match='no attribute'):
        _ = part.missing


def test_what_is_there_already_or_not_installed_stays_as_it_is(package):
    real = importlib.import_module(package)
    with deferred_imports({package: [], f'{package}.part': ['double'], 'no_such_package_here': ['f']}):
        assert importlib.import_module(package) is real
        assert not isinstance(importlib.import_module(f'{package}.part'), DeferredModule)
        with pytest.raises(ImportError):
            importlib.import_module('no_such_package_here')
    assert sys.modules[package] is real


def test_the_block_ends_also_by_an_error(package):
    with pytest.raises(ValueError, match='on purpose'), deferred_imports({package: []}):
        raise ValueError('on purpose')
    assert package not in sys.modules


def test_mmdetections_import_leaves_the_large_ones_out():
    code = "import sys, det_inception.models as _; print({'sklearn', 'albumentations'} & set(sys.modules))"
    assert run_fresh(code).strip() == 'set()'


def test_the_parts_of_mmdetection_that_want_them_have_them():
    image = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
    out = Albu([dict(type='HorizontalFlip', p=1.0)])(dict(img=image.copy()))
    np.testing.assert_array_equal(out['img'], image[:, ::-1])

    frames = np.arange(1, 7.0)
    tracks = np.stack([frames, np.ones(6), frames * 10, frames * 0 + 5, frames * 10 + 4, frames * 0 + 9, np.ones(6)], 1)
    smooth = InterpolateTracklets(use_gsi=True).forward(tracks)
    np.testing.assert_allclose(smooth[:, 2], tracks[:, 2], atol=3)

    mixture = paa_head.skm.GaussianMixture(2, random_state=0).fit([[0.0], [0.1], [5.0], [5.1]])
    assert set(np.round(mixture.means_.ravel(), 2)) == {0.05, 5.05}
