"""LabelMe: one JSON file of shapes an image.

Shape legend: a point is ``x y`` in pixels, continuous, from the upper left corner of the image.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Hashable
from pathlib import Path
from typing import Any

from det_inception.formats.records import Box, DataError, ObjectRecord, is_marked, read_start
from det_inception.formats.sidecars import Annotation, SidecarFormat
from det_inception.utils.errors import ErrorHandler

_MAX_BYTES = 256 << 20  # LabelMe keeps the image itself in the file, if one lets it.
_END = 1 << 20  # before and behind imageData
_LARGEST = 1e9  # as a coordinate
# What a value of another kind than the format has raises when it is used.
_WRONG_CONTENT = (KeyError, TypeError, ValueError, AttributeError, OverflowError)
_WITHOUT_AREA = ('point', 'points', 'line', 'linestrip')


class LabelMe(SidecarFormat):
    """LabelMe's JSON, beside the images or in a folder of its own.

    Of a polygon, a circle or a mask the bounding box is used; points and lines are left out. Shapes of one label and
    one ``group_id`` are one object. The image is found by the name of the JSON file, and ``imageData`` is not read.
    """

    name = 'labelme'
    title = 'LabelMe format'
    layout = 'LabelMe (.json files beside the images)'
    annotation_suffix = '.json'

    def is_annotation(self, path: Path) -> bool:
        return is_labelme(path)

    def read_annotation(self, path: Path, on_error: ErrorHandler) -> Annotation:
        content = _read(path)
        sizes = []
        for side in ('imageHeight', 'imageWidth'):
            try:
                sizes.append(max(0, int(content.get(side) or 0)))
            except _WRONG_CONTENT:
                sizes.append(0)
        boxes: dict[Hashable, tuple[str, Box, bool]] = {}
        left_out: dict[str, None] = {}
        for number, shape in enumerate(content['shapes'], start=1):
            try:
                label, kind = _text(shape['label']), _text(shape.get('shape_type') or 'polygon')
                box = bounding_box(kind, shape['points'])
                group = shape.get('group_id')
                key = number if group is None else (label, repr(group))
                difficult = is_marked(shape.get('difficult'))
            except _WRONG_CONTENT as error:
                reason = f'{type(error).__name__} {error}'
                text = f'{path}: shape {number} is not as LabelMe has it ({reason}); correct or remove it.'
                on_error('annotation', path, DataError(text))
                continue
            if box is None:
                left_out[kind] = None
            elif key in boxes:
                _, other, both = boxes[key]
                boxes[key] = label, _union(box, other), difficult and both
            else:
                boxes[key] = label, box, difficult
        notes = tuple(
            f'a shape is a {kind}, which has no box; it is left out, and so are all others.' for kind in left_out
        )
        return Annotation(*sizes, [ObjectRecord(*item) for item in boxes.values()], notes)


def is_labelme(path: Path) -> bool:
    """Whether a JSON file may be one of LabelMe's, at a glance."""
    try:
        with open(path, 'rb') as file:
            ends = file.read(_END)
            size = os.fstat(file.fileno()).st_size
            if size > _END:
                file.seek(max(_END, size - _END))
                ends += file.read(_END)
    except OSError:
        return False
    return b'"shapes"' in ends and b'"images"' not in ends


def bounding_box(kind: str, points: Any) -> Box | None:
    """Returns the box around a shape, continuous; None for shapes without area.

    Args:
        kind: LabelMe's ``shape_type``.
        points: N pairs: two opposite corners of a rectangle or a mask, center and a point of a circle, or the corners
            of a polygon.

    Raises:
        ValueError: The points are none.

    Example:
        >>> bounding_box('circle', [[10, 10], [13, 14]])
        (5.0, 5.0, 15.0, 15.0)
    """
    pairs = [(float(x), float(y)) for x, y in points]
    if not pairs or not all(abs(value) < _LARGEST for pair in pairs for value in pair):  # NaN as well.
        raise ValueError('its points are no numbers')
    if kind in _WITHOUT_AREA:
        return None
    if len(pairs) < 2:
        raise ValueError(f'a {kind} has more than one point')
    if kind == 'circle':
        (x, y), edge = pairs[:2]
        radius = math.dist((x, y), edge)
        return x - radius, y - radius, x + radius, y + radius
    xs, ys = zip(*pairs)
    last = kind == 'mask'  # Its second corner is the last pixel.
    return min(xs), min(ys), max(xs) + last, max(ys) + last


def _read(path: Path) -> dict[str, Any]:
    content = read_start(path, _MAX_BYTES + 1, DataError)
    if len(content) > _MAX_BYTES:
        raise DataError(f'{path}: more than {_MAX_BYTES >> 20} MB are no annotation; save it without imageData.')
    try:
        loaded = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DataError(f'{path}: the annotation is no valid JSON ({error}); correct or remove it.') from error
    if not isinstance(loaded, dict) or not isinstance(loaded.get('shapes'), list):
        raise DataError(f'{path}: has no list of "shapes", as LabelMe writes it; correct or remove the file.')
    return loaded


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f'{value!r} is no name')
    return value.strip()


def _union(first: Box, second: Box) -> Box:
    return (*map(min, first[:2], second[:2]), *map(max, first[2:], second[2:]))
