"""Former reader, until the checks use :mod:`det_inception.formats`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from det_inception.datasets.coco import ImageRecord
from det_inception.formats.annotation_xml import AnnotationError, read_xml
from det_inception.formats.lists import read_list
from det_inception.formats.records import DataError
from det_inception.utils.errors import ErrorHandler, raise_error
from det_inception.utils.images import IMAGE_SUFFIXES, ImageError, image_size

_NUMBER_BEHIND = re.compile(r'\s+-?\d+$')


def voc_records(
    ann_file: str | Path | None, images: Path, annotations: Path, on_error: ErrorHandler = raise_error
) -> Iterator[ImageRecord]:
    """Reads the images of a list in Pascal VOC's layout.

    Args:
        ann_file: The list; None: all images of the folder.
        images: The folder of images.
        annotations: The folder of XML files.
        on_error: Hears of every fault; see :data:`det_inception.utils.errors.ErrorHandler`. Where it goes on, an
        image whose
            annotation cannot be read comes without objects, and one of unknown size with the size 0 x 0.

    Yields:
        The images in the order of the list.
    """
    try:
        files = files_by_name(images)
        lines = image_files(files) if ann_file is None else read_list(ann_file)
    except DataError as error:
        on_error('list', ann_file or images, error)
        return
    for line in lines:
        found = files.get(line) or files.get(list_entry(line))
        if not found:
            error = DataError(
                f'{images / line}: no image of this name, with any of {", ".join(IMAGE_SUFFIXES)}; add it or take it '
                f'out of {ann_file}.'
            )
            on_error('missing image', images / line, error)
            continue
        if len(found) > 1:
            error = DataError(f'{ann_file}: {line} may be {found[0]} or {found[1]}; list it with its suffix.')
            on_error('list', ann_file, error)
            continue
        path = images / found[0]
        name = Path(found[0]).with_suffix('').as_posix()
        source = annotations / f'{name}.xml'
        height = width = 0
        objects = []
        try:
            annotation = read_xml(source, on_error)
            height, width = annotation.height, annotation.width
            objects = [(item.name, _continuous(item.box), item.difficult) for item in annotation.objects]
        except AnnotationError as error:
            on_error('annotation', source, error)
        if not (height and width):
            try:
                height, width = image_size(path)
            except ImageError as error:
                on_error('unreadable image', path, error)
        yield ImageRecord(name, path, height, width, source, objects)


def list_entry(line: str) -> str:
    """Returns the image's name in a line of a list, without the number that VOC's lists of one class have behind it."""
    return _NUMBER_BEHIND.sub('', line)


def _continuous(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = box
    # Equal corners would be a box of one pixel; VOC itself has none, and other tools write empty boxes so.
    return (x1 - 1, y1 - 1, x2, y2) if x2 > x1 and y2 > y1 else box


def image_files(files: dict[str, list[str]]) -> list[str]:
    """Returns the relative paths of what :func:`files_by_name` found, sorted and each once."""
    return sorted({path for paths in files.values() for path in paths})


def files_by_name(folder: Path) -> dict[str, list[str]]:
    """Returns the images below a folder by their relative path, and by that without its suffix.

    Raises:
        DataError: There is no such folder.
    """
    if not folder.is_dir():
        raise DataError(f'{folder}: no such folder of images; check data_root.')
    files: dict[str, list[str]] = {}
    for path in sorted(folder.rglob('*')):
        if path.suffix.lower() in IMAGE_SUFFIXES:
            path = path.relative_to(folder)
            for name in (path, path.with_suffix('')):
                files.setdefault(name.as_posix(), []).append(path.as_posix())
    return files
