"""A training step of networks with depthwise convolutions: PyTorch's own gradients and the quick ones.

    python benchmarks/depthwise_gradients.py
    python benchmarks/depthwise_gradients.py efficientnet_b3 --images 32 --size 224 224

Forwards and backwards through the backbone, with random weights and images, on the processor. The ways take turns on
the same images. The table has the median milliseconds an image, the ratio of those in bfloat16, and how far their
gradients are from those in float32, in lengths of these. Needs timm (the extra "backbones").
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from trainings import require_at_least

from det_inception.cli import common as cli
from det_inception.models import TimmBackbone
from det_inception.utils.tables import markdown_table

NETWORKS = ('tf_efficientnet_lite0', 'efficientnet_b0', 'mobilenetv2_100', 'nasnetalarge')


def step(backbone: TimmBackbone, images: Tensor, quick: bool, mixed: bool) -> Callable[[], None]:
    """Returns a step of training without a head and without an optimizer."""

    def run() -> None:
        backbone.zero_grad()
        with torch.autocast('cpu', torch.bfloat16, enabled=mixed):
            features = backbone(images) if quick else backbone.network(images)
            loss = sum(one.float().square().mean() for one in features)
        loss.backward()

    return run


def measure(name: str, images: Tensor, rounds: int) -> list[str]:
    """Returns a row of one network."""
    torch.manual_seed(0)
    backbone = TimmBackbone(name).train()
    with torch.no_grad():
        backbone(images)  # Refuses what does not suit the network.
    ways = [step(backbone, images, quick, mixed) for quick, mixed in ((False, False), (False, True), (True, True))]
    times, gradients = [[] for _ in ways], []
    for way in ways:  # Warms up.
        way()
        gradients.append([parameter.grad for parameter in backbone.parameters()])
    for _ in range(rounds):
        for way, measured in zip(ways, times, strict=True):
            start = time.perf_counter()
            way()
            measured.append(time.perf_counter() - start)
    exact, plain, quick = (1e3 * statistics.median(measured) / len(images) for measured in times)
    errors = [f'{difference(gradients[0], found):.2f}' for found in gradients[1:]]
    return [name, *(f'{value:.1f}' for value in (exact, plain, quick)), f'{plain / quick:.2f}', *errors]


def difference(some: Sequence[Tensor], others: Sequence[Tensor]) -> float:
    """Returns the distance of two gradients of all arrays together, in lengths of the first."""
    first, second = (torch.cat([array.flatten() for array in arrays]) for arrays in (some, others))
    return ((first - second).norm() / first.norm()).item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('networks', nargs='*', default=NETWORKS, help=f"timm's names (default: {' '.join(NETWORKS)})")
    parser.add_argument('--images', type=int, default=8, metavar='N', help='a step (default: %(default)s)')
    size = dict(nargs=2, default=(136, 200), metavar=('H', 'W'), help='of them (default: 136 200)')
    parser.add_argument('--size', type=int, **size)
    parser.add_argument('--rounds', type=int, default=5, metavar='N', help='default: %(default)s')
    args = parser.parse_args()
    require_at_least(images=(args.images, 2), size=(min(args.size), 32), rounds=(args.rounds, 1))
    torch.manual_seed(0)
    images = torch.randn(args.images, 3, *args.size)
    head = ['network', 'float32', "bfloat16, PyTorch's", 'bfloat16, quick', 'ratio', "error, PyTorch's", 'error, quick']
    rows = []
    for name in args.networks:
        rows.append(measure(name, images, args.rounds))
        print(' '.join(rows[-1]), flush=True)
    print(markdown_table([head, *rows], numbers_from=1))


if __name__ == '__main__':
    cli.run(main)
