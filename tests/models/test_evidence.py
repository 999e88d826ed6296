"""Class activation maps, their IoU with boxes, and box voting, against plain loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from det_inception.models.layers.box_voting import nms_with_box_voting
from det_inception.models.layers.evidence import cam_iou, coverage, rescore
from det_inception.utils.boxes import pairwise_iou

WIDTH, HEIGHT, CELLS = 64.0, 32.0, 8


def random_boxes(seed, count=12):
    rng = np.random.default_rng(seed)
    x, y = np.sort(rng.uniform(0, WIDTH, (count, 2))), np.sort(rng.uniform(0, HEIGHT, (count, 2)))
    return np.stack([x[:, 0], y[:, 0], x[:, 1] + 0.1, y[:, 1] + 0.1], 1).clip(0, [WIDTH, HEIGHT] * 2)


def plain_iou(a, b):
    across = max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
    area = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return across / (area[0] + area[1] - across), across / area[0]


@given(st.integers(0, 10**6))
def test_coverage_adds_up_to_the_area(seed):
    boxes = random_boxes(seed)
    covered = coverage(boxes, WIDTH, HEIGHT, CELLS)
    assert covered.min() >= 0 and covered.max() <= 1 + 1e-9
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) / (WIDTH * HEIGHT)
    np.testing.assert_allclose(covered.sum((1, 2)) / CELLS**2, areas, atol=1e-9)


def test_coverage_of_known_boxes():
    covered = coverage(np.array([[0, 0, 12, 4], [0, 0, WIDTH, HEIGHT]]), WIDTH, HEIGHT, CELLS)
    assert covered[0, 0, :3].tolist() == [1, 0.5, 0] and covered[0, 1:].max() == 0 and covered[1].min() == 1


def test_the_box_around_the_evidence_fits_best():
    evidence = np.full((CELLS, CELLS), -1.0)
    evidence[2:5, 3:7] = 2.0
    boxes = np.array([[24, 8, 56, 20], [24, 8, 40, 20], [0, 0, WIDTH, HEIGHT], [0, 24, 16, 32]], float)
    ious = cam_iou(evidence, coverage(boxes, WIDTH, HEIGHT, CELLS))
    assert ious.tolist() == pytest.approx([1, 0.5, 12 / 64, 0])
    assert cam_iou(-np.abs(evidence), coverage(boxes, WIDTH, HEIGHT, CELLS)).tolist() == [0, 0, 0, 0]
    # Of two objects each has its own best box, and the box around both is the third.
    evidence[2:5, 3:7] = -1
    evidence[0:2, 0:2] = evidence[4:6, 6:8] = 1
    boxes = np.array([[0, 0, 16, 8], [48, 16, 64, 24], [0, 0, 64, 24]], float)
    ious = cam_iou(evidence, coverage(boxes, WIDTH, HEIGHT, CELLS))
    assert ious.tolist() == pytest.approx([1, 1, 8 / 48])


def test_thresholds_are_averaged():
    evidence = np.zeros((2, 2))
    evidence[0] = 1.0, 0.35  # the second cell belongs to the object at 0.2 and 0.3 only
    one = coverage(np.array([[0, 0, 1, 1]]), 2, 2, 2)
    assert cam_iou(evidence, one).tolist() == pytest.approx([(0.5 + 0.5 + 1 + 1) / 4])


def test_small_and_ill_fitting_regions_are_held_down():
    held = rescore(np.array([0.8, 0.8, 0.8]), np.array([1, 0.5, 1]), np.array([1, 1, 1 / 16]))
    assert held.dtype == np.float32 and held.tolist() == pytest.approx([0.8, 0.2, 0.2])


def plain_pick(boxes, scores, nms, part, vote):
    """The rules of nms_with_box_voting, as they are written."""

    def survivors(boxes, scores):
        left = sorted((i for i in range(len(boxes)) if scores[i] > 0), key=lambda i: -scores[i])
        kept = []
        while left:
            best, *rest = left
            kept.append(best)
            left = [
                i
                for i in rest
                if plain_iou(boxes[best], boxes[i])[0] <= nms
                and plain_iou(boxes[i], boxes[best])[1] <= part
                and plain_iou(boxes[best], boxes[i])[1] <= part
            ]
        return kept

    first = survivors(boxes, scores)
    moved = []
    for best in first:
        voters = [i for i in range(len(boxes)) if plain_iou(boxes[best], boxes[i])[0] > vote]
        moved.append(sum(boxes[i] * float(scores[i]) for i in voters) / sum(float(scores[i]) for i in voters))
    kept = survivors(moved, [scores[i] for i in first])
    return [first[i] for i in kept], [moved[i] for i in kept]


@settings(deadline=None)
@given(st.integers(0, 10**6))
def test_picked_boxes_are_those_of_a_slow_loop(seed):
    boxes = random_boxes(seed)
    scores = np.random.default_rng(seed).random(len(boxes)).astype(np.float32)
    scores[::5] = 0
    picked, edges = nms_with_box_voting(boxes, scores)
    expected, moved = plain_pick(boxes, scores, 0.3, 0.8, 0.4)
    assert picked.tolist() == expected and (np.diff(scores[picked]) <= 0).all()
    np.testing.assert_allclose(edges, moved, atol=1e-4)
    again = pairwise_iou(edges, edges)
    np.fill_diagonal(again, 0)
    assert again.max() <= 0.3 + 1e-5


def test_parts_and_surroundings_of_an_object_go():
    boxes = np.array([[10, 10, 30, 20], [12, 11, 18, 15], [0, 0, 60, 30], [40, 2, 60, 30]], float)
    picked, edges = nms_with_box_voting(boxes, np.array([0.9, 0.8, 0.7, 0.6]))
    assert picked.tolist() == [0, 3] and np.array_equal(edges, boxes[[0, 3]])
    nothing, none = nms_with_box_voting(boxes, np.zeros(4))
    assert nothing.tolist() == [] and none.shape == (0, 4)
