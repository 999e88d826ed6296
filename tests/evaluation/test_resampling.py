"""The bootstrap over images: each draw against the score of a test set in which the images are really repeated."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_runs import make_run, random_runs

from det_inception.evaluation.analysis import run_file
from det_inception.evaluation.analysis.resampling import average_precisions
from det_inception.evaluation.analysis.results import RULES, Annotations, EvalResults, Predictions
from det_inception.evaluation.analysis.scoring import average_precision, curve
from det_inception.evaluation.report import bootstrap, compare, comparison_text, read_run, score_run, write_run
from det_inception.utils.errors import InputError

BOX, ELSEWHERE = [10, 10, 50, 50], [60, 60, 90, 90]


def repeated(run: EvalResults, copies) -> EvalResults:
    """The run of a test set in which image i stands copies[i] times."""
    order = np.repeat(np.arange(len(copies)), copies)
    found = [np.flatnonzero(run.predictions.images == image) for image in order]
    objects = [np.flatnonzero(run.annotations.images == image) for image in order]
    kept, kept_objects = np.concatenate(found), np.concatenate(objects)
    return EvalResults(
        run.class_names,
        tuple(f'{place}' for place in range(len(order))),
        Predictions(
            np.repeat(np.arange(len(order)), [len(rows) for rows in found]),
            run.predictions.labels[kept],
            run.predictions.scores[kept],
            run.predictions.boxes[kept],
        ),
        Annotations(
            np.repeat(np.arange(len(order)), [len(rows) for rows in objects]),
            run.annotations.labels[kept_objects],
            run.annotations.boxes[kept_objects],
            run.annotations.ignored[kept_objects],
        ),
        run.rules,
    )


def drawn_copies(images: int, resamples: int):
    """The resamples, as the module says that it draws them."""
    generator = np.random.default_rng(0)
    return [np.bincount(generator.integers(images, size=images), minlength=images) for _ in range(resamples)]


@given(random_runs())
@settings(max_examples=40, deadline=None)
def test_a_draw_scores_like_a_test_set_with_repeated_images(run):
    drawn = bootstrap(run, resamples=6)
    for ap, mean, copies in zip(drawn.ap, drawn.mean_ap, drawn_copies(len(run.image_names), 6)):
        try:
            expected = score_run(repeated(run, copies))
        except InputError:  # No object that counts is in this draw.
            assert np.isnan(ap).all() and np.isnan(mean)
            continue
        assert ap == pytest.approx(expected.ap, abs=1e-12, nan_ok=True)
        assert mean == pytest.approx(expected.mean_ap, abs=1e-12)


@given(
    st.lists(st.booleans(), max_size=60),
    st.integers(0, 10),
    st.sampled_from([*RULES]),
)
def test_every_image_once_is_the_ordinary_average_precision(flags, unfound, rules):
    is_true, recalls = np.array(flags, bool), RULES[rules].recalls
    count = int(is_true.sum()) + unfound
    images = np.arange(len(flags))
    (ap,) = average_precisions(np.ones((1, len(flags)), np.int32), images, is_true, np.array([count]), recalls)
    if count:
        assert ap == pytest.approx(average_precision(*curve(is_true, count), recalls), abs=1e-12)
    else:
        assert np.isnan(ap)


def half_found(images=40, rules='voc', better=0):
    """Runs that find the object in every second image, and in so many of the others."""
    hits = {image for image in range(images) if image % 2 == 0 or image < 2 * better}
    return make_run(
        [(image, 0, BOX) for image in range(images)],
        [(image, 0, 0.5 + image / 1000, BOX) for image in sorted(hits)],
        images=images,
        rules=rules,
    )


def test_the_margin_is_that_of_a_share():
    """AP without false detections is recall, so the resamples are binomial: half of 40, deviation sqrt(0.25 / 40)."""
    run = bootstrap(half_found(), resamples=4000)
    assert run.estimate.value == 0.5
    assert run.mean_ap.mean() == pytest.approx(0.5, abs=0.005)
    assert run.estimate.error == pytest.approx(np.sqrt(0.25 / 40), rel=0.05)
    assert run.estimate.margin == pytest.approx(1.96 * np.sqrt(0.25 / 40), rel=0.05)


def test_a_difference_is_surer_than_its_parts():
    first, second = bootstrap(half_found()), bootstrap(half_found(better=8))
    difference, classes = compare(first, second)
    assert difference.value == pytest.approx(0.2) and classes[0] == difference
    # Their own margins overlap, and still the second is better: 8 of 40 images, all to its credit.
    assert first.estimate.value + first.estimate.margin > second.estimate.value - second.estimate.margin
    assert difference.error == pytest.approx(np.sqrt(0.2 * 0.8 / 40), rel=0.1)
    assert difference.value > difference.margin
    backwards, _ = compare(second, first)
    assert (backwards.value, backwards.error) == pytest.approx((-difference.value, difference.error))


def test_a_run_equals_itself():
    run = bootstrap(half_found())
    difference, classes = compare(run, run)
    assert (difference.value, difference.margin) == (0, 0)
    assert np.isnan(classes[1].value) and np.isnan(classes[1].margin)  # A class without objects.


@pytest.mark.parametrize(
    ('other', 'message'),
    [
        (half_found(rules='coco'), 'different rules'),
        (half_found(images=41), 'different images'),
        (make_run([(i, 0, ELSEWHERE) for i in range(40)], [], images=40, rules='voc'), 'different objects'),
        (make_run([(i, 0, BOX) for i in range(40)], [], images=40, rules='voc', classes=['a']), 'different classes'),
    ],
)
def test_only_runs_of_the_same_test_are_compared(other, message):
    with pytest.raises(InputError, match=message):
        compare(bootstrap(half_found()), bootstrap(other))


def test_text():
    runs = {'one': bootstrap(half_found()), 'two': bootstrap(half_found(better=4))}
    lines = comparison_text(runs, classes=True).splitlines()
    assert lines[0] == 'Pascal VOC, IoU 0.5: 40 images, 40 objects, 400 resamples'
    assert lines[4].startswith('| one | 0.500 | 0.1') and lines[5].startswith('| two | 0.600 | 0.1')
    assert '| +0.100 ' in lines[5] and lines[-1].startswith('| two | dog   | +0.100 ')
    alone = comparison_text({'one': runs['one']}, classes=True)
    assert 'difference' not in alone and '| one | 0.500 |' in alone


@given(run=random_runs())
@settings(max_examples=25, deadline=None)
def test_a_file_brings_the_run_back(run, tmp_path_factory):
    path = tmp_path_factory.mktemp('run') / 'results.npz'
    write_run(run, path)
    again = read_run(path)
    assert (again.class_names, again.image_names, again.rules) == (run.class_names, run.image_names, run.rules)
    for part in ('predictions', 'annotations'):
        for name, array in vars(getattr(run, part)).items():
            copy = getattr(getattr(again, part), name)
            assert copy is None if array is None else (array == copy).all() and array.dtype == copy.dtype
    assert score_run(again).mean_ap == score_run(run).mean_ap


def test_a_file_keeps_proposal_iou_and_blacklist(tmp_path):
    run = make_run(
        [(0, 0, BOX), (1, 1, BOX)],
        [(0, 0, 0.9, BOX), (1, 1, 0.8, BOX)],
        rules='ilsvrc',
        proposal_iou=[0.1, 0.7],
        blacklist=np.array([[1, 1]]),
        proposals_per_image=12.5,
    )
    write_run(run, tmp_path / 'results.npz')
    again = read_run(tmp_path / 'results.npz')
    assert again.annotations.proposal_iou.tolist() == [0.1, 0.7] and again.proposals_per_image == 12.5
    assert again.blacklisted.tolist() == [False, True] and again.annotations.ignored.tolist() == [False, True]


@pytest.mark.parametrize(
    ('spoil', 'message'),
    [
        (lambda content: content[: len(content) // 2], 'cut off'),
        (lambda content: b'', 'cut off'),
        (lambda content: b'mAP 0.9', 'no file of a test run'),
    ],
)
def test_a_spoilt_file(tmp_path, spoil, message):
    path = tmp_path / 'results.npz'
    write_run(half_found(), path)
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(InputError, match=message):
        read_run(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match='no such file'):
        read_run(tmp_path / 'results.npz')


def test_a_file_of_another_version(tmp_path, monkeypatch):
    monkeypatch.setattr(run_file, 'FORMAT', run_file.FORMAT + 1)
    write_run(half_found(), tmp_path / 'results.npz')
    monkeypatch.undo()
    with pytest.raises(InputError, match='written by another version'):
        read_run(tmp_path / 'results.npz')


def test_a_file_of_another_kind(tmp_path):
    np.savez(tmp_path / 'other.npz', about=np.array([{}], object))
    with pytest.raises(InputError, match='no file of a test run'):
        read_run(tmp_path / 'other.npz')


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('found_images', np.array([0, 9])),
        ('found_images', np.array([-1, 0])),
        ('found_images', np.array([0, 2**63 - 1])),
        ('found_images', np.array([0.0, 1.0])),
        ('found_images', np.array(['0', '1'])),
        ('found_images', np.zeros((2, 1), int)),
        ('found_images', np.array(0)),
        ('found_labels', np.array([0, 9])),
        ('found_labels', np.array([0])),
        ('found_scores', np.array([0.5, np.nan])),
        ('found_scores', np.array([0.5, 1j])),
        ('found_boxes', np.zeros((2, 3))),
        ('found_boxes', np.zeros((2, 4)).T),
        ('found_boxes', np.full((2, 4), np.inf)),
        ('objects_images', np.array([0, 100])),
        ('objects_labels', np.array([-1, 1])),
        ('objects_boxes', np.full((2, 4), np.nan)),
        ('objects_ignored', np.array([0, 1])),
        ('objects_coverage', np.array([0.1])),
        ('blacklist', np.array([1, 1])),
        ('blacklist', np.array([[0, 9]])),
        ('blacklist', np.array([[2, 0]])),
        ('about', np.array('[' * 100_000)),
        ('about', np.array('7')),
        ('about', np.array(7)),
    ],
)
def test_a_forged_file_never_reaches_compiled_code(tmp_path, name, value):
    """An index out of range would let it read and write anywhere in memory."""
    path = tmp_path / 'results.npz'
    run = make_run([(0, 0, BOX), (1, 1, BOX)], [(0, 0, 0.9, BOX), (1, 1, 0.8, BOX)], proposal_iou=[0.1, 0.7])
    write_run(run, path)
    with np.load(path) as file:
        content = dict(file)
    assert name in content
    np.savez(path, **content | {name: value})
    with pytest.raises(InputError, match=r'^\S*results\.npz: [^\n]*; test again\.$|not finite'):
        read_run(path)


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        ('class_names', 'ab'),
        ('class_names', [1, 2]),
        ('class_names', ['a'] * 70_000),
        ('image_names', None),
        ('image_names', {'a': 1}),
        ('rules', []),
        ('rules', 'mine'),
        ('format', None),
        ('proposals_per_image', 'many'),
        ('proposals_per_image', float('nan')),
        ('proposals_per_image', True),
    ],
)
def test_what_a_forged_file_says_of_itself(tmp_path, key, value):
    path = tmp_path / 'results.npz'
    write_run(half_found(), path)
    with np.load(path) as file:
        content = dict(file)
    content['about'] = np.array(json.dumps(json.loads(str(content['about'])) | {key: value}))
    np.savez(path, **content)
    with pytest.raises(InputError, match='results.npz'):
        read_run(path)


def test_a_file_that_inflates_is_refused(tmp_path):
    path = tmp_path / 'results.npz'
    np.savez_compressed(path, found_boxes=np.zeros((5_000_000, 4)))
    assert path.stat().st_size < 300_000
    with pytest.raises(InputError, match='no file of a test run'):
        read_run(path)
