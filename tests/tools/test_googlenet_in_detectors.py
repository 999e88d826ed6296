"""MMDetection's other detectors with GoogLeNet: their configs train, test and detect on data of any layout."""

import json
from pathlib import Path

import cv2
import mmengine.runner.runner
import numpy as np
import pytest
import torch
from layouts import LAYOUTS, picture
from mmengine.config import Config
from mmengine.runner import Runner

from det_inception.config.loading import load_config
from det_inception.config.options import read_options
from det_inception.inference.detector import Detector
from det_inception.models import BNInception, GoogLeNet
from det_inception.models.backbones.bn_inception import public_name
from det_inception.registry import MODELS
from det_inception.utils.errors import InputError

REPO = Path(__file__).resolve().parent.parent.parent
PYRAMID = ['model.neck.out_channels=64', 'model.bbox_head.in_channels=64', 'model.bbox_head.feat_channels=64']
HEADS = [f'model.roi_head.bbox_head.{number}' for number in range(3)]
# To each config, the layout of the data, and settings that make its neck and head small.
CONFIGS = {
    'retinanet': ('voc', PYRAMID),
    'fcos': ('coco', PYRAMID),
    'atss': ('yolo', PYRAMID),
    'yolox': ('labelme, parts', PYRAMID),
    'dino': (
        'coco of Roboflow',
        [
            'model.num_queries=20',
            'model.encoder.num_layers=1',
            'model.decoder.num_layers=1',
            'model.test_cfg.max_per_img=20',
        ],
    ),
    'cascade-rcnn': (
        'voc of Roboflow',
        [
            'model.neck.out_channels=64',
            'model.rpn_head.in_channels=64',
            'model.rpn_head.feat_channels=64',
            'model.roi_head.bbox_roi_extractor.out_channels=64',
            *(f'{head}.{setting}' for head in HEADS for setting in ('in_channels=64', 'fc_out_channels=64')),
        ],
    ),
}
QUICK = [
    'image_size=[96,72]',
    'train_cfg.max_epochs=1',
    'train_cfg.val_begin=2',
    'visualizer.vis_backends=None',
    'train_dataloader.batch_size=2',
    'default_hooks.checkpoint.save_optimizer=False',
    *(f'{part}_dataloader.num_workers=0' for part in ('train', 'val', 'test')),
]
# What the tools do, the others do by MMEngine's runner, which takes half the time.
TOOLS = ('dino', 'cascade-rcnn')
BN_INCEPTION = ['model.backbone.type=BNInception']


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    """The files of a narrow GoogLeNet, and of a BN-Inception under its public names."""
    torch.manual_seed(0)
    folder, networks = tmp_path_factory.mktemp('weights'), {}
    for network in (GoogLeNet('paper', width=0.125), BNInception('caffe')):
        network.init_weights()
        path = folder / f'{type(network).__name__}.pth'
        name = public_name if isinstance(network, BNInception) else str
        torch.save({name(key): value for key, value in network.state_dict().items()}, path)
        networks[type(network).__name__] = path
    return networks


@pytest.fixture(autouse=True)
def quickly(monkeypatch, tmp_path):
    """Without what takes most of a tiny training's time: to ask for compilers."""
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    monkeypatch.setattr(mmengine.runner.runner, 'collect_env', dict)


