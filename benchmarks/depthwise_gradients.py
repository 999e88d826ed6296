"""A training step of networks with depthwise convolutions: PyTorch's own gradients and the quick ones.

    python benchmarks/depthwise_gradients.py
    python benchmarks/depthwise_gradients.py efficientnet_b3 --images 32 --size 224 224

Forwards and backwards through the backbone, with random weights and images, on the processor. Both ways take turns on
the same images. The table has the median time, the ratio of the medians, and the largest difference between the
gradients of one array in relation to its length, which rounding causes. Needs timm (the extra "backbones").
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
PRECISIONS = {'float32': None, 'bfloat16': torch.bfloat16}


def step(backbone: TimmBackbone, images: Tensor, quick: bool, precision: torch.dtype | None) -> Callable[[], None]:
    """Returns a step of training without a head and without an optimizer."""

    def run() -> None:
        backbone.zero_grad()
        with torch.autocast('cpu', precision or torch.bfloat16, enabled=precision is not None):
            features = backbone(images) if quick else backbone.network(images)
            loss = sum(one.float().square().mean() for one in features)
        loss.backward()

    return run


def measure(name: str, images: Tensor, precision: str, rounds: int) -> list[str]:
    """Returns a row of one network."""
    torch.manual_seed(0)
    backbone = TimmBackbone(name).train()
    with torch.no_grad():
        backbone(images)  # Refuses what does not suit the network.
    ways = [step(backbone, images, quick, PRECISIONS[precision]) for quick in (False, True)]
    times, gradients = [[], []], []
    for way in ways:  # Warms up.
        way()
        gradients.append([parameter.grad for parameter in backbone.parameters()])
    for _ in range(rounds):
        for way, measured in zip(ways, times, strict=True):
            start = time.perf_counter()
            way()
            measured.append(time.perf_counter() - start)
    plain, quick = (1e3 * statistics.median(measured) / len(images) for measured in times)
    return [name, precision, f'{plain:.1f}', f'{quick:.1f}', f'{plain / quick:.2f}', f'{difference(*gradients):.1e}']


def difference(some: Sequence[Tensor], others: Sequence[Tensor]) -> float:
    """Returns the largest distance of two gradients of an array, in lengths of the first."""
    lengths = [one.norm().item() for one in some]
    floor = 1e-6 * max(lengths)  # What a batch norm cancels behind it has a gradient of rounding alone.
    return max(
        (one - other).norm().item() / length
        for one, other, length in zip(some, others, lengths, strict=True)
        if length > floor
    )


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
    head = ['network', 'precision', "PyTorch's, ms an image", 'quick, ms an image', 'ratio', 'difference']
    rows = []
    for name in args.networks:
        for precision in PRECISIONS:
            rows.append(measure(name, images, precision, args.rounds))
            print(' '.join(rows[-1]), flush=True)
    print(markdown_table([head, *rows], numbers_from=2))


if __name__ == '__main__':
    cli.run(main)
