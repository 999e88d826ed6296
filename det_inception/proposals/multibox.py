"""The numbers of MultiBox: priors from a training set, and the matching of predictions to objects.

From: Erhan et al., "Scalable object detection using deep neural networks", arXiv 1312.2249; Szegedy et al., "Scalable,
high-quality object detection", arXiv 1412.1441.

Shape legend: N boxes of a training set; K predictions and G objects of an image; S sizes. Boxes are x1, y1, x2, y2 as
fractions of the image's width and height, so between 0 and 1.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

from det_inception.proposals.errors import ProposalError
from det_inception.utils.boxes import pairwise_iou
from det_inception.utils.files import atomic_write, reason

SEED = 2014
PRIORS_FORMAT = 'det_inception MultiBox priors'
# More boxes tell no more about a few hundred centers, and half a million would take minutes.
MAX_CLUSTERED = 100_000


def relative_boxes(boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """Returns boxes (N, 4) in continuous pixel coordinates as fractions of their image, float64."""
    return np.asarray(boxes, np.float64).reshape(-1, 4) / np.array([width, height, width, height])


def box_priors(boxes: np.ndarray, count: int, seed: int = SEED) -> np.ndarray:
    """The centers of the k-means clusters of a training set's boxes (arXiv 1312.2249, section 3.3).

    Args:
        boxes: (N, 4), all objects of the training set.
        count: Number of priors K.
        seed: Of the random numbers that choose the first centers.

    Returns:
        float64 (K, 4), in ascending order; the same for every order of the boxes.

    Raises:
        ProposalError: A box is empty or leaves the image, or fewer than K of them differ.
    """
    return _sorted_rows(_k_means(_checked(boxes), count, seed))


def size_priors(boxes: np.ndarray, count: int, seed: int = SEED) -> np.ndarray:
    """The typical sizes of a training set's boxes: k-means of the logarithms of width and height.

    In logarithms, to be wrong by a factor costs the same for small and for large boxes, as it does in overlap.
    The arguments are those of :func:`box_priors`.

    Returns:
        float64 (S, 2), width and height, from the smallest area to the largest.

    Raises:
        ProposalError: A box is empty or leaves the image, or fewer than S of them differ in size.
    """
    boxes = _checked(boxes)
    sizes = np.exp(_k_means(np.log(boxes[:, 2:] - boxes[:, :2]), count, seed))
    return sizes[np.lexsort((sizes[:, 0], sizes.prod(axis=1)))]


def grid_boxes(sizes: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Boxes of given sizes (S, 2), width and height, around the center of every cell of a grid over the image.

    Returns:
        float64 (rows * columns * S, 4): row by row, cell by cell, size by size. They may leave the image.
    """
    y, x = np.meshgrid((np.arange(rows) + 0.5) / rows, (np.arange(columns) + 0.5) / columns, indexing='ij')
    centers = np.stack([x, y], axis=-1)[:, :, None]  # (rows, columns, 1, 2)
    half = np.asarray(sizes, np.float64) / 2
    return np.concatenate([centers - half, centers + half], axis=-1).reshape(-1, 4)


