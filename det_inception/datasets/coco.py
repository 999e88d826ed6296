"""Former reader, until the checks use :mod:`det_inception.formats`."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from det_inception.formats.records import DataError
from det_inception.utils.errors import ErrorHandler, raise_error

# What a value of another kind than the format has raises when it is used.
_WRONG_CONTENT = (KeyError, TypeError, ValueError, AttributeError, OverflowError)
_Objects = list[tuple[str, tuple[float, float, float, float], bool]]


@dataclass
class ImageRecord:
    """One image of a data set, as its files describe it.

    Attributes:
        image_id: What the metric and the submission know the image by.
        path: The image file.
        height: In pixels.
        width: In pixels.
        source: The annotation file, for messages.
        objects: (class name, continuous box x1 y1 x2 y2, ignored in the score) of each object.
        exhaustive: Whether all its objects are annotated, so that everything else is background.
    """

    image_id: int | str
    path: Path
    height: int
    width: int
    source: Path
    objects: list[tuple[str, tuple[float, float, float, float], bool]] = field(default_factory=list)
    exhaustive: bool = True


def read_json(path: str | Path) -> dict:
    """Reads a file of COCO's format, of which it checks no more than that it is a JSON object.

    Raises:
        DataError: The file cannot be read, or is something else.
    """
    try:
        content = json.loads(Path(path).read_bytes())
    except OSError as error:
        raise DataError(
            f'{path}: the annotation file cannot be read ({error.strerror or error}); check data_root and ann_file.'
        ) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f'{path}: the annotation file is no valid JSON ({error}); correct it.') from error
    if not isinstance(content, dict):
        raise DataError(f'{path}: the annotation file holds no JSON object; COCO\'s format begins with {{"images": ...')
    return content


def category_names(content: dict, source: str | Path, on_error: ErrorHandler = raise_error) -> dict[Hashable, str]:
    """Returns the names of a file's categories by their ids.

    Args:
        content: From :func:`read_json`.
        source: The file's name, for messages.
        on_error: Hears of categories without id or name, and of one id for two names.
    """
    names: dict[Hashable, str] = {}
    for number, category in enumerate(_part(content, 'categories', source, on_error)):
        try:
            identity, name = category['id'], str(category['name'])
            first = names.setdefault(identity, name)
        except _WRONG_CONTENT as error:
            on_error('annotation', source, _unlike_coco(source, f'number {number} of its categories', error))
            continue
        if first != name:
            error = DataError(
                f'{source}: the category id {identity!r} means {first!r} and {name!r}; give each an id of its own.'
            )
            on_error('ids', source, error)
    return names


def coco_records(
    content: dict, source: str | Path, folder: Path, on_error: ErrorHandler = raise_error
) -> Iterator[ImageRecord]:
    """Reads the images and objects of a file in COCO's format.

    Args:
        content: From :func:`read_json`.
        source: The file's name, for messages.
        folder: Of the images.
        on_error: Hears of every fault; what it is about is left out where it goes on. See
            :data:`det_inception.utils.errors.ErrorHandler`.

    Yields:
        The images in the order of the file.
    """
    source = Path(source)
    # Faults of the categories themselves were told by whoever asked for their names before.
    objects = _objects_by_image(content, source, category_names(content, source, lambda *_: None), on_error)
    seen: dict[Hashable, int] = {}
    for number, image in enumerate(_part(content, 'images', source, on_error)):
        try:
            identity, name = image['id'], image['file_name']
            record = ImageRecord(identity, folder / name, int(image['height']), int(image['width']), source)
            first = seen.setdefault(identity, number)
        except _WRONG_CONTENT as error:
            on_error('annotation', source, _unlike_coco(source, f'number {number} of its images', error))
            continue
        if first != number:  # To which of the two would its objects belong?
            error = DataError(
                f'{source}: {content["images"][first]["file_name"]} and {name} have the same image id, {identity!r}; '
                'list every image once, with an id of its own.'
            )
            on_error('ids', source, error)
            continue
        record.objects = objects.pop(identity, [])
        yield record
    for identity, left in objects.items():
        if left:
            error = DataError(
                f'{source}: {len(left)} annotations are of the image id {identity!r}, which is not among its images; '
                'correct the file.'
            )
            on_error('ids', source, error)


def _objects_by_image(
    content: dict, source: Path, names: dict[Hashable, str], on_error: ErrorHandler
) -> dict[Hashable, _Objects]:
    objects: dict[Hashable, _Objects] = defaultdict(list)
    annotations = _part(content, 'annotations', source, on_error) if 'annotations' in content else []
    for number, annotation in enumerate(annotations):
        try:
            if annotation.get('ignore'):
                continue
            x, y, width, height = (float(value) for value in annotation['bbox'])
            box = (x, y, x + width, y + height)
            if not all(abs(value) < 1e9 for value in box):  # JSON as Python reads it knows NaN.
                raise ValueError(f'the box {annotation["bbox"]} is none')
            category, image = annotation['category_id'], annotation['image_id']
            name = names.get(category)
            of_image = objects[image]
        except _WRONG_CONTENT as error:
            on_error('annotation', source, _unlike_coco(source, _named(number, annotation), error))
            continue
        if name is None:
            error = DataError(
                f'{source}: {_named(number, annotation)} is of the category id {category!r}, which is not among its '
                'categories; correct the file.'
            )
            on_error('ids', source, error)
            continue
        of_image.append((name, box, bool(annotation.get('iscrowd'))))
    return objects


def _part(content: dict, name: str, source: str | Path, on_error: ErrorHandler) -> list[Any]:
    part = content.get(name)
    if isinstance(part, list):
        return part
    reason = 'is missing' if part is None else f'is no list but a {type(part).__name__}'
    error = DataError(
        f'{source}: this is not COCO\'s format ("images", "annotations" and "categories" that refer to each other): '
        f'{name!r} {reason}; correct the file.'
    )
    on_error('annotation', source, error)
    return []


def _named(number: int, annotation: object) -> str:
    identity = annotation.get('id') if isinstance(annotation, dict) else None
    return f'number {number} of its annotations' if identity is None else f'the annotation of id {identity!r}'


def _unlike_coco(source: str | Path, part: str, error: Exception) -> DataError:
    return DataError(
        f"{source}: {part} is not as COCO's format has it ({type(error).__name__} {error}); correct the file."
    )
