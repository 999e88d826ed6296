"""What kinds of errors there are, and how much AP each costs.

From: D. Bolya et al., "TIDE: A General Toolbox for Identifying Object Detection Errors", ECCV 2020, section 2. The
definitions are those of its authors' program ``tidecv``: overlaps are compared with 0.5 (foreground) and 0.1
(background), AP is COCO's at 101 recalls, and an error's cost is what the mean AP gains if that error alone is fixed:

- classification: overlaps an object of another class by 0.5. Fixed: gets that class.
- localization: overlaps an object of its class by 0.1 to 0.5. Fixed: overlaps it enough.
- both: overlaps an object of another class by 0.1 to 0.5 and none of its own. Fixed: gone.
- duplicate: overlaps an object of its class that a more confident detection has taken. Fixed: gone.
- background: overlaps nothing by 0.1. Fixed: gone.
- missed: an object without a detection, also without one that is wrong in class or place only. Fixed: need not be
  found.

If several detections could be fixed to take the same object, only the most confident is, and the others are gone. All
are gone if the object has been found already.

It differs from ``tidecv`` in two points: detections of ignored objects (and of blacklisted pairs) are no errors and
are never fixed, and the mean is over the classes that have objects.

Shape legend: N detections, M objects, C classes, K kinds of error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from det_inception.evaluation.analysis.results import RECALLS, EvalResults
from det_inception.evaluation.analysis.scoring import (
    THRESHOLD,
    average_precision,
    by_class,
    curve,
    match,
    pairing_arrays,
)
from det_inception.ilsvrc.scoring import NOT_COUNTED
from det_inception.utils.boxes import overlap
from det_inception.utils.compiled import compiled

BACKGROUND_THRESHOLD = 0.1
# Verdicts on a detection; those from 1 on are positions in KINDS plus 1.
UNCOUNTED, TRUE, CLASSIFICATION, LOCALIZATION, BOTH, DUPLICATE, BACKGROUND, MISSED = range(-1, 7)
KINDS = ('classification', 'localization', 'both', 'duplicate', 'background', 'missed')
_FIXED_BY_MOVING = (CLASSIFICATION, LOCALIZATION)


@dataclass(frozen=True, eq=False)
class ErrorAnalysis:
    """The errors of a run.

    Attributes:
        mean_ap: What the errors are measured against: COCO's mean AP at IoU 0.5.
        verdicts: int8 (N,): ``UNCOUNTED``, ``TRUE``, ``CLASSIFICATION``, ..., ``BACKGROUND``.
        targets: int64 (N,): the object that a true detection has taken, and that a detection wrong in class or place is
            measured against; -1 for the others.
        missed: bool (M,), objects that are missed altogether.
        counts: int64 (K,), errors of each kind.
        costs: float64 (K,), AP that fixing one kind gains, 0 to 1.
        class_costs: float64 (K, C), the same for the AP of each class; NaN for classes without objects.
        false_positives: AP that is gained if every false detection ranks below all true ones.
        false_negatives: AP that is gained if what was not found need not be found.
    """

    mean_ap: float
    verdicts: NDArray
    targets: NDArray
    missed: NDArray
    counts: NDArray
    costs: NDArray
    class_costs: NDArray
    false_positives: float
    false_negatives: float


def analyze_errors(results: EvalResults) -> ErrorAnalysis:
    """Sorts the errors of a run into kinds and measures what each kind costs."""
    predictions, annotations = results.predictions, results.annotations
    matches = match(results)
    used = np.zeros(len(annotations), bool)
    used[matches[matches >= 0]] = True
    verdicts, targets = _classify(pairing_arrays(results), annotations.ignored, matches, used)
    fixed = _fixable(results, verdicts, targets, used)
    missed = ~used & ~annotations.ignored
    found_objects = np.bincount(annotations.labels[used], minlength=len(results.class_names))
    missed[targets[fixed]] = False

    counted = matches != NOT_COUNTED
    is_true = verdicts == TRUE
    num_objects = results.num_objects
    num_missed = np.bincount(annotations.labels[missed], minlength=len(num_objects))
    order = np.flatnonzero(counted)
    order = order[np.argsort(-predictions.scores[order], kind='stable')]

    def precisions(keep: NDArray, true: NDArray, labels: NDArray, num_objects: NDArray) -> NDArray:
        kept = order[keep[order]]
        rankings = by_class(kept, labels[kept], len(num_objects))
        return _class_precisions([true[ranking] for ranking in rankings], num_objects)

    base = precisions(counted, is_true, predictions.labels, num_objects)
    scored = num_objects > 0
    after = []
    for kind in range(CLASSIFICATION, BACKGROUND + 1):
        of_kind = verdicts == kind
        moved = of_kind & fixed if kind in _FIXED_BY_MOVING else np.zeros(len(predictions), bool)
        labels = predictions.labels.copy()
        labels[moved] = annotations.labels[targets[moved]]
        after.append(precisions(~of_kind | moved, is_true | moved, labels, num_objects))
    after.append(precisions(counted, is_true, predictions.labels, num_objects - num_missed))
    # Where no false detection ranks above a true one, precision is 1 up to the last recall.
    perfect = [np.ones(count, bool) for count in found_objects]
    without_false = _class_precisions(perfect, num_objects)
    # A class of which nothing was found keeps its false detections.
    without_misses = precisions(counted, is_true, predictions.labels, found_objects)

    def gain(values: NDArray) -> float:
        return _mean(values[scored]) - _mean(base[scored])

    return ErrorAnalysis(
        mean_ap=_mean(base[scored]),
        verdicts=verdicts,
        targets=targets,
        missed=missed,
        counts=np.append(np.bincount(verdicts[verdicts > 0], minlength=MISSED)[1:], missed.sum()),
        # Removing one may move the points at which COCO samples precision to worse ones; that is no cost.
        costs=np.array([max(gain(values), 0) for values in after]),
        class_costs=np.where(scored, np.stack(after) - base, np.nan),
        false_positives=gain(np.where(scored, without_false, np.nan)),
        false_negatives=gain(without_misses),
    )


def _fixable(results: EvalResults, verdicts: NDArray, targets: NDArray, used: NDArray) -> NDArray:
    """bool (N,): of the detections that miss an object nobody has taken by class or place, the most confident one."""
    candidates = np.flatnonzero((verdicts == CLASSIFICATION) | (verdicts == LOCALIZATION))
    candidates = candidates[~used[targets[candidates]]]
    # np.unique gives the first; an object is in one image, whose detections are ordered by confidence.
    _, best = np.unique(targets[candidates], return_index=True)
    fixed = np.zeros(len(results.predictions), bool)
    fixed[candidates[best]] = True
    return fixed


def _class_precisions(true: list[NDArray], num_objects: NDArray) -> NDArray:
    """AP (C,); of a class without objects left, 0 if it has detections, else NaN: it is perfect, or not there."""
    return np.array(
        [
            average_precision(*curve(flags, count), RECALLS) if count else (0.0 if len(flags) else np.nan)
            for flags, count in zip(true, num_objects)
        ]
    )


def _mean(values: NDArray) -> float:
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else 0.0


@compiled()
def _classify(
    arrays: tuple[NDArray, ...], ignored: NDArray, matches: NDArray, used: NDArray
) -> tuple[NDArray, NDArray]:
    """Verdict and target of each detection; see the module."""
    boxes, labels, first, end, object_boxes, object_labels = arrays
    verdicts = np.full(len(boxes), TRUE, dtype=np.int8)
    targets = matches.copy()
    for d in range(len(boxes)):
        if matches[d] >= 0:
            continue
        targets[d] = -1
        if matches[d] == NOT_COUNTED:
            verdicts[d] = UNCOUNTED
            continue
        own, own_overlap, other, other_overlap, used_overlap = -1, 0.0, -1, 0.0, 0.0
        for m in range(first[d], end[d]):
            if ignored[m]:
                continue
            here = overlap(boxes[d], object_boxes[m])
            if object_labels[m] == labels[d]:
                if here > own_overlap:
                    own, own_overlap = m, here
                if used[m]:
                    used_overlap = max(used_overlap, here)
            elif here > other_overlap:
                other, other_overlap = m, here
        if BACKGROUND_THRESHOLD <= own_overlap <= THRESHOLD:
            verdicts[d], targets[d] = LOCALIZATION, own
        elif other_overlap >= THRESHOLD:
            verdicts[d], targets[d] = CLASSIFICATION, other
        elif used_overlap >= THRESHOLD:
            verdicts[d] = DUPLICATE
        elif max(own_overlap, other_overlap) <= BACKGROUND_THRESHOLD:
            verdicts[d] = BACKGROUND
        else:
            verdicts[d] = BOTH
    return verdicts, targets
