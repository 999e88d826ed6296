"""The confusion matrix: against slow plain counting, and against supervision's where its definition is the same."""

import numpy as np
import pytest
import supervision as sv
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from report_plain import iou, plain_confusion, plain_match
from report_runs import make_run, random_runs

from det_inception.evaluation.analysis.confusion import confusion_matrix, confusions
from det_inception.evaluation.report import RULES, score_run

BOX, NEAR, ELSEWHERE = [10, 10, 50, 50], [10, 10, 50, 44], [60, 60, 90, 90]


def matrix_of(run, confidence=0.0):
    return confusion_matrix(run, score_run(run), confidence)


def supervision_matrix(run, confidence):
    found, objects, images = run.predictions, run.annotations, range(len(run.image_names))
    return sv.ConfusionMatrix.from_detections(
        predictions=[
            sv.Detections(found.boxes[rows], confidence=found.scores[rows], class_id=found.labels[rows])
            for rows in (found.images == image for image in images)
        ],
        targets=[
            sv.Detections(objects.boxes[rows], class_id=objects.labels[rows])
            for rows in (objects.images == image for image in images)
        ],
        classes=list(run.class_names),
        conf_threshold=confidence,
        iou_threshold=0.5 - 1e-9,
    ).matrix


@given(random_runs(rules=('voc', 'coco')), st.floats(0, 0.6))
@settings(max_examples=40, deadline=None)
def test_equals_plain_counting(run, confidence):
    matches = plain_match(run, RULES[run.rules].retries, RULES[run.rules].crowds)
    counts = plain_confusion(run, matches, confidence)
    expected = np.zeros((4, 4), int)
    for pair, count in counts.items():
        expected[pair] = count
    assert (matrix_of(run, confidence) == expected).all()


@given(random_runs(), st.floats(0, 0.6))
@settings(max_examples=20, deadline=None)
def test_sums(run, confidence):
    """Rows add up to the objects, columns to the detections that count, the diagonal to the true ones."""
    score = score_run(run)
    matrix = confusion_matrix(run, score, confidence)
    kept = run.predictions.scores >= confidence
    labels = run.predictions.labels
    assert (matrix[:-1].sum(axis=1) == run.num_objects).all()
    assert (matrix[:, :-1].sum(axis=0) == np.bincount(labels[kept & (score.matches != -2)], minlength=3)).all()
    assert (np.diag(matrix)[:-1] == np.bincount(labels[kept & (score.matches >= 0)], minlength=3)).all()
    assert matrix[-1, -1] == 0


@given(random_runs(rules=('coco',), ignored=False), st.floats(0, 0.6))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
def test_supervision_finds_as_many_true_where_a_class_does_not_crowd(run, confidence):
    """Within a class the most confident detection goes first here, the largest overlap there."""
    found, objects = run.predictions, run.annotations
    for d in range(len(found)):
        own = (objects.images == found.images[d]) & (objects.labels == found.labels[d])
        assume(sum(iou(found.boxes[d], box) >= 0.5 for box in objects.boxes[own]) < 2)
    # Of several detections of one object they may match another one, and leave this one to an object of another class.
    assert (np.diag(matrix_of(run, confidence)) == np.diag(supervision_matrix(run, confidence))).all()


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_supervision_counts_the_same_of_objects_that_lie_apart(seed):
    rng = np.random.default_rng(seed)
    objects, found = [], []
    for cell in range(30):
        image, x = cell // 10, 100 * (cell % 10)
        box = np.array([x, 0, x + 40, 40.0])
        if rng.random() < 0.8:
            objects.append((image, int(rng.integers(3)), box))
        if rng.random() < 0.8:
            found.append((image, int(rng.integers(3)), rng.random(), box + rng.choice([0, 3, 30], 4)))
    run = make_run([(0, 0, [0, 200, 9, 209]), *objects], found, images=3)
    for confidence in (0.0, 0.5):
        assert (matrix_of(run, confidence) == supervision_matrix(run, confidence)).all()


@pytest.mark.parametrize(
    ('objects', 'found', 'cells'),
    [
        # right; of another class; nothing there; nothing found
        ([(0, 0, BOX)], [(0, 0, 0.9, BOX)], {(0, 0): 1}),
        ([(0, 0, BOX)], [(0, 1, 0.9, BOX)], {(0, 1): 1}),
        ([(0, 0, BOX)], [(0, 1, 0.9, ELSEWHERE)], {(0, 3): 1, (3, 1): 1}),
        ([(0, 0, BOX)], [(1, 0, 0.9, BOX)], {(0, 3): 1, (3, 0): 1}),
        # a true detection goes before a more confident one of another class
        ([(0, 0, BOX)], [(0, 1, 0.9, BOX), (0, 0, 0.2, BOX)], {(0, 0): 1, (3, 1): 1}),
        # a duplicate is matched to nothing
        ([(0, 0, BOX)], [(0, 0, 0.9, BOX), (0, 0, 0.8, NEAR)], {(0, 0): 1, (3, 0): 1}),
        # among other classes, the largest overlap
        ([(0, 0, BOX)], [(0, 1, 0.9, NEAR), (0, 2, 0.2, BOX)], {(0, 2): 1, (3, 1): 1}),
        # difficult: neither missed nor found; a detection of another class is false
        ([(0, 0, BOX, True), (1, 1, BOX)], [(0, 0, 0.9, BOX), (0, 2, 0.8, BOX)], {(1, 3): 1, (3, 2): 1}),
    ],
)
def test_cases(objects, found, cells):
    matrix = matrix_of(make_run(objects, found, rules='voc'))
    assert {tuple(map(int, cell)): int(matrix[tuple(cell)]) for cell in np.argwhere(matrix)} == cells


def test_less_confident_detections_are_left_out():
    run = make_run([(0, 0, BOX)], [(0, 0, 0.5, BOX), (0, 1, 0.9, BOX)])
    assert matrix_of(run, 0.5)[0, 0] == 1
    assert matrix_of(run, 0.51)[0, 1] == 1


def test_the_most_frequent_confusions():
    assert confusions(np.array([[9, 0, 2, 1], [5, 7, 0, 0], [0, 2, 0, 0], [4, 4, 4, 0]])) == [
        (1, 0, 5),
        (0, 2, 2),
        (2, 1, 2),
    ]
