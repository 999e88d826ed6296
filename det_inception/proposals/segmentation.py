"""Graph-based segmentation: an image cut into superpixels.

Shapes: H, W image height and width; P = H W pixels; E edges of the 8-connected pixel graph; R regions.

From: Felzenszwalb and Huttenlocher, "Efficient Graph-Based Image Segmentation", IJCV 2004. Pixels are the nodes of a
graph, colour distances between neighbours its edge weights. Edges are taken in ascending order; an edge merges its two
components if its weight is at most the internal difference of both plus k / size. Components below a minimum size are
then merged across their cheapest edges.

The sorted edges depend on the image alone, so one :func:`build_graph` serves any number of k.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

SIGMA = 0.8
# Four edges a pixel, numbered in 32 bits.
MAX_PIXELS = 2**30


class PixelGraph(NamedTuple):
    """The edges of an image's pixel graph, in ascending order of weight.

    Attributes:
        edges: uint64 (E,). The upper 32 bits are the bits of the float32 weight, which for weights of at least 0 sort as
            the weights do; the lower 32 bits are ``4 * pixel + direction``.
        height: Image height.
        width: Image width.
    """

    edges: np.ndarray
    height: int
    width: int


def gaussian_taps(sigma: float) -> np.ndarray:
    """One half of a Gaussian, centre first, cut at 4 sigma and normalised: float32 (ceil(4 sigma) + 1,)."""
    radius = int(np.ceil(4 * sigma))
    taps = np.exp(-0.5 * (np.arange(radius + 1) / sigma) ** 2)
    return (taps / (2 * taps.sum() - taps[0])).astype(np.float32)


@njit(nogil=True, cache=True)
def smooth_channel(image, channel, taps):
    """Smooths one channel of a uint8 (H, W, C) image with a symmetric separable filter; borders repeat. float32 (H, W)."""
    height, width, _ = image.shape
    radius = taps.size - 1
    rows = np.empty((height, width), np.float32)
    padded = np.empty(width + 2 * radius, np.float32)
    for y in range(height):
        for x in range(width):
            padded[x + radius] = image[y, x, channel]
        for i in range(radius):
            padded[i] = image[y, 0, channel]
            padded[width + radius + i] = image[y, width - 1, channel]
        for x in range(width):
            rows[y, x] = taps[0] * padded[x + radius]
        for i in range(1, radius + 1):
            for x in range(width):
                rows[y, x] += taps[i] * (padded[x + radius - i] + padded[x + radius + i])
    out = np.empty((height, width), np.float32)
    for y in range(height):
        for x in range(width):
            out[y, x] = taps[0] * rows[y, x]
        for i in range(1, radius + 1):
            above = rows[max(0, y - i)]
            below = rows[min(height - 1, y + i)]
            for x in range(width):
                out[y, x] += taps[i] * (above[x] + below[x])
    return out


@njit(nogil=True, cache=True)
def _edge_key(first, second, third, y0, x0, y1, x1, edge):
    d0 = first[y0, x0] - first[y1, x1]
    d1 = second[y0, x0] - second[y1, x1]
    d2 = third[y0, x0] - third[y1, x1]
    weight = np.sqrt(np.float32(d0 * d0 + d1 * d1 + d2 * d2))
    return (np.uint64(np.float32(weight).view(np.uint32)) << np.uint64(32)) | np.uint64(edge)


@njit(nogil=True, cache=True)
def _list_edges(first, second, third):
    """All edges of the 8-connected grid, in the order of the authors' code: right, down, down right, up right."""
    height, width = first.shape
    count = height * (width - 1) + (height - 1) * width + 2 * (height - 1) * (width - 1)
    keys = np.empty(count, np.uint64)
    n = 0
    for y in range(height):
        for x in range(width):
            edge = 4 * (y * width + x)
            if x < width - 1:
                keys[n] = _edge_key(first, second, third, y, x, y, x + 1, edge)
                n += 1
            if y < height - 1:
                keys[n] = _edge_key(first, second, third, y, x, y + 1, x, edge + 1)
                n += 1
            if x < width - 1 and y < height - 1:
                keys[n] = _edge_key(first, second, third, y, x, y + 1, x + 1, edge + 2)
                n += 1
            if x < width - 1 and y > 0:
                keys[n] = _edge_key(first, second, third, y, x, y - 1, x + 1, edge + 3)
                n += 1
    return keys


@njit(nogil=True, cache=True)
def _sort_by_weight(keys):
    """Radix sort over the upper 32 bits, 11 at a time; equal weights keep their order. Overwrites ``keys``."""
    bits, passes = 11, 3
    mask = np.uint64((1 << bits) - 1)
    counts = np.zeros((passes, 1 << bits), np.int64)
    for i in range(keys.size):
        for p in range(passes):
            counts[p, (keys[i] >> np.uint64(32 + bits * p)) & mask] += 1
    source, target = keys, np.empty_like(keys)
    for p in range(passes):
        start = 0
        for digit in range(1 << bits):
            count = counts[p, digit]
            counts[p, digit] = start
            start += count
        shift = np.uint64(32 + bits * p)
        for i in range(keys.size):
            key = source[i]
            digit = (key >> shift) & mask
            target[counts[p, digit]] = key
            counts[p, digit] += 1
        source, target = target, source
    return source


