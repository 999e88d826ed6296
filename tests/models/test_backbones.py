"""Other networks in GoogLeNet's place: those of timm, and BN-Inception."""

import copy
import functools
import os
import sys

import numpy as np
import pytest
import torch
from mmengine.config import Config, ConfigDict
from PIL import Image
from tiny_detectors import batch, rcnn_config

from det_inception.config.loading import load_config
from det_inception.datasets import TestCrops
from det_inception.models import BNInception, TimmBackbone
from det_inception.models.backbones.bn_inception import NORMALIZATION, public_name
from det_inception.models.backbones.timm_backbone import frozen_parameters
from det_inception.registry import MODELS
from det_inception.utils.errors import InputError
from det_inception.weights.checkpoints import load_detector, read_checkpoint
from det_inception.weights.export import publish

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CONFIG = os.path.join(REPO, 'configs/inception_v3_rcnn_voc.py')
# Name, type and settings, and the channels of the stages of stride 4, 8, 16 and 32.
FAMILY = [
    pytest.param(dict(type='BNInception'), (192, 320, 576, 1024), id='bn_inception'),
    pytest.param(dict(type='InceptionResNetV1'), (192, 256, 896, 1792), id='inception_resnet_v1'),
    pytest.param(dict(type='NIN'), (96, 256, 384, 1024), id='nin'),
    *(
        pytest.param(dict(type='TimmBackbone', model_name=name), channels, id=name)
        for name, channels in {
            'inception_v3': (192, 288, 768, 2048),
            'inception_v4': (160, 384, 1024, 1536),
            'inception_resnet_v2': (192, 320, 1088, 1536),
            'legacy_xception': (128, 256, 728, 2048),
            'vgg16': (256, 512, 512, 512),
            'resnet50': (256, 512, 1024, 2048),
        }.items()
    ),
]


def stages(backbone: dict) -> tuple[int, ...]:
    if backbone['type'] == 'NIN':
        return (0, 1, 2, 3)
    return (2, 3, 4, 5) if backbone.get('model_name') == 'vgg16' else (1, 2, 3, 4)


@pytest.fixture(autouse=True)
def timm_where_needed(request):
    settings = getattr(request.node, 'callspec', None)
    backbone = settings.params.get('backbone', {}) if settings else {}
    if backbone.get('type') == 'TimmBackbone':
        pytest.importorskip('timm', reason='the extra "backbones" is not installed')


def two_steps(model, data):
    """Trains two steps, and returns the loss and which parameters of the backbone changed.

    One is not enough: timm's ResNet starts with scales of zero behind every block, through which nothing goes back,
    and after the first step very little, so that some weights are too large to show it.
    """
    before = [parameter.detach().clone() for parameter in model.backbone.parameters()]
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    for _ in range(2):
        total, _ = model.parse_losses(model(**model.data_preprocessor(copy.deepcopy(data), training=True), mode='loss'))
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    return total.detach(), [
        not torch.equal(old, new) for old, new in zip(before, model.backbone.parameters(), strict=True)
    ]


@pytest.mark.parametrize(('backbone', 'channels'), FAMILY)
def test_in_the_rcnn(backbone, channels):
    torch.manual_seed(0)
    settings = rcnn_config(with_reg=False)
    settings.backbone = ConfigDict(backbone)
    settings.bbox_head.in_channels = channels[-1]
    settings.region_warp.update(size=75, context=5)
    settings.train_cfg.rcnn.sampler.num = 4
    model = MODELS.build(settings)
    model.init_weights()
    assert model.backbone.out_channels == channels[-1:]
    loss, changed = two_steps(model.train(), batch(1, proposals=20))
    assert torch.isfinite(loss) and changed[0] and sum(changed) > 0.75 * len(changed)


