"""What scaled residuals do to the activations of Inception-ResNet v1 (arXiv 1602.07261, section 3.3).

python benchmarks/residual_scaling.py [--size 128] [--images 4] [--seed 0]

A network with random weights and batch statistics, as at the first step of a training, looks at noise. For each scale:
the mean activation and the largest behind the stem (256 channels), the last block A (256), B (896) and C (1792), and
how much larger the gradient is behind the stem than at the end of the network.
"""

from __future__ import annotations

import argparse

import torch

from det_inception.cli import common as cli
from det_inception.models import InceptionResNetV1
from det_inception.utils.tables import markdown_table

PARTS = ('conv2d_4b', 'repeat_1', 'repeat_2', 'repeat_3')


def measure(scale: float, images: torch.Tensor, seed: int) -> list[str]:
    """Returns a row: the scale, then mean and maximum behind each part, then the gain of the gradient."""
    torch.manual_seed(seed)
    network = InceptionResNetV1(scales=(scale,) * 3)
    network.init_weights()
    outputs = {}
    for name in PARTS:
        getattr(network, name).register_forward_hook(
            lambda module, given, output, name=name: outputs.setdefault(name, output)
        )
    (features,) = network.train()(images)
    for output in outputs.values():
        output.retain_grad()
    (features * torch.randn_like(features)).mean().backward()
    first, last = (outputs[name].grad.norm().item() for name in (PARTS[0], PARTS[-1]))
    cells = [f'{outputs[name].mean():.1f}, {outputs[name].max():.0f}' for name in PARTS]
    return [f'{scale:g}', *cells, f'{first / last:.2g}']


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--size', type=int, default=128, metavar='PIXELS', help='default: %(default)s')
    parser.add_argument('--images', type=int, default=4, metavar='N', help='default: %(default)s')
    parser.add_argument('--seed', type=int, default=0, metavar='N', help='default: %(default)s')
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    images = torch.randn(args.images, 3, args.size, args.size)
    rows = [['scale', 'stem', '5 blocks A', '10 blocks B', '5 blocks C', 'gradient, stem / end']]
    rows += [measure(scale, images, args.seed) for scale in (1.0, 0.3, 0.2, 0.1)]
    print(markdown_table(rows))


if __name__ == '__main__':
    cli.run(main)
