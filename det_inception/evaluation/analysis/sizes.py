"""AP and recall by the size of the objects.

Shape legend: N detections, M objects, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from det_inception.evaluation.analysis.results import RULES, EvalResults
from det_inception.evaluation.analysis.scoring import Score, average_precision, curve, ranked
from det_inception.ilsvrc.scoring import NOT_COUNTED

# COCO's: square pixels of the box.
COCO_AREAS = (32.0**2, 96.0**2)


@dataclass(frozen=True)
class SizeScore:
    """The score of the objects of one range of sizes.

    Attributes:
        smallest: Area in square pixels, from which on an object belongs here.
        largest: Area below which it does.
        objects: Number of objects that count.
        classes: Number of classes among them.
        ap: Mean AP over these classes; NaN where there are none.
        recall: Share of these objects that was found; NaN where there are none.
    """

    smallest: float
    largest: float
    objects: int
    classes: int
    ap: float
    recall: float


def thirds(results: EvalResults) -> tuple[float, float]:
    """The two areas that part the run's objects into three groups as equal as can be."""
    areas = np.sort(results.annotations.areas[~results.annotations.ignored])
    return tuple(float(areas[len(areas) * part // 3]) for part in (1, 2))


def score_by_size(results: EvalResults, score: Score, limits: Sequence[float]) -> list[SizeScore]:
    """Scores the objects of each range of sizes as if they alone were to be found.

    As in COCO, detections that took an object of another size do not count, nor do false ones of another size. (Which
    object a detection takes is settled before, among all sizes.)

    Args:
        results: The run.
        score: What :func:`~det_inception.evaluation.analysis.scoring.score_run` made of it.
        limits: Areas in square pixels, ascending, that part the ranges.

    Returns:
        One score for each range, the smallest objects first.
    """
    boxes, annotations = results.predictions.boxes, results.annotations
    # A detection has the size of the object that it took, else its own; a reversed box has none.
    areas = np.maximum(boxes[:, 2:] - boxes[:, :2], 0).prod(axis=1)
    took = score.matches >= 0
    areas[took] = annotations.areas[score.matches[took]]
    scores = []
    for smallest, largest in zip((0.0, *limits), (*limits, np.inf)):
        there = ~annotations.ignored & (annotations.areas >= smallest) & (annotations.areas < largest)
        counts = np.bincount(annotations.labels[there], minlength=len(results.class_names))
        counted = (score.matches != NOT_COUNTED) & (areas >= smallest) & (areas < largest)
        ap = [
            average_precision(*curve(took[ranking], count), RULES[results.rules].recalls)
            for ranking, count in zip(ranked(results, counted), counts)
            if count
        ]
        scores.append(
            SizeScore(
                smallest,
                largest,
                int(there.sum()),
                len(ap),
                float(np.mean(ap)) if ap else np.nan,
                float((took & counted).sum() / there.sum()) if there.any() else np.nan,
            )
        )
    return scores
