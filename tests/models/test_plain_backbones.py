"""The networks that timm lacks or cuts: AlexNet and VGG-16 with fc6 and fc7, NiN, Inception-ResNet v1."""

import math

import numpy as np
import pytest
import torch
import torchvision
from mmengine.config import ConfigDict
from tiny_detectors import batch, fast_rcnn_config, rcnn_config
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from det_inception.models import (
    NIN,
    VGG16,
    AlexNet,
    BNInception,
    FullyConnectedSharedHead,
    InceptionResNetV1,
    TimmBackbone,
)
from det_inception.models.backbones import plain
from det_inception.models.backbones.timm_backbone import timm_normalization
from det_inception.registry import MODELS
from det_inception.utils.errors import InputError
from det_inception.weights.files import RawCheckpoint
from det_inception.weights.fitting import reshaped

FAST_RCNN = fast_rcnn_config()
FAST_RCNN.backbone = ConfigDict(type='AlexNet', variant='torchvision', out_indices=(2,), frozen_stages=0)
FAST_RCNN.roi_head.shared_head = ConfigDict(type='FullyConnectedSharedHead', network='AlexNet', variant='torchvision')
FAST_RCNN.roi_head.bbox_roi_extractor.update(out_channels=256)
FAST_RCNN.roi_head.bbox_roi_extractor.roi_layer.update(output_size=6)
FAST_RCNN.roi_head.bbox_head.update(in_channels=4096, dropout=0.0)
"""Fast R-CNN of AlexNet."""


def sizes(build, side):
    """Parameters and multiply-adds of a backbone."""
    with torch.device('meta'):
        network = build().eval()
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            network(torch.zeros(1, 3, side, side))
    return sum(parameter.numel() for parameter in network.parameters()), counter.get_total_flops() // 2


@pytest.mark.parametrize(
    ('build', 'side', 'last', 'parameters', 'multiply_adds'),
    [
        # Caffe's model file; 727 and 724 million in albanie/convnet-burden, for this one and CaffeNet.
        (lambda: AlexNet('caffe'), 227, 4_097_000, 60_965_224, 724.4e6),
        # torchvision's documentation: 61.1 and 138.4 million parameters, 0.71 and 15.47 G.
        (lambda: AlexNet('torchvision'), 224, 4_097_000, 61_100_840, 0.714e9),
        (VGG16, 224, 4_097_000, 138_357_544, 15.47e9),
        # nin_imagenet.caffemodel has 29 MB; its last layer works on 6 x 6 cells.
        (NIN, 227, 1_025_000, 7_595_176, 1.105e9),
    ],
    ids=['alexnet caffe', 'alexnet torchvision', 'vgg16', 'nin'],
)
def test_they_have_the_published_size(build, side, last, parameters, multiply_adds):
    found, operations = sizes(build, side)
    operations += 36 * 1_024_000 if build is NIN else last
    assert found + last == parameters
    assert operations == pytest.approx(multiply_adds, rel=2e-3)


def test_inception_resnet_v1_has_facenets_size():
    """22,808,144 in Keras, which counts statistics and no scale of batch norms, with a layer of 128 and its norm."""
    with torch.device('meta'):
        network = InceptionResNetV1('facenet')
    norms = sum(module.num_features for module in network.modules() if isinstance(module, nn.BatchNorm2d))
    parameters = sum(parameter.numel() for parameter in network.parameters())
    assert parameters + norms + 1792 * 128 + 3 * 128 == 22_808_144
    with torch.device('meta'):
        assert network.eval()(torch.zeros(1, 3, 299, 299))[0].shape == (1, 1792, 8, 8)  # as in figure 10


@pytest.fixture
def file(monkeypatch):
    """Lets files hold given arrays, without writing hundreds of megabytes."""
    files = {}
    monkeypatch.setattr(plain, 'read_raw', lambda source: RawCheckpoint(files[str(source)], {}))
    return files


def test_torchvisions_alexnet_is_the_same_network(file):
    torch.manual_seed(0)
    theirs = torchvision.models.alexnet(weights=None).eval()
    file['a.pth'] = {f'module.{key}': value for key, value in theirs.state_dict().items()}
    assert AlexNet.config_from_pretrained(dict(), 'a.pth').settings == dict(variant='torchvision')
    ours = AlexNet('torchvision', out_indices=(2, 4)).eval()
    ours.load_pretrained('a.pth')
    images = torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        conv5, fc7 = ours(images)
        torch.testing.assert_close(conv5, theirs.features[:-1](images))
        expected = theirs.classifier[:-1](theirs.features(images).flatten(1))
    torch.testing.assert_close(fc7.flatten(1), expected, rtol=1e-4, atol=1e-5)
    assert ours.normalization['mean'] == pytest.approx([123.675, 116.28, 103.53])
    with pytest.raises(InputError, match=r"a\.pth: is no AlexNet of the variant 'caffe' \(conv1\.weight: 64x3x11x11"):
        AlexNet('caffe', out_indices=(0,)).load_pretrained('a.pth')


