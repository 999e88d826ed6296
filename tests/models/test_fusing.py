"""Batch norms that become part of convolutions: all of them, with equal outputs, in every network."""

import copy

import pytest
import torch
from torch import nn

from det_inception.models import BNInception
from det_inception.models.backbones.fusing import fuse_batch_norms
from det_inception.registry import MODELS

TIMM = ('inception_v3', 'inception_v4', 'resnet50', 'legacy_xception', 'resnetv2_50', 'mobilenetv3_small_100')


def randomize(network):
    """Gives batch norms statistics as of a trained network: other than those that a new one has."""
    draw = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.copy_(0.3 * torch.randn(module.num_features, generator=draw))
            module.running_var.copy_(0.5 + torch.rand(module.num_features, generator=draw))
            module.weight.data.copy_(0.5 + torch.rand(module.num_features, generator=draw))
            module.bias.data.copy_(0.2 * torch.randn(module.num_features, generator=draw))
    return network.eval()


def norms(network):
    return [name for name, module in network.named_modules() if isinstance(module, nn.BatchNorm2d)]


@torch.no_grad()
def assert_equal_outputs(network, fused, images):
    for expected, found in zip(network(images), fused(images), strict=True):
        assert expected.std() > 0
        assert (found - expected).abs().max() <= 1e-4 * expected.abs().max()


@pytest.mark.parametrize(
    ('backbone', 'count'),
    [
        (dict(type='GoogLeNet', variant='torchvision'), 57),
        (dict(type='GoogLeNet', variant='paper'), 0),
        (dict(type='BNInception', variant='paper'), 69),
        (dict(type='BNInception', variant='caffe', out_indices=(2, 4)), 69),
        *((dict(type='TimmBackbone', model_name=name), None) for name in TIMM),
    ],
    ids=lambda value: '-'.join(map(str, value.values())) if isinstance(value, dict) else '',
)
def test_every_batch_norm_behind_a_convolution_is_fused(backbone, count):
    if backbone['type'] == 'TimmBackbone':
        pytest.importorskip('timm', reason='the extra "backbones" is not installed')
    torch.manual_seed(0)
    network = MODELS.build(backbone)
    network.init_weights()
    randomize(network)
    fused = copy.deepcopy(network)
    before = norms(network)
    result = fused.fuse()
    assert result.fused + len(result.left) == len(before)
    assert sorted(result.left) == sorted(norms(fused))
    if count is not None:
        assert (result.fused, result.left) == (count, ())
    elif backbone['model_name'] == 'inception_v3':
        assert (result.fused, result.left) == (94, ())
    elif backbone['model_name'] == 'resnetv2_50':  # Its batch norms come first, some behind a sum.
        assert result.fused > 20 and len(result.left) > 10
    else:
        assert result.left == ()
    assert_equal_outputs(network, fused, torch.randn(1, 3, 97, 131))


class Odd(nn.Module):
    """Pairs of a convolution and a batch norm that must not be fused, and one that can be."""

    def __init__(self):
        super().__init__()
        self.shared = nn.Conv2d(3, 3, 3, padding=1)
        self.norm_1, self.norm_2 = nn.BatchNorm2d(3), nn.BatchNorm2d(3)
        self.seen = nn.Conv2d(3, 3, 1)
        self.norm_3 = nn.BatchNorm2d(3)
        self.scaled = nn.Conv2d(3, 3, 1, bias=False)
        self.norm_4 = nn.BatchNorm2d(3)
        self.good = nn.Conv2d(3, 3, 3, groups=3, bias=False)
        self.norm_5 = nn.BatchNorm2d(3)
        self.unused = nn.BatchNorm2d(3)

    def forward(self, x):
        x = self.norm_2(self.shared(self.norm_1(self.shared(x))))  # one convolution, two batch norms
        y = self.seen(x)
        x = self.norm_3(y) + y  # something else reads what comes before the batch norm
        x = self.norm_4(nn.functional.conv2d(x, 2 * self.scaled.weight))  # not the weights that are stored
        return (self.norm_5(self.good(x)),)


def test_what_only_looks_like_a_pair_stays(caplog):
    torch.manual_seed(0)
    network = randomize(Odd())
    fused = copy.deepcopy(network)
    assert fuse_batch_norms(fused, torch.zeros(1, 3, 8, 8)) == (1, ('norm_1', 'norm_2', 'norm_3', 'norm_4'))
    assert isinstance(fused.norm_5, nn.Identity) and isinstance(fused.unused, nn.BatchNorm2d)
    assert_equal_outputs(network, fused, torch.randn(2, 3, 9, 9))


class Stem(nn.Module):
    """Returns a convolution's own output, which a batch norm also normalizes."""

    def __init__(self, form):
        super().__init__()
        self.form, self.conv, self.norm = form, nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, images):
        first = self.conv(images)
        return self.form(first, self.norm(first))


@pytest.mark.parametrize('form', [lambda *maps: maps, lambda *maps: [*maps], lambda a, b: dict(a=a, b=b)])
def test_a_convolution_whose_output_is_returned_keeps_it(form):
    torch.manual_seed(0)
    network = randomize(Stem(form))
    fused = copy.deepcopy(network)
    assert fuse_batch_norms(fused, torch.zeros(1, 3, 8, 8)) == (0, ('norm',))
    images = torch.randn(1, 3, 9, 9)
    with torch.no_grad():
        torch.testing.assert_close(fused(images), network(images))


def test_a_network_that_does_not_run_stays_as_it_is():
    network = BNInception('paper')
    before = copy.deepcopy(network.state_dict())
    result = fuse_batch_norms(network, torch.zeros(1, 4, 64, 64))
    assert (result.fused, len(result.left)) == (0, 69)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_the_shared_head_is_fused_too():
    torch.manual_seed(0)
    head = MODELS.build(dict(type='GoogLeNetSharedHead', variant='torchvision', width=0.25))
    head.init_weights()
    randomize(head)
    fused = copy.deepcopy(head)
    assert fused.fuse() == (12, ())
    features = torch.randn(2, 208, 7, 7)
    with torch.no_grad():
        torch.testing.assert_close(fused(features), head(features), rtol=1e-4, atol=1e-4)
