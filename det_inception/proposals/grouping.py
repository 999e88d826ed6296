"""Hierarchical grouping: superpixels are merged, most similar neighbors first, until one region is left.

Shape legend: H, W image height and width; R superpixels of a segmentation; A pairs of adjacent superpixels. A hierarchy
has 2 R - 1 regions: the R superpixels, then one region for each of the R - 1 merges.

From: Uijlings et al., "Selective Search for Object Recognition", IJCV 2013, sections 3.1 ("Hierarchical Grouping") and
3.2 ("Complementary Similarity Measures").
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from det_inception.utils.compiled import compiled

COLOR_BINS = 25
TEXTURE_BINS = 10
ORIENTATIONS = 8
# The paper says 1, the authors' code has 0.8, which is also what the segmentation uses: its smoothed image serves for
# both.
TEXTURE_SIGMA = 0.8
# The gradient that fills the last texture bin, for values in [0, 1]: about that of a unit step at this sigma.
MAX_GRADIENT = 0.43
# Histograms are kept as whole numbers that sum to about this, not as floats that sum to 1: a sum of whole numbers is
# the same in any order, so it may be vectorised and still gives equal boxes on every machine.
HISTOGRAM_SUM = 2**24
# The authors' code divides the pixel counts by 3 once more than it repeats them (one channel each), so that Size and
# Fill see regions a third as large as they are.
SIZE_DIVISOR = 3

SIMILARITIES = {
    'CTSF': ('color', 'texture', 'size', 'fill'),
    'TSF': ('texture', 'size', 'fill'),
    'F': ('fill',),
    'S': ('size',),
    'TS': ('texture', 'size'),
}


class Regions(NamedTuple):
    """What grouping has to know of the superpixels of one segmentation.

    Attributes:
        sizes: int64 (R,), pixels.
        boxes: int32 (R, 4), x1, y1, x2, y2 in pixels; x2 and y2 are exclusive.
        color: int32 (R, 75), color histograms that sum to ``HISTOGRAM_SUM``.
        texture: int32 (R, 240), texture histograms that sum to ``HISTOGRAM_SUM``.
        pairs: int32 (A, 2), adjacent superpixels: smaller label first, in ascending order, none twice.
        image_size: H W.
    """

    sizes: np.ndarray
    boxes: np.ndarray
    color: np.ndarray
    texture: np.ndarray
    pairs: np.ndarray
    image_size: int


@compiled(nogil=True)
def _signed_bin(gradient):
    """A directional derivative as a bin: 9 for none, 10..18 along the direction, 8..0 against it."""
    scale = (TEXTURE_BINS - 1) / (MAX_GRADIENT * 255)
    bins = np.float32(gradient * np.float32(scale)) + np.float32(TEXTURE_BINS - 1)
    return np.uint8(min(np.float32(2 * TEXTURE_BINS - 2), max(np.float32(0), bins)) + 0.5)


@compiled(nogil=True)
def texture_bins(smoothed: np.ndarray) -> np.ndarray:
    """Bins of the Gaussian derivatives of an image in the four directions y, x + y, x and x - y.

    Args:
        smoothed: float32 (C, H, W), from ``smooth`` with ``TEXTURE_SIGMA``.

    Returns:
        uint8 (H, W, 4 C). A direction stands for two opposite orientations: bin 9 is no gradient along either, 10..18
        are the bins 1..9 of the first, 8..0 those of the second.
    """
    channels, height, width = smoothed.shape
    half = np.float32(0.5)
    diagonal = np.float32(np.sqrt(0.5))
    out = np.empty((height, width, 4 * channels), np.uint8)
    for y in range(height):
        for channel in range(channels):
            here = smoothed[channel, y]
            above = smoothed[channel, max(0, y - 1)]
            below = smoothed[channel, min(height - 1, y + 1)]
            for x in range(width):
                dx = (here[min(width - 1, x + 1)] - here[max(0, x - 1)]) * half
                dy = (below[x] - above[x]) * half
                out[y, x, 4 * channel] = _signed_bin(dy)
                out[y, x, 4 * channel + 1] = _signed_bin((dx + dy) * diagonal)
                out[y, x, 4 * channel + 2] = _signed_bin(dx)
                out[y, x, 4 * channel + 3] = _signed_bin((dx - dy) * diagonal)
    return out


@compiled(nogil=True)
def _sizes_and_boxes(labels, count):
    height, width = labels.shape
    sizes = np.zeros(count, np.int64)
    boxes = np.empty((count, 4), np.int32)
    boxes[:, 0] = width
    boxes[:, 1] = height
    boxes[:, 2:] = 0
    for y in range(height):
        x = 0
        while x < width:
            label = labels[y, x]
            start = x
            while x < width and labels[y, x] == label:
                x += 1
            sizes[label] += x - start
            boxes[label, 0] = min(boxes[label, 0], start)
            boxes[label, 1] = min(boxes[label, 1], y)
            boxes[label, 2] = max(boxes[label, 2], x)
            boxes[label, 3] = max(boxes[label, 3], y + 1)
    return sizes, boxes


@compiled(nogil=True)
def _color_histograms(labels, sizes, image):
    height, width = labels.shape
    count = sizes.size
    bin_of = np.empty(256, np.int64)
    for value in range(256):
        bin_of[value] = int(value / 255 * (COLOR_BINS - 1) + 0.5)
    out = np.zeros((count, 3 * COLOR_BINS), np.int32)
    for y in range(height):
        for x in range(width):
            histogram = out[labels[y, x]]
            histogram[bin_of[image[y, x, 0]]] += 1
            histogram[COLOR_BINS + bin_of[image[y, x, 1]]] += 1
            histogram[2 * COLOR_BINS + bin_of[image[y, x, 2]]] += 1
    for label in range(count):
        unit = HISTOGRAM_SUM / (3 * sizes[label])
        for i in range(out.shape[1]):
            out[label, i] = int(out[label, i] * unit + 0.5)
    return out


@compiled(nogil=True)
def _texture_histograms(labels, sizes, texture):
    height, width, directions = texture.shape
    count = sizes.size
    signed_bins = 2 * TEXTURE_BINS - 1
    signed = np.zeros((count, directions * signed_bins), np.int32)
    for y in range(height):
        for x in range(width):
            histogram = signed[labels[y, x]]
            for direction in range(directions):
                histogram[direction * signed_bins + texture[y, x, direction]] += 1
    out = np.empty((count, 2 * directions * TEXTURE_BINS), np.int32)
    for label in range(count):
        unit = HISTOGRAM_SUM / (2 * directions * sizes[label])
        for direction in range(directions):
            center = direction * signed_bins + TEXTURE_BINS - 1
            for side in range(2):
                start = (2 * direction + side) * TEXTURE_BINS
                rest = sizes[label]
                for i in range(1, TEXTURE_BINS):
                    n = signed[label, center + i if side == 0 else center - i]
                    out[label, start + i] = int(n * unit + 0.5)
                    rest -= n
                # A gradient along one orientation is none along the opposite one.
                out[label, start] = int(rest * unit + 0.5)
    return out


@compiled(nogil=True)
def _counting_order(values, order, count):
    """A stable sort of ``order`` by ``values``, which are 0..count-1."""
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


@compiled(nogil=True)
def _adjacent_pairs(labels, count):
    height, width = labels.shape
    n = 0
    for y in range(height):
        for x in range(width):
            n += x + 1 < width and labels[y, x] != labels[y, x + 1]
            n += y + 1 < height and labels[y, x] != labels[y + 1, x]
    low = np.empty(n, np.int32)
    high = np.empty(n, np.int32)
    n = 0
    for y in range(height):
        for x in range(width):
            here = labels[y, x]
            for direction in range(2):
                x1 = x + 1 - direction
                y1 = y + direction
                if x1 < width and y1 < height and here != labels[y1, x1]:
                    low[n] = min(here, labels[y1, x1])
                    high[n] = max(here, labels[y1, x1])
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
    """Measures the superpixels of a segmentation.

    Args:
        labels: int32 (H, W), labels 0..count-1, from ``merge_pixels``.
        count: Number R of superpixels.
        image: uint8 (H, W, 3), the image in the color space in which it is grouped.
        texture: uint8 (H, W, 12), from ``texture_bins``.

    Returns:
        Sizes, boxes, histograms and neighbors. Two superpixels are neighbors if they share a side of a pixel.
    """
    sizes, boxes = _sizes_and_boxes(labels, count)
    color = _color_histograms(labels, sizes, image)
    histograms = _texture_histograms(labels, sizes, texture)
    return Regions(sizes, boxes, color, histograms, _adjacent_pairs(labels, count), labels.size)


@compiled(nogil=True)
def _intersection(first, second):
    # A 32-bit sum, so that as many lanes are added at once as are compared.
    total = np.int32(0)
    for i in range(first.size):
        total = np.int32(total + min(first[i], second[i]))
    return total / HISTOGRAM_SUM


@compiled(nogil=True)
def _similarity(a, b, sizes, boxes, color, texture, image_size, use):
    total = 0.0
    terms = 0
    if use[0]:
        total += _intersection(color[a], color[b])
        terms += 1
    if use[1]:
        total += _intersection(texture[a], texture[b])
        terms += 1
    both = (sizes[a] + sizes[b]) / SIZE_DIVISOR
    if use[2]:
        total += (image_size - both) / image_size
        terms += 1
    if use[3]:
        width = np.int64(max(boxes[a, 2], boxes[b, 2]) - min(boxes[a, 0], boxes[b, 0]))
        height = np.int64(max(boxes[a, 3], boxes[b, 3]) - min(boxes[a, 1], boxes[b, 1]))
        total += 1 - (width * height - both) / image_size
        terms += 1
    return total / terms


@compiled(nogil=True)
def _before(similarity, age, first, second):
    """Whether edge ``first`` goes before edge ``second``: it is more similar, or as similar and newer."""
    if similarity[first] != similarity[second]:
        return similarity[first] > similarity[second]
    return age[first] > age[second]


@compiled(nogil=True)
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


@compiled(nogil=True)
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


@compiled(nogil=True)
def _remove(heap, place, similarity, age, edge, n):
    """Takes an edge out of a heap of n edges; returns n - 1."""
    i = place[edge]
    last = heap[n - 1]
    if last != edge:
        heap[i] = last
        place[last] = i
        _sift_up(heap, place, similarity, age, i)
        _sift_down(heap, place, similarity, age, place[last], n - 1)
    return n - 1


@compiled(nogil=True)
def _unlink(end, slot, head, following, preceding):
    """Takes an edge end out of the list of its region."""
    if preceding[end] >= 0:
        following[preceding[end]] = following[end]
    else:
        head[slot] = following[end]
    if following[end] >= 0:
        preceding[following[end]] = preceding[end]


@compiled(nogil=True)
def _link(end, slot, head, following, preceding):
    """Puts an edge end in front of the list of a region."""
    following[end] = head[slot]
    preceding[end] = -1
    if head[slot] >= 0:
        preceding[head[slot]] = end
    head[slot] = end


@compiled(nogil=True)
def _group(sizes, boxes, color, texture, pairs, image_size, use):
    """Greedy grouping; overwrites the measures of the regions. Returns the boxes and the two regions of each merge.

    A merged region takes the place (slot) of one of the two it is made of, and their edges are relabelled in place, so
    nothing grows: where both had an edge to the same third region, one of the edges goes. Every region has a doubly
    linked list of its edge ends (edge e has the ends 2 e and 2 e + 1), and a heap that knows the place of each edge has
    the most similar pair on top.
    """
    count = sizes.size
    merges = count - 1
    n_edges = pairs.shape[0]
    slot_of = np.empty(2 * n_edges, np.int32)
    following = np.empty(2 * n_edges, np.int32)
    preceding = np.empty(2 * n_edges, np.int32)
    head = np.full(count, -1, np.int32)
    number = np.arange(count)
    seen = np.full(count, -1, np.int64)
    similarity = np.empty(n_edges, np.float64)
    # The authors keep a list of pairs, append the new ones after each merge, and let the last of equals win. Counting
    # up from the initial pairs gives the same choice without the list.
    age = np.arange(n_edges)
    heap = np.arange(n_edges).astype(np.int32)
    place = np.arange(n_edges).astype(np.int32)
    for e in range(n_edges):
        similarity[e] = _similarity(pairs[e, 0], pairs[e, 1], sizes, boxes, color, texture, image_size, use)
        for side in range(2):
            slot_of[2 * e + side] = pairs[e, side]
            _link(2 * e + side, pairs[e, side], head, following, preceding)
    for i in range(n_edges // 2 - 1, -1, -1):
        _sift_down(heap, place, similarity, age, i, n_edges)

    merged_boxes = np.empty((merges, 4), np.int32)
    merged = np.empty((merges, 2), np.int32)
    n_heap = n_edges
    for step in range(merges):
        top = heap[0]
        a = slot_of[2 * top]
        b = slot_of[2 * top + 1]
        merged[step, 0] = number[a]
        merged[step, 1] = number[b]
        n_heap = _remove(heap, place, similarity, age, top, n_heap)
        _unlink(2 * top, a, head, following, preceding)
        _unlink(2 * top + 1, b, head, following, preceding)

        size = sizes[a] + sizes[b]
        share_a = sizes[a] / size
        share_b = sizes[b] / size
        if use[0]:
            for i in range(color.shape[1]):
                color[a, i] = np.int32(color[a, i] * share_a + color[b, i] * share_b + 0.5)
        if use[1]:
            for i in range(texture.shape[1]):
                texture[a, i] = np.int32(texture[a, i] * share_a + texture[b, i] * share_b + 0.5)
        sizes[a] = size
        boxes[a, 0] = min(boxes[a, 0], boxes[b, 0])
        boxes[a, 1] = min(boxes[a, 1], boxes[b, 1])
        boxes[a, 2] = max(boxes[a, 2], boxes[b, 2])
        boxes[a, 3] = max(boxes[a, 3], boxes[b, 3])
        merged_boxes[step] = boxes[a]
        number[a] = count + step

        end = head[a]
        while end >= 0:
            seen[slot_of[end ^ 1]] = step
            end = following[end]
        end = head[b]
        while end >= 0:
            after = following[end]
            other = slot_of[end ^ 1]
            if seen[other] == step:
                n_heap = _remove(heap, place, similarity, age, end >> 1, n_heap)
                _unlink(end ^ 1, other, head, following, preceding)
            else:
                slot_of[end] = a
                _link(end, a, head, following, preceding)
            end = after
        end = head[a]
        while end >= 0:
            e = end >> 1
            other = slot_of[end ^ 1]
            similarity[e] = _similarity(a, other, sizes, boxes, color, texture, image_size, use)
            # New pairs are appended in the order of their other region; the offset keeps them behind all initial ones.
            age[e] = n_edges + np.int64(step) * (count + merges) + number[other]
            _sift_up(heap, place, similarity, age, place[e])
            _sift_down(heap, place, similarity, age, place[e], n_heap)
            end = following[end]
    return merged_boxes, merged


def group_regions(regions: Regions, similarity: str = 'CTSF') -> tuple[np.ndarray, np.ndarray]:
    """Groups superpixels greedily into one hierarchy.

    Args:
        regions: From ``describe_regions``; neighborhood must connect all of them, as in an image it does.
        similarity: A key of ``SIMILARITIES``, whose terms are averaged. Color and Texture are histogram intersections,
            Size is the part of the image that the pair leaves free, Fill the part that is not in the pair's box but
            outside the pair (equations 2 to 6 of the paper).

    Returns:
        int32 (R - 1, 4) boxes of the merged regions, x2 and y2 exclusive, and int32 (R - 1, 2) the two regions of each
        merge, both in the order of the merges. Merge i makes region R + i.

    Raises:
        ValueError: If ``similarity`` is none of ``SIMILARITIES``.
    """
    if similarity not in SIMILARITIES:
        raise ValueError(f'similarity is {similarity!r}; choose one of {", ".join(map(repr, SIMILARITIES))}.')
    use = np.array([term in SIMILARITIES[similarity] for term in ('color', 'texture', 'size', 'fill')])
    sizes, boxes, color, texture, pairs, image_size = regions
    # Measures that no term reads are not copied: nothing writes to them.
    color, texture = color.copy() if use[0] else color, texture.copy() if use[1] else texture
    return _group(sizes.copy(), boxes.copy(), color, texture, pairs, image_size, use)
