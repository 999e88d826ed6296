"""How sure a score is: the bootstrap over images.

The images of a test are a sample of those that might have been taken. Drawing as many from them, with repetition, again
and again, and scoring each draw shows how much a score owes to the choice: B. Efron, "Bootstrap Methods: Another Look
at the Jackknife", Annals of Statistics, 1979. Two runs are compared on the same draws, which tells far smaller
differences than their own margins do.

A draw's AP is too high in the mean, because the copies of an image agree with each other. So the margins are those of
the draws' standard deviation around the value itself, not the draws' percentiles.

Shape legend: S draws, I images, N detections, P ranked detections of a class, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from det_inception.evaluation.analysis.results import RULES, EvalResults
from det_inception.evaluation.analysis.scoring import RECALLS, Score, ranked, score_run
from det_inception.ilsvrc.scoring import NOT_COUNTED
from det_inception.utils.errors import InputError

DRAWS = 400
"""They give a standard deviation to 4 % of itself."""


@dataclass(frozen=True)
class Estimate:
    """A value, and how sure it is.

    Attributes:
        value: Of the images as they are.
        error: Its standard error, which is the standard deviation of the draws.
    """

    value: float
    error: float

    @property
    def margin(self) -> float:
        """The value of other images would be within this margin 19 times of 20."""
        return 1.96 * self.error


@dataclass(frozen=True, eq=False)
class BootstrapResult:
    """A run, its score, and the scores of draws of its images.

    Attributes:
        results: The run.
        score: Its score.
        ap: float64 (S, C), AP of each draw and class; NaN for a class without objects in a draw.
    """

    results: EvalResults
    score: Score
    ap: NDArray

    @property
    def mean_ap(self) -> NDArray:
        """float64 (S,): mean AP of each draw, over the classes that have objects; NaN where none has."""
        there = ~np.isnan(self.ap)
        with np.errstate(invalid='ignore'):
            return np.where(there, self.ap, 0).sum(axis=1) / there.sum(axis=1)

    @property
    def spread(self) -> Estimate:
        """How far the mean AP depends on which images were tested."""
        return _spread(self.score.mean_ap, self.mean_ap)


def draw(results: EvalResults, score: Score | None = None, draws: int = DRAWS) -> BootstrapResult:
    """Scores draws of a run's images; of runs with equally many images, the draws are the same.

    Args:
        results: The run.
        score: What :func:`~det_inception.evaluation.report.score_run` makes of it, if it is known.
        draws: How often to draw.
    """
    score = score_run(results) if score is None else score
    found, objects, num_images = results.found, results.objects, len(results.image_names)
    generator = np.random.default_rng(0)
    copies = np.empty((draws, num_images), np.int32)
    for row in copies:
        row[:] = np.bincount(generator.integers(num_images, size=num_images), minlength=num_images)
    ap = np.full((draws, len(results.class_names)), np.nan)
    for label, ranking in enumerate(ranked(results, score.matches != NOT_COUNTED)):
        images = objects.images[~objects.ignored & (objects.labels == label)]
        num_objects = copies[:, images].sum(axis=1)
        is_true = score.matches[ranking] >= 0
        ap[:, label] = average_precisions(
            copies, found.images[ranking], is_true, num_objects, RULES[results.rules].sampled
        )
    return BootstrapResult(results, score, ap)


def compare(first: BootstrapResult, second: BootstrapResult) -> tuple[Estimate, list[Estimate]]:
    """By how much the second of two runs is better than the first.

    Args:
        first: A run.
        second: Another one of the same images and objects, drawn as often.

    Returns:
        The difference of the mean APs, and that of the AP of each class; of a class without objects it is NaN.

    Raises:
        InputError: The runs are of different images, objects or rules.
    """
    require_comparable(first.results, second.results)
    gains = second.score.ap - first.score.ap
    return (
        _spread(second.score.mean_ap - first.score.mean_ap, second.mean_ap - first.mean_ap),
        [_spread(gain, drawn) for gain, drawn in zip(gains, (second.ap - first.ap).T)],
    )


def require_comparable(first: EvalResults, second: EvalResults) -> None:
    """Makes sure that two runs are of the same images and objects, scored by the same rules.

    Raises:
        InputError: They are not.
    """
    if first.rules != second.rules:
        problem = f'are scored by different rules, {RULES[first.rules].name} and {RULES[second.rules].name}'
    elif first.class_names != second.class_names:
        problem = 'have different classes'
    elif first.image_names != second.image_names:
        problem = 'are of different images'
    elif len(first.objects) != len(second.objects) or not all(
        np.array_equal(getattr(first.objects, name), getattr(second.objects, name))
        for name in ('images', 'labels', 'boxes', 'ignored')
    ):
        problem = 'have different objects'
    else:
        return
    raise InputError(f'The runs {problem}; compare runs of the same test data.')


def _spread(value: float, draws: NDArray) -> Estimate:
    """Estimate of a value with its draws (S,); those that do not have it are NaN and left aside."""
    known = draws[~np.isnan(draws)]
    return Estimate(float(value), float(known.std()) if len(known) else np.nan)


@njit(cache=True)
def average_precisions(
    copies: NDArray, images: NDArray, is_true: NDArray, num_objects: NDArray, sampled: bool
) -> NDArray:
    """AP (S,) of one class where each image counts as often as a row of ``copies`` (S, I) says.

    Args:
        copies: Integers (S, I).
        images: Integers (P,), images of the ranked detections.
        is_true: bool (P,).
        num_objects: Integers (S,), objects with all their copies; where there are none, AP is NaN.
        sampled: As in :func:`~det_inception.evaluation.analysis.scoring.average_precision`.

    The copies of a detection stand together in the ranking. Between them precision rises if they are true, and the
    envelope takes the last of them; or falls, where it matters to none. So a detection is one step, copies high.
    """
    ap = np.full(len(copies), np.nan)
    precision, recall = np.empty(len(images)), np.empty(len(images))
    for row in range(len(copies)):
        if num_objects[row] == 0:
            continue
        seen, true = 0, 0
        for place in range(len(images)):
            weight = copies[row, images[place]]
            seen += weight
            if is_true[place]:
                true += weight
            precision[place] = true / seen if seen else 0.0
            recall[place] = true / num_objects[row]
        envelope, total = 0.0, 0.0
        sample = len(RECALLS) - 1
        if len(images):
            while RECALLS[sample] > recall[-1]:  # It ends, as the first is 0.
                sample -= 1
        for place in range(len(images) - 1, -1, -1):
            envelope = max(envelope, precision[place])
            before = recall[place - 1] if place else -1.0
            if sampled:
                while sample >= 0 and RECALLS[sample] > before:
                    total += envelope
                    sample -= 1
            else:
                total += (recall[place] - max(before, 0.0)) * envelope
        ap[row] = total / len(RECALLS) if sampled else total
    return ap
