"""Reads feature maps of a whole image, at several sizes, inside boxes and on a grid.

Shape legend: R regions, F channels of a map, h and w its sides, G cells along each side of a grid over the image.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

STRIDE = 32
"""Pixels between two cells of the backbone's last map."""
GRID = 32
"""G."""
LONGEST = 1200
"""No side of the image becomes longer than this."""


def map_scales(height: int, width: int, sides: Sequence[int]) -> list[float]:
    """Returns by how much an image is scaled so that its shorter side has each length, the longer within limits."""
    return [min(side / min(height, width), LONGEST / max(height, width)) for side in sides]


def image_maps(backbone: nn.Module, image: Tensor, sides: Sequence[float]) -> list[tuple[float, Tensor]]:
    """Runs a backbone on a whole image (1, 3, H, W) at several shorter sides.

    Returns:
        For each, the scale of the image, see :func:`map_scales`, and the last map (F, h, w), float32.
    """
    maps = []
    for scale in map_scales(*image.shape[-2:], sides):
        size = [max(STRIDE, round(side * scale)) for side in image.shape[-2:]]
        resized = nn.functional.interpolate(image, size=size, mode='bilinear', align_corners=False)
        maps.append((scale, backbone(resized)[-1][0].float()))
    return maps


def pool_boxes(maps: Sequence[tuple[float, Tensor]], boxes: Tensor, size: float, first_center: float) -> Tensor:
    """Averages maps inside boxes, each on the map on which the box has about the size that the classifier is used to.

    Args:
        maps: Scale of the image, and features (F, h, w) of it.
        boxes: float (R, 4), in pixels of the unscaled image.
        size: The side of a crop, in pixels.
        first_center: Where a map's first cell looks, in pixels of the scaled image.

    Returns:
        float32 (R, F): means over the cells that look into the box, of at least one.
    """
    means = boxes.new_zeros((len(boxes), len(maps[0][1])))
    side = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1).clamp(min=1).sqrt()
    scales = boxes.new_tensor([scale for scale, _ in maps])
    level = (side[:, None] * scales / size).log().abs().argmin(dim=1)
    for number, (scale, features) in enumerate(maps):
        chosen = (level == number).nonzero().flatten()
        height, width = features.shape[1:]
        # Sums of all cells above and left of a corner; double, because they are subtracted.
        sums = nn.functional.pad(features.double().cumsum(1).cumsum(2), (1, 0, 1, 0))
        edges = ((boxes[chosen] * scale - first_center) / STRIDE + 0.5).round().long()
        left, top = edges[:, 0].clamp(0, width - 1), edges[:, 1].clamp(0, height - 1)
        right = torch.maximum(edges[:, 2].clamp(max=width), left + 1)
        bottom = torch.maximum(edges[:, 3].clamp(max=height), top + 1)
        inside = sums[:, bottom, right] - sums[:, top, right] - sums[:, bottom, left] + sums[:, top, left]
        means[chosen] = (inside / ((right - left) * (bottom - top))).T.to(means.dtype)
    return means


def area_shares(boxes: Tensor, height: int, width: int) -> Tensor:
    """Returns the share of an image's area that each box (R, 4) has: float32 (R,)."""
    return (boxes[:, 2:] - boxes[:, :2]).float().prod(dim=1).clamp(min=0) / (height * width)


def sample_grid(features: Tensor, scale: float, height: int, width: int, first_center: float) -> Tensor:
    """Reads a map (F, h, w) of an image of this height and width at the centers of a G x G grid: (F, G, G).

    Cell j of the map stands for the pixel ``32 j + first_center`` of the scaled image, see
    :class:`~det_inception.models.GoogLeNet`.
    """
    centers = (torch.arange(GRID, device=features.device) + 0.5) / GRID
    # In cells, and then as grid_sample counts: from -1 at the first cell's far edge to 1 at the last's.
    x, y = (
        (((centers * side * scale - first_center) / STRIDE + 0.5) / cells) * 2 - 1
        for side, cells in ((width, features.shape[2]), (height, features.shape[1]))
    )
    grid = torch.stack(torch.meshgrid(x, y, indexing='xy'), dim=-1)[None].to(features.dtype)
    return nn.functional.grid_sample(features[None], grid, padding_mode='border', align_corners=False)[0]
