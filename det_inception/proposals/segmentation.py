"""Graph-based segmentation: an image cut into superpixels.

Shape legend: H, W image height and width; P = H W pixels; E edges of the 8-connected pixel graph; R superpixels.

From: Felzenszwalb and Huttenlocher, "Efficient Graph-Based Image Segmentation", IJCV 2004. Pixels are the nodes of a
graph, the color distances of neighbors its edge weights. Edges are taken in ascending order; an edge merges its two
components if its weight is at most the internal difference of each plus k / size. Components below a minimum size are
then merged across their cheapest edges.

The sorted edges depend on the image alone, so one ``build_graph`` serves any number of k.
"""

from __future__ import annotations

import cv2
import numpy as np

from det_inception.utils.compiled import compiled

SIGMA = 0.8
# They take 15 GB. Four edges a pixel, numbered in 32 bits, would do for 2**30.
MAX_PIXELS = 2**26


def gaussian_taps(sigma: float) -> np.ndarray:
    """One half of a Gaussian, center first, cut at 4 sigma and normalized: float32 (ceil(4 sigma) + 1,)."""
    radius = int(np.ceil(4 * sigma))
    taps = np.exp(-0.5 * (np.arange(radius + 1) / sigma) ** 2)
    return (taps / (2 * taps.sum() - taps[0])).astype(np.float32)


@compiled(nogil=True)
def _smooth(image, taps):
    height, width, channels = image.shape
    radius = taps.size - 1
    out = np.empty((channels, height, width), np.float32)
    rows = np.empty((height, width), np.float32)
    padded = np.empty(width + 2 * radius, np.float32)
    for channel in range(channels):
        for y in range(height):
            for x in range(width):
                padded[x + radius] = image[y, x, channel]
            padded[:radius] = image[y, 0, channel]
            padded[width + radius :] = image[y, width - 1, channel]
            # One pass over the row for each tap: such loops are vectorised without reordering any sum.
            row = rows[y]
            for x in range(width):
                row[x] = taps[0] * padded[x + radius]
            for i in range(1, radius + 1):
                for x in range(width):
                    row[x] += taps[i] * (padded[x + radius - i] + padded[x + radius + i])
        for y in range(height):
            row = out[channel, y]
            here = rows[y]
            for x in range(width):
                row[x] = taps[0] * here[x]
            for i in range(1, radius + 1):
                above = rows[max(0, y - i)]
                below = rows[min(height - 1, y + i)]
                for x in range(width):
                    row[x] += taps[i] * (above[x] + below[x])
    return out


def smooth(image: np.ndarray, sigma: float = SIGMA) -> np.ndarray:
    """Smooths an image, uint8 (H, W, C), with a Gaussian: float32 (C, H, W); beyond the border its pixels repeat."""
    return _smooth(image, gaussian_taps(sigma))


@compiled(nogil=True)
def _list_edges(smoothed):
    """All E edges of the 8-connected grid as sorting keys, uint64 (E,), in the order of the authors' code.

    The upper 32 bits are those of the float32 weight, which for weights of at least 0 sort as the weights do. The lower
    32 bits number the edge: ``4 * pixel + direction``.
    """
    _, height, width = smoothed.shape
    first, second, third = smoothed[0], smoothed[1], smoothed[2]
    count = height * (width - 1) + (height - 1) * width + 2 * (height - 1) * (width - 1)
    keys = np.empty(count, np.uint64)
    n = 0
    for y in range(height):
        for x in range(width):
            for direction in range(4):  # right, down, down right, up right
                x1 = x + 1 if direction != 1 else x
                y1 = y if direction == 0 else (y - 1 if direction == 3 else y + 1)
                if x1 < width and 0 <= y1 < height:
                    d0 = first[y, x] - first[y1, x1]
                    d1 = second[y, x] - second[y1, x1]
                    d2 = third[y, x] - third[y1, x1]
                    weight = np.float32(np.sqrt(np.float32(d0 * d0 + d1 * d1 + d2 * d2)))
                    number = np.uint64(4 * (y * width + x) + direction)
                    keys[n] = (np.uint64(weight.view(np.uint32)) << np.uint64(32)) | number
                    n += 1
    return keys


@compiled(nogil=True)
def _sort_by_weight(keys):
    """Radix sort by the upper 32 bits, 11 at a time; equal weights keep their order. Overwrites ``keys``."""
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


# Whole numbers are unsigned throughout: Numba looks at the sign of every other index, since negative ones count from
# the end.
@compiled(nogil=True)
def _find(parent, node):
    """The root of a node; paths are halved on the way."""
    above = parent[node]
    while above != node:
        top = parent[above]
        if top == above:
            return above
        parent[node] = top
        node = top
        above = parent[node]
    return node


@compiled(nogil=True)
def _join(parent, size, a, b):
    """Merges two components and returns the root that remains."""
    if size[a] < size[b]:
        a, b = b, a
    parent[b] = a
    size[a] += size[b]
    return a


