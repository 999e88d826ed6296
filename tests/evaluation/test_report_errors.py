"""TIDE's kinds of errors: case by case, and their costs against a slow plain implementation."""

import numpy as np
import pytest
from hypothesis import given, settings
from report_plain import plain_errors
from report_runs import make_run, random_runs

from det_inception.evaluation.report import KINDS, analyze_errors

BOX, ELSEWHERE = [0, 0, 10, 10], [60, 60, 90, 90]


@given(random_runs())
@settings(max_examples=60, deadline=None)
def test_equals_the_plain_definitions(run):
    errors = analyze_errors(run)
    mean_ap, costs, counts, false_positives, false_negatives = plain_errors(run)
    assert errors.mean_ap == pytest.approx(mean_ap, abs=1e-12)
    assert dict(zip(KINDS, errors.counts.tolist())) == counts
    assert dict(zip(KINDS, errors.costs.tolist())) == pytest.approx(costs, abs=1e-12)
    assert errors.false_positives == pytest.approx(false_positives, abs=1e-12)
    assert errors.false_negatives == pytest.approx(false_negatives, abs=1e-12)


# fmt: off
CASES = {
    # kind of the detection: label, box; the objects are 0 at BOX and 1 at [20, 0, 30, 10]
    'true': (0, BOX),
    'localization, at the threshold': (0, [0, 0, 10, 1]),
    'localization': (0, [0, 0, 10, 4.9]),
    'classification': (2, BOX),
    'classification, at the threshold': (2, [0, 0, 10, 5]),
    'both': (2, [0, 0, 10, 4]),
    'background': (0, ELSEWHERE),
    'background, touching': (0, [0, 0, 10, 0.9]),
    'background, reversed': (0, [10, 10, 0, 0]),
    'background, of its class elsewhere in the image': (1, [0, 0, 10, 1]),
}
# fmt: on


@pytest.mark.parametrize(('label', 'box'), CASES.values(), ids=CASES)
def test_each_kind(request, label, box):
    run = make_run([(0, 0, BOX), (0, 1, [20, 0, 30, 10])], [(0, label, 0.5, box)])
    verdict = analyze_errors(run).verdicts[0]
    kind = request.node.callspec.id.split(',')[0]
    assert ('true', *KINDS)[verdict] == kind


def test_a_detection_in_an_image_without_objects_is_background():
    errors = analyze_errors(make_run([(0, 0, BOX)], [(1, 0, 0.5, BOX)]))
    assert errors.counts.tolist() == [0, 0, 0, 0, 1, 1]


def test_a_duplicate_costs_by_its_rank():
    objects = [(0, 0, BOX), (1, 0, BOX)]
    last = analyze_errors(make_run(objects, [(0, 0, 0.9, BOX), (1, 0, 0.8, BOX), (0, 0, 0.7, BOX)]))
    between = analyze_errors(make_run(objects, [(0, 0, 0.9, BOX), (0, 0, 0.8, BOX), (1, 0, 0.7, BOX)]))
    assert last.counts.tolist() == between.counts.tolist() == [0, 0, 0, 1, 0, 0]
    assert last.costs[3] == 0 and between.costs[3] == pytest.approx(50 / 101 / 3)
    assert last.false_negatives == between.false_negatives == 0


def test_of_two_that_could_be_mended_the_more_confident_is():
    """One is of the wrong class, the other in the wrong place: mending the latter kind removes it."""
    run = make_run([(0, 0, BOX)], [(0, 1, 0.9, BOX), (0, 0, 0.5, [0, 0, 10, 4])])
    errors = analyze_errors(run)
    assert errors.costs[:2].tolist() == [1, 0]
    assert errors.counts.tolist() == [1, 1, 0, 0, 0, 0]


def test_what_does_not_count_is_no_error():
    """A detection of an ignored object overlaps another class too, and is still none."""
    objects = [(0, 0, BOX, True), (0, 1, BOX), (1, 0, BOX)]
    errors = analyze_errors(make_run(objects, [(0, 0, 0.9, BOX)]))
    assert errors.counts.tolist() == [0, 0, 0, 0, 0, 2]
    struck = make_run([(0, 0, BOX), (1, 0, BOX)], [(0, 0, 0.9, ELSEWHERE)], blacklist=np.array([[0, 0]]))
    assert analyze_errors(struck).counts.tolist() == [0, 0, 0, 0, 0, 1]


def test_nothing_detected_is_all_missed():
    errors = analyze_errors(make_run([(0, 0, BOX), (1, 1, BOX)], []))
    assert errors.mean_ap == 0 and errors.counts.tolist() == [0, 0, 0, 0, 0, 2]
    assert errors.missed.all()


def test_perfect_detections_cost_nothing():
    errors = analyze_errors(make_run([(0, 0, BOX), (1, 1, BOX)], [(0, 0, 0.9, BOX), (1, 1, 0.9, BOX)]))
    assert errors.mean_ap == 1 and not errors.counts.any() and not errors.costs.any()
    assert np.isnan(errors.class_costs[:, 2]).all() and not errors.class_costs[:, :2].any()
