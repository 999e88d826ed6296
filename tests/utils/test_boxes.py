"""Overlaps against exact arithmetic in a plain loop, and what they must always be."""

from fractions import Fraction

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from det_inception.utils.boxes import overlap, pairwise_ioa, pairwise_iou

# Small whole numbers make equal, touching, empty and reversed boxes likely.
ANY_BOX = st.tuples(*[st.integers(-3, 6)] * 4)
BOXES = st.lists(ANY_BOX, max_size=6)


def exact(box, other) -> tuple[Fraction, Fraction]:
    """Intersection over union and over the first box, by counting unit squares."""

    def squares(x1, y1, x2, y2):
        return {(x, y) for x in range(x1, x2) for y in range(y1, y2)}

    first, second = squares(*box), squares(*other)
    common = len(first & second)
    return Fraction(common, len(first | second) or 1), Fraction(common, len(first) or 1)


@settings(deadline=None)  # the first example compiles
@given(BOXES, BOXES)
def test_overlaps_are_those_of_counted_squares(boxes, others):
    iou, inside = pairwise_iou(boxes, others), pairwise_ioa(boxes, others)
    assert iou.shape == inside.shape == (len(boxes), len(others)) and iou.dtype == inside.dtype == np.float64
    for row, box in enumerate(boxes):
        for column, other in enumerate(others):
            assert (iou[row, column], inside[row, column]) == tuple(map(float, exact(box, other)))
            assert overlap(np.array(box), np.array(other)) == iou[row, column]


@settings(deadline=None)
@example([(0, -286099, np.float32(2.6), 1), (np.float32(0.99999), 0, 3, np.float32(0.99999))], 0.25)
@given(st.lists(st.tuples(*[st.floats(-1e6, 1e6, width=32)] * 4), max_size=5), st.sampled_from([0.25, 1024]))
def test_invariants(boxes, factor):
    boxes = np.array(boxes).reshape(-1, 4)
    iou, inside = pairwise_iou(boxes, boxes), pairwise_ioa(boxes, boxes)
    assert ((iou >= 0) & (iou <= 1 + 1e-12)).all() and (iou <= inside + 1e-12).all()
    assert np.array_equal(iou, iou.T)
    assert np.array_equal(pairwise_iou(boxes * factor, boxes * factor), iou)  # powers of two lose no digit


def test_boxes_that_are_none_overlap_nothing():
    odd = [[np.nan, 0, 1, 1], [0, 0, np.inf, 1], [0, 0, 1e-200, 1e-200], [3, 3, 3, 3]]
    assert pairwise_iou(odd, odd).max() == 0
    assert pairwise_iou([], [[0, 0, 1, 1]]).shape == (0, 1)