@compiled(nogil=True)
def _merge_pixels(edges, height, width, k, min_size):
    pixels = height * width
    # From the first pixel of an edge to its second, by direction. The last is negative and wraps around.
    steps = np.array([1, width, width + 1, 1 - width]).astype(np.uint64)
    parent = np.arange(pixels).astype(np.uint32)
    size = np.ones(pixels, np.int32)
    # The internal difference plus k / size: the greatest weight across which a component still merges.
    limit = np.full(pixels, k, np.float32)
    # Edges between components that stayed apart: all that the second pass has to look at again.
    rejected = np.empty(edges.size, np.uint32)
    n_rejected = 0
    for i in range(edges.size):
        edge = edges[i] & np.uint64(0xFFFFFFFF)
        first = edge >> np.uint64(2)
        second = first + steps[edge & np.uint64(3)]
        # Most edges lie within a component, and most of those are known by one look at either end.
        a = parent[first]
        b = parent[second]
        if a == b:
            continue
        a = _find(parent, a)
        b = _find(parent, b)
        parent[first] = a
        parent[second] = b
        if a == b:
            continue
        weight = np.uint32(edges[i] >> np.uint64(32)).view(np.float32)
        if weight <= limit[a] and weight <= limit[b]:
            root = _join(parent, size, a, b)
            limit[root] = weight + np.float32(k / size[root])
        else:
            rejected[n_rejected] = np.uint32(edge)
            n_rejected += 1
    for i in range(n_rejected):
        edge = np.uint64(rejected[i])
        first = edge >> np.uint64(2)
        a = _find(parent, parent[first])
        b = _find(parent, parent[first + steps[edge & np.uint64(3)]])
        if a != b and (size[a] < min_size or size[b] < min_size):
            _join(parent, size, a, b)
    labels = np.empty((height, width), np.int32)
    # The sizes have done their work; a negative entry now marks a root that has its label, -1 - label.
    count = 0
    for y in range(height):
        for x in range(width):
            root = _find(parent, parent[np.uint64(y * width + x)])
            if size[root] > 0:
                size[root] = -1 - count
                count += 1
            labels[y, x] = -1 - size[root]
    return labels, count


def build_graph(smoothed: np.ndarray) -> np.ndarray:
    """Lists the edges of the pixel graph of what ``smooth`` gives, float32 (3, H, W), the least color distance first.

    Returns:
        uint64 (E,), for ``merge_pixels``: the bits of the float32 weight, then the number of the edge. Edges of equal
        weight are in the order of their pixels.
    """
    return _sort_by_weight(_list_edges(smoothed))


def merge_pixels(
    edges: np.ndarray, height: int, width: int, k: float, superpixel_size: float | None = None
) -> tuple[np.ndarray, int]:
    """Merges the pixels of a graph into superpixels.

    Args:
        edges: uint64 (E,), from ``build_graph``.
        height: H.
        width: W.
        k: Scale of observation; larger prefers larger superpixels.
        superpixel_size: Components with fewer pixels than this are merged into a neighbor; ``None`` takes k.

    Returns:
        int32 (H, W) label image and the number R of superpixels. The labels are 0..R-1 in the order in which a scan by
        rows meets them.
    """
    return _merge_pixels(edges, height, width, float(k), float(k if superpixel_size is None else superpixel_size))


def segment(
    image: np.ndarray, k: float = 100, superpixel_size: float | None = None, sigma: float = SIGMA
) -> np.ndarray:
    """Cuts an image into superpixels.

    Args:
        image: uint8 (H, W, 3), in any color space (see ``convert_color``): distances are taken between the three
            channels as they are.
        k: Scale of observation; larger prefers larger superpixels.
        superpixel_size: Least number of pixels of a superpixel; ``None`` takes k, as selective search does.
        sigma: Standard deviation in pixels of the Gaussian that smooths the image first.

    Returns:
        int32 (H, W), labels 0..R-1 in the order in which a scan by rows meets them.

    Raises:
        ValueError: If the image is not uint8 (H, W, 3) with at least one pixel, or a parameter is out of its range.

    Example:
        >>> labels = segment(np.zeros((4, 5, 3), np.uint8))
        >>> labels.shape, int(labels.max())
        ((4, 5), 0)
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError(f'image is {image.dtype} {image.shape}; give uint8 (H, W, 3) with at least one pixel.')
    if not (k > 0 and sigma > 0):
        raise ValueError(f'k is {k} and sigma is {sigma}; give numbers above 0.')
    return merge_pixels(build_graph(smooth(image, sigma)), *image.shape[:2], k, superpixel_size)[0]


def draw_segmentation(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Draws the superpixels of ``segment`` in their mean colors of an image, uint8 (H, W, 3), with darker borders."""
    sizes = np.bincount(labels.ravel())
    means = np.stack([np.bincount(labels.ravel(), image[:, :, c].ravel()) / sizes for c in range(3)], axis=1)
    picture = means.astype(np.uint8)[labels]
    flat = labels.astype(np.float32)
    border = cv2.erode(flat, np.ones((2, 2))) != flat
    picture[border] //= 3
    return picture
