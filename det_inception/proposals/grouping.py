"""Hierarchical grouping: superpixels merged, most similar pair first, until one region is left.

Shapes: H, W image height and width; R superpixels of a segmentation; A pairs of adjacent superpixels. A hierarchy
has 2 R - 1 regions: the R superpixels, then one for each of the R - 1 merges.

From: Uijlings et al., "Selective Search for Object Recognition", IJCV 2013, sections 3.1 and 3.2.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from .segmentation import gaussian_taps, smooth_channel

COLOUR_BINS = 25
TEXTURE_BINS = 10
ORIENTATIONS = 8
TEXTURE_SIGMA = 0.8
# The gradient that fills the last texture bin, for values in [0, 1]: about what a unit step gives at this sigma.
MAX_GRADIENT = 0.43
# Histograms are stored as whole numbers that sum to about this, not as floats that sum to 1: sums of whole numbers are
# the same in any order, so they may be vectorised and still give equal boxes on every machine.
HISTOGRAM_SUM = 2**24

SIMILARITIES = {
    'CTSF': ('colour', 'texture', 'size', 'fill'),
    'TSF': ('texture', 'size', 'fill'),
    'F': ('fill',),
    'S': ('size',),
}


class Regions(NamedTuple):
    """What grouping needs to know of the superpixels of one segmentation.

    Attributes:
        sizes: int64 (R,), pixels.
        boxes: int32 (R, 4), x1, y1, x2, y2 in pixels, x2 and y2 exclusive.
        colour: int32 (R, 75), colour histograms that sum to :data:`HISTOGRAM_SUM`.
        texture: int32 (R, 80), texture histograms that sum to :data:`HISTOGRAM_SUM`.
        pairs: int32 (A, 2), adjacent superpixels, the smaller label first, in ascending order.
        image_size: H W.
    """

    sizes: np.ndarray
    boxes: np.ndarray
    colour: np.ndarray
    texture: np.ndarray
    pairs: np.ndarray
    image_size: int


@njit(nogil=True, cache=True)
def _signed_bin(gradient):
    """A directional derivative as a bin: 9 is none, 10..18 along the direction, 8..0 against it."""
    scale = (TEXTURE_BINS - 1) / (MAX_GRADIENT * 255)
    position = min(TEXTURE_BINS - 1, int(abs(gradient) * scale + 0.5))
    return TEXTURE_BINS - 1 + position if gradient > 0 else TEXTURE_BINS - 1 - position


@njit(nogil=True, cache=True)
def _texture_bins(smooth):
    """Signed bins of four directional derivatives, uint8 (H, W, 4)."""
    height, width = smooth.shape
    out = np.empty((height, width, 4), np.uint8)
    for y in range(height):
        up = max(0, y - 1)
        down = min(height - 1, y + 1)
        for x in range(width):
            left = max(0, x - 1)
            right = min(width - 1, x + 1)
            dx = (smooth[y, right] - smooth[y, left]) * 0.5
            dy = (smooth[down, x] - smooth[up, x]) * 0.5
            out[y, x, 0] = _signed_bin(dy)
            out[y, x, 1] = _signed_bin((dx + dy) * 0.7071067811865476)
            out[y, x, 2] = _signed_bin(dx)
            out[y, x, 3] = _signed_bin((dx - dy) * 0.7071067811865476)
    return out


def texture_bins(image: np.ndarray) -> np.ndarray:
    """Gaussian derivatives in four directions, each as a signed bin, uint8 (H, W, 4)."""
    return _texture_bins(smooth_channel(image, 0, gaussian_taps(TEXTURE_SIGMA)))


@njit(nogil=True, cache=True)
def _histograms(labels, count, image, texture):
    height, width = labels.shape
    signed_bins = 2 * TEXTURE_BINS - 1
    sizes = np.zeros(count, np.int64)
    boxes = np.empty((count, 4), np.int32)
    boxes[:, 0] = width
    boxes[:, 1] = height
    boxes[:, 2:] = 0
    colour_counts = np.zeros((count, 3 * COLOUR_BINS), np.int32)
    signed = np.zeros((count, 4, signed_bins), np.int32)
    colour_bin = np.empty(256, np.int64)
    for value in range(256):
        colour_bin[value] = int(value / 255 * (COLOUR_BINS - 1) + 0.5)
    for y in range(height):
        for x in range(width):
            label = labels[y, x]
            sizes[label] += 1
            boxes[label, 0] = min(boxes[label, 0], x)
            boxes[label, 1] = min(boxes[label, 1], y)
            boxes[label, 2] = max(boxes[label, 2], x + 1)
            boxes[label, 3] = max(boxes[label, 3], y + 1)
            for channel in range(3):
                colour_counts[label, COLOUR_BINS * channel + colour_bin[image[y, x, channel]]] += 1
            for direction in range(4):
                signed[label, direction, texture[y, x, direction]] += 1
    colour = np.empty((count, 3 * COLOUR_BINS), np.int32)
    texture_out = np.empty((count, ORIENTATIONS * TEXTURE_BINS), np.int32)
    for label in range(count):
        unit = HISTOGRAM_SUM / (3 * sizes[label])
        for i in range(3 * COLOUR_BINS):
            colour[label, i] = int(colour_counts[label, i] * unit + 0.5)
        unit = HISTOGRAM_SUM / (ORIENTATIONS * sizes[label])
        for direction in range(4):
            for side in range(2):
                start = (direction + 4 * side) * TEXTURE_BINS
                rest = sizes[label]
                for i in range(1, TEXTURE_BINS):
                    n = signed[label, direction, TEXTURE_BINS - 1 + (i if side == 0 else -i)]
                    texture_out[label, start + i] = int(n * unit + 0.5)
                    rest -= n
                # A derivative along one orientation counts as none along the opposite one.
                texture_out[label, start] = int(rest * unit + 0.5)
    return sizes, boxes, colour, texture_out


@njit(nogil=True, cache=True)
def _counting_order(values, order, count):
    starts = np.zeros(count + 1, np.int64)
    for value in values:
        starts[value + 1] += 1
    for i in range(count):
        starts[i + 1] += starts[i]
    out = np.empty_like(order)
    for i in order:
        out[starts[values[i]]] = i
        starts[values[i]] += 1
    return out


@njit(nogil=True, cache=True)
def _adjacent_pairs(labels, count):
    """Labels that share a side of a pixel: int32 (A, 2), smaller first, ascending."""
    height, width = labels.shape
    n = 0
    for y in range(height):
        for x in range(width):
            if x + 1 < width and labels[y, x] != labels[y, x + 1]:
                n += 1
            if y + 1 < height and labels[y, x] != labels[y + 1, x]:
                n += 1
    low = np.empty(n, np.int32)
    high = np.empty(n, np.int32)
    n = 0
    for y in range(height):
        for x in range(width):
            here = labels[y, x]
            if x + 1 < width and here != labels[y, x + 1]:
                low[n] = min(here, labels[y, x + 1])
                high[n] = max(here, labels[y, x + 1])
                n += 1
            if y + 1 < height and here != labels[y + 1, x]:
                low[n] = min(here, labels[y + 1, x])
                high[n] = max(here, labels[y + 1, x])
                n += 1
    order = _counting_order(low, _counting_order(high, np.arange(n), count), count)
    pairs = np.empty((n, 2), np.int32)
    unique = 0
    for i in order:
        if unique == 0 or pairs[unique - 1, 0] != low[i] or pairs[unique - 1, 1] != high[i]:
            pairs[unique, 0] = low[i]
            pairs[unique, 1] = high[i]
            unique += 1
    return pairs[:unique].copy()


def describe_regions(labels: np.ndarray, count: int, image: np.ndarray, texture: np.ndarray) -> Regions:
    """Sizes, boxes, histograms and neighbours of the superpixels of a segmentation.

    Args:
        labels: int32 (H, W), 0..count-1, from :func:`~det_inception.proposals.segmentation.merge_pixels`.
        count: Number R of superpixels.
        image: uint8 (H, W, 3), the image in the colour space that was segmented.
        texture: uint8 (H, W, 4), from :func:`texture_bins`.
    """
    sizes, boxes, colour, texture_histograms = _histograms(labels, count, image, texture)
    return Regions(sizes, boxes, colour, texture_histograms, _adjacent_pairs(labels, count), labels.size)


@njit(nogil=True, cache=True)
def _intersection(first, second):
    total = 0
    for i in range(first.size):
        total += min(first[i], second[i])
    return total


@njit(nogil=True, cache=True)
def _similarity(a, b, sizes, boxes, colour, texture, image_size, use, divisor):
    total = 0.0
    terms = 0
    if use[0]:
        total += _intersection(colour[a], colour[b]) / HISTOGRAM_SUM
        terms += 1
    if use[1]:
        total += _intersection(texture[a], texture[b]) / HISTOGRAM_SUM
        terms += 1
    both = (sizes[a] + sizes[b]) / divisor
    if use[2]:
        total += (image_size - both) / image_size
        terms += 1
    if use[3]:
        width = max(boxes[a, 2], boxes[b, 2]) - min(boxes[a, 0], boxes[b, 0])
        height = max(boxes[a, 3], boxes[b, 3]) - min(boxes[a, 1], boxes[b, 1])
        total += 1 - (width * height - both) / image_size
        terms += 1
    return total / terms


@njit(nogil=True, cache=True)
def _before(similarity, age, first, second):
    """Whether edge ``first`` is to be merged before edge ``second``: more similar, or as similar and newer."""
    if similarity[first] != similarity[second]:
        return similarity[first] > similarity[second]
    return age[first] > age[second]


@njit(nogil=True, cache=True)
def _sift_up(heap, place, similarity, age, i):
    edge = heap[i]
    while i > 0:
        parent = (i - 1) >> 1
        if not _before(similarity, age, edge, heap[parent]):
            break
        heap[i] = heap[parent]
        place[heap[i]] = i
        i = parent
    heap[i] = edge
    place[edge] = i


@njit(nogil=True, cache=True)
def _sift_down(heap, place, similarity, age, i, n):
    edge = heap[i]
    while True:
        child = 2 * i + 1
        if child >= n:
            break
        if child + 1 < n and _before(similarity, age, heap[child + 1], heap[child]):
            child += 1
        if not _before(similarity, age, heap[child], edge):
            break
        heap[i] = heap[child]
        place[heap[i]] = i
        i = child
    heap[i] = edge
    place[edge] = i


@njit(nogil=True, cache=True)
def _remove(heap, place, similarity, age, edge, n):
    """Takes an edge out of a heap of n; returns n - 1."""
    i = place[edge]
    last = heap[n - 1]
    if last != edge:
        heap[i] = last
        place[last] = i
        _sift_up(heap, place, similarity, age, i)
        _sift_down(heap, place, similarity, age, place[last], n - 1)
    return n - 1


@njit(nogil=True, cache=True)
def _group(sizes0, boxes0, colour0, texture0, pairs, image_size, use, divisor):
    """Greedy grouping. Returns int32 (R - 1, 4) boxes and int32 (R - 1, 2) merged regions, in the order of the merges.

    Edges are relabelled in place as regions merge, so their number only falls: an edge (a, n) becomes (c, n) when a and b
    merge to c, and if (b, n) exists too, it is dropped. Each region has a doubly linked list of its edge ends (edge e
    has the ends 2 e and 2 e + 1); a heap that knows where each edge stands keeps the most similar pair on top.
    """
    count = sizes0.size
    merges = count - 1
    regions = count + merges
    n_edges = pairs.shape[0]
    sizes = np.empty(regions, np.int64)
    boxes = np.empty((regions, 4), np.int32)
    colour = np.empty((regions if use[0] else count, colour0.shape[1]), np.int32)
    texture = np.empty((regions if use[1] else count, texture0.shape[1]), np.int32)
    sizes[:count] = sizes0
    boxes[:count] = boxes0
    colour[:count] = colour0
    texture[:count] = texture0

    region_of = np.empty(2 * n_edges, np.int32)
    following = np.full(2 * n_edges, -1, np.int32)
    preceding = np.full(2 * n_edges, -1, np.int32)
    head = np.full(regions, -1, np.int32)
    similarity = np.empty(n_edges, np.float64)
    age = np.empty(n_edges, np.int64)
    heap = np.arange(n_edges).astype(np.int32)
    place = np.arange(n_edges).astype(np.int32)
    for e in range(n_edges):
        similarity[e] = _similarity(
            pairs[e, 0], pairs[e, 1], sizes, boxes, colour, texture, image_size, use, divisor
        )
        # Ties go to the pair that joined the authors' list last: the initial pairs in their order ...
        age[e] = e
        for side in range(2):
            end = 2 * e + side
            region = pairs[e, side]
            region_of[end] = region
            following[end] = head[region]
            if head[region] >= 0:
                preceding[head[region]] = end
            head[region] = end
    for i in range(n_edges // 2 - 1, -1, -1):
        _sift_down(heap, place, similarity, age, i, n_edges)

    merged = np.empty((merges, 2), np.int32)
    seen = np.full(regions, -1, np.int32)
    n_heap = n_edges
    for step in range(merges):
        top = heap[0]
        a = region_of[2 * top]
        b = region_of[2 * top + 1]
        c = count + step
        merged[step, 0] = a
        merged[step, 1] = b
        n_heap = _remove(heap, place, similarity, age, top, n_heap)
        sizes[c] = sizes[a] + sizes[b]
        boxes[c, 0] = min(boxes[a, 0], boxes[b, 0])
        boxes[c, 1] = min(boxes[a, 1], boxes[b, 1])
        boxes[c, 2] = max(boxes[a, 2], boxes[b, 2])
        boxes[c, 3] = max(boxes[a, 3], boxes[b, 3])
        share_a = sizes[a] / sizes[c]
        share_b = sizes[b] / sizes[c]
        if use[0]:
            for i in range(colour.shape[1]):
                colour[c, i] = np.int32(colour[a, i] * share_a + colour[b, i] * share_b + 0.5)
        if use[1]:
            for i in range(texture.shape[1]):
                texture[c, i] = np.int32(texture[a, i] * share_a + texture[b, i] * share_b + 0.5)
        for old in (a, b):
            end = head[old]
            while end >= 0:
                after = following[end]
                e = end >> 1
                if e != top:
                    other = region_of[end ^ 1]
                    if seen[other] == c:
                        n_heap = _remove(heap, place, similarity, age, e, n_heap)
                        twin = end ^ 1
                        if preceding[twin] >= 0:
                            following[preceding[twin]] = following[twin]
                        else:
                            head[other] = following[twin]
                        if following[twin] >= 0:
                            preceding[following[twin]] = preceding[twin]
                    else:
                        seen[other] = c
                        region_of[end] = c
                        preceding[end] = -1
                        following[end] = head[c]
                        if head[c] >= 0:
                            preceding[head[c]] = end
                        head[c] = end
                end = after
        end = head[c]
        while end >= 0:
            e = end >> 1
            other = region_of[end ^ 1]
            similarity[e] = _similarity(
                other, c, sizes, boxes, colour, texture, image_size, use, divisor
            )
            # ... then those of each merge, by their other region. c is at least R, so this exceeds every initial age.
            age[e] = np.int64(c) * regions + other
            _sift_up(heap, place, similarity, age, place[e])
            _sift_down(heap, place, similarity, age, place[e], n_heap)
            end = following[end]
    return boxes[count:].copy(), merged


def group_regions(regions: Regions, similarity: str = 'CTSF') -> tuple[np.ndarray, np.ndarray]:
    """Groups superpixels greedily into one hierarchy.

    Args:
        regions: From :func:`describe_regions`.
        similarity: A key of :data:`SIMILARITIES`; the terms are averaged.

    Returns:
        int32 (R - 1, 4) boxes of the merged regions, x2 and y2 exclusive, and int32 (R - 1, 2) the two regions of each
        merge, both in the order of the merges. Merge i makes region R + i.
    """
    terms = SIMILARITIES[similarity]
    use = np.array([term in terms for term in ('colour', 'texture', 'size', 'fill')])
    return _group(
        regions.sizes, regions.boxes, regions.colour, regions.texture, regions.pairs, regions.image_size, use, SIZE_DIVISOR
    )


SIZE_DIVISOR = 3.0
