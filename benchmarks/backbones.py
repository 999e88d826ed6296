"""Parameters and multiply-adds of GoogLeNet's family, counted, beside the published figures.

python benchmarks/backbones.py

Counts whole classifiers of 1000 classes, on PyTorch's meta device: no weights, no arithmetic. Multiply-adds are those
of convolutions and linear layers. Needs timm (the extra "backbones").
"""

from __future__ import annotations

import argparse

import torch

from det_inception.cli import common as cli
from det_inception.models.classifiers.family import FAMILY, count_network, count_parameters
from det_inception.registry import MODELS
from det_inception.utils.tables import markdown_table


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    head = 'network,side,parameters,published,multiply-adds,published,source,backbone alone,channels'
    rows = [head.split(',')]
    for network in FAMILY.values():
        counts = count_network(network)
        with torch.device('meta'):
            body = MODELS.build(network.backbone)
        parameters, operations = f'{counts.parameters:,}', f'{counts.multiply_adds / 1e9:.2f} G'
        rows.append(
            [
                *(network.title, str(network.size), parameters, network.parameters, operations, network.multiply_adds),
                *(network.source, f'{count_parameters(body) / 1e6:.1f} M', str(body.out_channels[-1])),
            ]
        )
    print(markdown_table(rows))


if __name__ == '__main__':
    cli.run(main)
