"""The stand-in for MMCV's compiled operators beside the original: milliseconds, their ratio, the largest difference.

    python benchmarks/operators.py

Needs an environment in which ``mmcv`` was compiled for the installed PyTorch (docs/mmdetection.md has the commands);
elsewhere it times the stand-in alone. Both run in one process through MMCV's own functions, and take turns. Sizes are
those of a step of MMDetection's usual models on one image.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from det_inception.compat.operators import OPERATORS, install_operators  # Before mmcv.ops.

# isort: split
import mmcv.ops
import torch
from torch import Tensor

from det_inception.utils.tables import markdown_table

STAND_IN = types.SimpleNamespace(**OPERATORS)


@contextmanager
def standing_in() -> Iterator[None]:
    """Lets MMCV's functions call the stand-in, whatever is installed."""
    # Not as attributes of mmcv.ops: there a function hides the module of its name.
    modules = [one for name, one in sys.modules.items() if name.startswith('mmcv.ops.') and hasattr(one, 'ext_module')]
    before = [one.ext_module for one in modules]
    for one in modules:
        one.ext_module = STAND_IN
    try:
        yield
    finally:
        for one, original in zip(modules, before):
            one.ext_module = original


def random_boxes(count: int, width: float, height: float) -> Tensor:
    """Returns boxes (N, 4) of many sizes inside an image."""
    corners = torch.rand(count, 2, 2) * torch.tensor([width, height])
    return torch.cat([corners.amin(1), corners.amax(1) + 1], dim=1)


def with_gradients(call: Callable[..., Tensor], *inputs: Tensor) -> Callable[[], list[Tensor]]:
    """Returns what computes the output of a call and the gradients of its inputs."""

    def run() -> list[Tensor]:
        leaves = [one.detach().requires_grad_() for one in inputs]
        output = call(*leaves)
        output.backward(torch.ones_like(output))
        return [output.detach(), *(leaf.grad for leaf in leaves)]

    return run


def cases() -> list[tuple[str, Callable[[], object]]]:
    """Returns what to time, with names."""
    torch.manual_seed(0)
    boxes, scores = random_boxes(2000, 800, 600), torch.rand(2000)
    features = torch.rand(1, 256, 50, 84)
    rois = torch.nn.functional.pad(random_boxes(128, 1333, 800), (1, 0))
    weight, bias = torch.rand(256, 256, 3, 3) - 0.5, torch.rand(256)
    small, offset = torch.rand(1, 256, 25, 42), torch.randn(1, 18, 25, 42)
    mask = torch.rand(1, 9, 25, 42)
    logits, labels = torch.randn(10000, 80), torch.randint(81, (10000,))

    def align(mode: str) -> Callable[[Tensor], Tensor]:
        return lambda maps: mmcv.ops.roi_align(maps, rois, (7, 7), 1 / 16, 0, mode, True)

    def deformed(maps: Tensor, offsets: Tensor, weights: Tensor) -> Tensor:
        return mmcv.ops.deform_conv2d(maps, offsets, weights, 1, 1, 1, 1, 1)

    def modulated(maps: Tensor, offsets: Tensor, masks: Tensor, weights: Tensor) -> Tensor:
        return mmcv.ops.modulated_deform_conv2d(maps, offsets, masks, weights, bias, 1, 1, 1, 1, 1)

    return [
        ('NMS, 2,000 boxes', lambda: mmcv.ops.nms(boxes, scores, 0.7)),
        ('soft-NMS, 500 boxes', lambda: mmcv.ops.soft_nms(boxes[:500], scores[:500], 0.3, min_score=1e-3)),
        ('`nms_match`, 500 boxes', lambda: mmcv.ops.nms_match(torch.cat([boxes, scores[:, None]], 1)[:500], 0.5)),
        ('RoIAlign (mean), 128 regions', lambda: align('avg')(features)),
        ('the same, and gradients', with_gradients(align('avg'), features)),
        ('RoIAlign (maximum), 128 regions', lambda: align('max')(features)),
        ('the same, and gradients', with_gradients(align('max'), features)),
        ('RoIPool, 128 regions', lambda: mmcv.ops.roi_pool(features, rois, 7, 1 / 16)),
        ('deformable convolution', lambda: deformed(small, offset, weight)),
        ('the same, and gradients', with_gradients(deformed, small, offset, weight)),
        ('the same with masks', lambda: modulated(small, offset, mask, weight)),
        ('the same, and gradients', with_gradients(modulated, small, offset, mask, weight)),
        (
            'focal loss (sigmoid), 10,000 x 80',
            with_gradients(lambda values: mmcv.ops.sigmoid_focal_loss(values, labels, 2.0, 0.25, None, 'mean'), logits),
        ),
    ]


def tensors(result: object) -> list[Tensor]:
    """Returns the tensors and numbers of a result, one after the other."""
    if isinstance(result, Tensor):
        return [result]
    if isinstance(result, (list, tuple)):
        return [tensor for part in result for tensor in tensors(part)]
    return [torch.as_tensor(result)]


def difference(result: object, other: object) -> float:
    """Returns the largest difference of two results, as a share of the largest value; inf for other shapes."""
    ours, theirs = tensors(result), tensors(other)
    pairs = list(zip(ours, theirs))
    if len(ours) != len(theirs) or any(one.shape != two.shape for one, two in pairs):
        return float('inf')
    return max(
        ((one.double() - two.double()).abs().max() / two.double().abs().max().clamp(min=1e-9)).item()
        for one, two in pairs
        if one.numel()
    )


def seconds(call: Callable[[], object], least: float) -> float:
    """Returns the mean time of a call, over as many calls as take ``least`` seconds."""
    count, start = 0, time.perf_counter()
    while (passed := time.perf_counter() - start) < least or not count:
        call()
        count += 1
    return passed / count


def compare(call: Callable[[], object], turns: int, least: float, compiled: bool) -> list[str]:
    """Returns a row: milliseconds of the stand-in and of MMCV, their ratio, and by how much the results differ."""
    with standing_in():
        ours = call()
    theirs = None
    if compiled:
        try:
            theirs = call()
        except (RuntimeError, AssertionError):
            compiled = False  # MMCV has it for GPUs alone.
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(turns):
        with standing_in():
            times[0].append(seconds(call, least))
        if compiled:
            times[1].append(seconds(call, least))
    stand_in = f'{1000 * statistics.median(times[0]):.2f}'
    if not compiled:
        return [stand_in, '', '', '']
    ratio = statistics.median(own / other for own, other in zip(*times))
    return [stand_in, f'{1000 * statistics.median(times[1]):.2f}', f'{ratio:.2f}', f'{difference(ours, theirs):.0e}']


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--turns', type=int, default=5, metavar='N', help='of each, in alternation (%(default)s)')
    parser.add_argument('--least', type=float, default=0.3, metavar='S', help='seconds of a turn (%(default)s)')
    args = parser.parse_args()
    compiled = not install_operators()
    if not compiled:
        print('No compiled mmcv is installed: the stand-in alone.')
    rows = [['operator', 'stand-in, ms', 'MMCV, ms', 'ratio', 'difference']]
    for name, call in cases():
        rows.append([name, *compare(call, args.turns, args.least, compiled)])
    print(f'PyTorch {torch.__version__}, {torch.get_num_threads()} threads')
    print(markdown_table(rows, numbers_from=1))


if __name__ == '__main__':
    main()
