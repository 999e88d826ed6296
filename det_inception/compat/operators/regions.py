"""Cutting regions out of maps: RoIAlign, RoIPool and deformable RoI pooling.

Shape legend: B images, C channels, (H, W) map, R regions, (h, w) cells of a region, S samples of a cell. Regions are
image, x1, y1, x2, y2 in pixels of the image.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator

import torch
from torch import Tensor

from det_inception.compat.operators.tensors import corners, gradients, in_float, sample


def roi_align_forward(
    input: Tensor, rois: Tensor, output: Tensor, argmax_y: Tensor, argmax_x: Tensor, pool_mode: int, **settings
) -> None:
    """RoIAlign (He et al., arXiv 1703.06870): mean (mode 1) or maximum (mode 0) of the samples of each cell.

    Args:
        input: (B, C, H, W).
        rois: (R, 5).
        output: (R, C, h, w), filled.
        argmax_y: With mode 0, like ``output``: where the greatest sample is, -1 without any.
        argmax_x: Likewise.
        pool_mode: See above.
        settings: MMCV's.
    """
    values = in_float(input)
    if pool_mode == 1:
        size, sampling = align_settings(**settings)
        output.copy_(torch.ops.torchvision.roi_align(values, rois.to(values.dtype), *size, *sampling))
        return
    output.fill_(max(torch.finfo(torch.float32).min, torch.finfo(output.dtype).min))
    argmax_y.fill_(-1), argmax_x.fill_(-1)
    for chosen, y, x in sampling_points(rois.to(values.dtype), aligned_grid(**settings)):
        cells, samples = y.shape[1:3], y.shape[3]
        found = sample(values, rois[chosen, 0].long(), y.flatten(1), x.flatten(1))
        best, which = found.unflatten(1, (*cells, samples)).permute(0, 4, 1, 2, 3).max(-1)
        output[chosen] = best.to(output.dtype)
        for argmax, points in ((argmax_y, y), (argmax_x, x)):
            points = points[:, None].expand(-1, found.shape[2], -1, -1, -1)
            argmax[chosen] = points.gather(-1, which[..., None])[..., 0].to(argmax.dtype)


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    pool_mode: int,
    **settings,
) -> None:
    """Fills ``grad_input`` (B, C, H, W); with mode 0 each cell's gradient goes to its greatest sample."""
    grad, shape = in_float(grad_output), grad_input.shape
    if pool_mode == 1:
        size, sampling = align_settings(**settings)
        grad_input.copy_(torch.ops.torchvision._roi_align_backward(grad, rois.to(grad.dtype), *size, *shape, *sampling))
        return
    _, channels, height, width = shape
    planes = rois[:, 0].long()[:, None] * channels + torch.arange(channels, device=rois.device)
    total = torch.zeros(shape, dtype=grad.dtype, device=grad.device)
    for row, column, weight in corners(in_float(argmax_y), in_float(argmax_x), height, width):
        index = (planes[..., None, None] * height + row) * width + column
        total.view(-1).index_add_(0, index.flatten(), (grad * weight).flatten())
    grad_input.copy_(total)


def align_settings(
    aligned_height: int, aligned_width: int, spatial_scale: float, sampling_ratio: int, aligned: bool
) -> tuple[tuple[float, int, int], tuple[int, bool]]:
    """Returns MMCV's settings in torchvision's order: those before the map's shape, and those behind it."""
    return (spatial_scale, aligned_height, aligned_width), (sampling_ratio, aligned)


def aligned_grid(aligned_height: int, aligned_width: int, aligned: bool, **settings) -> dict:
    """Returns RoIAlign's settings as :func:`sampling_points` takes them."""
    return dict(settings, size=(aligned_height, aligned_width), shift=0.5 * aligned, least=0.0 if aligned else 1.0)


