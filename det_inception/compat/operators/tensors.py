"""What the operators share: 16-bit numbers on a CPU, gradients by autograd, bilinear sampling.

Shape legend: B images, C channels, (H, W) map, R regions, P points of a region.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def in_float(tensor: Tensor) -> Tensor:
    """16-bit numbers as float32: torchvision's CPU kernels know none, and sums of them lose digits."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def gradients(function: Callable[..., Tensor], grad_output: Tensor, *inputs: Tensor) -> tuple[Tensor, ...]:
    """Returns the gradient of each input of ``function(*inputs)``; inputs that it does not use get zeros."""
    leaves = [in_float(tensor.detach()).requires_grad_() for tensor in inputs]
    with torch.enable_grad():
        output = function(*leaves)
    if not output.requires_grad:
        return tuple(torch.zeros_like(leaf) for leaf in leaves)
    found = torch.autograd.grad(output, leaves, grad_output.to(output.dtype), allow_unused=True)
    return tuple(torch.zeros_like(leaf) if one is None else one for leaf, one in zip(leaves, found))


def corners(y: Tensor, x: Tensor, height: int, width: int) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Returns row, column and weight of the four cells around each point, as MMCV interpolates.

    Points up to one cell outside take the value of the border; farther ones have weight 0.

    Args:
        y: Rows of the points, where 0 is the middle of the first cell; any shape.
        x: Columns, likewise.
        height: H.
        width: W.
    """
    inside = ((y >= -1) & (y <= height) & (x >= -1) & (x <= width)).to(y.dtype)
    y, x = y.clamp(0, height - 1), x.clamp(0, width - 1)
    top, left = y.detach().floor().long(), x.detach().floor().long()
    down, right = y - top, x - left
    bottom, far = (top + 1).clamp(max=height - 1), (left + 1).clamp(max=width - 1)
    return [
        (top, left, inside * (1 - down) * (1 - right)),
        (top, far, inside * (1 - down) * right),
        (bottom, left, inside * down * (1 - right)),
        (bottom, far, inside * down * right),
    ]


def sample(maps: Tensor, image: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Interpolates maps (B, C, H, W) at points (R, P) of the images (R,); returns (R, P, C)."""
    last = maps.permute(0, 2, 3, 1)
    return sum(
        last[image[:, None], row, column] * weight[..., None] for row, column, weight in corners(y, x, *maps.shape[2:])
    )