def test_torchvisions_vgg16_is_the_same_network(file):
    torch.manual_seed(0)
    theirs = torchvision.models.vgg16(weights=None).features.eval()
    file['a.pth'] = {f'features.{key}': value for key, value in theirs.state_dict().items()}
    ours = VGG16(out_indices=(0, 2, 4)).eval()
    ours.load_pretrained('a.pth')
    images = torch.rand(1, 3, 48, 80)
    with torch.no_grad():
        for found, depth in zip(ours(images), (4, 16, 30)):
            torch.testing.assert_close(found, theirs[:depth](images))
    with torch.device('meta'):
        whole, network = torchvision.models.vgg16(weights=None).state_dict(), VGG16()
    for layer, name in network.torchvision_names.items():
        assert whole[f'{name}.weight'].numel() == getattr(network, layer).weight.numel()
    with pytest.raises(InputError, match=r'a\.pth: is no VGG16 \(fc6\.weight: missing\)'):
        network.load_pretrained('a.pth')


def test_caffes_files_and_where_caffe_normalizes(tmp_path):
    torch.manual_seed(0)
    weights = {
        'conv1.weight': torch.randn(96, 3, 11, 11),
        'conv1.bias': torch.randn(1, 1, 1, 96),  # as old files have it
        'conv2.weight': torch.randn(256, 48, 5, 5),
        'conv2.bias': torch.randn(256),
    }
    np.savez(tmp_path / 'caffe.npz', **{key: value.numpy() for key, value in weights.items()})
    images, lrn = torch.rand(1, 3, 67, 67), nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75)
    first = nn.functional.conv2d(images, weights['conv1.weight'], weights['conv1.bias'].flatten(), stride=4).relu()
    pool = nn.MaxPool2d(3, 2, ceil_mode=True)
    for variant, between in (('caffe', pool(lrn(first))), ('caffenet', lrn(pool(first)))):
        network = AlexNet(variant, out_indices=(0, 1)).eval()
        network.load_pretrained(tmp_path / 'caffe.npz')
        conv1, conv2 = network(images)
        torch.testing.assert_close(conv1, first)
        expected = nn.functional.conv2d(between, weights['conv2.weight'], weights['conv2.bias'], padding=2, groups=2)
        torch.testing.assert_close(conv2, expected.relu(), rtol=1e-4, atol=1e-3)  # Sums of 1,200 numbers.
        said = AlexNet.config_from_pretrained(dict(variant=variant), str(tmp_path / 'caffe.npz'))
        assert said.settings == dict(variant=variant) and said.testing['resize'] == 'squash'
        assert network.normalization == said.normalization == plain.CAFFE


@pytest.mark.parametrize('shape', [(7, 18), (1, 1, 7, 18), (7, 2, 3, 3)])
def test_a_fully_connected_layer_becomes_a_convolution(shape):
    matrix, images = torch.rand(shape), torch.rand(1, 2, 3, 3)
    layer = nn.Conv2d(2, 7, 3, bias=False)
    layer.weight.data = reshaped(matrix, layer.weight)
    torch.testing.assert_close(layer(images).flatten(), matrix.reshape(7, 18) @ images.flatten())


def test_what_does_not_fit_is_refused_in_one_sentence(file):
    own = NIN(out_indices=(0,)).state_dict()
    network = NIN(out_indices=(0,))
    for change, said in (
        ({'cccp2.bias': None}, r'is no NIN \(cccp2\.bias: missing\)'),
        ({'conv1.weight': own['conv1.weight'].permute(2, 3, 1, 0)}, "11x11x3x96 is TensorFlow's order, height x width"),
        ({'conv1.weight': torch.zeros(96, 1, 11, 11)}, '96x1x11x11 instead of 96x3x11x11'),
        ({'cccp1.bias': torch.full((96,), torch.nan)}, 'values in cccp1.bias that are not finite'),
        (dict.fromkeys(own), 'holds 0 arrays and no NIN, whose first layer is conv1.weight; name'),
    ):
        file['bad.pth'] = {key: value for key, value in (own | change).items() if value is not None}
        before = {key: value.clone() for key, value in network.state_dict().items()}
        with pytest.raises(InputError, match=said) as caught:
            network.load_pretrained('bad.pth')
        assert str(caught.value).startswith('bad.pth: ') and '\n' not in str(caught.value)
        assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    with torch.device('meta'), pytest.raises(InputError, match='images of 100x90 pixels are too small for AlexNet, of'):
        AlexNet('torchvision')(torch.zeros(1, 3, 90, 100))
    for wrong in (dict(variant='bvlc'), dict(out_indices=(5,)), dict(frozen_stages=5)):
        with pytest.raises(ValueError, match='AlexNet'):
            AlexNet(**wrong)


