"""Which images and objects are for training and which for validation: R-CNN's halves, and balanced parts of any set.

Shape legend: I images, C classes, P parts, M objects.

R-CNN (Girshick et al., 2014, section 4.1) trains on one half of the validation set, ``val1``, and on up to N objects
per class from the training set, ``train_N``. It measures on the other half, ``val2``. The training set is annotated
only for some classes of each image, so its regions must not be taken for background.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from det_inception.utils.errors import InputError


def rcnn_val_split(
    val: Mapping[str, int], val2: Iterable[str], blacklist: np.ndarray
) -> tuple[dict[str, int], dict[str, int]]:
    """R-CNN's halves of the validation set, which most reports on ILSVRC DET use.

    ``val2`` is a published list (9,917 images). ``val1`` is the rest without the images that the blacklist names for
    any class, which gives R-CNN's 9,887.

    Args:
        val: The official ``val.txt``: name to index.
        val2: The names in ``val2``.
        blacklist: The official blacklist, pairs of image index and class id (B, 2).

    Returns:
        ``val1`` and ``val2``, each name to its **official** index, in the order of ``val.txt``, so that blacklist
        and submission files of the whole set go on to fit.

    Raises:
        InputError: ``val2`` names an image that ``val`` does not.
    """
    chosen = set(val2)
    unknown = sorted(chosen - val.keys())
    if unknown:
        raise InputError(
            f'{len(unknown)} images of val2 are not in val ({unknown[0]} the first); give lists that match.'
        )
    blacklisted = set(np.asarray(blacklist)[:, 0].tolist())
    first = {name: index for name, index in val.items() if name not in chosen and index not in blacklisted}
    return first, {name: index for name, index in val.items() if name in chosen}


def limit_objects(class_ids: np.ndarray, limit: int, seed: int = 0) -> np.ndarray:
    """Chooses at most ``limit`` objects of each class, at random: R-CNN's ``train_N``.

    Args:
        class_ids: (M,) class of each object.
        limit: N.
        seed: Another seed chooses others. A class's choice does not depend on the other classes, and that for a
            smaller N is part of that for a greater one.

    Returns:
        bool (M,): whether an object is chosen.

    Example:
        >>> int(limit_objects(np.array([7, 7, 7, 9]), 2).sum())
        3
    """
    class_ids = np.asarray(class_ids)
    chosen = np.zeros(len(class_ids), bool)
    for class_id in np.unique(class_ids):
        (members,) = np.nonzero(class_ids == class_id)
        order = np.random.default_rng([seed, int(class_id)]).permutation(len(members))
        chosen[members[order[:limit]]] = True
    return chosen


def balanced_split(counts: np.ndarray, shares: Sequence[float], seed: int = 0, tries: int = 20) -> np.ndarray:
    """Splits images into parts so that every class is spread over them as the images are.

    R-CNN balanced val1 and val2 in this way. Images with rare classes come first; each goes to the part that still
    needs most of its objects (Sechidis et al., "On the stratification of multi-label data", 2011). Then pairs of images
    change places as long as that improves the balance. The best of several random orders is returned.

    Args:
        counts: (I, C) number of objects of each class in each image.
        shares: P shares of the images, such as ``(0.8, 0.2)``; they are scaled to sum to 1.
        seed: Equal seeds give equal splits.
        tries: Number of random orders.

    Returns:
        int64 (I,): the part of each image. Every part has its share of the images, rounded.

    Raises:
        InputError: There are fewer images than parts, or a share is not positive.
    """
    counts = np.asarray(counts, np.float64)
    shares = np.asarray(shares, np.float64)
    if len(shares) < 2 or not (np.isfinite(shares).all() and (shares > 0).all()):
        raise InputError(f'shares must be two or more positive numbers, not {shares.tolist()}.')
    if len(counts) < len(shares):
        raise InputError(f'{len(counts)} images cannot be split into {len(shares)} parts; add images.')
    shares = shares / shares.sum()
    sizes = _rounded(shares * len(counts))
    best, best_cost = None, np.inf
    for attempt in range(tries):
        random = np.random.default_rng([seed, attempt])
        parts = _stratified(counts, sizes, shares, random)
        cost = _improve(parts, counts, shares, random)
        if cost < best_cost:
            best, best_cost = parts, cost
    return best


def imbalance(counts: np.ndarray, parts: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """How far each class is from its share in the part that misses it most: 0 is perfect, 1 is twice or nothing.

    Args:
        counts: (I, C) number of objects of each class in each image.
        parts: (I,) part of each image.
        shares: P shares.

    Returns:
        float64 (C,): the greatest ``|objects in the part / objects due to it - 1|``; 0 for a class without objects.
    """
    counts = np.asarray(counts, np.float64)
    shares = np.asarray(shares, np.float64) / np.sum(shares)
    due = shares[:, None] * counts.sum(axis=0)
    has = np.stack([counts[parts == part].sum(axis=0) for part in range(len(shares))])
    return np.abs(np.divide(has, due, out=np.ones_like(due), where=due > 0) - 1).max(axis=0)


def _rounded(wanted: np.ndarray) -> np.ndarray:
    """Whole numbers of the same sum, each at least 1 and within 1 of what is wanted where that is possible."""
    sizes = np.maximum(np.floor(wanted).astype(np.int64), 1)
    while sizes.sum() < round(wanted.sum()):
        sizes[np.argmax(wanted - sizes)] += 1
    while sizes.sum() > round(wanted.sum()):
        sizes[np.argmax(np.where(sizes > 1, sizes - wanted, -np.inf))] -= 1
    return sizes


def _stratified(counts: np.ndarray, sizes: np.ndarray, shares: np.ndarray, random: np.random.Generator) -> np.ndarray:
    parts = np.full(len(counts), -1)
    room = sizes.astype(np.float64)
    wanted = shares[:, None] * counts.sum(axis=0)
    order = random.permutation(len(counts))
    # Rare classes first: later there is no choice left for them.
    totals = counts.sum(axis=0)
    classes = [label for label in np.argsort(totals, kind='stable') if totals[label] > 0]
    for members in [order[counts[order, label] > 0] for label in classes] + [order]:
        for image in members:
            if parts[image] >= 0:
                continue
            weights = counts[image] / np.maximum(totals, 1)
            need = np.where(room > 0, wanted @ weights if weights.any() else room, -np.inf)
            best = np.flatnonzero(need == need.max())
            part = best[np.argmax(room[best])]
            parts[image] = part
            room[part] -= 1
            wanted[part] -= counts[image]
    return parts


def _improve(parts: np.ndarray, counts: np.ndarray, shares: np.ndarray, random: np.random.Generator) -> float:
    """Exchanges pairs of images, in place, as long as one finds better ones; returns the cost that is left."""
    totals = np.maximum(counts.sum(axis=0), 1)
    # Of each class the squared relative error, so that a class of ten objects weighs as much as one of ten thousand.
    relative = counts / totals
    error = np.stack([relative[parts == part].sum(axis=0) for part in range(len(shares))]) - shares[:, None] * (
        counts.sum(axis=0) > 0
    )
    for image in random.permutation(len(counts)):
        own = parts[image]
        others = random.choice(len(counts), min(64, len(counts)), replace=False)
        others = others[parts[others] != own]
        if not len(others):
            continue
        step = relative[others] - relative[image]  # What the own part gains and the other loses.
        gain = 2 * (step * (error[own] - error[parts[others]])).sum(axis=1) + 2 * (step**2).sum(axis=1)
        best = int(np.argmin(gain))
        if gain[best] < -1e-12:
            other = others[best]
            error[own] += step[best]
            error[parts[other]] -= step[best]
            parts[image], parts[other] = parts[other], own
    return float((error**2).sum())
