"""Overlap of boxes: the one IoU of the project.

Boxes are x1, y1, x2, y2 in pixels, continuous coordinates: width = x2 - x1. A reversed or empty box overlaps nothing.
(The official ILSVRC score has inclusive coordinates of its own: :mod:`det_inception.ilsvrc.scoring`.)

Shape legend: M boxes, N other boxes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from det_inception.utils.compiled import compiled


def pairwise_iou(boxes: ArrayLike, others: ArrayLike) -> NDArray[np.float64]:
    """Returns the intersection over union of every box (M, 4) with every other (N, 4): float64 (M, N), 0 to 1.

    Example:
        >>> pairwise_iou([[0, 0, 10, 10]], [[0, 0, 10, 20], [20, 0, 30, 10]])
        array([[0.5, 0. ]])
    """
    return _pairwise(_as_boxes(boxes), _as_boxes(others), False)


def pairwise_ioa(boxes: ArrayLike, others: ArrayLike) -> NDArray[np.float64]:
    """Returns the share of every box's (M, 4) area that lies inside every other box (N, 4): float64 (M, N), 0 to 1."""
    return _pairwise(_as_boxes(boxes), _as_boxes(others), True)


@compiled()
def overlap(box: NDArray, other: NDArray, of_box: bool = False) -> float:
    """Returns the intersection over union of two boxes (4,), or, with ``of_box``, over the area of ``box``.

    For compiled loops.
    """
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    total = (box[2] - box[0]) * (box[3] - box[1])
    if not of_box:
        # From left to right, so that the two boxes may change places without a difference in the last digit.
        total = total + (other[2] - other[0]) * (other[3] - other[1]) - width * height
    return width * height / total if total > 0 else 0.0


@compiled()
def _pairwise(boxes: NDArray, others: NDArray, of_box: bool) -> NDArray:
    table = np.empty((len(boxes), len(others)))
    for row in range(len(boxes)):
        for column in range(len(others)):
            table[row, column] = overlap(boxes[row], others[column], of_box)
    return table


def _as_boxes(boxes: ArrayLike) -> NDArray[np.float64]:
    return np.ascontiguousarray(boxes, np.float64).reshape(-1, 4)
