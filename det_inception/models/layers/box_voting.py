"""NMS that leaves one box an object and lets the others vote on its edges, in NumPy.

Shape legend: R boxes of one class, D of them picked. Boxes are x1, y1, x2, y2 in pixels, continuous coordinates.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray as Array

from det_inception.utils.boxes import pairwise_ioa, pairwise_iou

VOTE = 0.6
"""IoU above which a box has a vote behind plain NMS."""


def nms_with_box_voting(
    boxes: Array, scores: Array, iou_threshold: float = 0.3, part: float = 0.8, vote: float = 0.4
) -> tuple[Array, Array]:
    """Picks the boxes of one class's objects.

    From the highest score down, a box suppresses those that overlap it, those that lie inside it (parts) and those that
    it lies inside of (the object with its surroundings). Then its edges become the mean of all boxes that overlap it,
    suppressed or not, weighted by their scores (Gidaris and Komodakis, arXiv 1505.01749, section 3.3). Where the moved
    boxes meet, the better one again suppresses the other.

    Args:
        boxes: float (R, 4).
        scores: float (R,), not negative; those of 0 are never picked.
        iou_threshold: IoU above which the lower of two boxes goes.
        part: Share of a box inside the other above which the lower of the two goes.
        vote: IoU above which a box has a vote.

    Returns:
        int64 (D,), the picked boxes' positions, best first, and float32 (D, 4), their edges.
    """
    picked = _suppress(boxes, scores, iou_threshold, part)
    edges = vote_on_edges(boxes, scores, picked, vote)
    kept = _suppress(edges, scores[picked], iou_threshold, part)
    return picked[kept], edges[kept].astype(np.float32)


def vote_on_edges(boxes: Array, scores: Array, picked: Array, vote: float = VOTE) -> Array:
    """Returns float64 (D, 4), the edges of the picked boxes after the vote; an empty box, which none overlaps, stays.

    Args:
        boxes: float (R, 4).
        scores: float (R,), not negative.
        picked: int (D,), positions in ``boxes``.
        vote: IoU above which a box has a vote.
    """
    edges, iou = boxes[picked].astype(np.float64), pairwise_iou(boxes[picked], boxes)
    for row in range(len(picked)):
        voters = np.flatnonzero(iou[row] > vote)
        weights = scores[voters, None].astype(np.float64)
        if weights.sum() > 0:
            edges[row] = (boxes[voters] * weights).sum(axis=0) / weights.sum()
    return edges


def _suppress(boxes: Array, scores: Array, iou_threshold: float, part: float) -> Array:
    iou, inside = pairwise_iou(boxes, boxes), pairwise_ioa(boxes, boxes)
    gone = scores <= 0
    picked = []
    for best in np.argsort(-scores, kind='stable'):
        if not gone[best]:
            picked.append(best)
            gone = gone | (iou[best] > iou_threshold) | (inside[:, best] > part) | (inside[best] > part)
    return np.array(picked, np.int64)
