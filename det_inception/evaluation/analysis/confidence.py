"""Precision, recall and F1 of the detections from a confidence on, and the confidence at which F1 is highest.

F1 is the harmonic mean of precision and recall, and so the share of true detections in detections and objects together:
2 * true / (detections + objects). Which detection is true follows from the rules of the run; detections that count
neither way are left out. A detection takes its object whatever less confident ones do, so leaving these out changes no
match.

Shape legend: N detections, C classes, G points of a curve.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from det_inception.evaluation.analysis.results import EvalResults
from det_inception.evaluation.analysis.scoring import Score, ranked
from det_inception.ilsvrc.scoring import NOT_COUNTED
from det_inception.utils.errors import InputError

POINTS = 101


class OperatingPoint(NamedTuple):
    """What is found from a confidence on, for one class or several together.

    Attributes:
        confidence: Detections of this score or more are kept; NaN: no single confidence, or none is the best.
        true: True ones of them.
        detections: Number of detections that are kept.
        objects: Number of objects.
    """

    confidence: float
    true: int
    detections: int
    objects: int

    @property
    def precision(self) -> float:
        """NaN where nothing is kept."""
        return self.true / self.detections if self.detections else math.nan

    @property
    def recall(self) -> float:
        """NaN where there are no objects."""
        return self.true / self.objects if self.objects else math.nan

    @property
    def f1(self) -> float:
        """NaN where there are no objects."""
        return 2 * self.true / (self.detections + self.objects) if self.objects else math.nan


@dataclass(frozen=True, eq=False)
class ConfidenceCurve:
    """Precision, recall and F1 of one class, or of all together, against confidence.

    Attributes:
        precision: float64 (G,); NaN where nothing is kept.
        recall: float64 (G,); NaN without objects.
        f1: float64 (G,); likewise.
        best: Where F1 is highest; of equal ones the highest confidence. Its confidence is NaN where no detection is
            true, and then nothing is kept.
        chosen: At the confidence that was chosen for all classes.
    """

    precision: NDArray
    recall: NDArray
    f1: NDArray
    best: OperatingPoint
    chosen: OperatingPoint


@dataclass(frozen=True, eq=False)
class ConfidenceAnalysis:
    """The curves of a run.

    Attributes:
        grid: float64 (G,), confidences of the curves: from 0 to 1, or between the scores that there are.
        classes: The C curves.
        overall: Of all detections and objects together, whatever their class.
        separate: All classes together, each from its own best confidence on; of a class without one nothing is kept.
    """

    grid: NDArray
    classes: tuple[ConfidenceCurve, ...]
    overall: ConfidenceCurve
    separate: OperatingPoint

    @property
    def chosen(self) -> float:
        """The confidence that was chosen for all classes."""
        return self.overall.chosen.confidence


def analyze_confidence(results: EvalResults, score: Score, chosen: float | None = None) -> ConfidenceAnalysis:
    """Computes the curves and the best confidences.

    A best confidence is the score at which F1 is highest, rounded down to two digits, or to as many as it takes to
    leave F1 the same to three. What is said of it is counted at the rounded confidence.

    Args:
        results: The run.
        score: What :func:`~det_inception.evaluation.analysis.scoring.score_run` made of it.
        chosen: A confidence for all classes; None: the best one for all together, or, where no detection is true, one
            that keeps them all.

    Raises:
        InputError: ``chosen`` is no number, or above all scores.
    """
    counted, scores = score.matches != NOT_COUNTED, results.predictions.scores
    order = np.flatnonzero(counted)
    order = order[np.argsort(-scores[order], kind='stable')]
    all_classes = _Ranking(scores[order], score.matches[order] >= 0, int(results.num_objects.sum()))
    chosen = _chosen(all_classes, chosen)
    inside = not len(scores) or (scores.min() >= 0 and scores.max() <= 1)
    grid = np.linspace(0, 1, POINTS) if inside else np.linspace(scores.min(), scores.max(), POINTS)
    classes = tuple(
        _Ranking(scores[rows], score.matches[rows] >= 0, int(count)).curve(grid, chosen)
        for rows, count in zip(ranked(results, counted), results.num_objects)
    )
    own = [curve.best for curve in classes]
    return ConfidenceAnalysis(
        grid=grid,
        classes=classes,
        overall=all_classes.curve(grid, chosen),
        separate=OperatingPoint(
            math.nan,
            sum(point.true for point in own),
            sum(point.detections for point in own),
            sum(point.objects for point in own),
        ),
    )


class _Ranking:
    """Detections in descending confidence, with the number of objects that they are to find."""

    def __init__(self, scores: NDArray, is_true: NDArray, objects: int) -> None:
        self.scores, self.objects = scores, objects
        self.true = np.concatenate([[0], np.cumsum(is_true)])  # after so many detections

    def at(self, confidence: float) -> OperatingPoint:
        kept = int(self._kept(confidence))
        return OperatingPoint(float(confidence), int(self.true[kept]), kept, self.objects)

    def best(self) -> OperatingPoint:
        if not self.objects or not self.true[-1]:
            return OperatingPoint(math.nan, 0, 0, self.objects)
        # Equal scores are kept together, or not at all.
        ends = np.append(np.flatnonzero(np.diff(self.scores)), len(self.scores) - 1) + 1
        last = self.scores[ends[np.argmax(2 * self.true[ends] / (ends + self.objects))] - 1]
        best = self.at(last)
        rounded = (self.at(round_down(last, digits)) for digits in range(2, 10))
        return next((point for point in rounded if round(point.f1, 3) == round(best.f1, 3)), best)

    def curve(self, grid: NDArray, chosen: float) -> ConfidenceCurve:
        kept = self._kept(grid)
        true = self.true[kept]
        with np.errstate(invalid='ignore'):
            precision = true / np.where(kept, kept, np.nan)
        objects = self.objects or math.nan
        return ConfidenceCurve(precision, true / objects, 2 * true / (kept + objects), self.best(), self.at(chosen))

    def _kept(self, confidence: NDArray | float) -> NDArray:
        return len(self.scores) - np.searchsorted(self.scores[::-1], confidence, side='left')


def round_down(score: float, digits: int) -> float:
    """Returns a score with so many digits that is not above it; the score itself where it is positive and that is 0.

    Example:
        >>> round_down(0.29, 2), round_down(0.87654, 2), round_down(-0.123, 2), round_down(0.004, 2)
        (0.29, 0.87, -0.13, 0.004)
    """
    score = float(score)
    rounded = float(Decimal(repr(score)).quantize(Decimal(1).scaleb(-digits), ROUND_FLOOR))
    return score if rounded == 0 < score else rounded


def _chosen(ranking: _Ranking, chosen: float | None) -> float:
    if chosen is None:
        best = ranking.best().confidence
        lowest = ranking.scores[-1] if len(ranking.scores) else 0.0
        return round_down(lowest, 2) if math.isnan(best) else best
    if not math.isfinite(chosen):
        raise InputError(f'The confidence is a number such as 0.5, not {chosen}.')
    if len(ranking.scores) and chosen > ranking.scores[0]:
        raise InputError(
            f'No detection has the confidence {chosen:g} or more; choose one up to {ranking.scores[0]:.4g}.'
        )
    return float(chosen)