@njit(nogil=True, cache=True)
def _find(parent, node):
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@njit(nogil=True, cache=True)
def _far_end(edge, width):
    """The second pixel of an edge number; the first is ``edge >> 2``."""
    pixel = edge >> 2
    direction = edge & 3
    if direction == 0:
        return pixel + 1
    if direction == 1:
        return pixel + width
    if direction == 2:
        return pixel + width + 1
    return pixel - width + 1


@njit(nogil=True, cache=True)
def _merge_pixels(edges, height, width, k, min_size):
    """The segmentation proper. Returns int32 (H, W) labels, numbered in the order of the first pixel, and their number."""
    pixels = height * width
    parent = np.arange(pixels).astype(np.int32)
    size = np.ones(pixels, np.int32)
    # Internal difference plus k / size: the greatest weight across which the component still merges.
    limit = np.full(pixels, k, np.float32)
    # Edges between components that stayed apart: all that the second pass has to look at again.
    rejected = np.empty(edges.size, np.uint32)
    n_rejected = 0
    for i in range(edges.size):
        edge = np.int64(edges[i] & np.uint64(0xFFFFFFFF))
        a = _find(parent, edge >> 2)
        b = _find(parent, _far_end(edge, width))
        if a == b:
            continue
        weight = np.uint32(edges[i] >> np.uint64(32)).view(np.float32)
        if weight <= limit[a] and weight <= limit[b]:
            if size[a] < size[b]:
                a, b = b, a
            parent[b] = a
            size[a] += size[b]
            limit[a] = weight + np.float32(k / size[a])
        else:
            rejected[n_rejected] = edge
            n_rejected += 1
    for i in range(n_rejected):
        edge = np.int64(rejected[i])
        a = _find(parent, edge >> 2)
        b = _find(parent, _far_end(edge, width))
        if a != b and (size[a] < min_size or size[b] < min_size):
            if size[a] < size[b]:
                a, b = b, a
            parent[b] = a
            size[a] += size[b]
    labels = np.empty(pixels, np.int32)
    number = np.full(pixels, -1, np.int32)
    count = 0
    for pixel in range(pixels):
        root = _find(parent, pixel)
        if number[root] < 0:
            number[root] = count
            count += 1
        labels[pixel] = number[root]
    return labels.reshape(height, width), count


def build_graph(image: np.ndarray, sigma: float = SIGMA) -> PixelGraph:
    """Smooths an image and sorts the edges of its pixel graph by colour distance.

    Args:
        image: uint8 (H, W, 3), any colour space, fewer than 2**30 pixels.
        sigma: Standard deviation of the Gaussian in pixels, above 0.

    Returns:
        The graph, for :func:`merge_pixels`.
    """
    height, width, _ = image.shape
    taps = gaussian_taps(sigma)
    channels = [smooth_channel(image, channel, taps) for channel in range(3)]
    return PixelGraph(_sort_by_weight(_list_edges(*channels)), height, width)


def merge_pixels(graph: PixelGraph, k: float, min_size: int) -> tuple[np.ndarray, int]:
    """Merges pixels into superpixels.

    Args:
        graph: From :func:`build_graph`.
        k: Scale of observation; larger prefers larger superpixels.
        min_size: Components with fewer pixels are merged into a neighbour.

    Returns:
        int32 (H, W) label image and the number R of superpixels. Labels are 0..R-1, in the order in which a scan by rows
        meets them.
    """
    return _merge_pixels(graph.edges, graph.height, graph.width, float(k), int(min_size))


def segment(image: np.ndarray, k: float = 100, min_size: int | None = None, sigma: float = SIGMA) -> np.ndarray:
    """Cuts an image into superpixels.

    Args:
        image: uint8 (H, W, 3); distances are taken between the three channels as they are, so convert the colour first.
        k: Scale of observation; larger prefers larger superpixels.
        min_size: Least number of pixels of a superpixel; ``None`` takes k, as selective search does.
        sigma: Standard deviation of the Gaussian that smooths the image first, in pixels.

    Returns:
        int32 (H, W), labels 0..R-1 in the order in which a scan by rows meets them.

    Example:
        >>> labels = segment(np.zeros((4, 5, 3), np.uint8))
        >>> labels.shape, int(labels.max())
        ((4, 5), 0)
    """
    labels, _ = merge_pixels(build_graph(np.ascontiguousarray(image), sigma), k, k if min_size is None else min_size)
    return labels
