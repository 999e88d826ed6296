"""The lists of ILSVRC DET's training set, one a class or three a class, and what is known of single images."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from det_inception.formats.lists import numbered_lines, split_number
from det_inception.formats.synsets import DET_CLASSES
from det_inception.utils.errors import InputError

BAD_IMAGES = ('ILSVRC2012_val_00033658', 'ILSVRC2013_val_00004542')
"""Validation images that others have found unusable; neither is in ``val2``."""

LABELS = ('positive', 'partial', 'negative')
"""What a training list says of an image and a class: its objects are all annotated, only some are, there is none."""

_TRAINING_IMAGE = re.compile(r'(ILSVRC20\d\d_(DET_)?train|n\d{8}/)')
_SYNSET_FOLDER = re.compile(r'n\d{8}/')
_OF_FLAG = {1: 'positive', 0: 'partial', -1: 'negative'}
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
        for number, line in numbered_lines(combined):
            name, flag = split_number(line)
            if flag not in _OF_FLAG or len(name.split()) != 1:
                raise InputError(f'{combined}: line {number} is not "<image name> 1", "0" or "-1"; correct the list.')
            found[_OF_FLAG[flag]].append(_as_shipped(name))
        return found
    for kind in kinds:
        path = folder / f'train_{_SHORT[kind]}_{class_id}.txt'
        if not path.is_file():
            raise InputError(
                f'{folder}: has no training list of class {class_id}: neither {combined.name} nor {path.name}; give '
                "ImageSets/DET or the development kit's det_lists."
            )
        for number, line in numbered_lines(path):
            if len(line.split()) != 1:
                raise InputError(f'{path}: line {number} is not the name of an image; correct the list.')
            found[kind].append(_as_shipped(line))
    return found


def _as_shipped(name: str) -> str:
    return f'ILSVRC2013_train/{name}' if _SYNSET_FOLDER.match(name) else name