@pytest.mark.parametrize(
    ('name', 'backbone'), [*((name, 'GoogLeNet') for name in CONFIGS), ('retinanet', 'BNInception')]
)
def test_train_test_and_detect(name, backbone, weights, tool, tmp_path):
    layout, small = CONFIGS[name]
    LAYOUTS[layout].build(tmp_path / 'set')
    config = REPO / f'configs/googlenet_{name}_voc.py'
    data = ('--data-root', tmp_path / 'set')
    # Width, variant, channels of the neck and normalization are those of the weights.
    options = [*QUICK, *small, *(BN_INCEPTION if backbone == 'BNInception' else [])]
    if name in TOOLS:
        train = ('train', config, *data, '--weights', weights[backbone], '--work-dir', tmp_path / 'work')
        status, said, errors = tool(*train, options=options)
        assert status == 0, (said[-3000:], errors)
    else:
        settings = dict(options=read_options(options), data_root=tmp_path / 'set', weights=weights[backbone])
        cfg = load_config(config, **settings)
        cfg.work_dir = str(tmp_path / 'work')
        Runner.from_cfg(cfg).train()
    checkpoint = tmp_path / 'work/epoch_1.pth'
    state = torch.load(checkpoint, map_location='cpu', weights_only=True)['state_dict']
    assert all(value.isfinite().all() for value in state.values() if value.is_floating_point())
    moved = {}
    before, name_of = torch.load(weights[backbone], weights_only=True), public_name if backbone != 'GoogLeNet' else str
    for key in state:
        if key.startswith('backbone.') and key.endswith('conv.weight'):
            own = key.removeprefix('backbone.')
            moved[own] = not torch.equal(state[key], before[name_of(own)])
    assert {key for key in moved if not moved[key]} == {
        f'{frozen}.conv.weight' for frozen in ('conv1', 'conv2_reduce', 'conv2')
    }
    if name in TOOLS:
        out = tmp_path / 'metrics.json'
        test = ('test', config, checkpoint, *data, '--work-dir', tmp_path / 'test', '--out', out)
        status, said, errors = tool(*test, options=options)
        assert status == 0, (said[-3000:], errors)
        assert 0 <= json.loads(out.read_text())['voc/AP50'] <= 1
    threshold = dict(dino=[], **{'cascade-rcnn': ['model.test_cfg.rcnn.score_thr=0']})
    options += threshold.get(name, ['model.test_cfg.score_thr=0'])
    detector = Detector(config, checkpoint, device='cpu', options=read_options(options))
    found = detector(cv2.imdecode(np.frombuffer(picture('e'), np.uint8), cv2.IMREAD_COLOR))
    assert detector.classes == ('cat', 'dog') and len(found.boxes) and {*found.labels} <= {0, 1}


@pytest.mark.parametrize('name', CONFIGS)
def test_the_default_is_the_network_of_the_included_detector(name):
    cfg = Config.fromfile(REPO / f'configs/googlenet_{name}_voc.py')
    backbone = MODELS.build(cfg.model.backbone)
    assert cfg.model.neck.in_channels == list(backbone.out_channels)
    # Anchors are where the cells look; behind the last map, a convolution of stride 2 keeps the first cell's place.
    heads = [cfg.model.get('rpn_head'), cfg.model.bbox_head if name != 'cascade-rcnn' else None]
    for generator in [head.anchor_generator for head in heads if head is not None and 'anchor_generator' in head]:
        looks_at = [backbone.feature_info[index]['first_center'] for index in backbone.out_indices]
        looks_at += looks_at[-1:] * (len(generator.strides) - len(looks_at))
        assert generator.centers == [(place, place) for place in looks_at]
    if name == 'retinanet':
        backbone.init_weights()
        included = torch.load(REPO / 'checkpoints/googlenet_faster-rcnn_voc2007.pth', weights_only=True)['state_dict']
        for key, place in (('inception4a', 'backbone.'), ('inception5b', 'roi_head.shared_head.')):
            key += '.conv_3x3.conv.weight'
            assert torch.equal(backbone.state_dict()[key], included[place + key].float())


def test_a_cascade_gets_the_classes_of_the_data():
    options = {'classes': ['a', 'b', 'c'], 'data_root': 'none'}
    cfg = load_config(REPO / 'configs/googlenet_cascade-rcnn_voc.py', options=options)
    assert [head.num_classes for head in cfg.model.roi_head.bbox_head] == [3, 3, 3]


def test_weights_of_another_network_are_refused(weights):
    with pytest.raises(InputError, match=r'BNInception\.pth'):
        load_config(REPO / 'configs/googlenet_fcos_voc.py', options=dict(classes=['a']), weights=weights['BNInception'])
