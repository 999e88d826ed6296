"""The numbers of MultiBox: priors, their file, and matching against brute force."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from det_inception.proposals import ProposalError
from det_inception.proposals.multibox import (
    box_priors,
    grid_boxes,
    match,
    mean_best_overlap,
    read_priors,
    relative_boxes,
    size_priors,
    write_priors,
)


def random_boxes(count, seed=0):
    random = np.random.default_rng(seed)
    corners = np.sort(random.random((count, 2, 2)), axis=1)
    corners[:, 1] = np.minimum(corners[:, 1] + 0.01, 1)
    corners[:, 0] = np.minimum(corners[:, 0], corners[:, 1] - 0.005)
    return corners.reshape(-1, 4)


# ----------------------------------------------------------------------------------------------------- matching


def least_cost(costs):
    """Tries everything."""
    objects, predictions = costs.shape
    if objects > predictions:
        return least_cost(costs.T)
    return min(
        sum(costs[row, column] for row, column in enumerate(columns))
        for columns in itertools.permutations(range(predictions), objects)
    )


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 4), st.integers(1, 7), st.integers(0, 10**6), st.booleans())
def test_matching_is_optimal(objects, predictions, seed, ties):
    costs = np.random.default_rng(seed).normal(size=(objects, predictions))
    costs = costs.round() if ties else costs
    rows, columns = match(costs)
    assert len(rows) == len(columns) == min(objects, predictions)
    assert len(set(rows)) == len(rows) and len(set(columns)) == len(columns)
    assert costs[rows, columns].sum() == pytest.approx(least_cost(costs) if objects else 0)


def test_leaving_out_what_no_object_needs_is_exact():
    from scipy.optimize import linear_sum_assignment

    for seed in range(20):
        # Objects that want the same few predictions, so that most must take another than their cheapest.
        random = np.random.default_rng(seed)
        costs = random.normal(size=(30, 400)) + 5 * random.random(400)
        assert costs[match(costs)].sum() == pytest.approx(costs[linear_sum_assignment(costs)].sum())


def test_a_diverged_training_is_named():
    with pytest.raises(ProposalError, match='lower the learning rate'):
        match(np.array([[0.0, np.nan]]))


# ------------------------------------------------------------------------------------------------------- priors


@pytest.mark.parametrize('priors', [box_priors, size_priors])
def test_priors_are_reproducible(priors):
    boxes = random_boxes(300)
    first = priors(boxes, 12)
    assert first.shape == (12, 4 if priors is box_priors else 2)
    assert (first == priors(boxes, 12)).all()
    assert (first == priors(boxes[::-1], 12)).all()
    assert (first == priors(np.random.default_rng(1).permutation(boxes), 12)).all()


def test_priors_of_clear_clusters_are_their_centers():
    centers = np.array([[0.1, 0.1, 0.3, 0.3], [0.5, 0.2, 0.9, 0.8], [0.2, 0.6, 0.3, 0.9]])
    noise = np.random.default_rng(0).normal(scale=0.002, size=(50, 3, 4))
    boxes = (centers + noise - noise.mean(axis=0)).reshape(-1, 4)
    np.testing.assert_allclose(box_priors(boxes, 3), centers[np.lexsort(centers.T[::-1])], atol=1e-12)


def test_priors_are_where_lloyd_stops():
    boxes = random_boxes(400)
    priors = box_priors(boxes, 10)
    nearest = ((boxes[:, None] - priors) ** 2).sum(axis=2).argmin(axis=1)
    for number, prior in enumerate(priors):
        np.testing.assert_allclose(boxes[nearest == number].mean(axis=0), prior, atol=1e-8)


def test_as_many_priors_as_boxes_are_the_boxes():
    boxes = random_boxes(9)
    np.testing.assert_allclose(box_priors(boxes, 9), boxes[np.lexsort(boxes.T[::-1])])
    assert mean_best_overlap(box_priors(boxes, 9), boxes) == pytest.approx(1)


def test_sizes_grow_and_do_not_care_for_places():
    boxes = random_boxes(300)
    sizes = size_priors(boxes, 8)
    assert (np.diff(sizes.prod(axis=1)) >= 0).all()
    moved = np.concatenate([np.zeros((300, 2)), boxes[:, 2:] - boxes[:, :2]], axis=1)
    np.testing.assert_allclose(size_priors(moved, 8), sizes)


@pytest.mark.parametrize(
    ('boxes', 'count', 'words'),
    [
        (random_boxes(5), 6, '6 priors cannot be made of 5 different boxes'),
        (np.repeat(random_boxes(2), 50, axis=0), 3, '3 priors cannot be made of 2 different boxes'),
        (np.zeros((0, 4)), 1, '1 priors cannot be made of 0'),
        (random_boxes(5), 0, 'give at least 1'),
        ([[0.1, 0.1, 0.1, 0.5], [0, 0, 1, 1]], 1, '1 of 2 boxes of the training set are empty'),
        ([[0.1, 0.1, 1.1, 0.5]], 1, 'leave their image'),
        ([[0.1, 0.1, np.nan, 0.5]], 1, 'are empty or leave'),
    ],
)
@pytest.mark.parametrize('priors', [box_priors, size_priors])
def test_priors_refuse(priors, boxes, count, words):
    with pytest.raises(ProposalError, match=words):
        priors(np.array(boxes), count)


def test_grid_boxes():
    boxes = grid_boxes(np.array([[0.2, 0.4], [0.1, 0.1]]), rows=2, columns=4)
    assert boxes.shape == (16, 4)
    np.testing.assert_allclose(boxes[0], [0.125 - 0.1, 0.25 - 0.2, 0.125 + 0.1, 0.25 + 0.2])
    np.testing.assert_allclose(boxes[1], [0.125 - 0.05, 0.25 - 0.05, 0.125 + 0.05, 0.25 + 0.05])
    np.testing.assert_allclose(boxes[2, [0, 2]].mean(), 0.375)  # the next cell of the same row
    np.testing.assert_allclose(boxes[-1], [0.875 - 0.05, 0.75 - 0.05, 0.875 + 0.05, 0.75 + 0.05])


def test_relative_boxes():
    assert relative_boxes(np.array([[0, 10, 200, 50]]), height=100, width=200).tolist() == [[0, 0.1, 1, 0.5]]


def test_file_of_priors(tmp_path):
    path = tmp_path / 'priors.json'
    for priors in (box_priors(random_boxes(50), 7), size_priors(random_boxes(50), 6)):
        write_priors(path, priors)
        np.testing.assert_allclose(read_priors(path), priors, atol=1e-6)


@pytest.mark.parametrize(
    'content',
    ['', '[]', '{"format": "other", "priors": [[1, 2]]}', None]
    + [
        json.dumps({'format': 'det_inception MultiBox priors', 'priors': priors})
        for priors in ([], [1, 2], [[1, 2, 3]], [[1, float('nan')]], [['a', 'b']], [[1, 2], [3]])
    ],
)
def test_file_without_priors(tmp_path, content):
    path = tmp_path / 'priors.json'
    if content is not None:
        path.write_text(content)
    with pytest.raises(ProposalError, match=r'priors\.json: .*make them with det-inception priors'):
        read_priors(path)