@pytest.mark.parametrize(('backbone', 'channels'), FAMILY)
def test_in_mmdetections_faster_rcnn(backbone, channels):
    import mmdet

    folder = os.path.join(os.path.dirname(mmdet.__file__), '.mim', 'configs', '_base_', 'models')
    settings = Config.fromfile(os.path.join(folder, 'faster-rcnn_r50_fpn.py')).model
    settings.backbone = ConfigDict(backbone, out_indices=stages(backbone))
    settings.neck.update(in_channels=list(channels), out_channels=16)
    settings.rpn_head.update(in_channels=16, feat_channels=16)
    settings.roi_head.bbox_roi_extractor.out_channels = 16
    settings.roi_head.bbox_head.update(in_channels=16, fc_out_channels=32, num_classes=3)
    torch.manual_seed(0)
    model = MODELS.build(settings)
    model.init_weights()
    assert model.backbone.out_channels == channels
    images = torch.zeros(1, 3, 96, 96)
    with torch.no_grad():
        features = model.backbone.eval()(images)
    assert tuple(len(feature[0]) for feature in features) == channels
    for index, feature in zip(model.backbone.out_indices, features, strict=True):
        stride = model.backbone.feature_info[index]['stride']
        # Those without padding lose some on the edges.
        assert max(1, 96 / stride - 5) <= feature.shape[-1] <= 96 / stride
    loss, changed = two_steps(model.train(), batch(shapes=((96, 96), (96, 96))))
    assert torch.isfinite(loss) and changed[0] and sum(changed) > 0.75 * len(changed)
    assert all(torch.isfinite(parameter.grad).all() for parameter in model.backbone.parameters())


@pytest.mark.parametrize(
    ('backbone', 'last'),
    [
        (dict(type='BNInception'), 'inception3b'),
        (dict(type='TimmBackbone', model_name='resnet18'), 'layer2'),
        # Its third output is what block 3 begins with.
        (dict(type='TimmBackbone', model_name='legacy_xception'), 'block2'),
    ],
)
def test_frozen_stages_and_batch_norms(backbone, last):
    torch.manual_seed(0)
    index = 2
    network = MODELS.build(dict(backbone, out_indices=(index, 4), frozen_stages=index, norm_eval=False))
    network.train()
    frozen = {name for name, parameter in network.named_parameters() if not parameter.requires_grad}
    assert any(f'.{last}.' in f'.{name}' for name in frozen)
    free = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    assert any('layer4' in name or 'inception5b' in name or 'block12' in name for name in free)
    assert not any('block3' in name for name in frozen)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    sum(feature.mean() for feature in network(torch.rand(2, 3, 75, 75))).backward()
    assert all(parameter.grad is None for name, parameter in network.named_parameters() if name in frozen)
    moved = {
        key.rpartition('.')[0] for key, value in network.state_dict().items() if not torch.equal(value, before[key])
    }
    weights = {name.rpartition('.')[0] for name in frozen}
    assert moved and not moved & weights  # statistics of free batch norms alone
    still = MODELS.build(dict(backbone, norm_eval=True)).train()
    before = {key: value.clone() for key, value in still.state_dict().items()}
    still(torch.rand(2, 3, 75, 75))
    assert all(torch.equal(value, before[key]) for key, value in still.state_dict().items())


@pytest.mark.parametrize(
    'name', ['resnet18', 'tf_efficientnet_lite0', 'legacy_xception', 'hrnet_w18_small', 'vit_tiny']
)
def test_stages_are_frozen_one_by_one(name):
    """A step of training moves the maps behind the frozen stages, and none of theirs."""
    pytest.importorskip('timm', reason='the extra "backbones" is not installed')
    name, side, last = (name, 64, 4) if name != 'vit_tiny' else ('vit_tiny_patch16_224', 224, 2)
    for frozen in range(-1, last + 1):
        torch.manual_seed(0)
        network = TimmBackbone(name, out_indices=range(last + 1), frozen_stages=frozen)
        images = torch.randn(2, 3, side, side)

        def maps(network=network, images=images):
            with torch.no_grad():
                return network.eval()(images)

        before = maps()
        learned = [parameter for parameter in network.train().parameters() if parameter.requires_grad]
        if learned:
            sum(stage.square().mean() for stage in network(images)).backward()
            torch.nn.utils.clip_grad_norm_(learned, 1)
            torch.optim.SGD(learned, lr=1.0).step()
        equal = [torch.equal(mine, other) for mine, other in zip(before, maps(), strict=True)]
        assert equal == [stage <= frozen for stage in range(last + 1)], frozen


