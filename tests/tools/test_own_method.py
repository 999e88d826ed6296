"""A proposal method of one's own, one file long, in a config, in make_proposals and in the demo."""

import importlib
import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from det_inception.config.loading import datasets_of, load_config
from det_inception.proposals import ProposalStore
from det_inception.registry import TRANSFORMS

REPO = Path(__file__).resolve().parent.parent.parent
MINI_CHECKPOINT = REPO / 'checkpoints/googlenet_rcnn_mini.pth'

EDGE_BOXES = """
from dataclasses import dataclass
import cv2
import numpy as np

@dataclass(frozen=True)
class EdgeBoxes:
    threshold: int = 100

    def __call__(self, image):
        edges = cv2.Canny(image, self.threshold, 2 * self.threshold)
        boxes = [cv2.boundingRect(line) for line in cv2.findContours(edges, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)[0]]
        boxes = np.array(sorted(boxes, key=lambda box: -box[2] * box[3])).reshape(-1, 4)
        return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1), None

    @property
    def parameters(self):
        return dict(method='edge_boxes', threshold=self.threshold)
"""
CONFIG = """
_base_ = {base!r}
_method = dict(type='edge_boxes:EdgeBoxes', threshold=60)
test_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadAnyImage'),
            dict(type='LoadAnnotations', with_bbox=True),
            dict(type='LoadRegionProposals', method=_method),
            dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'instances')),
        ]
    )
)
"""


@pytest.fixture
def method(tmp_path, monkeypatch):
    """The method's class; selective search is not to be had."""
    (tmp_path / 'edge_boxes.py').write_text(EDGE_BOXES)
    monkeypatch.syspath_prepend(tmp_path)

    def refuse(*args, **kwargs):
        raise AssertionError('selective search ran')

    monkeypatch.setattr(importlib.import_module('det_inception.proposals.selective_search'), 'selective_search', refuse)
    yield importlib.import_module('edge_boxes').EdgeBoxes
    del sys.modules['edge_boxes']


@pytest.fixture
def config(tmp_path, method):
    path = tmp_path / 'own.py'
    path.write_text(CONFIG.format(base=str(REPO / 'configs/googlenet_rcnn_mini.py')))
    return path


@pytest.fixture
def photo(tmp_path):
    image = np.random.default_rng(0).integers(80, 120, (150, 200, 3), dtype=np.uint8)
    cv2.rectangle(image, (20, 20), (99, 119), (20, 200, 30), -1)
    cv2.circle(image, (150, 70), 30, (220, 40, 40), -1)
    (tmp_path / 'photos').mkdir()
    cv2.imwrite(str(tmp_path / 'photos/a.png'), image)
    return tmp_path / 'photos/a.png'


def test_in_a_config(config, method, photo, tmp_path):
    (dataset,) = datasets_of(load_config(config), 'test_dataloader')
    (settings,) = (step for step in dataset.pipeline if step['type'] == 'LoadRegionProposals')
    step = TRANSFORMS.build(dict(settings, cache_dir=str(tmp_path / 'cache')))
    image = cv2.imread(str(photo))
    expected = method(60)(image)[0]
    assert len(expected) > 1
    for _ in range(2):  # Computed, then from the cache.
        assert (step(dict(img=image, img_path=''))['proposals'] == expected).all()
    assert len(list((tmp_path / 'cache').rglob('*.npy'))) == 1


def test_in_make_proposals(tool, config, method, photo, tmp_path):
    own = ('--method', 'edge_boxes:EdgeBoxes', '--method-options', 'threshold=60')
    for name, arguments in (('by_name', own), ('by_config', ('--config', config))):
        store = tmp_path / f'{name}.h5'
        status, stdout, stderr = tool('make_proposals', photo.parent, '--out', store, '--workers', 1, *arguments)
        assert status == 0 and 'Made the proposals of 1 images' in stdout, stderr
    assert (tmp_path / 'by_name.h5').read_bytes() == (tmp_path / 'by_config.h5').read_bytes()
    with ProposalStore(store) as stored:
        assert (stored['a.png'].boxes == method(60)(cv2.imread(str(photo)))[0]).all()
        assert stored.parameters == {'method': 'edge_boxes', 'threshold': 60, 'max_boxes': None}

    # The config takes its own store, and no other.
    options = {'test_dataloader.dataset.pipeline.2.store': str(store)}
    (dataset,) = datasets_of(load_config(config, options=options), 'test_dataloader')
    TRANSFORMS.build(dataset.pipeline[2])
    dataset.pipeline[2].method.threshold = 70
    with pytest.raises(ValueError, match='by_config.h5 was made with other parameters: threshold is 60 where 70'):
        TRANSFORMS.build(dataset.pipeline[2])


def test_in_the_demo(tool, config, method, photo, tmp_path, monkeypatch):
    calls = []
    propose = method.__call__

    def counted(self, image):
        calls.append((self.threshold, image.shape))
        return propose(self, image)

    monkeypatch.setattr(method, '__call__', counted)
    out = tmp_path / 'out'
    model = ('--config', config, '--checkpoint', MINI_CHECKPOINT)
    status, _, stderr = tool('demo', photo, *model, '--out-dir', out, '--device', 'cpu')
    assert status == 0 and calls == [(60, (150, 200, 3))], stderr
    assert list(json.loads((out / 'detections.json').read_text())['images']) == [str(photo)]


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        (
            '--method edge_boxes:EdgeBoxes --method-options treshold=6',
            "no argument 'treshold'; did you mean 'threshold'?",
        ),
        ('--method edge_boxes:EdgeBoxes --width 300', "EdgeBoxes has no argument 'width'; choose from threshold."),
        ('--method edge_boxes:EdgeBoxes --method-options threshold', 'threshold: is not KEY=VALUE'),
        ('--method edgeboxes', "There is no proposal method 'edgeboxes'"),
        ('--method selective_serch', "'selective_serch'; did you mean 'SelectiveSearch'?"),
    ],
)
def test_make_proposals_refuses(tool, method, photo, tmp_path, arguments, sentence):
    assert sentence in tool.refused('make_proposals', photo.parent, '--out', tmp_path / 'a.h5', *arguments.split())
    assert not (tmp_path / 'a.h5').exists()