def match(costs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gives every object a prediction of its own, so that the sum of the costs is least.

    Exact, by SciPy's solver. An object needs no prediction but one of its G cheapest (of these the other objects can
    take only G - 1), so the solver sees at most G * G of many thousand predictions.

    Args:
        costs: (G, K), what it costs to match an object and a prediction.

    Returns:
        The objects and their predictions, each int64 (min(G, K),), in the order of the objects. With more objects than
        predictions, the costliest objects stay without.

    Raises:
        ProposalError: A cost is not finite.
    """
    costs = np.asarray(costs, np.float64)
    if not np.isfinite(costs).all():
        raise ProposalError(
            'MultiBox predicts values that are not finite, so its training has diverged; lower the learning rate.'
        )
    count = len(costs)
    if count == 0 or costs.shape[1] <= count:
        return linear_sum_assignment(costs)
    cheapest = np.unique(np.argpartition(costs, count - 1, axis=1)[:, :count])
    objects, chosen = linear_sum_assignment(costs[:, cheapest])
    return objects, cheapest[chosen]


def mean_best_overlap(priors: np.ndarray, boxes: np.ndarray, limit: int = 5000) -> float:
    """How well priors (K, 4) alone cover a training set (N, 4): the mean best overlap of its boxes with a prior.

    Looks at about ``limit`` boxes, evenly spread.
    """
    boxes = boxes[:: -(-len(boxes) // limit)]
    return float(np.mean([pairwise_iou(box[None], priors).max() for box in boxes]))


def write_priors(path: str | os.PathLike, priors: np.ndarray) -> None:
    """Writes priors, (K, 4) boxes or (S, 2) sizes, as a small text file (JSON).

    Raises:
        ProposalError: The file cannot be written.
    """
    rows = ',\n'.join(json.dumps([round(float(value), 6) for value in row]) for row in priors)
    with atomic_write(path, ProposalError) as temporary:
        temporary.write_text(f'{{"format": "{PRIORS_FORMAT}", "priors": [\n{rows}\n]}}\n', encoding='utf-8')


def read_priors(path: str | os.PathLike) -> np.ndarray:
    """Reads what ``write_priors`` wrote: float64 (K, 4) boxes, or (S, 2) sizes.

    Raises:
        ProposalError: The file cannot be read or holds no priors.
    """
    try:
        content = json.loads(Path(path).read_bytes())
        if content['format'] != PRIORS_FORMAT:
            raise ValueError(f'its format is {content["format"]!r}')
        priors = np.array(content['priors'], np.float64)
        if priors.ndim != 2 or priors.shape[1] not in (2, 4) or not len(priors) or not np.isfinite(priors).all():
            raise ValueError(f'the priors are no table of boxes or sizes but {priors.shape}')
    except OSError as error:
        raise ProposalError(
            f'{path}: the priors cannot be read ({reason(error)}); make them with det-inception priors.'
        ) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ProposalError(
            f'{path}: holds no priors of MultiBox ({type(error).__name__}: {error}); make them with '
            'det-inception priors.'
        ) from error
    return priors


def _checked(boxes: Sequence) -> np.ndarray:
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    bad = ~((boxes[:, :2] < boxes[:, 2:]).all(axis=1) & (boxes >= -1e-6).all(axis=1) & (boxes <= 1 + 1e-6).all(axis=1))
    if bad.any():
        values = ', '.join(f'{value:.4g}' for value in boxes[bad][0])
        raise ProposalError(
            f'{bad.sum()} of {len(boxes)} boxes of the training set are empty or leave their image (first: {values} '
            'as fractions of it); correct or remove them.'
        )
    return boxes


def _k_means(points: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Lloyd's algorithm from the start of Arthur and Vassilvitskii (k-means++): centers, (count, D)."""
    if count < 1:
        raise ProposalError(f'{count} priors were asked for; give at least 1.')
    distinct = np.unique(points, axis=0)  # sorted, so that the order of the files plays no part
    if len(distinct) < count:
        raise ProposalError(
            f'{count} priors cannot be made of {len(distinct)} different boxes in the training set; lower the number '
            'of priors in the model.bbox_head of the config, or take more images.'
        )
    points = _sorted_rows(points)
    random = np.random.RandomState(seed)  # NumPy promises that its numbers never change
    if len(points) > MAX_CLUSTERED:
        points = points[np.sort(random.choice(len(points), MAX_CLUSTERED, replace=False))]
    centers = _first_centers(points, count, random)
    for _ in range(100):
        distance, nearest = cKDTree(centers).query(points)
        members = np.bincount(nearest, minlength=count)
        moved = np.stack([np.bincount(nearest, points[:, axis], count) for axis in range(points.shape[1])], axis=1)
        moved = np.divide(moved, members[:, None], out=centers.copy(), where=members[:, None] > 0)
        empty = np.flatnonzero(members == 0)
        moved[empty] = points[np.argsort(-distance, kind='stable')[: len(empty)]]
        if np.allclose(moved, centers, rtol=0, atol=1e-9):
            break
        centers = moved
    return centers


def _first_centers(points: np.ndarray, count: int, random: np.random.RandomState) -> np.ndarray:
    chosen = [random.randint(len(points))]
    distance = ((points - points[chosen[0]]) ** 2).sum(axis=1)
    while len(chosen) < count:
        total = np.cumsum(distance)
        if total[-1] > 0:
            drawn = np.searchsorted(total, random.random_sample() * total[-1], 'right')
            chosen.append(min(int(drawn), len(points) - 1))
        else:  # A sample of a huge set may hold fewer different points than the set.
            chosen.append(random.randint(len(points)))
        distance = np.minimum(distance, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
    return points[chosen]


def _sorted_rows(rows: np.ndarray) -> np.ndarray:
    return rows[np.lexsort(rows.T[::-1])]
