"""Which class is taken for which: the confusion matrix of the detections from a confidence on.

Shape legend: N detections, M objects, C classes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from det_inception.evaluation.analysis.results import EvalResults
from det_inception.evaluation.analysis.scoring import THRESHOLD, Score
from det_inception.ilsvrc.scoring import FALSE_POSITIVE
from det_inception.utils.boxes import pairwise_iou


def confusion_matrix(results: EvalResults, score: Score, confidence: float) -> NDArray:
    """Counts objects by their class and that of the detection that is matched to them.

    Each detection and each object is matched at most once. First, true detections have the objects that they took by
    the run's rules, so that the diagonal counts the true detections. Then the others of an image are matched across
    classes where they overlap by 0.5 or more, the largest overlap first. Objects that count neither way are left out,
    and so are detections of them. supervision's ``ConfusionMatrix`` does the same, but it knows no such objects, and
    within a class too the largest overlap goes first.

    Args:
        results: The run.
        score: What :func:`~det_inception.evaluation.analysis.scoring.score_run` made of it.
        confidence: Detections of this score or more are counted.

    Returns:
        int64 (C + 1, C + 1): row: the object's class, or C for detections that no object is matched to; column: the
        detection's class, or C for objects that nothing is matched to.
    """
    predictions, annotations = results.predictions, results.annotations
    background = len(results.class_names)
    kept = predictions.scores >= confidence
    true = np.flatnonzero(kept & (score.matches >= 0))
    false = np.flatnonzero(kept & (score.matches == FALSE_POSITIVE))
    free = ~annotations.ignored
    free[score.matches[true]] = False
    others = np.flatnonzero(free)

    row_of = np.full(len(predictions), background)
    row_of[true] = predictions.labels[true]
    column_of = np.full(len(annotations), background)
    shared = np.intersect1d(predictions.images[false], annotations.images[others])
    ranges = (_ranges(images, shared) for images in (predictions.images[false], annotations.images[others]))
    for (first_found, end_found), (first_object, end_object) in zip(*ranges):
        found, objects = false[first_found:end_found], others[first_object:end_object]
        overlaps = pairwise_iou(predictions.boxes[found], annotations.boxes[objects])
        overlaps[predictions.labels[found][:, None] == annotations.labels[objects]] = 0
        while overlaps.max() >= THRESHOLD:
            d, m = np.unravel_index(int(np.argmax(overlaps)), overlaps.shape)
            row_of[found[d]] = annotations.labels[objects[m]]
            column_of[objects[m]] = predictions.labels[found[d]]
            overlaps[d], overlaps[:, m] = 0, 0
    matrix = np.zeros((background + 1, background + 1), np.int64)
    detected = np.concatenate([true, false])
    np.add.at(matrix, (row_of[detected], predictions.labels[detected]), 1)
    lost = others[column_of[others] == background]
    np.add.at(matrix, (annotations.labels[lost], background), 1)
    return matrix


def _ranges(images: NDArray, wanted: NDArray) -> NDArray:
    """For each wanted image its first place in the ascending ``images``, and the one behind its last."""
    return np.stack([np.searchsorted(images, wanted, side) for side in ('left', 'right')], axis=1)


def confusions(matrix: NDArray) -> list[tuple[int, int, int]]:
    """Returns the pairs of different classes, the most frequent first: object's class, detection's class, count."""
    between = matrix[:-1, :-1].copy()
    np.fill_diagonal(between, 0)
    rows, columns = np.nonzero(between)
    order = np.argsort(-between[rows, columns], kind='stable')
    return [(int(rows[i]), int(columns[i]), int(between[rows[i], columns[i]])) for i in order]
