"""Formats in which every image has an annotation file of its own, known by the image's name.

Where the two are is found out from what is there, whatever the folders are called::

    a.jpg a.xml                              beside each other, in the folder itself or in train/, valid/, test/
    images/a.jpg annotations/a.xml           in two folders, of all or of each part: train/images/a.jpg
    images/train/a.jpg annotations/train/a.xml
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import ClassVar, NamedTuple

from det_inception.formats.base import (
    NOT_BY_NAME,
    Format,
    FoundSplits,
    Note,
    Split,
    SplitContent,
    role,
    sized,
    training_first,
)
from det_inception.formats.folders import any_case, files_of, is_folder
from det_inception.formats.lists import ImageNames, list_text, read_list, without_suffix
from det_inception.formats.records import DataError, ImageRecord, ObjectRecord
from det_inception.utils.errors import ErrorHandler, InputError, raise_error, some
from det_inception.utils.images import IMAGE_SUFFIXES

_ANNOTATION_FOLDERS = ('ann', 'xml', 'label', 'json')
"""What is somewhere in the name of a folder of annotations."""
_LOOK_AT = 50  # annotations, to see whether they have images
_MANY = 100  # folders; more are no parts of a data set
WHOLE = 'all'
"""Name of the part that a folder without lists and without folders of parts is."""


class Annotation(NamedTuple):
    """What the annotation file of an image says.

    Attributes:
        height: Of the image in pixels; 0 where the file does not say.
        width: Likewise.
        objects: All that are annotated.
        notes: What of it was worked around, each as the rest of a sentence that begins with the file's name.
    """

    height: int
    width: int
    objects: list[ObjectRecord]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Folders:
    """Where the images and the annotations of a part are.

    Attributes:
        name: Of the part; ``'all'`` where nothing names it.
        images: The folder of the images.
        annotations: The folder of the annotations, in the same sub-folders; perhaps that of the images.
    """

    name: str
    images: Path
    annotations: Path


class SidecarFormat(Format):
    """The base of formats with one annotation file an image.

    Attributes:
        lists_folder: Where lists of images are, relative to the data set's folder.
    """

    lists_folder: ClassVar[str] = ''

    @abstractmethod
    def read_annotation(self, path: Path, on_error: ErrorHandler) -> Annotation:
        """Reads an annotation file.

        Args:
            path: The file.
            on_error: Hears of objects that cannot be understood, which are left out.

        Raises:
            InputError: The file is missing, or no annotation at all.
        """

    def is_annotation(self, path: Path) -> bool:
        """Whether a file of the format's suffix is one of its annotations, at a glance."""
        return True

    def annotation_file(self, folder: Path, name: str) -> Path:
        """Returns the annotation of an image, in the folder of annotations, by its name without suffix."""
        return any_case(folder / f'{name}{self.annotation_suffix}')

    def claim(self, path: Path) -> str | None:
        for found in self.folders(path) if path.is_dir() else ():
            where = 'beside' if found.images == found.annotations else f'in {found.annotations.name} for'
            kind = self.annotation_suffix.removeprefix('.').upper()
            return f'{kind} files {where} images in {found.images.name}'
        return None

    def folders(self, root: Path) -> list[Folders]:
        """Returns where images and annotations are, a place a part; none if there are no pairs of them."""
        return _Search(self).find(root)

    def splits(self, path: Path, image_root: Path | None = None) -> FoundSplits:
        """See :meth:`Format.splits`. Lists go before folders; without either, all images are one part, ``'all'``."""
        named = self._named(path, self.folders(path))
        lists, passed_over = self._lists(path)
        listed = [split for source in lists for split in self.split_of(path, source)]
        roles = {None, *(split.role for split in listed)}
        if listed:
            listed += [split for split in named if split.role not in roles]  # Such as test/, beside lists of train/.
        return FoundSplits(training_first(listed or named or self.split_of(path, None)), passed_over)

    def split_of(self, root: Path, source: Path | None, image_root: Path | None = None) -> list[Split]:
        found = self.folders(root)
        if source is None and len(found) > 1 and _common(found) is None:
            return self._named(root, found)
        whole = _whole(root, found)
        name, lists = (WHOLE, ()) if source is None else (source.stem, (source,))
        return [Split(name, self.name, root, lists, whole.images, whole.annotations)]

    def image_root(self, root: Path) -> Path:
        found = self.folders(root)
        return found[0].images if len(found) == 1 else (_common(found) or Folders(WHOLE, root, root)).images

    def divide(
        self, split: Split, members: Mapping[str, Sequence[int]], records: Sequence[ImageRecord]
    ) -> dict[Path, str]:
        """See :meth:`Format.divide`. Of a part without a list, lists are made."""
        if split.lists:
            return super().divide(split, members, records)
        whole = _whole(split.root, self.folders(split.root))
        names = [os.path.relpath(record.path, whole.images).replace(os.sep, '/') for record in records]
        return {
            split.root / self.lists_folder / f'{name}.txt': list_text(names[position] for position in positions)
            for name, positions in members.items()
        }

    def read(self, split: Split, on_error: ErrorHandler = raise_error) -> SplitContent:
        """See :meth:`Format.read`. Without a list, images that have no annotation are left out."""
        images = split.images or self.image_root(split.root)
        notes: list[Note] = []
        return SplitContent(self._records(split, images, on_error, notes), None, images, notes)

    def _named(self, root: Path, found: Sequence[Folders]) -> list[Split]:
        return [Split(part.name, self.name, root, (), part.images, part.annotations) for part in found]

    def _lists(self, root: Path) -> tuple[list[Path], dict[str, str]]:
        found = {path.stem: path for path in files_of(root / self.lists_folder, '.txt')}
        passed_over = {}
        if not self.lists_folder:  # Of texts beside the images, only those that are called so are lists.
            found = {stem: path for stem, path in found.items() if stem in ('train', 'val', 'valid', 'test')}
        for stem in list(found):
            if any(stem.endswith(f'_{other}') for other in found if other != stem):
                passed_over[found.pop(stem).name] = 'a list of one class'
        if any(role(stem) == 'train' for stem in found):
            for stem in [stem for stem in found if not role(stem)]:
                passed_over[found.pop(stem).name] = NOT_BY_NAME
        return list(found.values()), passed_over

    def _records(self, split: Split, images: Path, on_error: ErrorHandler, notes: list[Note]) -> Iterator[ImageRecord]:
        annotations = split.annotations or split.root / 'Annotations'
        source = split.lists[0] if split.lists else images
        names = ImageNames(images)
        try:
            if not images.is_dir():
                raise DataError(f'{images}: no such folder of images; check data_root.')
            if split.lists:
                lines = [line for path in split.lists for line in read_list(path)]
            else:
                lines = self._annotated(names, annotations, notes)
        except DataError as error:
            on_error('list', source, error)
            return
        said: set[str] = set()
        for line in lines:
            try:
                found = names.find(line)
            except DataError as error:
                on_error('list', source, DataError(f'{source}: {error}'))
                continue
            if not found:
                error = DataError(
                    f'{images / line}: no image of this name, with any of {", ".join(IMAGE_SUFFIXES)}; add it or take '
                    f'it out of {source}.'
                )
                on_error('missing image', images / line, error)
                continue
            if len(found) > 1:
                error = DataError(f'{source}: {line} may be {found[0]} or {found[1]}; list it with its suffix.')
                on_error('list', source, error)
                continue
            name = Path(found[0]).with_suffix('').as_posix()
            file = self.annotation_file(annotations, name)
            annotation = self._annotation(file, on_error)
            for text in annotation.notes:
                if text not in said:
                    said.add(text)
                    notes.append(Note('annotation', file, f'{file}: {text}'))
            path = images / found[0]
            height, width = sized(annotation.height, annotation.width, path, on_error)
            yield ImageRecord(name, path, height, width, file, annotation.objects)

    def _annotated(self, names: ImageNames, annotations: Path, notes: list[Note]) -> list[str]:
        suffix = self.annotation_suffix
        annotated, others = [], []
        for key in names.keys:
            exists = os.path.isfile(self.annotation_file(annotations, without_suffix(key)))
            (annotated if exists else others).append(key)
        if others and not annotated:
            raise DataError(
                f'{annotations}: none of the {len(others)} images in {names.root} has an annotation such as '
                f'{without_suffix(others[0])}{suffix}; add them, or name another folder.'
            )
        if others:
            text = f'{len(others)} images have no annotation ({suffix}) and are left out: {some(others, 3)}.'
            notes.append(Note('annotation', annotations, f'{annotations}: {text}'))
        return annotated

    def _annotation(self, file: Path, on_error: ErrorHandler) -> Annotation:
        try:
            return self.read_annotation(file, on_error)
        except InputError as error:
            on_error('annotation', file, error)
            return Annotation(0, 0, [])


