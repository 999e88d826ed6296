"""AP by size: against a slow plain implementation, and at the limits."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from report_plain import plain_match, plain_size_ap
from report_runs import make_run, random_runs

from det_inception.evaluation.analysis.sizes import COCO_AREAS, thirds
from det_inception.evaluation.report import RULES, score_by_size, score_run


@given(random_runs(rules=('voc', 'voc2007', 'coco')))
@settings(max_examples=60, deadline=None)
def test_equals_the_plain_definition(run):
    rules, limits = RULES[run.rules], (200.0, 800.0)
    matches = plain_match(run, rules.retries, rules.crowds)
    sizes = score_by_size(run, score_run(run), limits)
    for size, low, high in zip(sizes, (0, *limits), (*limits, math.inf)):
        expected = plain_size_ap(run, matches, low, high)
        assert size.ap == pytest.approx(expected, abs=1e-12, nan_ok=True)
    assert sum(size.objects for size in sizes) == run.num_objects.sum()


@given(random_runs())
@settings(max_examples=50, deadline=None)
def test_one_range_of_all_sizes_is_the_whole(run):
    score = score_run(run)
    (whole,) = score_by_size(run, score, ())
    assert whole.ap == pytest.approx(score.mean_ap, abs=1e-12)
    assert whole.objects == run.num_objects.sum() and whole.classes == (run.num_objects > 0).sum()


def test_limits_belong_to_the_larger_size():
    run = make_run(
        [(0, 0, [0, 0, 32, 32]), (0, 1, [0, 0, 32, 31.9]), (1, 0, [0, 0, 96, 96])],
        [(0, 0, 0.9, [0, 0, 32, 31]), (1, 0, 0.95, [0, 0, 100, 60]), (0, 0, 0.97, [300, 300, 310, 310])],
    )
    sizes = score_by_size(run, score_run(run), COCO_AREAS)
    assert [size.objects for size in sizes] == [1, 1, 1]
    # The detection that took the medium object is a small box, and the most confident one, small and false, is no
    # concern of the other two sizes.
    assert [size.ap for size in sizes] == [0, 1, 1]
    assert [size.recall for size in sizes] == [0, 1, 1]


def test_thirds_part_the_objects_that_count():
    run = make_run([(0, 0, [0, 0, side, side], side == 90) for side in (90, 1, 2, 3, 4, 5, 6)], [])
    limits = thirds(run)
    assert [size.objects for size in score_by_size(run, score_run(run), limits)] == [2, 2, 2]
    one = make_run([(0, 0, [0, 0, 5, 5])], [])
    empty, _, last = score_by_size(one, score_run(one), thirds(one))
    assert (empty.objects, last.objects, last.ap) == (0, 1, 0) and np.isnan(empty.ap) and np.isnan(empty.recall)
