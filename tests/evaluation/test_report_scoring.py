"""AP by each of the rules: against plain implementations, the official evaluator and the metrics of MMDetection."""

import numpy as np
import pytest
from hypothesis import given, settings
from report_plain import plain_ap, plain_match
from report_runs import make_run, random_runs

from det_inception.evaluation.analysis.scoring import FALSE_POSITIVE, NOT_COUNTED
from det_inception.evaluation.report import RULES, from_submission, score_run
from det_inception.ilsvrc import AnnotationTable, DetectionTable, evaluate
from det_inception.utils.errors import InputError

BOX, ELSEWHERE = [10, 10, 50, 50], [60, 60, 90, 90]


@given(random_runs(rules=('voc', 'voc2007', 'coco')))
@settings(max_examples=60, deadline=None)
def test_equals_the_plain_rules(run):
    rules = RULES[run.rules]
    score = score_run(run)
    matches = plain_match(run, rules.retries, rules.crowds)
    for d in range(len(run.predictions)):
        expected = NOT_COUNTED if d not in matches else FALSE_POSITIVE if matches[d] is None else matches[d]
        assert score.matches[d] == expected
    ranking = sorted(matches, key=lambda d: -run.predictions.scores[d])
    for label, count in enumerate(run.num_objects):
        flags = [matches[d] is not None for d in ranking if run.predictions.labels[d] == label]
        if count:
            expected = plain_ap(flags, count, run.rules)
            assert score.ap[label] == pytest.approx(expected, abs=1e-12)
            assert score.final_recall[label] == sum(flags) / count
        else:
            assert np.isnan(score.ap[label])
    assert score.mean_ap == score.official_mean == pytest.approx(np.nanmean(score.ap))


@given(random_runs(rules=('ilsvrc',)))
@settings(max_examples=50, deadline=None)
def test_the_official_rules_are_the_official_evaluator_s(run):
    found, objects = run.predictions, run.annotations
    official = evaluate(
        DetectionTable(found.images + 5, found.labels + 1, found.scores, found.boxes - [0, 0, 1, 1]),
        AnnotationTable(
            np.arange(len(run.image_names)) + 5,
            objects.images + 5,
            objects.labels + 1,
            objects.boxes - [0, 0, 1, 1],
            class_names=run.class_names,
        ),
    )
    score = score_run(run)
    present = run.num_objects > 0
    assert (score.ap[present] == official.ap[present]).all() and np.isnan(score.ap[~present]).all()
    assert score.mean_ap == pytest.approx(official.mean_ap_with_objects)
    for (precision, recall), *expected in zip(score.curves, official.precision, official.recall):
        assert (precision == expected[0]).all()
        assert len(recall) == len(expected[1])
    # The curve that the matches draw is the official one.
    assert sum((score.matches[found.labels == label] >= 0).sum() for label in range(3)) == sum(
        round(recall[-1] * count) for (_, recall), count in zip(score.curves, run.num_objects) if len(recall)
    )


def test_a_submission_with_a_blacklist_and_images_in_any_order():
    truth = AnnotationTable([9, 4], [9, 4, 4], [1, 1, 2], [[0, 0, 9, 9]] * 3, class_names=('a', 'b'), image_names='xy')
    found = DetectionTable([4, 9, 4], [1, 1, 2], [0.9, 0.8, 0.7], [[0, 0, 9, 9], [50, 50, 60, 60], [0, 0, 9, 9]])
    run = from_submission(found, truth, [[9, 1], [777, 2]])
    assert run.image_names == ('y', 'x')
    assert run.num_objects.tolist() == [1, 1] and run.annotations.ignored.tolist() == [False, False, True]
    score = score_run(run)
    assert score.mean_ap == evaluate(found, truth, [[9, 1]]).mean_ap == 1
    assert score.matches.tolist() == [0, 1, NOT_COUNTED]


def test_a_second_detection_of_an_object():
    """Of two objects that both detections fit: Pascal VOC lets the second detection go without, COCO does not."""
    objects = [(0, 0, BOX), (0, 0, [10, 10, 50, 58])]
    found = [(0, 0, 0.9, BOX), (0, 0, 0.8, [10, 10, 50, 49])]
    assert score_run(make_run(objects, found, rules='coco')).mean_ap == 1
    assert score_run(make_run(objects, found, rules='voc')).mean_ap == 0.5


@pytest.mark.parametrize(
    ('rules', 'box', 'counts'),
    [
        ('voc', [10, 10, 30, 50], False),  # overlaps the ignored object by a half
        ('voc', [10, 10, 29, 50], True),
        ('coco', [10, 10, 12, 12], False),  # lies inside the crowd
        ('coco', [0, 10, 19, 50], True),  # nearly half of it does
    ],
)
def test_ignored_objects_swallow_detections(rules, box, counts):
    run = make_run([(0, 0, BOX, True), (1, 0, BOX)], [(0, 0, 0.9, box), (1, 0, 0.5, BOX)], rules=rules)
    assert score_run(run).matches.tolist() == [FALSE_POSITIVE if counts else NOT_COUNTED, 1]
    assert run.num_objects.tolist() == [1, 0, 0]


def test_no_object_and_no_number_are_errors():
    with pytest.raises(InputError, match='None of the 2 images has an object that counts'):
        make_run([(0, 0, BOX, True)], [(0, 0, 0.9, BOX)])
    with pytest.raises(InputError, match='not finite'):
        make_run([(0, 0, BOX)], [(0, 0, float('nan'), BOX)])
    with pytest.raises(InputError, match='no image'):
        make_run([], [], images=0)
    truth = AnnotationTable([1], [1], [1], [[0, 0, 9, 9]], class_names=('a',))
    with pytest.raises(InputError, match='not among the ground truth'):
        from_submission(DetectionTable([2], [1], [0.5], [[0, 0, 9, 9]]), truth)
