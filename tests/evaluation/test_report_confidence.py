"""Precision, recall and F1 against confidence: against every threshold tried, and at the edges."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_plain import plain_best, plain_match
from report_runs import make_run, random_runs
from sklearn.metrics import precision_recall_curve

from det_inception.evaluation.analysis.confidence import analyze_confidence
from det_inception.evaluation.report import RULES, score_run
from det_inception.utils.errors import InputError

BOX, ELSEWHERE = [10, 10, 50, 50], [60, 60, 90, 90]


def analyze(run, chosen=None):
    return analyze_confidence(run, score_run(run), chosen)


def with_ties(run, digits):
    """The same run with scores of few digits, so that many are equal."""
    return replace(run, predictions=replace(run.predictions, scores=run.predictions.scores.round(digits)))


@given(random_runs(rules=('voc', 'coco')), st.sampled_from([0, 1, 8]))
@settings(max_examples=50, deadline=None)
def test_the_best_confidence_is_that_of_every_threshold_tried(run, digits):
    run = with_ties(run, digits)
    matches = plain_match(run, RULES[run.rules].retries, RULES[run.rules].crowds)
    analysis = analyze(run)
    scores, labels = run.predictions.scores, run.predictions.labels
    counted = np.isin(np.arange(len(scores)), list(matches))
    total = [0, 0]
    for label, curve in [*enumerate(analysis.classes), (None, analysis.overall)]:
        expected = plain_best(run, matches, {0, 1, 2} if label is None else {label})
        if expected is None:
            assert math.isnan(curve.best.confidence) and curve.best.detections == 0
            continue
        threshold, true, kept = expected
        best, objects = curve.best, curve.best.objects
        # Rounded down, and by no more than leaves F1 as it is, to three digits.
        assert best.confidence <= threshold
        assert best.f1 == pytest.approx(2 * true / (kept + objects), abs=1e-3)
        mine = counted & ((labels == label) | (label is None)) & (scores >= best.confidence)
        assert (best.detections, best.true) == (mine.sum(), sum(matches[d] is not None for d in np.flatnonzero(mine)))
        if digits < 2:  # Nothing to round.
            assert best[:3] == (threshold, true, kept)
        if label is not None:
            total = [total[0] + best.true, total[1] + best.detections]
    assert [analysis.separate.true, analysis.separate.detections] == total


@given(random_runs(), st.integers(0, 100))
@settings(max_examples=25, deadline=None)
def test_a_point_of_a_curve_counts_what_is_kept_there(run, place):
    score, analysis = score_run(run), analyze(run)
    kept = (run.predictions.scores >= analysis.grid[place]) & (score.matches != -2)
    for label, curve in [*enumerate(analysis.classes), (None, analysis.overall)]:
        mine = kept & ((run.predictions.labels == label) | (label is None))
        true = (score.matches[mine] >= 0).sum()
        objects = run.num_objects[label] if label is not None else run.num_objects.sum()
        precision = true / mine.sum() if mine.any() else np.nan
        recall = true / objects if objects else np.nan
        assert curve.precision[place] == pytest.approx(precision, nan_ok=True)
        assert curve.recall[place] == pytest.approx(recall, nan_ok=True)
        harmonic = 2 / (1 / precision + 1 / recall) if true else (recall * 0)
        assert curve.f1[place] == pytest.approx(harmonic, nan_ok=True)


def test_scikit_learn_finds_the_same():
    rng = np.random.default_rng(3)
    is_true, scores = rng.random(60) < 0.5, rng.integers(1, 20, 60) / 20
    boxes = [[90 * n, 0, 90 * n + 40, 40] for n in range(60)]
    run = make_run(
        [(0, 0, box) for box, true in zip(boxes, is_true) if true],
        [(0, 0, score, box) for box, score in zip(boxes, scores)],
        images=1,
    )
    precision, recall, thresholds = precision_recall_curve(is_true, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-9)
    best = analyze(run).overall.best
    assert best.confidence == thresholds[np.flatnonzero(f1[:-1] == f1[:-1].max())[-1]]
    assert (best.precision, best.recall, best.f1) == pytest.approx(
        (precision[np.argmax(f1)], recall[np.argmax(f1)], f1.max())
    )


def test_of_equal_f1_the_highest_confidence():
    """One of two objects, alone: 2 / 3. With one false detection and the other object: 4 / 5; with two: 4 / 6."""
    objects = [(0, 0, BOX), (0, 0, ELSEWHERE)]
    found = [(0, 0, 0.9, BOX), (1, 0, 0.8, BOX), (0, 0, 0.7, ELSEWHERE)]
    assert analyze(make_run(objects, found)).overall.best == (0.7, 2, 3, 2)
    alone = [(0, 0, 0.9, BOX), (1, 0, 0.8, BOX), (1, 0, 0.7, BOX), (1, 0, 0.6, BOX), (0, 0, 0.5, ELSEWHERE)]
    assert analyze(make_run(objects, alone[:4])).overall.best == (0.9, 1, 1, 2)
    assert analyze(make_run(objects, alone[:3] + alone[4:])).overall.best == (0.9, 1, 1, 2)


def test_classes_without_objects_or_detections():
    run = make_run([(0, 0, BOX), (0, 1, BOX)], [(0, 0, 0.9, BOX), (0, 2, 0.8, BOX)])
    analysis = analyze(run)
    dog, person, kite = analysis.classes
    assert dog.best == (0.9, 1, 1, 1) and dog.best.f1 == 1
    assert math.isnan(person.best.confidence) and person.best.f1 == 0 and math.isnan(person.best.precision)
    assert math.isnan(kite.best.confidence) and math.isnan(kite.best.f1) and np.isnan(kite.f1).all()
    assert kite.precision[80] == 0 and np.isnan(kite.precision[81])
    assert analysis.overall.best == (0.9, 1, 1, 2)
    assert analysis.separate[1:] == (1, 1, 2)


def test_what_counts_neither_way_is_left_out():
    run = make_run([(0, 0, BOX, True), (1, 0, BOX)], [(0, 0, 0.9, BOX), (1, 0, 0.8, BOX)], rules='voc')
    assert analyze(run).overall.best == (0.8, 1, 1, 1)


@pytest.mark.parametrize('found', [[], [(0, 0, 0.8765, ELSEWHERE), (0, 1, 0.4321, BOX)]])
def test_nothing_true(found):
    analysis = analyze(make_run([(0, 0, BOX)], found))
    assert math.isnan(analysis.overall.best.confidence) and analysis.overall.best.f1 == 0
    assert analysis.chosen == (0.43 if found else 0) and analysis.overall.chosen.detections == len(found)


def test_scores_that_are_no_probabilities():
    analysis = analyze(make_run([(0, 0, BOX)], [(0, 0, -1.234, BOX), (0, 0, -7.5, ELSEWHERE)]))
    assert analysis.overall.best.confidence == -1.24
    assert (analysis.grid[0], analysis.grid[-1]) == (-7.5, -1.234)


def test_another_confidence():
    run = make_run([(0, 0, BOX)], [(0, 0, 0.9, BOX), (0, 0, 0.5, ELSEWHERE)])
    analysis = analyze(run, 0.3)
    assert analysis.chosen == 0.3 and analysis.overall.chosen == (0.3, 1, 2, 1)
    assert analysis.overall.best.confidence == 0.9
    with pytest.raises(InputError, match=r'No detection has the confidence 0.95 or more; choose one up to 0.9\.'):
        analyze(run, 0.95)
    with pytest.raises(InputError, match='a number such as 0.5, not nan'):
        analyze(run, math.nan)


def test_a_confidence_has_no_more_digits_than_it_takes():
    """Of detections that lie dense, rounding may keep one more where F1 stays the same; not where it does not."""
    boxes = [[90 * n, 0, 90 * n + 40, 40] for n in range(1001)]
    objects = [(0, 0, box) for box in boxes]
    found = [(0, 0, 0.5008 + n / 10_000, box) for n, box in enumerate(boxes)]
    best = analyze(make_run(objects, [*found, (1, 0, 0.5004, BOX)])).overall.best
    assert best == (0.5, 1001, 1002, 1001) and round(best.f1, 3) == 1
    best = analyze(make_run(objects[:2], [(0, 0, 0.5678, boxes[0]), (1, 0, 0.5674, BOX)])).overall.best
    assert best == (0.5678, 1, 1, 2)