def sampling_points(rois: Tensor, grid: dict, offset: Tensor | None = None) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yields groups of regions with equally many samples: which they are, rows and columns (R, h, w, S) of the samples.

    Args:
        rois: (R, 5).
        grid: ``size`` (h, w), ``spatial_scale``, ``sampling_ratio`` (0: one sample a pixel of the map), ``shift``
            and ``least`` size of a region, both in pixels of the map.
        offset: (R, 2, h, w), moves each cell by so many widths (0) and heights (1) of its region; None: no cell.
    """
    (height, width), ratio = grid['size'], grid['sampling_ratio']
    left, top, right, bottom = (rois[:, 1:] * grid['spatial_scale'] - grid['shift']).unbind(1)
    extent = torch.stack([bottom - top, right - left], 1).clamp(min=grid['least'] or -torch.inf)
    cell = extent / extent.new_tensor([height, width])
    counts = torch.full_like(cell, ratio).long() if ratio > 0 else cell.detach().ceil().long().clamp(min=0)
    for rows, columns in counts.unique(dim=0).tolist():
        chosen = (counts == counts.new_tensor([rows, columns])).all(1).nonzero()[:, 0]
        if not rows * columns:
            continue
        # (h, 1, rows, 1) and (1, w, 1, columns): where the samples are, in cells.
        y = spread(height, rows, rois)[:, None, :, None]
        x = spread(width, columns, rois)[None, :, None, :]
        start_y, start_x = (corner[chosen].view(-1, 1, 1, 1, 1) for corner in (top, left))
        if offset is not None:
            size_y, size_x = (extent[chosen, axis].view(-1, 1, 1, 1, 1) for axis in (0, 1))
            start_y = start_y + size_y * offset[chosen, 1][..., None, None]
            start_x = start_x + size_x * offset[chosen, 0][..., None, None]
        shape = (len(chosen), height, width, rows, columns)
        y = (start_y + cell[chosen, 0].view(-1, 1, 1, 1, 1) * y).expand(shape)
        x = (start_x + cell[chosen, 1].view(-1, 1, 1, 1, 1) * x).expand(shape)
        yield chosen, y.flatten(3), x.flatten(3)


def spread(cells: int, samples: int, like: Tensor) -> Tensor:
    """Returns (cells, samples): cell's number plus the middle of each of its equal parts."""
    parts = (torch.arange(samples, dtype=like.dtype, device=like.device) + 0.5) / samples
    return torch.arange(cells, dtype=like.dtype, device=like.device)[:, None] + parts


pool_settings = operator.itemgetter('spatial_scale', 'pooled_height', 'pooled_width')


def roi_pool_forward(input: Tensor, rois: Tensor, output: Tensor, argmax: Tensor, **settings) -> None:
    """RoIPool (Girshick, arXiv 1504.08083): the maximum of the whole pixels of each cell."""
    values = in_float(input)
    result, where = torch.ops.torchvision.roi_pool(values, rois.to(values.dtype), *pool_settings(settings))
    output.copy_(result)
    argmax.copy_(where)


def roi_pool_backward(grad_output: Tensor, rois: Tensor, argmax: Tensor, grad_input: Tensor, **settings) -> None:
    """Fills ``grad_input`` (B, C, H, W)."""
    grad, size = in_float(grad_output), pool_settings(settings)
    result = torch.ops.torchvision._roi_pool_backward(grad, rois.to(grad.dtype), argmax, *size, *grad_input.shape)
    grad_input.copy_(result)


def deform_roi_pool_forward(input: Tensor, rois: Tensor, offset: Tensor, output: Tensor, **settings) -> None:
    """Deformable RoI pooling (Dai et al., arXiv 1703.06211, section 2.2): RoIAlign whose cells move.

    Args:
        input: (B, C, H, W).
        rois: (R, 5).
        offset: (R, 2, h, w) in ``gamma`` widths (0) and heights (1) of the region, or empty.
        output: (R, C, h, w), filled.
        settings: MMCV's.
    """
    output.copy_(deform_roi_pool(in_float(input), in_float(offset), rois, **settings))


def deform_roi_pool_backward(
    grad_output: Tensor,
    input: Tensor,
    rois: Tensor,
    offset: Tensor,
    grad_input: Tensor,
    grad_offset: Tensor,
    **settings,
) -> None:
    """Fills the gradients of maps and offsets."""
    found = gradients(lambda maps, moves: deform_roi_pool(maps, moves, rois, **settings), grad_output, input, offset)
    grad_input.copy_(found[0])
    grad_offset.copy_(found[1])


def deform_roi_pool(
    maps: Tensor,
    offset: Tensor,
    rois: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    gamma: float,
) -> Tensor:
    """Returns (R, C, h, w)."""
    size = (pooled_height, pooled_width)
    grid = dict(size=size, spatial_scale=spatial_scale, sampling_ratio=sampling_ratio, shift=0.5, least=0.0)
    output = maps.new_zeros((len(rois), maps.shape[1], *size))
    moves = gamma * offset.view(len(rois), 2, *size) if offset.numel() else None
    for chosen, y, x in sampling_points(rois.to(maps.dtype), grid, moves):
        found = sample(maps, rois[chosen, 0].long(), y.flatten(1), x.flatten(1))
        means = found.unflatten(1, y.shape[1:]).mean(3).permute(0, 3, 1, 2)
        output = output.index_copy(0, chosen, means)
    return output
