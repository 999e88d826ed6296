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
from det_inception.models import BNInception, GoogLeNetClassifier, TimmBackbone
from det_inception.models.backbones.timm_backbone import require_timm
from det_inception.utils.tables import markdown_table


class Network(NamedTuple):
    """One row: how to build it, the side of its images, and what is published about it."""

    title: str
    backbone: dict
    size: int
    parameters: str
    multiply_adds: str
    source: str


CARD = 'timm, model card'
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
    Network('VGG-16', dict(type='TimmBackbone', model_name='vgg16'), 224, '138.4 M', '15.5 G', CARD),
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
