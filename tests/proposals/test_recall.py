"""Recall against a plain implementation, and its invariants."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from det_inception.proposals import average_recall, best_overlaps, recall, recall_of

# Whole numbers from a small range make equal overlaps and exact thresholds likely.
BOX = st.tuples(*[st.integers(0, 12)] * 4).map(
    lambda b: (min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3]))
)
BOXES = st.lists(BOX, max_size=8)
IMAGES = st.lists(st.tuples(BOXES, BOXES), min_size=1, max_size=5)
THRESHOLDS = st.lists(st.sampled_from([0.1, 0.25, 1 / 3, 0.5, 0.7, 1.0]), min_size=1, max_size=3)
LIMITS = st.lists(st.integers(1, 10), min_size=1, max_size=3)


def plain_overlap(a, b) -> float:
    width = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    return width * height / union if union else 0.0


def plain_recall(images, threshold, limit) -> float:
    covered = total = 0
    for proposals, truth in images:
        for box in truth:
            total += 1
            covered += any(plain_overlap(box, proposal) >= threshold for proposal in proposals[:limit])
    return covered / total


def as_arrays(images):
    return tuple(
        [np.array(boxes, np.float32).reshape(-1, 4) for boxes in column] for column in zip(*images, strict=True)
    )


@settings(deadline=None)
@given(IMAGES.filter(lambda images: any(truth for _, truth in images)), THRESHOLDS, LIMITS)
def test_recall_is_what_the_plain_implementation_says(images, thresholds, limits):
    found = recall(*as_arrays(images), thresholds, limits)
    expected = [[plain_recall(images, threshold, limit) for limit in limits] for threshold in thresholds]
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@settings(deadline=None)
@given(IMAGES.filter(lambda images: any(truth for _, truth in images)))
def test_invariants(images):
    proposals, truth = as_arrays(images)
    best = best_overlaps(proposals, truth, [1, 2, 5, 100])
    assert ((best >= 0) & (best <= 1)).all()
    assert (np.diff(best, axis=1) >= 0).all()  # more proposals never cover less
    assert (np.diff(recall_of(best, [0.2, 0.5, 0.9]), axis=0) <= 0).all()  # nor does a higher threshold cover more
    # Images without ground truth count for nothing, nor does the order of the images.
    padded = recall([*proposals[::-1], np.ones((3, 4))], [*truth[::-1], np.zeros((0, 4))], [0.5], [1, 2, 5, 100])
    np.testing.assert_allclose(padded, recall_of(best, [0.5]))
    # The area under the curve, by adding up.
    steps = recall_of(best, np.linspace(0.5, 1, 501)[1:]).mean(axis=0)
    np.testing.assert_allclose(average_recall(best), steps, atol=1 / 500)


def test_perfect_proposals_cover_everything():
    truth = [np.array([[0, 0, 10, 10], [5, 5, 9, 30]]), np.array([[1, 2, 3, 4]])]
    np.testing.assert_array_equal(recall(truth, truth, [1.0], [2]), [[1.0]])
    np.testing.assert_array_equal(recall(truth, truth, [1.0], [1]), [[2 / 3]])


def test_no_proposals_cover_nothing():
    assert recall([np.zeros((0, 4))], [np.array([[0, 0, 1, 1]])], [0.1], [10]).tolist() == [[0.0]]
    assert recall([[]], [[[0, 0, 1, 1]]], [0.1], [10]).tolist() == [[0.0]]


@pytest.mark.parametrize(
    ('proposals', 'truth', 'thresholds', 'limits', 'words'),
    [
        ([np.zeros((1, 4))], [np.zeros((0, 4))], [0.5], [1], 'no ground-truth box'),
        ([], [], [0.5], [1], 'no ground-truth box'),
        ([np.zeros((1, 4))], [], [0.5], [1], '1 images but ground truth of 0'),
        ([np.zeros((1, 5))], [np.ones((1, 4))], [0.5], [1], 'shape'),
        ([np.zeros(4)], [np.ones((1, 4))], [0.5], [1], 'shape'),
        ([np.array([[3, 0, 1, 1]])], [np.ones((1, 4))], [0.5], [1], 'x1 <= x2'),
        ([np.zeros((1, 4))], [np.full((1, 4), np.nan)], [0.5], [1], 'x1 <= x2'),
        ([np.zeros((1, 4))], [np.ones((1, 4))], [0.0], [1], 'thresholds'),  # which everything would reach
        ([np.zeros((1, 4))], [np.ones((1, 4))], [50], [1], 'thresholds'),
        ([np.zeros((1, 4))], [np.ones((1, 4))], [0.5], [0], 'Limits'),
        ([np.zeros((1, 4))], [np.ones((1, 4))], [0.5], [1.5], 'Limits'),
        ([np.zeros((1, 4))], [np.ones((1, 4))], [0.5], [], 'Limits'),
    ],
)
def test_bad_input(proposals, truth, thresholds, limits, words):
    with pytest.raises(ValueError, match=words):
        recall(proposals, truth, thresholds, limits)
