"""GoogLeNet's family as classifiers of 1000 classes, to be counted: how each is built, and what is published about it.

They are for PyTorch's meta device: no weights, no arithmetic.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from det_inception.models.backbones.graph import network_graph
from det_inception.models.backbones.timm_backbone import current_name, require_timm
from det_inception.models.classifiers.googlenet_classifier import GoogLeNetClassifier
from det_inception.registry import MODELS

CLASSES = 1000


class Relative(NamedTuple):
    """One network of the family.

    Attributes:
        title: Its name.
        backbone: The config of its backbone.
        size: The side of its images in pixels.
        parameters: As published for the classifier; ``'-'``: not published.
        multiply_adds: Likewise.
        source: Where.
    """

    title: str
    backbone: dict
    size: int
    parameters: str
    multiply_adds: str
    source: str


class Counts(NamedTuple):
    """What a network costs.

    Attributes:
        parameters: Learned values.
        multiply_adds: Of its convolutions and linear layers, for one image.
    """

    parameters: int
    multiply_adds: int


def _timm(name: str) -> dict:
    return dict(type='TimmBackbone', model_name=name)


_CARD, _TORCHVISION = 'timm, model card', 'torchvision, documentation'
_BURDEN = 'Caffe, model file; albanie/convnet-burden'
_RESNET = f'arXiv 1512.03385, table 1; {_TORCHVISION}'
_XCEPTION = 'arXiv 1610.02357, table 3; osmr/imgclsmob, README'
_PAPER = dict(type='BNInception', variant='paper')
_CAFFE = dict(type='BNInception', variant='caffe')
_ROWS = {
    'googlenet': (
        *('GoogLeNet', dict(type='GoogLeNet', variant='paper'), 224, '6,998,552', '1.5 G'),
        'BVLC model file; arXiv 1409.4842, section 5',
    ),
    'bn_inception': ('BN-Inception, figure 5', _PAPER, 224, '-', '-', 'arXiv 1502.03167'),
    'bn_inception_caffe': ('BN-Inception, public', _CAFFE, 224, '11,295,240', '2.05 G', 'osmr/imgclsmob, README'),
    'inception_v3': ('Inception v3', _timm('inception_v3'), 299, '23.8 M', '5.7 G', _CARD),
    'inception_v4': ('Inception v4', _timm('inception_v4'), 299, '42.7 M', '12.3 G', _CARD),
    'inception_resnet_v1': ('Inception-ResNet v1', dict(type='InceptionResNetV1'), 299, '-', '-', 'arXiv 1602.07261'),
    'inception_resnet_v2': ('Inception-ResNet v2', _timm('inception_resnet_v2'), 299, '55.8 M', '13.2 G', _CARD),
    'xception': ('Xception', _timm('legacy_xception'), 299, '22,855,952', '8.40 G', _XCEPTION),
    'alexnet': ('AlexNet, Caffe', dict(type='AlexNet', variant='caffe'), 227, '60,965,224', '0.727 G', _BURDEN),
    'alexnet_torchvision': (
        *('AlexNet, torchvision', dict(type='AlexNet', variant='torchvision'), 224, '61,100,840', '0.71 G'),
        _TORCHVISION,
    ),
    'nin': ('Network in Network', dict(type='NIN'), 227, '7.6 M (29 MB)', '-', 'model file nin_imagenet'),
    'vgg16': ('VGG-16', dict(type='VGG16'), 224, '138,357,544', '15.47 G', _TORCHVISION),
    **{
        f'efficientnet_lite{number}': (
            *(f'EfficientNet-Lite{number}', _timm(f'tf_efficientnet_lite{number}')),
            *(size, parameters, multiply_adds, 'tensorflow/tpu, README'),
        )
        for number, (size, parameters, multiply_adds) in enumerate(
            [(224, '4.7 M', '0.407 G'), (240, '5.4 M', '0.631 G'), (260, '6.1 M', '0.899 G')]
        )
    },
    'mobilenet_v2': (
        *('MobileNetV2', _timm('mobilenetv2_100'), 224, '3,504,872', '0.300 G'),
        f'arXiv 1801.04381, table 4; {_TORCHVISION}',
    ),
    'nasnet': ('NASNet-A, large', _timm('nasnetalarge'), 331, '88.9 M', '23.8 G', 'arXiv 1707.07012, table 2'),
    'resnet50': ('ResNet-50', _timm('resnet50'), 224, '25,557,032', '3.8 G', _RESNET),
    'resnet152': ('ResNet-152', _timm('resnet152'), 224, '60,192,808', '11.3 G', _RESNET),
}
FAMILY = {name: Relative(*row) for name, row in _ROWS.items()}
"""The networks by short names, in the order of the manual's table."""


def build_classifier(backbone: dict) -> nn.Module:
    """Returns a network as a classifier of 1000 classes; of timm's networks, timm's own.

    Args:
        backbone: A config.

    Raises:
        InputError: timm is missing or does not know the network.
    """
    if backbone['type'] == 'TimmBackbone':
        return require_timm().create_model(current_name(backbone['model_name']))
    if backbone['type'] == 'GoogLeNet':
        return GoogLeNetClassifier(CLASSES, backbone)
    body = MODELS.build(backbone)
    pool, channels = nn.AdaptiveAvgPool2d(1), body.out_channels[-1]
    if backbone['type'] == 'NIN':  # Its own last layer, in front of the pool.
        return nn.Sequential(body, _Last(), nn.Conv2d(channels, CLASSES, 1), nn.ReLU(), pool)
    return nn.Sequential(body, _Last(), pool, nn.Flatten(), nn.Linear(channels, CLASSES))


def count_network(relative: Relative) -> Counts:
    """Builds the classifier of a network and counts what it learns and computes.

    Raises:
        InputError: timm is missing.
    """
    with torch.device('meta'):
        whole = build_classifier(relative.backbone)
    return Counts(count_parameters(whole), network_graph(whole, relative.size).multiply_adds)


def count_parameters(module: nn.Module) -> int:
    """Returns the number of learned values."""
    return sum(parameter.numel() for parameter in module.parameters())


class _Last(nn.Module):
    def forward(self, features: tuple[Tensor, ...]) -> Tensor:
        return features[-1]
