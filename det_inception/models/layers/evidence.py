"""Compares boxes with a class activation map (CAM; Zhou et al., arXiv 1512.04150), in NumPy.

A classifier that has never seen a box gives the same high score to a part (the face of a dog), to the object, and to a
box far too large (the dog and its garden). The map says where the evidence for a class lies, and so which box is right.

Shape legend: R regions, G cells along each side of a grid over the image. Boxes are x1, y1, x2, y2 in pixels,
continuous coordinates.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray as Array
from scipy import ndimage

THRESHOLDS = (0.2, 0.3, 0.4, 0.5)
"""Shares of a map's peak above which a cell may belong to the object; no single one suits all objects."""


def coverage(boxes: Array, width: float, height: float, cells: int) -> Array:
    """Computes how much of each cell of a grid a box covers.

    Args:
        boxes: float (R, 4), inside the image.
        width: The image's width in pixels.
        height: Its height.
        cells: G.

    Returns:
        float64 (R, G, G): rows, then columns; shares from 0 to 1.
    """
    edges = np.arange(cells + 1) / cells

    def along(low: Array, high: Array) -> Array:
        overlap = np.minimum(high[:, None], edges[None, 1:]) - np.maximum(low[:, None], edges[None, :-1])
        return np.clip(overlap, 0, None) * cells

    boxes = np.asarray(boxes, np.float64)
    rows = along(boxes[:, 1] / height, boxes[:, 3] / height)
    columns = along(boxes[:, 0] / width, boxes[:, 2] / width)
    return rows[:, :, None] * columns[:, None, :]


def cam_iou(evidence: Array, covered: Array, thresholds: Sequence[float] = THRESHOLDS) -> Array:
    """Computes the IoU of each region with the object that a class activation map shows.

    The map is cut at each share of its peak. What is left is the object, or each of its connected pieces is one of
    several objects. A region's value is its IoU with the best of these, averaged over the thresholds.

    Args:
        evidence: float (G, G): the map; what is not positive is no evidence.
        covered: float (R, G, G), from :func:`coverage`.
        thresholds: Shares of the peak.

    Returns:
        float64 (R,), 0 to 1; all 0 for a map without evidence.
    """
    total = np.zeros(len(covered))
    peak = evidence.max()
    if peak <= 0:
        return total
    flat = covered.reshape(len(covered), -1)
    areas = flat.sum(axis=1)
    for threshold in thresholds:
        mask = evidence > threshold * peak
        pieces, count = ndimage.label(mask)
        shapes = [mask.ravel()] + [(pieces == number).ravel() for number in range(1, count + 1) if count > 1]
        shapes = np.stack(shapes, axis=1).astype(np.float64)
        inside = flat @ shapes
        total += (inside / (shapes.sum(axis=0) + areas[:, None] - inside)).max(axis=1)
    return total / len(thresholds)


def rescore(scores: Array, ious: Array, areas: Array) -> Array:
    """Lowers the scores of regions that do not fit the map, and of small ones.

    Args:
        scores: float (R,): what the classifier says, 0 to 1.
        ious: float (R,), from :func:`cam_iou`.
        areas: float (R,): shares of the image's area.

    Returns:
        float32 (R,): ``scores * ious ** 2 * areas ** 0.5``.
    """
    return (scores * ious**2 * areas**0.5).astype(np.float32)
