"""A trained MultiBox that proposes: its parameters, its errors, stores of it, and the mix on the fly."""

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from det_inception.config.loading import load_config
from det_inception.datasets import LoadRegionProposals
from det_inception.inference.multibox_proposals import MultiBoxProposer
from det_inception.proposals import Mixed, ProposalStore, SelectiveSearch, list_images, make_proposals, mix
from det_inception.registry import MODELS
from det_inception.utils.errors import InputError

REPO = Path(__file__).resolve().parent.parent.parent


def write_config(path: Path, side: int = 64) -> Path:
    """A MultiBox small enough for tests, on images of ``side`` x ``side``."""
    model = dict(backbone=dict(width=0.125), bbox_head=dict(in_channels=(64, 104, 128), channels=16, sizes_per_cell=1))
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='Resize', scale=(side, side), keep_ratio=False),
        dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
    ]
    base = REPO / 'configs/googlenet_multibox_mini.py'
    test = dict(dataset=dict(pipeline=pipeline))
    path.write_text(f'_base_ = {str(base)!r}\nmodel = {model!r}\ntest_dataloader = {test!r}\n')
    return path


def write_checkpoint(config: Path, path: Path, seed: int = 0, priors: bool = True) -> Path:
    torch.manual_seed(seed)
    model = MODELS.build(load_config(config).model)
    model.init_weights()
    if priors:
        model.bbox_head.set_priors(np.array([[0.2, 0.3], [0.5, 0.4], [0.8, 0.9]]))
    torch.save(dict(state_dict=model.state_dict(), meta=dict(dataset_meta=dict(classes=('a', 'b')))), path)
    return path


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp('multibox')
    config = write_config(folder / 'multibox.py')
    return str(config), str(write_checkpoint(config, folder / 'multibox.pth'))


@pytest.fixture
def scene():
    """Uint8 (70, 100, 3)."""
    image = np.random.default_rng(1).integers(100, 130, (70, 100, 3), dtype=np.uint8)
    image[10:50, 10:45] = (20, 40, 220)
    return image


def test_it_proposes(trained, scene):
    proposer = MultiBoxProposer(*trained, number=20)
    boxes, scores = proposer(scene)
    assert 1 < len(boxes) == len(scores) <= 20 and (np.diff(scores) <= 0).all()
    assert (boxes[:, :2] >= 0).all() and (boxes[:, 2:] <= (100, 70)).all() and (boxes[:, 2:] > boxes[:, :2]).all()
    for (many, _), (alone, _) in zip(proposer.batch([scene, scene[:40]]), (proposer(scene), proposer(scene[:40]))):
        np.testing.assert_allclose(many, alone, atol=1e-3)
    again = pickle.loads(pickle.dumps(proposer))
    assert (again(scene)[0] == boxes).all() and again.parameters == proposer.parameters


def test_parameters_are_what_the_boxes_depend_on(trained, tmp_path):
    config, checkpoint = map(Path, trained)
    same, same_too = tmp_path / 'moved.py', tmp_path / 'moved.pth'
    same.write_text(config.read_text())
    same_too.write_bytes(checkpoint.read_bytes())
    parameters = MultiBoxProposer(*trained).parameters
    assert parameters['method'] == 'multibox' and parameters['boxes'] == 200
    assert MultiBoxProposer(str(same), str(same_too), batch_size=4).parameters == parameters
    others = [
        MultiBoxProposer(*trained, number=100),
        MultiBoxProposer(*trained, amp=True),
        MultiBoxProposer(str(config), str(write_checkpoint(config, tmp_path / 'other.pth', seed=1))),
        MultiBoxProposer(str(write_config(tmp_path / 'larger.py', side=96)), str(checkpoint)),
    ]
    known = [parameters]
    for other in others:
        assert other.parameters not in known
        known.append(other.parameters)


def test_a_new_checkpoint_under_an_old_name_is_noticed(tmp_path, scene):
    config = write_config(tmp_path / 'multibox.py')
    first = MultiBoxProposer(str(config), str(write_checkpoint(config, tmp_path / 'a.pth', seed=1)), 50)
    before = first(scene)[0]
    second = MultiBoxProposer(str(config), str(write_checkpoint(config, tmp_path / 'a.pth', seed=2)), 50)
    after = second(scene)[0]
    assert first.parameters != second.parameters and not np.array_equal(before, after)


