"""Ridge regression of boxes as in R-CNN's ``rcnn_train_bbox_regressor.m`` (arXiv 1311.2524, appendix C).

Shape legend: R regions of an image, C channels of a feature, N pairs of a region and its object.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve

from det_inception.engine.svm.features import PROPOSAL, RegionFiles
from det_inception.utils.boxes import pairwise_iou

CHUNK = 4096
"""Pairs whose features are in memory at a time."""


def find_pairs(regions: np.ndarray, min_iou: float = 0.6) -> tuple[np.ndarray, np.ndarray]:
    """Finds the regions of an image that are near enough to an object to learn from.

    Args:
        regions: (R,), as :class:`RegionFiles` has them. Objects are regions too, and pairs with themselves.
        min_iou: A pair overlaps by more.

    Returns:
        int (N,), numbers of regions, and int (N,), the number of the object that each overlaps most.
    """
    objects = np.flatnonzero((regions['label'] != PROPOSAL) & (regions['ignored'] == 0))
    if not len(objects):
        return objects, objects
    overlaps = pairwise_iou(regions['box'], regions['box'][objects])
    rows = np.flatnonzero(overlaps.max(axis=1) > min_iou)
    return rows, objects[overlaps[rows].argmax(axis=1)]


def fit_boxes(
    files: RegionFiles, keys: np.ndarray, targets: np.ndarray, scale: float, ridge: float = 1000.0
) -> tuple[np.ndarray, np.ndarray]:
    """Solves the ridge regression of a class by its normal equations.

    The bias is the weight of a feature of 1, and is held down like the other weights; so targets are centered first.
    R-CNN also decorrelates them. With the same ``ridge`` for all four, that changes nothing.

    Args:
        files: For the features.
        keys: int (N, 2), pairs of the class.
        targets: float (N, 4), the deltas that take the region to its object.
        scale: What features are multiplied by.
        ridge: Weight of the squared weights.

    Returns:
        Weights (4, C), for scaled features, and biases (4,).
    """
    mean = targets.mean(axis=0)
    size = files.channels + 1
    squares, products = ridge * np.eye(size), np.zeros((size, 4))
    for start in range(0, len(keys), CHUNK):
        features = files.features(keys[start : start + CHUNK]) * scale
        features = np.append(features, np.ones((len(features), 1)), axis=1)
        squares += features.T @ features
        products += features.T @ (targets[start : start + CHUNK] - mean)
    solution = solve(squares, products, assume_a='pos')
    return solution[:-1].T, solution[-1] + mean
