"""What the metrics read from samples and data sets: arrays, labels, class names."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.logging import print_log

from det_inception.utils.errors import InputError


class ClassScore(NamedTuple):
    """A class, the number of its objects that count, and its average precision."""

    name: str
    objects: int
    ap: float


def to_array(values: Any, dtype: type = np.float64) -> np.ndarray:
    """Returns a tensor on any device, MMDetection's boxes or an array as an array of its own."""
    values = getattr(values, 'tensor', values)
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        values = (values.double() if dtype is np.float64 else values).numpy()
    return np.array(values, dtype=dtype)


def to_boxes(values: Any) -> np.ndarray:
    """Returns boxes as float64 (N, 4), also where there are none."""
    return to_array(values).reshape(-1, 4)


def to_labels(values: Any, num_classes: int, name: str | int) -> np.ndarray:
    """Returns labels as int64 (N,).

    Args:
        values: Tensor or array.
        num_classes: Number of classes of the data set.
        name: The image, for the message.

    Raises:
        InputError: A label is out of range.
    """
    labels = to_array(values, np.int64)
    if labels.size and not 0 <= labels.min() <= labels.max() < num_classes:
        raise InputError(
            f'Image {name}: labels go from {labels.min()} to {labels.max()}, but the data set has '
            f'{num_classes} classes; num_classes of the model and the classes of the data set must agree.'
        )
    return labels


def require_annotated(dataset_meta: Mapping | None, what: str) -> None:
    """Refuses a test set without annotations, before it is tested in vain.

    Args:
        dataset_meta: The data set's ``metainfo``.
        what: What would need them, and what to do, for the message.

    Raises:
        InputError: It has none.
    """
    if not (dataset_meta or {}).get('annotated', True):
        raise InputError(f"the images are not annotated, as those of the challenge's test set are not: {what}")


def require_objects(sample: Mapping, name: str | int, what: str) -> None:
    """Refuses the sample of an image without ``gt_instances``; ``what`` says for the message what they are for."""
    if 'gt_instances' not in sample:
        raise InputError(
            f'Image {name}: no gt_instances to {what}; add LoadAnnotations to the test pipeline, after Resize.'
        )


def warn_of_nothing(metric: str, images: int) -> None:
    """Says that a model has detected nothing in any of the images."""
    print_log(
        f'{metric}: the model detected nothing in {images} images, so mAP is 0. '
        'Is the checkpoint the right one, and is score_thr of the test configuration low enough?',
        'current',
        logging.WARNING,
    )


def class_names(dataset_meta: Mapping | None, metric: str) -> tuple[str, ...]:
    """Returns the classes that a data set names.

    Args:
        dataset_meta: Its ``metainfo``.
        metric: Who asks, for the message.

    Raises:
        InputError: It names none.
    """
    classes = (dataset_meta or {}).get('classes')
    if not classes:
        raise InputError(f'{metric}: the data set names no classes; give it metainfo=dict(classes=...).')
    return (classes,) if isinstance(classes, str) else tuple(classes)