def test_bn_inception_has_the_published_size():
    # osmr/imgclsmob states 11,295,240 for the public network with its classifier of 1000.
    size = sum(parameter.numel() for parameter in BNInception('caffe').parameters())
    assert size + 1024 * 1000 + 1000 == 11_295_240


def test_bn_inceptions_public_file(tmp_path):
    torch.manual_seed(0)
    source = BNInception('caffe')
    source.init_weights()
    public = {public_name(key): value for key, value in source.state_dict().items() if 'num_batches' not in key}
    public |= {key: value[None] for key, value in public.items() if '_bn.' in key}  # as one of the files has them
    path = tmp_path / 'bn_inception.pth'
    torch.save({**public, 'last_linear.weight': torch.zeros(1000, 1024)}, path)
    loaded = BNInception('caffe', init_cfg=dict(type='Pretrained', checkpoint=str(path)))
    loaded.init_weights()
    images = torch.rand(1, 3, 64, 64)
    assert torch.equal(loaded.eval()(images)[0], source.eval()(images)[0])
    assert loaded.normalization == NORMALIZATION
    with pytest.raises(InputError, match=r"bn_inception\.pth: is no BN-Inception of the variant 'paper'"):
        BNInception('paper', init_cfg=dict(type='Pretrained', checkpoint=str(path))).init_weights()
    own = tmp_path / 'own.pth'
    torch.save(source.state_dict(), own)
    again = BNInception('caffe', init_cfg=dict(type='Pretrained', checkpoint=str(own)))
    again.init_weights()
    assert all(torch.equal(value, again.state_dict()[key]) for key, value in source.state_dict().items())


@pytest.fixture(scope='module')
def timm_file(tmp_path_factory):
    timm = pytest.importorskip('timm', reason='the extra "backbones" is not installed')
    torch.manual_seed(1)
    network = timm.create_model('resnet18', num_classes=7)
    path = tmp_path_factory.mktemp('timm') / 'resnet18.pth'
    torch.save(network.state_dict(), path)
    return path, network


def test_timms_file_is_loaded_whole_or_refused(timm_file, tmp_path):
    path, network = timm_file
    backbone = TimmBackbone('resnet18', init_cfg=dict(type='Pretrained', checkpoint=str(path)))
    backbone.init_weights()
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(backbone.eval()(images)[0], network.eval().forward_features(images))
    assert backbone.normalization['mean'] == pytest.approx([123.675, 116.28, 103.53])

    def load(name, file):
        TimmBackbone(name, init_cfg=dict(type='Pretrained', checkpoint=str(file))).init_weights()

    with pytest.raises(InputError, match=r'resnet18\.pth: \d+ of the \d+ arrays of resnet34 are missing'):
        load('resnet34', path)
    with pytest.raises(InputError, match='no such file of weights'):
        load('resnet18', tmp_path / 'none.pth')
    (tmp_path / 'bad.pth').write_bytes(b'PK nonsense')
    with pytest.raises(InputError, match=r'bad\.pth: holds no weights of timm'):
        load('resnet18', tmp_path / 'bad.pth')


@pytest.mark.parametrize('name', ['inception_v3', 'legacy_xception', 'vgg16', 'xception41', 'mobilenetv3_large_100'])
def test_timms_own_test_is_known(name):
    timm = pytest.importorskip('timm', reason='the extra "backbones" is not installed')
    # Three times as long as wide: no number is halfway, and rounded up there and down here.
    pixels = np.random.default_rng(0).integers(0, 256, (300, 900, 3), dtype=np.uint8)
    data = timm.data.resolve_data_config(pretrained_cfg=timm.get_pretrained_cfg(name).to_dict())
    *steps, last, _ = timm.data.create_transform(**data).transforms
    assert type(last).__name__ == 'MaybeToTensor'
    expected = functools.reduce(lambda image, step: step(image), steps, Image.fromarray(pixels))
    rule = TimmBackbone.config_from_pretrained(dict(model_name=name), 'timm://').testing
    (crop,) = TestCrops(1, rule['crop'], rule).transform(dict(img=pixels))['img']
    assert abs(crop.astype(int) - np.asarray(expected)).max() <= 2


