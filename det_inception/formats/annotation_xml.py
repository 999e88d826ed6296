"""Reads one image's annotation in the XML of Pascal VOC and ILSVRC, and puts its boxes in order.

Boxes are given as they stand in the file: inclusive pixel indices, counted from 1 in Pascal VOC and from 0 in ILSVRC.
"""

from __future__ import annotations

import codecs
import os
import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree
from xml.parsers import expat

from det_inception.formats.records import is_marked, read_start
from det_inception.utils.errors import ErrorHandler, InputError, raise_error

MAX_XML_BYTES = 4 << 20  # the largest annotation of the challenge has 0.1 MB
_DECLARATION = re.compile(rb'<\?xml[^>]{0,100}?\bencoding\s*=\s*["\']([\w.:-]{1,40})["\']')
_OF_THE_PARSER = ('utf-8', 'utf-16', 'iso8859-1', 'ascii')
_SIDES = ('xmin', 'ymin', 'xmax', 'ymax')


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


def read_xml(path: str | Path, on_error: ErrorHandler = raise_error) -> ImageAnnotation:
    """Reads a Pascal VOC or ILSVRC annotation file.

    The names of folder, image and path inside it are ignored: in real data sets they are often wrong.

    Args:
        path: The file.
        on_error: What to do about an object without name or box: raise the error, or note it, whereupon the object is
            left out. A file that is no annotation at all is always raised.

    Raises:
        AnnotationError: The file is missing, no XML, declares entities, or an object lacks its name or its box.
    """
    return parse_annotation(read_start(path, MAX_XML_BYTES + 1, AnnotationError), path, on_error)


def parse_annotation(
    content: bytes, source: str | os.PathLike, on_error: ErrorHandler = raise_error
) -> ImageAnnotation:
    """Reads the content of an annotation file; see :func:`read_xml`.

    Args:
        content: The content, in any encoding that the XML declares.
        source: The file's name, for messages.
        on_error: As for :func:`read_xml`.
    """
    root = xml_root(content, source)
    if root.tag != 'annotation':
        raise AnnotationError(
            f'{source}: the root is <{root.tag}>, not <annotation>: no annotation of Pascal VOC or ILSVRC; replace it.'
        )
    objects = []
    for number, element in enumerate(root.iter('object'), start=1):
        try:
            objects.append(_read_object(element, number, source))
        except AnnotationError as error:
            on_error('annotation', source, error)
    size = root.find('size')
    return ImageAnnotation(_whole(size, 'width'), _whole(size, 'height'), tuple(objects))


def xml_root(content: bytes, source: str | os.PathLike) -> ElementTree.Element:
    """Parses XML from strangers: no document type, hence no entities and no other files, and at most 4 MB.

    With entities, a small file could make the parser expand gigabytes. Looking for ``<!DOCTYPE`` in the bytes would not
    do, because XML may be in UTF-16; here the parser itself says no.

    Args:
        content: The content, in any encoding that the XML declares.
        source: The file's name, for messages.

    Raises:
        AnnotationError: It declares a document type, is not well-formed, or is too large.
    """
    if len(content) > MAX_XML_BYTES:
        raise AnnotationError(f'{source}: more than {MAX_XML_BYTES >> 20} MB are no annotation; remove the file.')

    def refuse(*_: object) -> None:
        raise AnnotationError(f'{source}: the annotation declares a document type or entities; remove the declaration.')

    builder = ElementTree.TreeBuilder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(_decoded(content), True)
    except AnnotationError:
        raise
    except (expat.ExpatError, ValueError, LookupError) as error:  # The latter two: an unknown encoding.
        advice = 'mend or remove it' if _is_utf8(content) else 'mend or remove it, or save it as UTF-8'
        raise AnnotationError(f'{source}: the annotation is not well-formed XML ({error}); {advice}.') from error
    return builder.close()


def _decoded(content: bytes) -> bytes | str:
    """Decodes what declares an encoding that the parser does not know, such as GBK; leaves the rest to the parser.

    Raises:
        LookupError: There is no encoding of this name.
        ValueError: The file is not in it.
    """
    declared = _DECLARATION.match(content)
    if declared is None or codecs.lookup(name := declared[1].decode('ascii')).name in _OF_THE_PARSER:
        return content
    return content.decode(name)


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode('utf-8')
    except ValueError:
        return False
    return True


def _whole(size: ElementTree.Element | None, side: str) -> int:
    try:
        return max(0, int(float(size.findtext(side))))
    except (AttributeError, TypeError, ValueError, OverflowError):
        return 0


def _read_object(element: ElementTree.Element, number: int, source: str | os.PathLike) -> AnnotatedObject:
    name = (element.findtext('name') or '').strip()
    if not name:
        raise AnnotationError(f'{source}: object {number} has no <name>; add it, or remove the object.')
    box = []
    corners = element.find('bndbox')
    for side in _SIDES:
        text = None if corners is None else corners.findtext(side)
        try:
            box.append(float(text))
        except (TypeError, ValueError) as error:
            raise AnnotationError(
                f'{source}: object {number}, {name!r}, has no complete <bndbox> of numbers: {side} = {text!r}; mend it '
                'or remove the object.'
            ) from error
    if not all(abs(value) < 1e9 for value in box):  # Catches infinities and NaN as well.
        raise AnnotationError(
            f'{source}: object {number}, {name!r}, has {", ".join(_SIDES)} = {tuple(box)}, which is no box; mend it or '
            'remove the object.'
        )
    return AnnotatedObject(name, tuple(box), is_marked(element.findtext('difficult')))
