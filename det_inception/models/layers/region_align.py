"""RoIAlign on a processor, for inference and for training: torchvision's numbers in a fraction of its time.

Shape legend: N images, C channels, H and W the sides of their maps, R regions, P the side of a region's grid, S samples
along a side of a cell.

torchvision's kernel walks through one channel after the other. Here a map has its channels next to each other, so that
every sample is four rows of C numbers, and regions are shared out to threads.
"""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from det_inception.utils.compiled import compiled


def region_align(features: Tensor, rois: Tensor, side: int, scale: float, samples: int) -> Tensor:
    """Averages bilinear samples in the cells of regions: RoIAlign with ``aligned=True``.

    Args:
        features: (N, C, H, W), on a processor.
        rois: (R, 5): number of the image, and corners in its pixels.
        side: P.
        scale: Cells of the map for a pixel of the image.
        samples: Along each side of a cell of the region.

    Returns:
        float32 (R, C, P, P), in channels-last memory layout.
    """
    maps = features.detach().float().permute(0, 2, 3, 1).contiguous().numpy()
    places = rois.detach().float().contiguous().numpy()
    out = np.empty((len(places), side, side, maps.shape[3]), np.float32)
    threads = min(torch.get_num_threads(), len(places))
    if threads > 1:
        bounds = np.linspace(0, len(places), threads + 1).astype(int)
        with ThreadPoolExecutor(threads) as pool:
            parts = [slice(*part) for part in itertools.pairwise(bounds)]
            list(pool.map(lambda part: _align(maps, places[part], scale, samples, out[part]), parts))
    else:
        _align(maps, places, scale, samples, out)
    return torch.from_numpy(out).permute(0, 3, 1, 2)


def differentiable_region_align(features: Tensor, rois: Tensor, side: int, scale: float, samples: int) -> Tensor:
    """Computes what :func:`region_align` does, with gradients for the map.

    A sample is a weighted mean over rows times one over columns, so a region is two matrix products, and so is its
    gradient. torchvision's backward pass adds up one number at a time.

    Args:
        features: (N, C, H, W).
        rois: (R, 5): number of the image, and corners in its pixels.
        side: P.
        scale: Cells of the map for a pixel of the image.
        samples: S.

    Returns:
        (R, C, P, P), in channels-last memory layout.
    """
    images, channels, height, width = features.shape
    corners = rois[:, 1:] * scale - 0.5
    members = [(rois[:, 0] == image).nonzero()[:, 0] for image in range(images)]
    parts = []
    # In bfloat16 the products would have three digits.
    with torch.autocast(features.device.type, enabled=False):
        down = _interpolation(corners[:, 1], corners[:, 3], height, side, samples)
        across = _interpolation(corners[:, 0], corners[:, 2], width, side, samples)
        maps = features.permute(0, 2, 3, 1).reshape(images, height, width * channels)
        for image, mine in enumerate(members):
            rows = (down[mine].reshape(-1, height) @ maps[image]).view(-1, side, width, channels)
            parts.append(torch.matmul(across[mine][:, None], rows))
    return torch.cat(parts)[torch.argsort(torch.cat(members))].permute(0, 3, 1, 2)


def _interpolation(low: Tensor, high: Tensor, size: int, side: int, samples: int) -> Tensor:
    """Returns (R, P, size): what each cell of the map contributes along one axis to each cell of the region."""
    step = (high - low) / (side * samples)
    places = low[:, None] + (torch.arange(side * samples, device=low.device) + 0.5) * step[:, None]
    there = (places >= -1) & (places <= size)
    distances = (places.clamp(0, size - 1)[..., None] - torch.arange(size, device=low.device)).abs()
    return ((1 - distances).clamp(min=0) * there[..., None]).view(len(low), side, samples, size).mean(2)


@compiled(nogil=True)
def _align(maps: np.ndarray, rois: np.ndarray, scale: float, samples: int, out: np.ndarray) -> None:
    """Fills out (R, P, P, C) from maps (N, H, W, C)."""
    _, height, width, channels = maps.shape
    side = out.shape[1]
    share = np.float32(1 / samples**2)
    for number in range(len(rois)):
        image = int(rois[number, 0])
        left, top = rois[number, 1] * scale - 0.5, rois[number, 2] * scale - 0.5
        step_x = (rois[number, 3] - rois[number, 1]) * scale / side / samples
        step_y = (rois[number, 4] - rois[number, 2]) * scale / side / samples
        out[number] = 0
        for row in range(side * samples):
            above, below, down, there = _neighbors(top + (row + 0.5) * step_y, height)
            if not there:
                continue
            for column in range(side * samples):
                before, behind, right, there = _neighbors(left + (column + 0.5) * step_x, width)
                if not there:
                    continue
                cell = out[number, row // samples, column // samples]
                upper_left, upper_right = maps[image, above, before], maps[image, above, behind]
                lower_left, lower_right = maps[image, below, before], maps[image, below, behind]
                upper, lower = share * np.float32(1 - down), share * np.float32(down)
                first, second = np.float32(1 - right), np.float32(right)
                weight_ul, weight_ur = upper * first, upper * second
                weight_ll, weight_lr = lower * first, lower * second
                for channel in range(channels):
                    cell[channel] += (
                        weight_ul * upper_left[channel]
                        + weight_ur * upper_right[channel]
                        + weight_ll * lower_left[channel]
                        + weight_lr * lower_right[channel]
                    )


@compiled(nogil=True, inline='always')
def _neighbors(place: float, cells: int) -> tuple[int, int, float, bool]:
    """The cells on both sides of a place, how far it is on the way, and whether it is on the map, or a cell beside."""
    if place < -1 or place > cells:
        return 0, 0, 0.0, False
    place = max(place, 0.0)
    low = int(place)
    if low >= cells - 1:
        return cells - 1, cells - 1, 0.0, True
    return low, low + 1, place - low, True