def test_alexnet_in_the_rcnn_and_behind_the_first_stages():
    torch.manual_seed(0)
    settings = rcnn_config(with_reg=False)
    settings.backbone = ConfigDict(type='AlexNet', variant='torchvision', frozen_stages=0)
    settings.bbox_head.update(in_channels=4096, dropout=0.0)
    settings.region_warp.update(size=224, context=16)
    settings.train_cfg.rcnn.sampler.num = 2
    model = MODELS.build(settings).train()
    losses = model(**model.data_preprocessor(batch(1, proposals=20), training=True), mode='loss')
    total, _ = model.parse_losses(losses)
    total.backward()
    assert torch.isfinite(total) and model.backbone.fc6.weight.grad.abs().sum() > 0
    assert model.backbone.conv1.weight.grad is None
    # Where nothing asks for fc6 and fc7, they are not built.
    assert sum(parameter.numel() for parameter in AlexNet(out_indices=(2,)).parameters()) < 2.4e6


def test_fc6_and_fc7_behind_the_region_operation_are_those_of_the_network(tmp_path):
    torch.manual_seed(0)
    network = AlexNet('torchvision', out_indices=(2, 3, 4)).eval()
    network.init_weights()
    _, pool5, fc7 = network(torch.rand(2, 3, 224, 224))
    torch.save(
        dict(meta={}, state_dict={f'backbone.{k}': v for k, v in network.state_dict().items()}), tmp_path / 'a.pth'
    )

    detector = FAST_RCNN.copy()
    for part in (detector.backbone, detector.roi_head.shared_head):
        part.init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'a.pth'))
    model = MODELS.build(detector)
    model.init_weights()
    model.eval()
    torch.testing.assert_close(model.roi_head.shared_head(pool5), fc7)

    model.train()
    data = batch(1, proposals=20)
    losses = model(**model.data_preprocessor(data, training=True), mode='loss')
    total, _ = model.parse_losses(losses)
    total.backward()
    assert torch.isfinite(total) and model.roi_head.shared_head.fc6.weight.grad.abs().sum() > 0

    # A detector's file has the two layers elsewhere.
    torch.save(dict(meta={}, state_dict=model.state_dict()), tmp_path / 'detector.pth')
    again = FullyConnectedSharedHead('AlexNet', variant='torchvision')
    again.load_pretrained(tmp_path / 'detector.pth')
    assert torch.equal(again.fc7.weight, model.roi_head.shared_head.fc7.weight)


def test_regions_of_another_size_and_networks_without_such_layers_are_refused():
    with torch.device('meta'):
        head = FullyConnectedSharedHead('VGG16')
        assert head(torch.zeros(3, 512, 7, 7)).shape == (3, 4096, 1, 1)
        with pytest.raises(InputError, match='fc6 of VGG16 takes regions of 7x7 cells and gets 6x6; set output_size'):
            head(torch.zeros(3, 512, 6, 6))
    for wrong in ('NIN', 'GoogLeNet', 'Nothing'):
        with pytest.raises(ValueError, match='has no fully connected layers'):
            FullyConnectedSharedHead(wrong)


# ----------------------------------------------------------------------------------------------- Inception-ResNet v1


def test_facenets_file_and_its_scales(tmp_path):
    torch.manual_seed(0)
    source = InceptionResNetV1('facenet')
    source.init_weights()
    names = {'conv2d_1a.bn.running_var', 'repeat_1.4.branch2.1.conv.weight', 'repeat_2.9.branch1.2.conv.weight'}
    names |= {
        'mixed_7a.branch1.1.bn.bias',
        'mixed_6a.branch0.conv.weight',
        'block8.conv2d.bias',
        'repeat_3.0.conv2d.bias',
    }
    assert names <= source.state_dict().keys()  # as in the public file
    public = {key: value for key, value in source.state_dict().items() if 'num_batches' not in key}
    torch.save({**public, 'last_linear.weight': torch.zeros(512, 1792)}, tmp_path / 'facenet.pt')
    said = InceptionResNetV1.config_from_pretrained(dict(), str(tmp_path / 'facenet.pt'))
    assert said.settings == dict(variant='facenet') and said.normalization['std'] == [128.0] * 3
    loaded = InceptionResNetV1('facenet', init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'facenet.pt')))
    loaded.init_weights()
    images = torch.rand(1, 3, 80, 80)
    with torch.no_grad():
        assert torch.equal(loaded.eval()(images)[0], source.eval()(images)[0])
    other = InceptionResNetV1('paper', init_cfg=loaded.init_cfg)
    with pytest.raises(InputError, match=r"facenet\.pt: holds the 'facenet' variant"):
        other.init_weights()
    block = source.repeat_1[0]
    x = torch.rand(1, 256, 5, 5)
    branches = torch.cat([block.branch0(x), block.branch1(x), block.branch2(x)], dim=1)
    torch.testing.assert_close(block(x), (x + 0.17 * block.conv2d(branches)).relu())
    for wrong in ((0.1, 0.1), (0.1, 0, 0.1), (0.1, 0.1, 2)):
        with pytest.raises(ValueError, match='scales are three numbers'):
            InceptionResNetV1(scales=wrong)


