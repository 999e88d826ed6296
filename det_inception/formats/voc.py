"""Pascal VOC: one XML file an image, lists of images in ``ImageSets/Main``."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from det_inception.formats.annotation_xml import AnnotationError, read_xml
from det_inception.formats.base import (
    NOT_BY_NAME,
    Format,
    FoundSplits,
    Split,
    SplitContent,
    role,
    sized,
    training_first,
)
from det_inception.formats.lists import ImageNames, read_list
from det_inception.formats.records import Box, DataError, ImageRecord, ObjectRecord
from det_inception.utils.errors import ErrorHandler, raise_error
from det_inception.utils.images import IMAGE_SUFFIXES

_PARTS = ('train', 'valid', 'val', 'test')
_LOOK_AT = 50  # XML files, to see whether images lie beside them


class VOC(Format):
    """Pascal VOC's layout, or XML files beside their images: in one folder, or in ``train``, ``valid`` and ``test``.

    Boxes are ``xmin ymin xmax ymax`` counted from 1, the last pixel included. Image and XML are found by the name in
    the list; what the XML says of file names is ignored.
    """

    name = 'voc'
    title = 'Pascal VOC layout'
    layout = 'Pascal VOC (ImageSets/Main, JPEGImages, Annotations)'

    def claim(self, path: Path) -> str | None:
        for folder in ('JPEGImages', 'ImageSets/Main'):
            if (path / folder).is_dir():
                return folder
        return next((f'XML files beside images in {folder}' for folder in self._mixed(path)), None)

    def splits(self, path: Path, image_root: Path | None = None) -> FoundSplits:
        """See :meth:`Format.splits`. Without lists, all images are one part, ``'all'``."""
        if not any((path / folder).is_dir() for folder in ('JPEGImages', 'ImageSets/Main')):
            folders = self._mixed(path)
            named = [Split(folder.name, self.name, path, (), folder, folder) for folder in folders if folder != path]
            return FoundSplits(training_first(named) or self.split_of(path, None))
        lists, passed_over = self._lists(path)
        return FoundSplits(
            training_first(split for source in lists or [None] for split in self.split_of(path, source)), passed_over
        )

    def split_of(self, root: Path, source: Path | None, image_root: Path | None = None) -> list[Split]:
        images = self.image_root(root)
        annotations = root / 'Annotations'
        annotations = images if images == root and not annotations.is_dir() else annotations
        name, lists = ('all', ()) if source is None else (source.stem, (source,))
        return [Split(name, self.name, root, lists, images, annotations)]

    def read(self, split: Split, on_error: ErrorHandler = raise_error) -> SplitContent:
        images = split.images or self.image_root(split.root)
        return SplitContent(self._records(split, images, on_error), None, images)

    def image_root(self, root: Path) -> Path:
        folder = root / 'JPEGImages'
        return root if not folder.is_dir() and self._mixed(root) else folder

    def as_in_file(self, box: Box, height: int, width: int) -> tuple[float, ...]:
        x1, y1, x2, y2 = box
        return (x1 + 1, y1 + 1, x2, y2) if x2 > x1 and y2 > y1 else box

    def _mixed(self, root: Path) -> list[Path]:
        """The folders in which XML files lie beside images of the same names."""
        return [folder for folder in (root, *(root / part for part in _PARTS)) if _has_pairs(folder)]

    def _lists(self, root: Path) -> tuple[list[Path], dict[str, str]]:
        found = {path.stem: path for path in sorted((root / 'ImageSets' / 'Main').glob('*.txt'))}
        passed_over = {}
        for stem in list(found):
            if any(stem.endswith(f'_{other}') for other in found if other != stem):
                passed_over[found.pop(stem).name] = 'a list of one class'
        if any(map(role, found)):
            for stem in [stem for stem in found if not role(stem)]:
                passed_over[found.pop(stem).name] = NOT_BY_NAME
        return list(found.values()), passed_over

    def _records(self, split: Split, images: Path, on_error: ErrorHandler) -> Iterator[ImageRecord]:
        annotations = split.annotations or split.root / 'Annotations'
        source = split.lists[0] if split.lists else images
        names = ImageNames(images)
        try:
            if not images.is_dir():
                raise DataError(f'{images}: no such folder of images; check data_root.')
            lines = [line for path in split.lists for line in read_list(path)] if split.lists else names.keys
        except DataError as error:
            on_error('list', source, error)
            return
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
            yield _record(images / found[0], Path(found[0]).with_suffix('').as_posix(), annotations, on_error)


def _record(path: Path, name: str, annotations: Path, on_error: ErrorHandler) -> ImageRecord:
    source = annotations / f'{name}.xml'
    height = width = 0
    objects = []
    try:
        annotation = read_xml(source, on_error)
        height, width = annotation.height, annotation.width
        objects = [ObjectRecord(item.name, _continuous(item.box), item.difficult) for item in annotation.objects]
    except AnnotationError as error:
        on_error('annotation', source, error)
    return ImageRecord(name, path, *sized(height, width, path, on_error), source, objects)


def _continuous(box: Box) -> Box:
    x1, y1, x2, y2 = box
    # Equal corners would be a box of one pixel; VOC itself has none, and other tools write empty boxes so.
    return (x1 - 1, y1 - 1, x2, y2) if x2 > x1 and y2 > y1 else box


def _has_pairs(folder: Path) -> bool:
    sources = list(islice(folder.glob('*.xml'), _LOOK_AT))
    if not sources:
        return False
    suffixes = (*IMAGE_SUFFIXES, *map(str.upper, IMAGE_SUFFIXES))
    return any(path.with_suffix(suffix).exists() for path in sources for suffix in suffixes)
