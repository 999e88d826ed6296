"""Amendments that wait for the import of what they amend."""

import importlib
import sys

import pytest
from fresh_process import run_fresh

from det_inception.compat import when_imported as watching
from det_inception.compat.when_imported import before_import, when_imported


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package ``own_zoo`` with a module ``head``, not imported yet."""
    (tmp_path / 'own_zoo').mkdir()
    (tmp_path / 'own_zoo/__init__.py').write_text('')
    (tmp_path / 'own_zoo/head.py').write_text('value = 1\n')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(watching._WATCHER, 'before', {})
    monkeypatch.setattr(watching._WATCHER, 'behind', {})
    yield 'own_zoo.head'
    for name in ('own_zoo', 'own_zoo.head'):
        sys.modules.pop(name, None)


def test_a_module_is_amended_when_it_is_imported(package):
    calls = []
    before_import('own_zoo', lambda: calls.append('before'))
    when_imported(package, lambda module: calls.append(module.value) or setattr(module, 'value', 2))
    assert not calls and 'own_zoo' not in sys.modules
    assert importlib.util.find_spec('own_zoo') is not None and calls == ['before']  # Whoever looks, may import.
    module = importlib.import_module(package)
    assert calls == ['before', 1] and module.value == 2
    assert importlib.reload(module).value == 2
    assert module.__spec__.origin.endswith('head.py') and module.__loader__.get_source(package) == 'value = 1\n'


def test_a_module_that_is_imported_is_amended_at_once(package):
    module = importlib.import_module(package)
    before_import(package, lambda: pytest.fail('too late'))
    when_imported(package, lambda module: setattr(module, 'value', 3))
    assert module.value == 3


def test_a_module_that_is_not_there_stays_missing(package):
    when_imported('own_zoo.missing', lambda module: pytest.fail('there is none'))
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module('own_zoo.missing')


def test_mmdetection_alone_is_amended_and_nothing_else_is_imported():
    code = (
        'import sys, det_inception.compat\n'
        'own = {name.split(".")[1] for name in sys.modules if name.startswith("det_inception.")}\n'
        'assert own == {"compat", "version"} and "mmdet" not in sys.modules, own\n'
        'from mmdet.models.dense_heads import SSDHead\n'
        'from mmdet.evaluation.functional import ytviseval\n'
        'print(SSDHead.loss_cls, ytviseval.np.float(1))\n'
    )
    assert run_fresh(code).split() == ['None', '1.0']
