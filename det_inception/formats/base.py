"""What a format of annotations is: one interface, one class a format."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from det_inception.formats.lists import list_text, read_list
from det_inception.formats.records import Box, DataError, ImageRecord
from det_inception.utils.errors import ErrorHandler, raise_error
from det_inception.utils.images import ImageError, image_size

_ROLES = ('train', 'val', 'test')
ADVICE = 'divide it with "det-inception split {}", or train with --val-share 0.2, which sets a fifth of it aside'
"""What to do with a data set in one part."""
NOT_BY_NAME = 'by its name not one of training, validation and test'
"""Why a list is passed over."""


@dataclass(frozen=True)
class Split:
    """One part of a data set: a list of images or an annotation file, and the folders that belong to it.

    Attributes:
        name: ``'train'``, ``'val'``, ...
        format: Name of its :class:`Format` in :data:`det_inception.formats.FORMATS`.
        root: The data set's folder.
        lists: The list of images or the annotation file. ILSVRC's training set may have several; none means all images
            of the folder.
        images: The folder of its images; None: the format finds it.
        annotations: The folder of its annotations; None where they are in the file of ``lists``, or lie elsewhere.
        members: Which of the images of its files belong to it, as ascending positions in the order of reading; None:
            all of them. :func:`det_inception.formats.read_split` picks them out.
    """

    name: str
    format: str
    root: Path
    lists: tuple[Path, ...] = ()
    images: Path | None = None
    annotations: Path | None = None
    members: tuple[int, ...] | None = None

    @property
    def role(self) -> str | None:
        """What it is for by its name; see :func:`role`."""
        return role(self.name)

    @property
    def source(self) -> Path:
        """The file or folder to name where the part as a whole is meant."""
        return self.lists[0] if len(self.lists) == 1 else self.root


@dataclass(frozen=True)
class FoundSplits:
    """The parts of a data set.

    Attributes:
        splits: The parts, training first.
        passed_over: Lists and annotation files that were not taken, each with the reason.
    """

    splits: list[Split]
    passed_over: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Note:
    """Something about a split that a reader works around, but that is worth saying once.

    Attributes:
        kind: As an :data:`~det_inception.utils.errors.ErrorHandler` gets it.
        file: The file to look at.
        message: A sentence that names the file.
    """

    kind: str
    file: Path
    message: str


@dataclass
class SplitContent:
    """What the files of a split hold.

    Attributes:
        records: Its images, in the order of the list; each is read when it is asked for.
        classes: The classes that the format or the file gives, in their order; None: those that occur.
        images: The folder of its images.
        notes: Complete when ``records`` is at its end.
        class_ids: The numbers by which the file knows its classes, in their order; None where it knows them by name.
    """

    records: Iterator[ImageRecord]
    classes: tuple[str, ...] | None
    images: Path
    notes: list[Note] = field(default_factory=list)
    class_ids: tuple[int, ...] | None = None


class Format(ABC):
    """An annotation format; its instance is in :data:`det_inception.formats.FORMATS`.

    Attributes:
        name: In ``FORMATS`` and in :attr:`Split.format`.
        title: For people.
        layout: What lies where, for messages.
        classes: Those of every data set in this format; None: they are each data set's own.
        annotation_suffix: What the names of annotations end in where each image has one of its own, such as ``'.xml'``.
        takes_image_root: Whether the images may lie in a folder that only the user knows.
        reads_lists: Whether :meth:`split_of` takes a list of images.
        states_sizes: Whether annotations say the sizes of the images, which otherwise are read from them.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    layout: ClassVar[str]
    classes: ClassVar[tuple[str, ...] | None] = None
    annotation_suffix: ClassVar[str | None] = None
    takes_image_root: ClassVar[bool] = False
    reads_lists: ClassVar[bool] = True
    states_sizes: ClassVar[bool] = True

    @abstractmethod
    def claim(self, path: Path) -> str | None:
        """Returns by what a folder or file is known to be of this format, such as ``'JPEGImages'``; None if not."""

    @abstractmethod
    def splits(self, path: Path, image_root: Path | None = None) -> FoundSplits:
        """Returns the parts of a data set.

        Args:
            path: What :meth:`claim` claims.
            image_root: The folder of the images, where :attr:`takes_image_root`.

        Raises:
            DataError: It has none.
        """

    @abstractmethod
    def split_of(self, root: Path, source: Path | None, image_root: Path | None = None) -> list[Split]:
        """Returns the part, or the parts, that a list or annotation file makes of a data set.

        Args:
            root: The data set's folder.
            source: Any list of images or annotation file; None: all that is annotated.
            image_root: As for :meth:`splits`.
        """

    @abstractmethod
    def read(self, split: Split, on_error: ErrorHandler = raise_error) -> SplitContent:
        """Opens a split, all images of its files; :func:`det_inception.formats.read_split` honors ``split.members``.

        Args:
            split: From :meth:`splits` or :meth:`split_of`, or built by hand.
            on_error: Hears of every fault, now and while the images are read. Where it goes on, what cannot be
                understood is left out: an image whose annotation cannot be read comes without objects, and one of
                unknown size with the size 0 x 0.

        Raises:
            DataError: A fault, where ``on_error`` is :func:`~det_inception.utils.errors.raise_error`.
        """

    def divide(
        self, split: Split, members: Mapping[str, Sequence[int]], records: Sequence[ImageRecord]
    ) -> dict[Path, str]:
        """Returns the files that make parts of a split, with their contents: lists beside the list of the split.

        Args:
            split: A split of one list or annotation file.
            members: The images of each part, as positions in ``records``.
            records: All images of the split, from :meth:`read`.
        """
        (source,) = split.lists
        lines = read_list(source)
        return {
            source.with_name(f'{name}.txt'): list_text(lines[position] for position in positions)
            for name, positions in members.items()
        }

    def for_training(self, split: Split) -> Split:
        """Returns a split as it is trained on: without images that are known to be bad."""
        return split

    def image_root(self, root: Path) -> Path:
        """Returns the folder that images are named relative to."""
        return root

    def hint(self, path: Path) -> str | None:
        """Returns what a folder lacks that looks half like this format, as a sentence; None if it does not."""
        return None

    def as_in_file(self, box: Box, height: int, width: int) -> tuple[float, ...]:
        """Returns a continuous box as the annotation of an image of this size has it."""
        return box


