"""Where in an image the evidence for a class lies, and which box holds it: detection by a classifier of whole images.

A classifier that has never seen a box gives high scores to parts (the face of a dog) and to boxes far too large (the
dog and its garden) alike. What tells the box of the object from these is here, in plain NumPy.

Shapes: R regions, K classes, G cells along each side of a grid that is laid over the image. Boxes are x1, y1, x2, y2 in
pixels, continuous coordinates.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from det_inception.utils.boxes import pairwise_ioa, pairwise_iou

Array = NDArray  # shapes and dtypes are in the docstrings

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


def fit(evidence: Array, covered: Array, thresholds: Sequence[float] = THRESHOLDS) -> Array:
    """Computes how well each region fits the place where a class's evidence lies.

    The map is cut at each share of its peak; what is left is the object, or each of its connected pieces is one of
    several. A region's fit is the IoU with the best of these, averaged over the thresholds.

    Args:
        evidence: float (G, G): a class's map, such as a class activation map; what is not positive is no evidence.
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


def rescore(scores: Array, fits: Array, areas: Array) -> Array:
    """Lowers the scores of regions that do not fit the evidence, and of small ones.

    Args:
        scores: float (R,): what the classifier says, 0 to 1.
        fits: float (R,), from :func:`fit`.
        areas: float (R,): shares of the image's area.

    Returns:
        float32 (R,): ``scores * fits ** 2 * areas ** 0.5``.
    """
    return (scores * fits**2 * areas**0.5).astype(np.float32)


def pick(
    boxes: Array, scores: Array, iou: Array, inside: Array, nms: float = 0.3, part: float = 0.8, vote: float = 0.4
) -> tuple[Array, Array]:
    """Picks the boxes of one class's objects: non-maximum suppression that leaves one box of an object, and votes.

    From the highest score down, a box takes out those that overlap it, those that lie inside it (parts) and those that
    it lies inside of (the object with its surroundings). Then its edges become the mean over what overlaps it,
    weighted by their scores (Gidaris and Komodakis, arXiv 1505.01749, section 3.3), whether or not those have been
    taken out; and where the moved boxes meet, the better one again takes out the other.

    Args:
        boxes: float (R, 4).
        scores: float (R,), not negative; those of 0 are never picked.
        iou: float (R, R), from :func:`~det_inception.utils.boxes.pairwise_iou`.
        inside: float (R, R), from :func:`~det_inception.utils.boxes.pairwise_ioa`.
        nms: IoU above which the lower of two boxes goes.
        part: Share of a box inside the other above which the lower of the two goes.
        vote: IoU above which a box has a vote.

    Returns:
        int64 (D,), the picked boxes' positions, best first, and float32 (D, 4), their edges.
    """
    picked = _suppress(scores, iou, inside, nms, part)
    edges = np.zeros((len(picked), 4))
    for row, best in enumerate(picked):
        voters = np.flatnonzero(iou[best] > vote)
        weights = scores[voters, None].astype(np.float64)
        edges[row] = (boxes[voters] * weights).sum(axis=0) / weights.sum()
    kept = _suppress(scores[picked], pairwise_iou(edges, edges), pairwise_ioa(edges, edges), nms, part)
    return picked[kept], edges[kept].astype(np.float32)


def _suppress(scores: Array, iou: Array, inside: Array, nms: float, part: float) -> Array:
    gone = scores <= 0
    picked = []
    for best in np.argsort(-scores, kind='stable'):
        if not gone[best]:
            picked.append(best)
            gone = gone | (iou[best] > nms) | (inside[:, best] > part) | (inside[best] > part)
    return np.array(picked, np.int64)