def test_mistakes_in_the_config():
    pytest.importorskip('timm', reason='the extra "backbones" is not installed')
    with pytest.raises(InputError, match="timm has no network 'inception_v33'; did you mean 'inception_v3'"):
        TimmBackbone('inception_v33')
    with pytest.raises(InputError, match='frozen_stages is 5'):
        TimmBackbone('resnet18', frozen_stages=5)
    with pytest.raises(InputError, match='choose others for out_indices'):
        TimmBackbone('resnet18', out_indices=(7,))
    for stages in ((4, 1), (1, 1), (1, 4, -1)):
        with pytest.raises(InputError, match='name each once, in ascending order'):
            TimmBackbone('resnet18', out_indices=stages)
    for stages in ((), 4, ['a'], (True, 2), '12', None):
        with pytest.raises(InputError, match='out_indices is .*; list the numbers of stages'):
            TimmBackbone('resnet18', out_indices=stages)
    with pytest.raises(InputError, match='timm has no weights .*choose mobilenetv2_100.ra_in1k, or leave out'):
        TimmBackbone('mobilenetv2_100.foo')
    with pytest.raises(InputError, match='frozen_stages is None'):
        TimmBackbone('resnet18', frozen_stages=None)
    with pytest.raises(InputError, match='frozen_stages: tresnet_l does not show'):
        frozen_parameters('tresnet_l', 1)


def test_a_transformer_gives_maps_as_all_do_and_names_the_size_that_it_refuses():
    pytest.importorskip('timm', reason='the extra "backbones" is not installed')
    with torch.device('meta'):
        network = TimmBackbone('swin_tiny_patch4_window7_224', out_indices=(0, 3))
        assert [stage.shape[1:] for stage in network(torch.zeros(1, 3, 224, 224))] == [(96, 56, 56), (768, 7, 7)]
        with pytest.raises(InputError, match='takes no image of 64 x 96 pixels .*region_warp.size'):
            network(torch.zeros(1, 3, 96, 64))


def test_without_timm_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, 'timm', None)
    with pytest.raises(InputError, match=r'backbones'):
        TimmBackbone('inception_v3')


def test_weights_and_checkpoints_of_a_config(timm_file, tmp_path):
    path, _ = timm_file
    options = {
        'model.backbone.model_name': 'resnet18',
        'model.bbox_head.in_channels': 512,
        'classes': ('cat', 'dog'),
    }
    cfg = load_config(CONFIG, options=options, weights=path)
    assert cfg.model.backbone.init_cfg == dict(type='Pretrained', checkpoint=str(path))
    model = MODELS.build(cfg.model)
    model.init_weights()
    imagenet = pytest.approx([123.675, 116.28, 103.53])
    assert model.data_preprocessor.mean.flatten().tolist() == imagenet
    meta = dict(cfg=cfg.pretty_text, dataset_meta=dict(classes=('cat', 'dog')))
    trained = tmp_path / 'trained.pth'
    torch.save(dict(state_dict=model.state_dict(), meta=meta), trained)
    published = tmp_path / 'published.pth'
    publish(trained, published)
    assert 'cfg' not in read_checkpoint(published)['meta']
    for file in (trained, published):
        used = load_config(CONFIG, options=options, checkpoint=file)
        assert used.model.backbone.get('init_cfg') is None
        loaded = MODELS.build(used.model)
        load_detector(loaded, file)
        assert loaded.data_preprocessor.mean.flatten().tolist() == imagenet
