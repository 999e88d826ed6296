"""Small runs that the tests of the report share."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from hypothesis import strategies as st

from det_inception.evaluation.report import Annotations, EvalResults, Predictions

CLASSES = ('dog', 'person', 'kite')


def make_run(objects, found, images=2, classes=CLASSES, rules='coco', proposal_iou=None, **kwargs) -> EvalResults:
    """A run of objects (image, label, box[, ignored]) and detections (image, label, score, box)."""
    return EvalResults(
        class_names=tuple(classes),
        image_names=kwargs.pop('image_names', tuple(f'image_{number}.png' for number in range(images))),
        predictions=Predictions(
            np.array([row[0] for row in found], np.int64),
            np.array([row[1] for row in found], np.int64),
            np.array([row[2] for row in found], np.float64),
            np.array([row[3] for row in found], np.float64).reshape(-1, 4),
        ),
        annotations=Annotations(
            np.array([row[0] for row in objects], np.int64),
            np.array([row[1] for row in objects], np.int64),
            np.array([row[2] for row in objects], np.float64).reshape(-1, 4),
            np.array([len(row) > 3 and row[3] for row in objects], bool),
            None if proposal_iou is None else np.array(proposal_iou, np.float64),
        ),
        rules=rules,
        **kwargs,
    )


@st.composite
def random_runs(draw, rules=('ilsvrc', 'voc', 'voc2007', 'coco'), ignored=True) -> EvalResults:
    """Runs of few images, crowded with boxes that nearly fit, of few classes; no two scores are equal."""
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    images, num_objects, num_found = rng.integers(1, 4), rng.integers(1, 9), rng.integers(0, 25)
    corners = rng.integers(0, 40, (num_objects, 2))
    boxes = np.hstack([corners, corners + rng.integers(4, 50, (num_objects, 2))]).astype(float)
    owner, labels = rng.integers(0, images, num_objects), rng.integers(0, len(CLASSES), num_objects)
    source = rng.integers(0, num_objects, num_found)
    jitter = rng.normal(0, 1, (num_found, 4)) * rng.choice([0, 2, 6, 15], (num_found, 1))
    found_boxes = boxes[source] + jitter.round()
    right = rng.random(num_found) < 0.7
    found_labels = np.where(right, labels[source], rng.integers(0, len(CLASSES), num_found))
    flags = (rng.random(num_objects) < 0.25) & ignored
    flags[0] = False
    chosen = draw(st.sampled_from(rules))
    return make_run(
        list(zip(owner.tolist(), labels.tolist(), boxes.tolist(), (flags & (chosen != 'ilsvrc')).tolist())),
        list(
            zip(
                owner[source].tolist(),
                found_labels.tolist(),
                (rng.permutation(num_found) / 32).tolist(),
                found_boxes.tolist(),
            )
        ),
        images=int(images),
        rules=chosen,
    )


def write_images(folder: Path, count: int) -> tuple[Path, ...]:
    """Gray pictures, 120 wide and 80 high."""
    paths = tuple(folder / f'image_{number}.png' for number in range(count))
    for path in paths:
        cv2.imwrite(str(path), np.full((80, 120, 3), 90, np.uint8))
    return paths
