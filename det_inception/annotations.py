"""Reads one image's annotation in the XML of Pascal VOC and ILSVRC, and puts its boxes in order.

Boxes are given as they stand in the file: inclusive pixel indices, counted from 1 in Pascal VOC and from 0 in ILSVRC.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

from det_inception.errors import Complain, InputError, raise_it


class AnnotationError(InputError):
    """An annotation that cannot be used; the message names the file and says what to do."""


@dataclass(frozen=True)
class AnnotatedObject:
    """One object of an XML file.

    Attributes:
        name: Class name, or WNID in ILSVRC.
        box: xmin, ymin, xmax, ymax as they stand in the file.
        difficult: Pascal VOC's flag; absent means False.
    """

    name: str
    box: tuple[float, float, float, float]
    difficult: bool


@dataclass(frozen=True)
class ImageAnnotation:
    """What an XML file says of its image.

    Attributes:
        width: Of the image in pixels; 0 where the file does not say.
        height: Likewise.
        objects: In the order of the file.
    """

    width: int
    height: int
    objects: tuple[AnnotatedObject, ...]


def read_xml(path: str | Path, complain: Complain = raise_it) -> ImageAnnotation:
    """Reads a Pascal VOC or ILSVRC annotation file.

    The names of folder, image and path inside it are ignored: in real data sets they are often wrong.

    Args:
        path: The file.
        complain: What to do about an object without name or box: raise the error, or note it, whereupon the object is
            left out. A file that is no annotation at all is always raised.

    Raises:
        AnnotationError: The file is missing, no XML, declares entities, or an object lacks its name or its box.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise AnnotationError(
            f'{path}: the annotation cannot be read ({error.strerror or error}); add it, or take its image out of the '
            'list of images.'
        ) from error
    try:
        root = ElementTree.fromstring(content, ElementTree.XMLParser(target=_PlainBuilder()))
    except _DocumentTypeError as error:
        raise AnnotationError(
            f'{path}: the annotation declares a document type or entities; remove the declaration.'
        ) from error
    except (ElementTree.ParseError, ValueError, LookupError) as error:  # The latter two: an unknown encoding.
        raise AnnotationError(f'{path}: the annotation is no well-formed XML ({error}); mend or remove it.') from error
    if root.tag != 'annotation':
        raise AnnotationError(
            f'{path}: this is no annotation of Pascal VOC or ILSVRC: it begins with <{root.tag}>, not <annotation>; '
            'replace it.'
        )
    size = root.find('size')
    objects = []
    for element in root.iter('object'):
        try:
            objects.append(_read_object(element, path))
        except AnnotationError as error:
            complain('annotation', path, error)
    return ImageAnnotation(_whole(size, 'width'), _whole(size, 'height'), tuple(objects))


class _DocumentTypeError(Exception):
    pass


class _PlainBuilder(ElementTree.TreeBuilder):
    """Refuses document types: with entities, a stranger's small file could make the parser expand gigabytes."""

    def doctype(self, name: str, public_id: str | None, system_id: str | None) -> None:
        raise _DocumentTypeError(name)


def _whole(element: ElementTree.Element | None, tag: str) -> int:
    try:
        return max(0, int(float(element.findtext(tag))))
    except (AttributeError, TypeError, ValueError, OverflowError):
        return 0


def _read_object(element: ElementTree.Element, path: str | Path) -> AnnotatedObject:
    name = (element.findtext('name') or '').strip()
    if not name:
        raise AnnotationError(f'{path}: an object has no name; add <name>, or remove the object.')
    try:
        box = tuple(float(element.findtext(f'bndbox/{tag}')) for tag in ('xmin', 'ymin', 'xmax', 'ymax'))
    except (TypeError, ValueError) as error:
        raise AnnotationError(
            f'{path}: an object {name!r} has no complete <bndbox> of numbers; mend it or remove the object.'
        ) from error
    if not all(abs(value) < 1e9 for value in box):  # Catches infinities and NaN as well.
        raise AnnotationError(f'{path}: the box {box} of an object {name!r} is no box; mend it or remove the object.')
    return AnnotatedObject(name, box, (element.findtext('difficult') or '').strip().lower() in ('1', 'true', 'yes'))


def clip_box(box: tuple[float, float, float, float], width: int, height: int) -> tuple[float, ...] | None:
    """Cuts a continuous box x1, y1, x2, y2 to the image; None if less than a pixel of either side is left."""
    x1, y1 = max(0.0, box[0]), max(0.0, box[1])
    x2, y2 = min(float(width), box[2]), min(float(height), box[3])
    return (x1, y1, x2, y2) if x2 - x1 >= 1 and y2 - y1 >= 1 else None
