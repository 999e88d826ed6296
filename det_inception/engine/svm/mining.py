"""Linear SVMs with hard negatives, as R-CNN's public code trains them (``rcnn_train.m``; arXiv 1311.2524, appendix B).

Shape legend: R regions of an image, C channels of a feature, K classes, P positives and N negatives of a class.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from mmengine.logging import print_log
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC
from tqdm import tqdm

from det_inception.engine.svm.features import RegionFiles, class_overlaps
from det_inception.utils.errors import InputError

MAX_ROUNDS = 1000
"""Rounds over the examples after which liblinear gives up, as it does by itself."""


@dataclass(frozen=True)
class SVMSettings:
    """The settings of R-CNN.

    Attributes:
        c: Weight of the hinge loss against the length of the weights.
        positive_weight: How much more a positive counts.
        bias_multiplier: The constant feature whose weight is the bias; the larger, the freer the bias.
        norm: Features are scaled to this mean length.
        negative_iou: A region is a negative of a class if it overlaps each of its objects by less.
        hard: A negative is added if its margin is above.
        easy: A negative is taken out again if its margin is below.
        retrain: A class is trained again when more negatives than this have been added.
    """

    c: float = 1e-3
    positive_weight: float = 2.0
    bias_multiplier: float = 10.0
    norm: float = 20.0
    negative_iou: float = 0.3
    hard: float = -1.0001
    easy: float = -1.2
    retrain: int = 2000


@dataclass
class LinearSVMs:
    """One SVM a class.

    Attributes:
        weights: float32 (K, C), for scaled features.
        biases: float32 (K,).
        added: int (K,): how many negatives each has seen in training,
        kept: int (K,): and how many it had in the end.
    """

    weights: np.ndarray
    biases: np.ndarray
    added: np.ndarray
    kept: np.ndarray


def fit_svm(positives: np.ndarray, negatives: np.ndarray, settings: SVMSettings, seed: int) -> tuple[np.ndarray, float]:
    """Returns the weights (C,) and the bias of the SVM of positives (P, C) and negatives (N, C), by liblinear."""
    svm = LinearSVC(
        C=settings.c,
        loss='hinge',
        dual=True,
        intercept_scaling=settings.bias_multiplier,
        class_weight={1: settings.positive_weight},
        random_state=seed,
        tol=1e-3,
        max_iter=MAX_ROUNDS,
    )
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', ConvergenceWarning)
        svm.fit(np.concatenate([positives, negatives]), np.repeat([1, -1], [len(positives), len(negatives)]))
    if svm.n_iter_ >= MAX_ROUNDS:
        print_log(
            f'An SVM was not at its best after {MAX_ROUNDS} rounds over its examples; a smaller --svm-c is sooner.',
            'current',
            logging.WARNING,
        )
    return svm.coef_[0], float(svm.intercept_[0])


@dataclass
class _Class:
    """The examples of a class, as keys of :class:`RegionFiles`."""

    positives: np.ndarray
    negatives: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), np.int32))
    waiting: int = 0
    """Negatives that have been added since the last training."""


def train_svms(
    files: RegionFiles, positives: Mapping[str, np.ndarray], scale: float, settings: SVMSettings, seed: int = 0
) -> LinearSVMs:
    """Trains all classes in one pass over the images.

    The first image gives all its negatives, every other image those that the SVMs of that moment find hard. Memory is
    that of one class: its examples are read from the files when it is trained.

    Args:
        files: Regions of the images.
        positives: The names of the classes, and the objects of each, int (P, 2), as keys of ``files``.
        scale: What features are multiplied by.
        settings: See there.
        seed: Of liblinear, which goes through the examples in random order.

    Raises:
        InputError: A class has no negatives.
    """
    examples = [_Class(keys) for keys in positives.values()]
    count = len(examples)
    weights, biases = np.zeros((count, files.channels), np.float32), np.zeros(count, np.float32)
    added = np.zeros(count, int)
    last = len(files.paths) - 1
    for image in tqdm(range(last + 1), 'hard negatives', unit='image'):
        regions = files.read(image)
        margins = (regions['feature'].astype(np.float32) * scale) @ weights.T + biases  # (R, K)
        # Before their first training all margins are 0, so that all negatives are hard.
        hard = (margins > settings.hard) & (class_overlaps(regions, count) < settings.negative_iou)
        for label, own in enumerate(examples):
            rows = np.flatnonzero(hard[:, label])
            keys = np.stack([np.full_like(rows, image), rows], 1).astype(np.int32)
            own.negatives = np.concatenate([own.negatives, keys])
            own.waiting += len(rows)
            added[label] += len(rows)
            if len(own.negatives) and (image in (0, last) or own.waiting > settings.retrain):
                weights[label], biases[label] = _retrain(files, own, scale, settings, seed)
    if missing := [name for name, number in zip(positives, added) if not number]:
        raise InputError(
            f'class {missing[0]!r} has no negatives: every region of the {last + 1} images overlaps one of its objects '
            f'by {settings.negative_iou:g} or more; add images that show other things.'
        )
    return LinearSVMs(weights, biases, added, np.array([len(own.negatives) for own in examples]))


def _retrain(
    files: RegionFiles, own: _Class, scale: float, settings: SVMSettings, seed: int
) -> tuple[np.ndarray, float]:
    """Trains a class, and takes the easy ones out of its negatives."""
    negatives = files.features(own.negatives) * scale
    weights, bias = fit_svm(files.features(own.positives) * scale, negatives, settings, seed)
    own.negatives = own.negatives[negatives @ weights + bias >= settings.easy]
    own.waiting = 0
    return weights, bias
