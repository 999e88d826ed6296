"""Files that version 0.1 wrote still load, compare equal and go on: it called some parameters otherwise.

``tests/data/version_0_1`` was made with that version's own code: stores of three drawn images by selective search and
by a mix with a stand-in for MultiBox, an interrupted run that had done the first image, and region scores.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pytest

from det_inception.proposals import (
    Mixed,
    ProposalStore,
    ProposalWriter,
    SelectiveSearch,
    StoreMismatchError,
    list_images,
    make_proposals,
    merge_stores,
    mix,
    read_image,
)
from det_inception.proposals.region_scores import RegionScores

OLD = Path(__file__).resolve().parents[1] / 'data/version_0_1'
SEARCH = SelectiveSearch('fast', 40, 4)


@dataclass(frozen=True)
class Whole:
    """What stood for MultiBox when the files were made."""

    def __call__(self, image):
        height, width = image.shape[:2]
        return np.array([[0, 0, width, height], [0, 0, width / 2, height]], np.float32), np.array([0.9, 0.4])

    @property
    def parameters(self):
        return dict(method='multibox', checkpoint='ab' * 16, model='cd' * 16, boxes=2, amp=False)


MIXED = Mixed(Whole(), SEARCH)


def test_the_files_are_of_that_version():
    for name in ('selective_search.h5', 'mix.h5', 'begun.h5.parts/part-000000.h5'):
        with h5py.File(OLD / name) as file:
            assert 'colour_spaces' in file.attrs['parameters'] and 'color_spaces' not in file.attrs['parameters']
    assert '"colour_spaces"' in (OLD / 'begun.h5.parts/run.json').read_text()


@pytest.mark.parametrize(('name', 'method'), [('selective_search', SEARCH), ('mix', MIXED)])
def test_stores_load_and_compare_equal(name, method):
    with ProposalStore(OLD / f'{name}.h5') as store:
        assert store.parameters == {**method.parameters, 'max_boxes': None}
        store.require(method.parameters)
        assert list(store) == ['a.png', 'b.png', 'c.png']
        for key in store:
            image, _ = read_image(OLD / 'images' / key)
            store.check(key, OLD / 'images' / key)
            assert (store[key].boxes == method(image)[0]).all()
        if name == 'mix':
            best = store['a.png'].boxes[:2]
            assert (mix(best, SEARCH(read_image(OLD / 'images/a.png')[0])[0]) == store['a.png'].boxes).all()
        with pytest.raises(StoreMismatchError, match='made with other parameters'):
            store.require((MIXED if method is SEARCH else SEARCH).parameters)


def test_what_was_required_under_the_old_names_is_understood():
    with ProposalStore(OLD / 'selective_search.h5') as store:
        store.require({'colour_spaces': ['hsv', 'lab']})
        with pytest.raises(StoreMismatchError):
            store.require({'colour_spaces': ['hsv']})


def test_an_interrupted_run_goes_on(tmp_path):
    shutil.copytree(OLD / 'begun.h5.parts', tmp_path / 'begun.h5.parts')
    images = list_images(OLD / 'images')
    summary = make_proposals(images, tmp_path / 'begun.h5', SEARCH, workers=1, progress=False)
    assert (summary.known, summary.made) == (1, 2)
    with ProposalStore(tmp_path / 'begun.h5') as new, ProposalStore(OLD / 'selective_search.h5') as old:
        assert new.parameters == old.parameters and list(new) == list(old)
        assert all((new[key].boxes == old[key].boxes).all() for key in new)


def test_finished_stores_are_gone_on_with_and_merged(tmp_path):
    shutil.copy(OLD / 'selective_search.h5', tmp_path / 'a.h5')
    with ProposalWriter(tmp_path / 'a.h5', {**SEARCH.parameters, 'max_boxes': None}) as writer:
        assert len(writer) == 3
    with pytest.raises(StoreMismatchError, match='was begun with mode "fast" instead of "quality"'):
        ProposalWriter(tmp_path / 'a.h5', {**SEARCH.parameters, 'max_boxes': None, 'mode': 'quality'})
    make_proposals(list_images(OLD / 'images'), tmp_path / 'new.h5', SEARCH, workers=1, progress=False)
    merge_stores([OLD / 'selective_search.h5', tmp_path / 'new.h5'], tmp_path / 'both.h5')
    assert (tmp_path / 'both.h5').read_bytes() == (tmp_path / 'new.h5').read_bytes()


def test_region_scores_load():
    scores = RegionScores(OLD / 'region_scores.h5')
    assert scores.classes == ('ant', 'bee') and list(scores) == ['a', 'b'] and scores.with_deltas
    assert (scores['a'].height, scores['a'].width) == (24, 40)
    assert [scores[name].logits.shape for name in 'ab'] == [(3, 3), (2, 3)]
    generator = np.random.default_rng(0)  # The numbers that were written.
    for name, rows in (('a', 3), ('b', 2)):
        assert (scores[name].boxes == generator.integers(0, 20, (rows, 4))).all()
        assert (scores[name].logits == generator.integers(-5, 5, (rows, 3))).all()
        assert (scores[name].deltas == generator.integers(-5, 5, (rows, 8))).all()
