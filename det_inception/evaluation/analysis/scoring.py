"""Which detection took which object, AP and curves, by the rules of the run.

Shape legend: I images, N detections, M objects, C classes, P points of a curve.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from det_inception.evaluation.analysis.results import RECALLS, RULES, EvalResults
from det_inception.ilsvrc import AnnotationTable, DetectionTable, evaluate
from det_inception.ilsvrc.scoring import FALSE_POSITIVE, NOT_COUNTED
from det_inception.utils.boxes import overlap
from det_inception.utils.compiled import compiled

THRESHOLD = 0.5


@dataclass(frozen=True, eq=False)
class Score:
    """The score of a run.

    Attributes:
        ap: float64 (C,); NaN for classes without objects.
        mean_ap: Mean over the classes that have objects.
        official_mean: Under the rules of ILSVRC, what its evaluator calls the mean AP: the same if all classes have
            objects; NaN if one without objects was detected. Under other rules, ``mean_ap``.
        matches: int64 (N,), the object that a detection took, ``FALSE_POSITIVE`` or ``NOT_COUNTED``.
        curves: For each class precision and recall, float64 (P,), after each of its P ranked detections.
    """

    ap: NDArray
    mean_ap: float
    official_mean: float
    matches: NDArray
    curves: tuple[tuple[NDArray, NDArray], ...]

    @property
    def final_recall(self) -> NDArray:
        """float64 (C,), recall of all detections; NaN for classes without objects."""
        return np.array(
            [
                np.nan if np.isnan(ap) else (recall[-1] if len(recall) else 0.0)
                for ap, (_, recall) in zip(self.ap, self.curves)
            ]
        )


def score_run(results: EvalResults) -> Score:
    """Scores a run by its own rules; those of ILSVRC are :func:`det_inception.ilsvrc.evaluate`'s."""
    rules, num_objects = RULES[results.rules], results.num_objects
    official_mean = None
    if results.rules == 'ilsvrc':
        official = _official(results)
        matches, official_mean = official.matches, official.mean_ap
    else:
        matches = match(results, retries=rules.retries)
    rankings = ranked(results, matches != NOT_COUNTED)
    curves = tuple(curve(matches[ranking] >= 0, count) for ranking, count in zip(rankings, num_objects))
    if results.rules == 'ilsvrc':
        ap = np.where(num_objects > 0, official.ap, np.nan)
    else:
        ap = np.array([average_precision(*points, rules.recalls) for points in curves])
        ap[num_objects == 0] = np.nan
    mean_ap = float(np.nanmean(ap))
    return Score(ap, mean_ap, mean_ap if official_mean is None else official_mean, matches, curves)


def match(results: EvalResults, retries: bool = True) -> NDArray:
    """Lets detections take objects of their class from an overlap of 0.5 on, the most confident first.

    Args:
        results: The run.
        retries: A detection takes the best object that nobody has taken (COCO). Otherwise it takes its best object or,
            if that is taken, none (Pascal VOC).

    Returns:
        int64 (N,): the object, ``FALSE_POSITIVE``, or ``NOT_COUNTED`` for a detection of an ignored object or of a
        blacklisted pair.
    """
    matches = _match(pairing_arrays(results), results.annotations.ignored, retries, RULES[results.rules].crowds)
    matches[results.blacklisted] = NOT_COUNTED
    return matches


def pairing_arrays(results: EvalResults) -> tuple[NDArray, ...]:
    """What detections and objects are compared by, with the detections' ranges of objects.

    Returns:
        Boxes and labels of the detections; for each the first object of its image and the one behind the last, int64
        (N,) each; boxes and labels of the objects.
    """
    found, objects = results.predictions, results.annotations
    first, end = (np.searchsorted(objects.images, found.images, side=side) for side in ('left', 'right'))
    return found.boxes, found.labels, first, end, objects.boxes, objects.labels


def ranked(results: EvalResults, counted: NDArray) -> list[NDArray]:
    """For each class, the detections that count (bool (N,)), in descending confidence."""
    counted = np.flatnonzero(counted)
    order = counted[np.argsort(-results.predictions.scores[counted], kind='stable')]
    return by_class(order, results.predictions.labels[order], len(results.class_names))


def by_class(order: NDArray, labels: NDArray, num_classes: int) -> list[NDArray]:
    """Splits ranked detections by their labels, keeping their order."""
    small = labels.astype(np.min_scalar_type(num_classes))  # up to 16 bits are sorted in linear time
    grouped = np.argsort(small, kind='stable')
    return np.split(order[grouped], np.searchsorted(small[grouped], np.arange(1, num_classes)))


def curve(is_true: NDArray, num_objects: int) -> tuple[NDArray, NDArray]:
    """Precision and recall (P,) after each of P ranked detections; recall is 0 if there are no objects."""
    true = np.cumsum(is_true)
    return true / np.arange(1, len(true) + 1), true / max(num_objects, 1)


def average_precision(precision: NDArray, recall: NDArray, recalls: NDArray) -> float:
    """Mean height of a curve's precision envelope at some recalls; where there are none, the area under it."""
    if len(recalls):
        return float(sampled_envelope(precision, recall, recalls).mean())
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0) * envelope))


def sampled_envelope(precision: NDArray, recall: NDArray, recalls: NDArray = RECALLS) -> NDArray:
    """Height of the precision envelope at some recalls (K,), 0 behind its end; float64 (K,)."""
    envelope = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0)
    return envelope[np.searchsorted(recall, recalls)]


def _official(results: EvalResults):
    found, annotations = results.predictions, results.annotations
    blacklist = results.blacklist + [0, 1] if len(results.blacklist) else None
    return evaluate(
        DetectionTable(found.images, found.labels + 1, found.scores, found.boxes - [0, 0, 1, 1]),
        AnnotationTable(
            np.arange(len(results.image_names)),
            annotations.images,
            annotations.labels + 1,
            annotations.boxes - [0, 0, 1, 1],
            class_names=results.class_names,
        ),
        blacklist,
    )


@compiled()
def _match(arrays: tuple[NDArray, ...], ignored: NDArray, retries: bool, crowds: bool) -> NDArray:
    """Greedy matching; detection d may take one of the objects ``first[d]`` to ``end[d] - 1``."""
    boxes, labels, first, end, object_boxes, object_labels = arrays
    matches = np.full(len(boxes), FALSE_POSITIVE)
    taken = np.zeros(len(object_boxes), dtype=np.bool_)
    for d in range(len(boxes)):
        best, best_overlap, best_ignored = -1, 0.0, 0.0
        for m in range(first[d], end[d]):
            if object_labels[m] != labels[d]:
                continue
            if ignored[m]:
                best_ignored = max(best_ignored, overlap(boxes[d], object_boxes[m], crowds))
            elif not (retries and taken[m]):
                here = overlap(boxes[d], object_boxes[m])
                if here > best_overlap:
                    best, best_overlap = m, here
        if not retries and best_ignored > best_overlap:  # Pascal VOC asks for the best object of all
            best_overlap = 0.0
        if best_overlap >= THRESHOLD:
            if not taken[best]:
                taken[best] = True
                matches[d] = best
        elif best_ignored >= THRESHOLD:
            matches[d] = NOT_COUNTED
    return matches
