"""What is wrong with an image's boxes, and what the data sets make of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from det_inception.formats import Format, ImageRecord, clip_box
from det_inception.formats.records import Box


def box_problems(record: ImageRecord, format: Format) -> Iterator[tuple[str, str]]:
    """Yields kind and description of every box that the data sets cut or drop, and of objects annotated twice.

    Args:
        record: An image; where its size is unknown (0), boxes are only looked at for themselves.
        format: The format of its annotation, in which boxes are shown.
    """

    def shown(box: Box) -> str:
        return '(' + ', '.join(f'{side:.6g}' for side in format.as_in_file(box, record.height, record.width)) + ')'

    if not (record.height and record.width) and not any(side for item in record.objects for side in item.box):
        return  # Shares of an unknown size.
    for item in record.objects:
        fault = box_fault(item.box, record.width, record.height)
        if fault is not None:
            kind, text = fault
            if kind == 'box cut' and format.name == 'voc' and _counts_from_zero(item.box, record.width, record.height):
                text = (
                    'begins at 0, where Pascal VOC counts pixels from 1, and is cut to the image; add 1 to its corners'
                )
            yield kind, f'the box {shown(item.box)} of an object {item.name!r} {text}.'
    copies = Counter((item.name, item.box) for item in record.objects if not item.ignored)
    for (name, box), count in copies.items():
        if count > 1:
            yield 'box twice', f'an object {name!r} at {shown(box)} is there {count} times; leave one.'


def box_fault(box: Box, width: int, height: int) -> tuple[str, str] | None:
    """Returns kind and description of what is wrong with a continuous box in an image; None if nothing is."""
    x1, y1, x2, y2 = box
    if x2 < x1 or y2 < y1:
        return 'box reversed', 'ends before it begins and is dropped; exchange its corners'
    if x2 == x1 or y2 == y1:
        return 'box empty', 'has no area and is dropped; correct or remove it'
    if not (width > 0 and height > 0):
        return None
    size = f'the image of {width} x {height}'
    if x1 >= width or y1 >= height or x2 <= 0 or y2 <= 0:
        return 'box outside', f'lies outside {size} and is dropped; correct or remove it'
    clipped = clip_box(box, width, height)
    if clipped is None:
        return 'box tiny', f'has less than a pixel of width or height in {size} and is dropped; correct or remove it'
    if clipped != box:
        return 'box cut', f'leaves {size} by {max(-x1, -y1, x2 - width, y2 - height):.6g} and is cut to it; correct it'
    return None


def _counts_from_zero(box: Box, width: int, height: int) -> bool:
    return min(box[0], box[1]) == -1 and box[2] <= width and box[3] <= height
