"""Which images and objects are for training and which for validation: the official lists, R-CNN's, and one's own.

Shapes: I images, C classes, P parts, M objects.

R-CNN (Girshick et al., 2014, section 4.1) trains on one half of the validation set, ``val1``, and on up to N objects
a class from the training set, ``train_N``, and measures on the other half, ``val2``: the training set is annotated
only for some classes of each image, so that its regions must not be taken for background.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from det_inception.formats.synsets import DET_CLASSES
from det_inception.utils.errors import InputError
from det_inception.utils.text_files import open_text

BAD_IMAGES = ('ILSVRC2012_val_00033658', 'ILSVRC2013_val_00004542')
"""Validation images that others have found unusable; neither is in ``val2``."""

LABELS = ('positive', 'partial', 'negative')
"""What a training list says of an image and a class: its objects are all annotated, only some are, there is none."""

_TRAINING_IMAGE = re.compile(r'(ILSVRC20\d\d_(DET_)?train|n\d{8}/)')
_SYNSET_FOLDER = re.compile(r'n\d{8}/')
_OF_FLAG = {'1': 'positive', '0': 'partial', '-1': 'negative'}
_SHORT = {'positive': 'pos', 'partial': 'part', 'negative': 'neg'}


def is_training_image(name: str) -> bool:
    """Whether an image, by its name relative to the split's folder, is of the official training set.

    Example:
        >>> is_training_image('ILSVRC2013_train/n02672831/n02672831_10086'), is_training_image('mini_train_000001')
        (True, False)
    """
    return _TRAINING_IMAGE.match(name) is not None


@dataclass(frozen=True)
class TrainLists:
    """What the training lists say of each image.

    Attributes:
        images: The I names, relative to the split's folder, in the order in which the lists name them first.
        labels: For each of :data:`LABELS`, for each class id from 1 on the positions in ``images``, int64.
    """

    images: tuple[str, ...]
    labels: Mapping[str, Mapping[int, np.ndarray]]

    def having(self, kinds: Iterable[str]) -> np.ndarray:
        """Positions of the images that some class has one of these labels for, increasing; int64."""
        found = [positions for kind in kinds for positions in self.labels[kind].values()]
        return np.unique(np.concatenate(found)) if found else np.zeros(0, np.int64)


def read_train_lists(
    folder: str | os.PathLike, kinds: Sequence[str] = LABELS, num_classes: int = len(DET_CLASSES)
) -> TrainLists:
    """Reads the lists of the training set, one a class or three a class.

    Args:
        folder: ``ImageSets/DET`` of 2015 and later, with ``train_1.txt`` to ``train_200.txt``, whose lines are ``<name>
            1``, ``0`` or ``-1`` for positive, partial and negative; or the development kit's ``det_lists`` of
            2013 and 2014, with ``train_pos_1.txt``, ``train_part_1.txt``, ``train_neg_1.txt`` and so on. Names of
            2014 (``n02672831/n02672831_10086``) become those of the folders of 2015
            (``ILSVRC2013_train/n02672831/n02672831_10086``).
        kinds: Which of :data:`LABELS` to read.
        num_classes: Number of classes that must have a list. A class without any image has an empty one.

    Returns:
        The lists; an image is in several.

    Raises:
        InputError: A list is missing, or a line is malformed.
    """
    folder = Path(folder)
    unknown = [kind for kind in kinds if kind not in LABELS]
    if unknown or not kinds:
        raise InputError(f'{folder}: training lists are {", ".join(LABELS)}, not {", ".join(unknown) or "none"}.')
    numbers: dict[str, int] = {}
    labels: dict[str, dict[int, np.ndarray]] = {kind: {} for kind in kinds}
    for class_id in range(1, num_classes + 1):
        found = _of_class(folder, class_id, kinds)
        for kind in kinds:
            positions = [numbers.setdefault(name, len(numbers)) for name in found[kind]]
            labels[kind][class_id] = np.unique(np.array(positions, np.int64))
    if not numbers:
        raise InputError(f'{folder}: its training lists ({", ".join(kinds)}) name no image; were they cut off?')
    return TrainLists(tuple(numbers), labels)


def _of_class(folder: Path, class_id: int, kinds: Sequence[str]) -> dict[str, list[str]]:
    combined = folder / f'train_{class_id}.txt'
    found: dict[str, list[str]] = {kind: [] for kind in LABELS}
    if combined.is_file():
        for number, fields in _lines(combined):
            if len(fields) != 2 or fields[1] not in _OF_FLAG:
                raise InputError(f'{combined}: line {number} is not "<image name> 1", "0" or "-1"; mend the list.')
            found[_OF_FLAG[fields[1]]].append(_as_shipped(fields[0]))
        return found
    for kind in kinds:
        path = folder / f'train_{_SHORT[kind]}_{class_id}.txt'
        if not path.is_file():
            raise InputError(
                f'{folder}: has no training list of class {class_id}: neither {combined.name} nor {path.name}; give '
                "ImageSets/DET or the development kit's det_lists."
            )
        for number, fields in _lines(path):
            if len(fields) != 1:
                raise InputError(f'{path}: line {number} is not the name of an image; mend the list.')
            found[kind].append(_as_shipped(fields[0]))
    return found


def _lines(path: Path) -> Iterable[tuple[int, list[str]]]:
    with open_text(path) as text:
        for number, line in enumerate(text, start=1):
            if line.strip():
                yield number, line.split()


def _as_shipped(name: str) -> str:
    return f'ILSVRC2013_train/{name}' if _SYNSET_FOLDER.match(name) else name


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

    R-CNN balanced val1 and val2 so. Here: images with rare classes first, each to the part that still wants most of its
    objects, after Sechidis et al., "On the stratification of multi-label data" (2011); then single images change
    places as long as that makes it better; the best of several random orders is taken.

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
