"""How sure a score is: the bootstrap over images.

The images of a test are a sample. We resample them with replacement, as many as there are, and score each resample; how
much these scores differ is how much the score depends on the choice of images. From: B. Efron, "Bootstrap Methods:
Another Look at the Jackknife", Annals of Statistics, 1979. Two runs are compared on the same resamples, which detects
far smaller differences than their own margins do.

The mean AP of resamples is too high, because the copies of an image agree with each other. So a margin is the standard
deviation of the resamples around the value itself, not their percentiles.

Shape legend: S resamples, I images, N detections, P ranked detections of a class, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from det_inception.evaluation.analysis.results import RULES, EvalResults
from det_inception.evaluation.analysis.scoring import Score, ranked, score_run
from det_inception.ilsvrc.scoring import NOT_COUNTED
from det_inception.utils.compiled import compiled
from det_inception.utils.errors import InputError

RESAMPLES = 400
"""Enough for a standard deviation that is within 4 % of itself."""


@dataclass(frozen=True)
class Estimate:
    """A value, and how sure it is.

    Attributes:
        value: Of the images as they are.
        error: Its standard error, the standard deviation of the resamples.
    """

    value: float
    error: float

    @property
    def margin(self) -> float:
        """Half the width of the 95 % interval: other images would give a value within it 19 times of 20."""
        return 1.96 * self.error


@dataclass(frozen=True, eq=False)
class BootstrapResult:
    """A run, its score, and the scores of resamples of its images.

    Attributes:
        results: The run.
        score: Its score.
        ap: float64 (S, C), AP of each resample and class; NaN for a class without objects in a resample.
    """

    results: EvalResults
    score: Score
    ap: NDArray

    @property
    def mean_ap(self) -> NDArray:
        """float64 (S,): mean AP of each resample, over the classes that have objects; NaN where none has."""
        there = ~np.isnan(self.ap)
        with np.errstate(invalid='ignore'):
            return np.where(there, self.ap, 0).sum(axis=1) / there.sum(axis=1)

    @property
    def estimate(self) -> Estimate:
        """The mean AP, and how far it depends on which images were tested."""
        return _estimate(self.score.mean_ap, self.mean_ap)


def bootstrap(results: EvalResults, score: Score | None = None, resamples: int = RESAMPLES) -> BootstrapResult:
    """Scores resamples of a run's images; of runs with equally many images, the resamples are the same.

    Args:
        results: The run.
        score: What :func:`~det_inception.evaluation.report.score_run` makes of it, if it is known.
        resamples: S.
    """
    score = score_run(results) if score is None else score
    predictions, annotations, num_images = results.predictions, results.annotations, len(results.image_names)
    generator = np.random.default_rng(0)
    copies = np.empty((resamples, num_images), np.int32)
    for row in copies:
        row[:] = np.bincount(generator.integers(num_images, size=num_images), minlength=num_images)
    ap = np.full((resamples, len(results.class_names)), np.nan)
    for label, ranking in enumerate(ranked(results, score.matches != NOT_COUNTED)):
        images = annotations.images[~annotations.ignored & (annotations.labels == label)]
        num_objects = copies[:, images].sum(axis=1)
        is_true = score.matches[ranking] >= 0
        ap[:, label] = average_precisions(
            copies, predictions.images[ranking], is_true, num_objects, RULES[results.rules].recalls
        )
    return BootstrapResult(results, score, ap)


def compare(first: BootstrapResult, second: BootstrapResult) -> tuple[Estimate, list[Estimate]]:
    """By how much the second of two runs is better than the first.

    Args:
        first: A run.
        second: Another one of the same images and objects, with as many resamples.

    Returns:
        The difference of the mean APs, and that of the AP per class; NaN for a class without objects.

    Raises:
        InputError: The runs are of different images, objects or rules.
    """
    require_comparable(first.results, second.results)
    gains = second.score.ap - first.score.ap
    return (
        _estimate(second.score.mean_ap - first.score.mean_ap, second.mean_ap - first.mean_ap),
        [_estimate(gain, resampled) for gain, resampled in zip(gains, (second.ap - first.ap).T)],
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
    elif len(first.annotations) != len(second.annotations) or not all(
        np.array_equal(getattr(first.annotations, name), getattr(second.annotations, name))
        for name in ('images', 'labels', 'boxes', 'ignored')
    ):
        problem = 'have different objects'
    else:
        return
    raise InputError(f'The runs {problem}; compare runs of the same test data.')


def _estimate(value: float, resamples: NDArray) -> Estimate:
    """Estimate of a value with that of resamples (S,); those without a value are NaN and left aside."""
    known = resamples[~np.isnan(resamples)]
    return Estimate(float(value), float(known.std()) if len(known) else np.nan)


@compiled()
def average_precisions(
    copies: NDArray, images: NDArray, is_true: NDArray, num_objects: NDArray, recalls: NDArray
) -> NDArray:
    """AP (S,) of one class where each image counts as often as a row of ``copies`` (S, I) says.

    Args:
        copies: Integers (S, I).
        images: Integers (P,), images of the ranked detections.
        is_true: bool (P,).
        num_objects: Integers (S,), objects with all their copies; where there are none, AP is NaN.
        recalls: As in :func:`~det_inception.evaluation.analysis.scoring.average_precision`.

    The copies of a detection are together in the ranking. Between them precision rises if they are true, and the
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
        sample = len(recalls) - 1
        if len(images) and len(recalls):
            while recalls[sample] > recall[-1]:  # It ends, as the first is 0.
                sample -= 1
        for place in range(len(images) - 1, -1, -1):
            envelope = max(envelope, precision[place])
            before = recall[place - 1] if place else -1.0
            if len(recalls):
                while sample >= 0 and recalls[sample] > before:
                    total += envelope
                    sample -= 1
            else:
                total += (recall[place] - max(before, 0.0)) * envelope
        ap[row] = total / len(recalls) if len(recalls) else total
    return ap
