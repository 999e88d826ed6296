"""ILSVRC DET in the folders as it is shipped, of 2015 and later (``Data/DET``) or of 2014 (``ILSVRC2013_DET_val``)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from det_inception.formats.annotation_xml import AnnotationError, ImageAnnotation, read_xml
from det_inception.formats.base import (
    NOT_BY_NAME,
    Format,
    FoundSplits,
    Split,
    SplitContent,
    natural_order,
    role,
    sized,
    training_first,
)
from det_inception.formats.cache import read_annotations
from det_inception.formats.folders import walk
from det_inception.formats.ilsvrc_lists import BAD_IMAGES, is_training_image, read_train_lists
from det_inception.formats.lists import read_list, spellings
from det_inception.formats.records import Box, DataError, ImageRecord, ObjectRecord
from det_inception.formats.synsets import DET_CLASSES, DET_SYNSETS, DET_WNIDS
from det_inception.utils.errors import ErrorHandler, InputError, raise_error

_NAME_OF_WNID = dict(zip(DET_WNIDS, DET_CLASSES))
_WNID_OF_NAME = {synset.name.casefold(): synset.wnid for synset in DET_SYNSETS}
_LIST_OF_A_CLASS = re.compile(r'train(_(pos|part|neg))?_\d+')


@dataclass(frozen=True)
class ILSVRCDetSplit(Split):
    """A part of ILSVRC DET.

    Attributes:
        labels: Of a folder of training lists, which images: some of ``'positive'``, ``'partial'``, ``'negative'``.
        discard: Names of images to leave out, without folders.
        exhaustive: Whether all objects of every image are annotated; None: in all images but those of the official
            training set, which are known by their names.
        cache_dir: Where annotations are kept; see :func:`~det_inception.formats.cache.read_annotations`.
    """

    labels: tuple[str, ...] = ('positive', 'partial')
    discard: tuple[str, ...] = ()
    exhaustive: bool | None = None
    cache_dir: str | None = None


class ILSVRCDet(Format):
    """ILSVRC DET: classes are known by WNID in the annotations and by name in the records.

    Boxes are ``xmin ymin xmax ymax`` counted from 0, the last pixel included. An image without objects may lack its
    annotation.
    """

    name = 'ilsvrc'
    title = 'ILSVRC DET'
    layout = 'ILSVRC DET (ImageSets/DET, Data/DET, Annotations/DET)'
    classes = DET_CLASSES

    def claim(self, path: Path) -> str | None:
        for folder in ('ImageSets/DET', 'Annotations/DET', 'Data/DET'):
            if (path / folder).is_dir():
                return folder
        return next((folder.name for folder in _folders_of_2014(path)), None)

    def splits(self, path: Path, image_root: Path | None = None) -> FoundSplits:
        """See :meth:`Format.splits`. Where there is no ``train.txt``, the lists of the classes are put together."""
        lists = {file.stem: file for file in sorted((path / 'ImageSets' / 'DET').glob('*.txt'))}
        if not lists and _folders_of_2014(path):
            return FoundSplits(training_first(self.split_of(path, None)))
        of_classes = [stem for stem in lists if _LIST_OF_A_CLASS.fullmatch(stem)]
        splits: list[Split] = []
        passed_over = {}
        if of_classes and 'train' not in lists:
            files = tuple(lists[stem] for stem in sorted(of_classes, key=natural_order))
            splits += self._splits(path, 'train', files)
        elif of_classes:
            passed_over[f'{len(of_classes)} lists of one class'] = 'train.txt is there'
        for stem, file in lists.items():
            if stem in of_classes:
                continue
            if role(stem) is None:
                passed_over[file.name] = NOT_BY_NAME
            elif role(stem) == 'test' and not _pairs(path).get('test', (path, path / 'nowhere'))[1].is_dir():
                passed_over[file.name] = 'its annotations were never published'
            else:
                splits += self._splits(path, stem, (file,))
        if not splits:
            raise DataError(
                f'{path / "ImageSets" / "DET"}: no list of images that is known; add train.txt and val.txt, one image '
                'a line.'
            )
        return FoundSplits(training_first(splits), passed_over)

    def split_of(self, root: Path, source: Path | None, image_root: Path | None = None) -> list[Split]:
        """See :meth:`Format.split_of`: a part for each folder that the name of the list, or the lack of one, allows."""
        if source is not None and role(source.stem) is not None:
            return self._splits(root, source.stem, (source,))
        lists = () if source is None else (source,)
        return [
            ILSVRCDetSplit(name, self.name, root, lists, *folders)
            for name, folders in _pairs(root).items()
            if folders[1].is_dir()
        ]

    def read(self, split: Split, on_error: ErrorHandler = raise_error) -> SplitContent:
        """See :meth:`Format.read`. Only without a handler that goes on are annotations kept in the cache."""
        if not isinstance(split, ILSVRCDetSplit):
            split = ILSVRCDetSplit(split.name, self.name, split.root, split.lists, split.images, split.annotations)
        return SplitContent(_records(split, on_error), DET_CLASSES, split.images)

    def for_training(self, split: Split) -> Split:
        return replace(split, discard=BAD_IMAGES) if isinstance(split, ILSVRCDetSplit) else split

    def image_root(self, root: Path) -> Path:
        return root / 'Data' / 'DET' if (root / 'Data' / 'DET').is_dir() else root

    def as_in_file(self, box: Box, height: int, width: int) -> tuple[float, ...]:
        return box[0], box[1], box[2] - 1, box[3] - 1

    def _splits(self, root: Path, name: str, lists: tuple[Path, ...]) -> list[Split]:
        folders = [pair for folder, pair in _pairs(root).items() if role(folder) == role(name)]
        folders = folders or [tuple(root / kind / 'DET' / role(name) for kind in ('Data', 'Annotations'))]
        return [ILSVRCDetSplit(name, self.name, root, lists, *pair) for pair in folders]


def _folders_of_2014(root: Path) -> list[Path]:
    return sorted(path for path in root.glob('ILSVRC*_DET_bbox_*') if path.is_dir())


def _pairs(root: Path) -> dict[str, tuple[Path, Path]]:
    """Folders of images and of annotations by the name of the part."""
    if folders := _folders_of_2014(root):
        return {path.name: (root / path.name.replace('_bbox_', '_'), path) for path in folders}
    kinds = [root / kind / 'DET' for kind in ('Data', 'Annotations')]
    names = sorted({path.name for folder in kinds for path in folder.glob('*/') if path.is_dir()})
    return {name: (kinds[0] / name, kinds[1] / name) for name in names}


def listed_images(split: ILSVRCDetSplit, on_error: ErrorHandler = raise_error) -> Iterator[tuple[str, int | str, Path]]:
    """Yields each image of a split's lists: name relative to the split's folder, id, and the list that names it.

    The id is the index in submission files where a list has one behind the name, else the name.
    """
    if not split.lists:
        names = {name[:-4] for name in walk(split.annotations, ['.xml'])}
        names |= {name[:-5] for name in walk(split.images, ['.jpeg'])}
        yield from ((name, name, split.images) for name in sorted(names))
        return
    seen: set[str] = set()
    for path in split.lists:
        try:
            if path.is_dir():
                lists = read_train_lists(path, split.labels)
                listed = [(lists.images[position], None) for position in lists.having(split.labels)]
            else:
                listed = [_name_and_index(line, split) for line in read_list(path)]
        except InputError as error:
            on_error('list', path, error)
            continue
        for name, index in listed:
            if Path(name).name in split.discard:
                continue
            if len(split.lists) > 1:
                if name in seen:
                    continue
                seen.add(name)
                index = None  # It is not an index, but whether the image shows the list's class.
            yield name, name if index is None else index, path


def _name_and_index(line: str, split: ILSVRCDetSplit) -> tuple[str, int | None]:
    names = list(spellings(line))
    name, number = next((pair for pair in names if _is_there(pair[0], split)), names[-1])
    return name, None if number is None or number < 0 else number


def _is_there(name: str, split: ILSVRCDetSplit) -> bool:
    return os.path.exists(split.annotations / f'{name}.xml') or os.path.exists(split.images / f'{name}.JPEG')


def _records(split: ILSVRCDetSplit, on_error: ErrorHandler) -> Iterator[ImageRecord]:
    listed = listed_images(split, on_error)
    if on_error is raise_error:
        listed = list(listed)
        sources = [split.annotations / f'{name}.xml' for name, _, _ in listed]
        annotations: Iterator[ImageAnnotation | None] = iter(read_annotations(sources, split.cache_dir))
    else:
        annotations = None  # One by one: half a million need not be in memory together.
    for name, image_id, listed_in in listed:
        source = split.annotations / f'{name}.xml'
        annotation = _annotation(source, on_error) if annotations is None else next(annotations)
        path = split.images / f'{name}.JPEG'
        if annotation is None and not os.path.exists(path):  # Training images without an object have no annotation.
            error = DataError(
                f'{path}: neither image nor annotation exists; check data_root, add them, or take it out of '
                f'{listed_in}.'
            )
            on_error('missing image', path, error)
            continue
        height, width = (annotation.height, annotation.width) if annotation else (0, 0)
        yield ImageRecord(
            image_id,
            path,
            *sized(height, width, path, on_error),
            source,
            _objects(annotation, source, on_error) if annotation else [],
            not is_training_image(name) if split.exhaustive is None else split.exhaustive,
        )


def _annotation(source: Path, on_error: ErrorHandler) -> ImageAnnotation | None:
    if not os.path.exists(source):
        return None
    try:
        return read_xml(source, on_error)
    except AnnotationError as error:
        on_error('annotation', source, error)
        return ImageAnnotation(0, 0, ())


def _objects(annotation: ImageAnnotation, source: Path, on_error: ErrorHandler) -> list[ObjectRecord]:
    for wnid in dict.fromkeys(item.name for item in annotation.objects if item.name not in _NAME_OF_WNID):
        meant = _WNID_OF_NAME.get(wnid.casefold().replace(' ', '_'))
        advice = f'write the WNID {meant}' if meant else 'correct the file'
        error = DataError(
            f'{source}: an object is of {wnid!r}, which is none of the 200 WNIDs of ILSVRC DET; {advice}.'
        )
        on_error('unknown class', source, error)
    return [
        ObjectRecord(
            _NAME_OF_WNID[item.name], (item.box[0], item.box[1], item.box[2] + 1, item.box[3] + 1), item.difficult
        )
        for item in annotation.objects
        if item.name in _NAME_OF_WNID
    ]