def role(name: str) -> str | None:
    """Returns what a part of this name is for, ``'train'``, ``'val'`` or ``'test'``; None if the name does not say.

    Example:
        >>> role('instances_val2017'), role('valid'), role('trainval')
        ('val', 'val', None)
    """
    name = name.lower()
    if name.startswith('trainval'):
        return None
    found = [(name.index(role), role) for role in _ROLES if role in name]
    return min(found)[1] if found else None


def training_first(splits: Iterable[Split]) -> list[Split]:
    """Returns splits in the order training, others, validation, test."""
    order = ('train', None, 'val', 'test')
    return sorted(splits, key=lambda split: (order.index(split.role), split.name))


def choose_split(splits: Sequence[Split], name: str) -> Split:
    """Returns the split of a name, else the only one that is for the same: ``val`` is also found as ``valid``.

    Raises:
        DataError: There is none, or there are several.
    """
    found = [split for split in splits if split.name == name] or [split for split in splits if split.role == name]
    if len(found) == 1:
        return found[0]
    root = splits[0].root if splits else 'the data set'
    names = ', '.join(split.name for split in splits) or 'none'
    has, advice = f'more than one part {name!r}', ''
    if not found:
        missing = [part for part in ('train', 'val') if not any(split.role == part for split in splits)]
        has = ' and '.join(f'no part {part!r}' for part in (missing if name in missing else [name]))
        advice = f'; {ADVICE.format(root)}' if splits and name in missing and 'val' in missing else ''
    raise DataError(f'{root}: has {has}; its {"parts are" if splits[1:] else "part is"} {names}{advice}.')


def undivided(splits: Sequence[Split]) -> Split:
    """Returns the part that can be divided for training and validation: the training's, else the only one.

    Raises:
        DataError: There is a part to validate on already, or several others.
    """
    root, names = splits[0].root, ', '.join(split.name for split in splits)
    if any(split.role == 'val' for split in splits):
        raise DataError(f'{root}: has a part to validate on already ({names}); there is nothing to divide.')
    for name in ('train', None, 'test'):
        found = [split for split in splits if split.role == name]
        if len(found) == 1:
            return found[0]
        if found:
            break
    raise DataError(f'{root}: it is not clear which of its parts to divide ({names}); name its list or file.')


def sized(height: int, width: int, path: Path, on_error: ErrorHandler) -> tuple[int, int]:
    """Returns height and width of an image: as annotated or, where that is not positive, as the image file has it.

    Returns:
        0, 0 where ``on_error`` went on after the image could not be read.
    """
    if height > 0 and width > 0:
        return height, width
    try:
        return image_size(path)
    except ImageError as error:
        on_error('unreadable image', path, error)
        return 0, 0


def natural_order(text: str) -> list[tuple[int, int | str]]:
    """Sort key by which ``train_2`` comes before ``train_10``."""
    return [(0, int(part)) if part.isdigit() else (1, part) for part in re.split(r'(\d+)', text) if part]
