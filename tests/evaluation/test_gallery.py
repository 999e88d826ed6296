"""Which pictures a report shows, and what is drawn in them."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_plain import iou
from report_runs import make_run, random_runs, write_images

from det_inception.evaluation.report import analyze_errors, score_run
from det_inception.evaluation.report.gallery import HEIGHT, WIDTH, _window, make_galleries, unreached

BOX, OTHER, FAR = [10, 10, 50, 50], [60, 10, 90, 50], [80, 60, 110, 75]


def galleries(run, limit=12):
    return make_galleries(run, score_run(run), analyze_errors(run), limit)


def pixels(shot):
    return cv2.imdecode(np.frombuffer(shot.jpeg, np.uint8), cv2.IMREAD_COLOR).astype(int)


def has_color(shot, bgr):
    return (np.abs(pixels(shot) - bgr).max(axis=2) < 40).sum() > 50


GREEN, RED, AMBER = (91, 166, 38), (51, 74, 226), (60, 200, 255)


@pytest.fixture
def run(tmp_path):
    return make_run(
        objects=[(0, 0, BOX), (0, 1, OTHER), (1, 0, BOX), (1, 2, [5, 5, 115, 75]), (1, 2, FAR)],
        found=[
            (0, 0, 0.9, BOX),
            (0, 0, 0.7, BOX),
            (0, 2, 0.8, OTHER),
            (1, 0, 0.6, [10, 10, 50, 25]),
            (1, 1, 0.5, [60, 5, 70, 10]),
            (1, 0, 0.4, [30, 30, 60, 75]),
        ],
        image_paths=write_images(tmp_path, 2),
    )


def test_each_gallery_holds_what_it_says(run):
    shown = galleries(run)
    assert [(shot.image, run.predictions.scores[shot.detection]) for shot in shown.true] == [(0, 0.9)]
    kinds = [(run.predictions.scores[shot.detection], shot.kind) for shot in shown.false]
    assert kinds == [(0.8, 'classification'), (0.7, 'duplicate'), (0.6, 'localization'), (0.5, 'background')]
    # Of the two false dogs of an image one is shown; the other comes with its kind.
    assert {
        kind: [run.predictions.scores[shot.detection] for shot in shots] for kind, shots in shown.by_kind.items()
    } == {'localization': [0.4]}
    missed = [(run.annotations.labels[shot.target], run.annotations.areas[shot.target]) for shot in shown.missed]
    assert missed == [(2, 7700), (0, 1600), (1, 1200), (2, 450)]
    assert shown.num_missed == 4 and shown.readable == 2 and shown.unreadable == []
    assert [round(shot.overlap, 2) for shot in shown.false] == [1, 0, 0.38, 0]


def test_classes_take_turns(tmp_path):
    """A class with the most confident detections and the largest objects leaves the others room."""
    objects = [(number, 0, BOX) for number in range(8)] + [(0, 1, OTHER), (3, 2, OTHER), (4, 2, OTHER)]
    found = [(number, 0, 0.9 - number / 100, BOX) for number in range(8)] + [(0, 1, 0.5, OTHER), (3, 2, 0.4, OTHER)]
    run = make_run(objects, [*found, (4, 2, 0.3, OTHER)], images=8, image_paths=write_images(tmp_path, 8))
    assert [round(run.predictions.scores[shot.detection], 2) for shot in galleries(run, 5).true] == [
        0.9,
        0.89,
        0.5,
        0.4,
        0.3,
    ]
    missed = galleries(make_run(objects, [], images=8, image_paths=run.image_paths), 4).missed
    assert [(shot.image, run.annotations.areas[shot.target]) for shot in missed] == [
        (0, 1600),
        (1, 1600),
        (0, 1200),
        (3, 1200),
    ]


def test_the_limit(run):
    shown = galleries(run, limit=2)
    assert len(shown.true) == 1 and len(shown.false) == len(shown.missed) == 2
    assert all(len(shots) == 1 for shots in shown.by_kind.values())


def test_colors(run):
    shown = galleries(run)
    for shot in (*shown.true, *shown.false, *shown.missed):
        assert shot.size == pixels(shot).shape[1::-1] and max(shot.size[0] / WIDTH, shot.size[1] / HEIGHT) == 1
    assert has_color(shown.true[0], GREEN) and not has_color(shown.true[0], RED)
    assert has_color(shown.false[0], RED) and not has_color(shown.false[0], GREEN)
    assert has_color(shown.missed[0], AMBER)


def test_images_that_are_not_there_are_passed_over(run, tmp_path):
    paths = run.image_paths
    object.__setattr__(run, 'image_paths', (paths[0], None))
    shown = galleries(run)
    assert {shot.image for shot in (*shown.true, *shown.false, *shown.missed)} == {0} and shown.readable == 1
    (tmp_path / 'image_1.png').write_bytes(b'no picture')
    object.__setattr__(run, 'image_paths', paths)
    shown = galleries(run)
    assert {shot.image for shot in (*shown.true, *shown.false, *shown.missed)} == {0}
    assert len(shown.unreadable) == 1 and 'image_1.png' in shown.unreadable[0]


@given(random_runs())
@settings(max_examples=40, deadline=None)
def test_what_is_not_found(run):
    score = score_run(run)
    lost = unreached(run, score)
    for m in range(len(run.annotations)):
        fits = any(
            iou(box, run.annotations.boxes[m]) >= 0.5
            for box, label, image in zip(run.predictions.boxes, run.predictions.labels, run.predictions.images)
            if label == run.annotations.labels[m] and image == run.annotations.images[m]
        )
        assert lost[m] == (not fits and m not in score.matches)


@given(
    st.lists(st.integers(-30, 700), min_size=4, max_size=4),
    st.tuples(st.integers(1, 600), st.integers(1, 600)),
)
def test_a_window_lies_in_the_image_and_shows_the_box(box, shape):
    height, width = shape
    x1, y1, x2, y2 = _window(np.array([box], float), shape)
    assert 0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height
    left, right = sorted(box[0::2])
    assert x1 <= max(left, 0) or right > width or x2 == width
    assert x2 >= min(right, width) or left < 0 or x1 == 0
