"""Parameters and multiply-adds of GoogLeNet's family, counted, beside the published figures.

python benchmarks/backbones.py

Counts whole classifiers of 1000 classes, on PyTorch's meta device: no weights, no arithmetic. Multiply-adds are those
of convolutions and linear layers, half of torch.utils.flop_counter's FLOPs. Needs timm (the extra "backbones").
"""

from __future__ import annotations

import argparse
from typing import NamedTuple

import torch
from mmengine.registry import init_default_scope
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from det_inception.cli import common as cli
from det_inception.models import NIN, BNInception, GoogLeNetClassifier, TimmBackbone
from det_inception.models.backbones.timm_backbone import require_timm
from det_inception.registry import MODELS
from det_inception.utils.tables import markdown_table


class Network(NamedTuple):
    """One row: how to build it, the side of its images, and what is published about it."""

    title: str
    backbone: dict
    size: int
    parameters: str
    multiply_adds: str
    source: str


CARD, TORCHVISION = 'timm, model card', 'torchvision, documentation'
BURDEN = 'Caffe, model file; albanie/convnet-burden'
NETWORKS = (
    Network(
        'GoogLeNet',
        dict(type='GoogLeNet', variant='paper'),
        224,
        '6,998,552',
        '1.5 G',
        'BVLC model file; arXiv 1409.4842, section 5',
    ),
    Network('BN-Inception, figure 5', dict(type='BNInception', variant='paper'), 224, '-', '-', 'arXiv 1502.03167'),
    Network(
        'BN-Inception, public',
        dict(type='BNInception', variant='caffe'),
        224,
        '11,295,240',
        '2.05 G',
        'osmr/imgclsmob, README',
    ),
    Network('Inception v3', dict(type='TimmBackbone', model_name='inception_v3'), 299, '23.8 M', '5.7 G', CARD),
    Network('Inception v4', dict(type='TimmBackbone', model_name='inception_v4'), 299, '42.7 M', '12.3 G', CARD),
    Network(
        'Inception-ResNet v2',
        dict(type='TimmBackbone', model_name='inception_resnet_v2'),
        299,
        '55.8 M',
        '13.2 G',
        CARD,
    ),
    Network(
        'Xception',
        dict(type='TimmBackbone', model_name='legacy_xception'),
        299,
        '22,855,952',
        '8.40 G',
        'arXiv 1610.02357, table 3; osmr/imgclsmob, README',
    ),
    Network('AlexNet, Caffe', dict(type='AlexNet', variant='caffe'), 227, '60,965,224', '0.727 G', BURDEN),
    Network(
        'AlexNet, torchvision', dict(type='AlexNet', variant='torchvision'), 224, '61,100,840', '0.71 G', TORCHVISION
    ),
    Network('VGG-16', dict(type='VGG16'), 224, '138,357,544', '15.47 G', TORCHVISION),
    Network('Network in Network', dict(type='NIN'), 227, '7.6 M (29 MB)', '-', 'model file nin_imagenet'),
    Network('Inception-ResNet v1', dict(type='InceptionResNetV1'), 299, '-', '-', 'arXiv 1602.07261'),
    Network(
        'ResNet-50', dict(type='TimmBackbone', model_name='resnet50'), 224, '-', '3.8 G', 'arXiv 1512.03385, table 1'
    ),
)


def classifier(backbone: dict) -> tuple[nn.Module, nn.Module]:
    """Returns a network as a classifier of 1000 classes, and the part of it that is the backbone."""
    settings = {key: value for key, value in backbone.items() if key != 'type'}
    if backbone['type'] == 'GoogLeNet':
        whole = GoogLeNetClassifier(1000, backbone)
        return whole, whole.backbone
    if backbone['type'] == 'BNInception':
        body = BNInception(**settings)
        return nn.Sequential(body, _Last(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1024, 1000)), body
    if backbone['type'] == 'NIN':
        body = NIN(**settings)
        # Its own last layer, in front of the pool.
        return nn.Sequential(body, _Last(), nn.Conv2d(1024, 1000, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1)), body
    if backbone['type'] in ('AlexNet', 'VGG16', 'InceptionResNetV1'):
        body = MODELS.build(backbone)
        last = nn.Linear(body.out_channels[-1], 1000)
        return nn.Sequential(body, _Last(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), last), body
    return require_timm().create_model(backbone['model_name']), TimmBackbone(**settings)


class _Last(nn.Module):
    def forward(self, features: tuple) -> torch.Tensor:
        return features[-1]


def count_parameters(module: nn.Module) -> int:
    """Counts learned values."""
    return sum(parameter.numel() for parameter in module.parameters())


def multiply_adds(module: nn.Module, size: int) -> int:
    """Counts the multiply-adds of one image of a side."""
    module.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(torch.zeros(1, 3, size, size, device='meta'))
    return counter.get_total_flops() // 2


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    init_default_scope('mmdet')
    head = 'network,side,parameters,published,multiply-adds,published,source,backbone alone,channels'
    rows = [head.split(',')]
    for network in NETWORKS:
        with torch.device('meta'):
            whole, body = classifier(network.backbone)
        parameters, operations = f'{count_parameters(whole):,}', f'{multiply_adds(whole, network.size) / 1e9:.2f} G'
        rows.append(
            [
                *(network.title, str(network.size), parameters, network.parameters, operations, network.multiply_adds),
                *(network.source, f'{count_parameters(body) / 1e6:.1f} M', str(body.out_channels[-1])),
            ]
        )
    print(markdown_table(rows))


if __name__ == '__main__':
    cli.run(main)