class _Search:
    """Looks for images and annotations of the same names."""

    def __init__(self, format: SidecarFormat) -> None:
        self.format = format
        self.known: dict[Path, tuple[set[str], list[str], list[Path]]] = {}

    def find(self, root: Path) -> list[Folders]:
        if self.belong(root, root):
            return [Folders(WHOLE, root, root)]
        found = self.below(root)
        parts = [folders for folders in found if role(folders.name)]
        if parts or len(found) < 2:
            return parts or [Folders(WHOLE, folders.images, folders.annotations) for folders in found]
        together = _common(found)
        return found if together is None else [together]

    def below(self, root: Path, deeper: bool = True) -> list[Folders]:
        folders = self.look(root)[2]
        found = [Folders(folder.name, folder, folder) for folder in folders if self.belong(folder, folder)]
        mixed = {item.images for item in found}
        places = [folder for folder in folders if any(word in folder.name.lower() for word in _ANNOTATION_FOLDERS)]
        for place in places:
            if place not in mixed:
                found += [Folders(other.name, other, place) for other in folders if self.belong(other, place)]
        if found or not deeper:
            return found
        for folder in folders:
            if role(folder.name):
                found += [Folders(folder.name, item.images, item.annotations) for item in self.below(folder, False)]
        for place in () if found else places:
            for part in self.look(place)[2]:
                for other in folders:
                    if other != place and self.belong(other / part.name, part):  # images/train, annotations/train
                        found.append(Folders(part.name, other / part.name, part))
                    elif other != place and self.belong(other, part):  # images, annotations/xmls
                        found.append(Folders(other.name, other, part))
        return found

    def belong(self, images: Path, annotations: Path) -> bool:
        """Whether there are annotations of images of these folders."""
        stems = self.look(annotations)[1][:_LOOK_AT]
        if not stems:
            return False
        known = self.look(images)[0]
        pairs = [stem for stem in stems if stem in known]
        files = (self.format.annotation_file(annotations, stem) for stem in islice(pairs, 5))
        return any(map(self.format.is_annotation, files))

    def look(self, folder: Path) -> tuple[set[str], list[str], list[Path]]:
        """Returns the stems of the images and of the annotations in a folder, and the folders in it."""
        if folder not in self.known:
            images, annotations, folders = set(), [], []
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        stem, suffix = os.path.splitext(entry.name)
                        if entry.name.startswith('.'):
                            continue
                        if suffix.lower() in IMAGE_SUFFIXES:
                            images.add(stem)
                        elif suffix.lower() == self.format.annotation_suffix:
                            annotations.append(stem)
                        elif is_folder(entry):
                            folders.append(Path(entry.path))
            except OSError:
                pass
            self.known[folder] = images, sorted(annotations), sorted(folders) if len(folders) <= _MANY else []
        return self.known[folder]


def _whole(root: Path, found: Sequence[Folders]) -> Folders:
    """Returns the place from which lists name images: that of all, else that of training."""
    if len(found) < 2:
        return found[0] if found else Folders(WHOLE, root, root)
    return _common(found) or min(found, key=lambda folders: role(folders.name) != 'train')


def _common(found: Sequence[Folders]) -> Folders | None:
    """Returns the place that holds all of several as sub-folders; None where there is none."""
    images = {folders.images.parent for folders in found}
    annotations = {folders.annotations.parent for folders in found}
    same_names = all(folders.images.name == folders.annotations.name for folders in found)
    return Folders(WHOLE, *images, *annotations) if len(images) == len(annotations) == 1 and same_names else None