def test_what_cannot_propose(trained, tmp_path, scene):
    config, checkpoint = trained
    without = str(write_checkpoint(Path(config), tmp_path / 'without.pth', priors=False))
    torch.save(dict(state_dict={'backbone.x': torch.ones(1)}), tmp_path / 'other.pth')
    for arguments, words in (
        ((config, without), r'without\.pth: holds no priors'),
        ((config, str(tmp_path / 'other.pth')), r'other\.pth'),
        ((config, str(tmp_path / 'none.pth')), r'none\.pth: no such checkpoint'),
        (('none.py', checkpoint), r'none\.py: no such config'),
        ((str(REPO / 'configs/googlenet_rcnn_mini.py'), checkpoint), 'describes a RCNN, not a MultiBox'),
        (('', checkpoint), 'give both'),
        ((config, checkpoint, 0), 'at least 1'),
    ):
        with pytest.raises(InputError, match=words):
            MultiBoxProposer(*arguments)
    # 8 x 8, 4 x 4 and 2 x 2 cells of one size each.
    with pytest.raises(InputError, match=r'85 boxes were asked for and this MultiBox gives at most 84'):
        MultiBoxProposer(config, checkpoint, 85)(scene)
    MultiBoxProposer(config, checkpoint, 84)(scene)


def test_stores_know_their_checkpoint(trained, tmp_path, scene):
    (tmp_path / 'images').mkdir()
    for number in range(3):
        cv2.imwrite(str(tmp_path / f'images/{number}.png'), scene[:, : 100 - number])
    images = list_images(tmp_path / 'images')
    method = Mixed(MultiBoxProposer(*trained, number=5, batch_size=2), SelectiveSearch('ilsvrc2014', None, 5))
    make_proposals(images, tmp_path / 'mix.h5', method, workers=1, progress=False)
    with ProposalStore(tmp_path / 'mix.h5') as store:
        assert store.parameters['first']['boxes'] == 5
        np.testing.assert_allclose(store['1.png'].boxes, method(scene[:, :99])[0], atol=1e-3)
    other = write_checkpoint(Path(trained[0]), tmp_path / 'other.pth', seed=1)
    method = Mixed(MultiBoxProposer(trained[0], str(other), number=5), SelectiveSearch('ilsvrc2014', None, 5))
    with pytest.raises(InputError, match=r'mix\.h5 was begun with first'):
        make_proposals(images, tmp_path / 'mix.h5', method, workers=1, progress=False)

    # In a pipeline too: the store of this checkpoint is read, that of another refused.
    settings = dict(config=trained[0], checkpoint=trained[1], number=5)
    step = LoadRegionProposals(mixed(settings), store=str(tmp_path / 'mix.h5'))
    loaded = step(dict(img=scene, img_path=str(tmp_path / 'images/0.png')))
    np.testing.assert_allclose(loaded['proposals'][0], MultiBoxProposer(**settings)(scene)[0][0], atol=1e-3)
    with pytest.raises(InputError, match=r'mix\.h5 was made with other parameters: first is'):
        LoadRegionProposals(mixed(dict(settings, checkpoint=str(other))), store=str(tmp_path / 'mix.h5'))


SEARCH = dict(type='SelectiveSearch', mode='ilsvrc2014', width=None, min_size=5)


def mixed(multibox):
    return dict(type='Mixed', first=dict(multibox, type='MultiBox'), second=SEARCH)


def test_mix_on_the_fly(trained, tmp_path, scene, monkeypatch):
    settings = dict(config=trained[0], checkpoint=trained[1], number=10)
    step = LoadRegionProposals(mixed(settings), cache_dir=str(tmp_path))
    loaded = step(dict(img=scene, img_path=''))
    expected = mix(MultiBoxProposer(**settings)(scene)[0], SelectiveSearch('ilsvrc2014', None, 5)(scene)[0])
    assert (loaded['proposals'] == expected).all()
    assert loaded['proposals_scores'].shape == (len(expected),)
    assert len(list(tmp_path.rglob('*.npy'))) == 2
    # From the cache: nothing is computed again, and the plain proposals share selective search's entry.
    monkeypatch.setattr(MultiBoxProposer, '__call__', None)
    monkeypatch.setattr(SelectiveSearch, '__call__', None)
    assert (step(dict(img=scene, img_path=''))['proposals'] == expected).all()
    plain = LoadRegionProposals(SEARCH, cache_dir=str(tmp_path))
    assert len(plain(dict(img=scene, img_path=''))['proposals'])