def test_scaled_residuals_keep_activations_and_gradients_small():
    """The paper's observation at the first step: without scales, gradients grow on the way back through 20 blocks."""
    gains, largest = [], []
    images = torch.randn(2, 3, 80, 80, generator=torch.Generator().manual_seed(0))
    for scale in (1.0, 0.1):
        torch.manual_seed(0)
        network = InceptionResNetV1(scales=(scale,) * 3, out_indices=(2, 4))
        network.init_weights()
        first, last = network.train()(images)
        first.retain_grad()
        last.retain_grad()
        (last * torch.randn_like(last)).mean().backward()
        gains.append((first.grad.norm() / last.grad.norm()).item())
        largest.append(last.max().item())
    assert gains[0] > 10 * gains[1] and largest[0] > 1.5 * largest[1]


@pytest.mark.parametrize(
    'build',
    [
        lambda: BNInception(out_indices=(0, 1, 2, 3, 4)),
        lambda: InceptionResNetV1(out_indices=(0, 1, 2, 3, 4)),
        lambda: AlexNet('torchvision', out_indices=(0, 1, 2, 3)),
        lambda: AlexNet('caffe', out_indices=(0, 1, 2, 3)),
        lambda: NIN(out_indices=(0, 1, 2, 3)),
    ],
    ids=['bn-inception', 'inception-resnet v1', 'alexnet torchvision', 'alexnet caffe', 'nin'],
)
def test_where_the_first_cells_look(build, monkeypatch):
    """The middle of all pixels that move a cell: equal positive weights and mean pools let all of them through.

    With them all channels are alike, so that one is computed.
    """
    with torch.device('meta'):
        network = build().eval()

    def equal_weights(layer, x):
        x, kernel = x.mean(1, keepdim=True), x.new_full((1, 1, *layer.kernel_size), 1 / math.prod(layer.kernel_size))
        return nn.functional.conv2d(x, kernel, None, layer.stride, layer.padding, layer.dilation)

    monkeypatch.setattr(nn.Conv2d, 'forward', equal_weights)
    monkeypatch.setattr(nn.BatchNorm2d, 'forward', lambda layer, x: x)
    for name in ('repeat_1', 'repeat_2', 'repeat_3'):  # They see far, to all sides alike.
        if hasattr(network, name):
            setattr(network, name, nn.Identity())
    mean_pool = nn.functional.avg_pool2d
    monkeypatch.setattr(
        nn.functional, 'max_pool2d', lambda x, size, stride, ceil_mode: mean_pool(x, size, stride, ceil_mode=ceil_mode)
    )
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.MaxPool2d):
                setattr(module, name, nn.AvgPool2d(child.kernel_size, child.stride, child.padding, child.ceil_mode))
    images = torch.ones(1, 3, 1056, 96, dtype=torch.double, requires_grad=True)
    for index, features in zip(network.out_indices, network(images), strict=True):
        info = network.feature_info[index]
        cell = 16 * 32 // info['stride']
        (seen,) = torch.autograd.grad(features[0, :, cell].sum(), images, retain_graph=True)
        rows = seen[0].sum((0, 2)).nonzero().flatten()
        middle = (float(rows[0]) + float(rows[-1]) + 1) / 2
        assert rows[0] > 0 and rows[-1] < 1055
        assert middle == cell * info['stride'] + info['first_center']


# -------------------------------------------------------------------------------------------------------------- timm


@pytest.mark.parametrize(
    ('name', 'present', 'channels'),
    [
        ('xception', 'legacy_xception', 2048),
        ('tf_inception_v3', 'inception_v3.tf_in1k', 2048),
        ('ens_adv_inception_resnet_v2', 'inception_resnet_v2.tf_ens_adv_in1k', 1536),
        ('resnet152', 'resnet152', 2048),
        ('mobilenetv2_100', 'mobilenetv2_100', 320),
        ('efficientnet_b0', 'efficientnet_b0', 320),
        ('nasnetalarge', 'nasnetalarge', 4032),
    ],
)
def test_names_of_the_documents(name, present, channels):
    pytest.importorskip('timm', reason='the extra "backbones" is not installed')
    with torch.device('meta'):
        network = TimmBackbone(name)
    assert network.model_name == present and network.out_channels == (channels,)
    assert network.default_normalization == timm_normalization(present)
    assert network.description == f'{present} of timm'
