"""What every annotation file is read into, and which of its objects count.

Boxes are continuous: ``x1 y1 x2 y2`` in pixels, 0 is the left or upper edge of the image, and a box that covers the
whole image is ``0 0 width height``.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from det_inception.utils.errors import InputError

Box = tuple[float, float, float, float]
"""Continuous ``x1 y1 x2 y2`` in pixels."""


class DataError(InputError):
    """A data set that cannot be used; the message names the file and says what to do."""


def read_start(path: str | os.PathLike, size: int, error_type: type[InputError]) -> bytes:
    """Returns the first ``size`` bytes of the annotation file of an image.

    Raises:
        InputError: As ``error_type``: the file is missing or cannot be read.
    """
    try:
        with open(path, 'rb') as file:
            return file.read(size)
    except OSError as error:
        raise error_type(
            f'{path}: the annotation cannot be read ({error.strerror or error}); add it, or take its image out of the '
            'list of images.'
        ) from error


def is_marked(mark: object) -> bool:
    """Whether a mark such as ``difficult`` or ``iscrowd`` is set, as a number, a truth value or a text of either."""
    return mark.strip().lower() in ('1', 'true', 'yes') if isinstance(mark, str) else bool(mark)


@dataclass(frozen=True, slots=True)
class ObjectRecord:
    """One object of an image.

    Attributes:
        name: Of its class; ``''`` where the file names no classes.
        box: Continuous ``x1 y1 x2 y2`` in pixels, as annotated: perhaps empty, perhaps outside the image.
        difficult: Marked so in Pascal VOC's XML, or ``ignore`` in a COCO file.
        crowd: COCO's ``iscrowd``.
    """

    name: str
    box: Box
    difficult: bool = False
    crowd: bool = False

    @property
    def ignored(self) -> bool:
        """Whether it counts neither for nor against a detector."""
        return self.difficult or self.crowd


@dataclass(slots=True)
class ImageRecord:
    """One image of a data set, as its files describe it.

    Attributes:
        image_id: What the metric and the submission know the image by.
        path: The image file.
        height: In pixels; 0 where neither the annotation nor the image file says it.
        width: Likewise.
        source: The annotation file, for messages.
        objects: All that are annotated.
        exhaustive: Whether all its objects are annotated, so that everything else is background.
    """

    image_id: int | str
    path: Path
    height: int
    width: int
    source: Path
    objects: list[ObjectRecord] = field(default_factory=list)
    exhaustive: bool = True


def clip_box(box: Box, width: float, height: float) -> Box | None:
    """Cuts a continuous box to the image; None if less than a pixel of either side is left."""
    x1, y1 = max(0.0, box[0]), max(0.0, box[1])
    x2, y2 = min(float(width), box[2]), min(float(height), box[3])
    return (x1, y1, x2, y2) if x2 - x1 >= 1 and y2 - y1 >= 1 else None


def place_objects(record: ImageRecord) -> Iterator[tuple[ObjectRecord, ObjectRecord | None]]:
    """Yields each object as annotated and as it lies in the image, None if it does not; see :func:`usable_objects`."""
    height, width = (record.height, record.width) if record.height > 0 and record.width > 0 else (1e9, 1e9)
    for item in record.objects:
        box = clip_box(item.box, width, height)
        yield item, item if box == item.box else None if box is None else replace(item, box=box)


def usable_objects(record: ImageRecord) -> list[ObjectRecord]:
    """Returns the objects of an image that have a place in it, their boxes cut to the image.

    This is the one place that says which objects count. Data sets, proposals and checks all ask here:

    * An object counts if a pixel or more of its box lies in the image and it is not :attr:`ObjectRecord.ignored`.
    * An ignored object (difficult, crowd) comes along. Training gets it with ``ignore_flag=1``, so that no region over
      it becomes background; the score counts it neither for nor against a detector.
    * A box that is empty, reversed or outside the image covers nothing and is left out.

    Where the size of the image is unknown, boxes are only cut at 0.
    """
    return [placed for _, placed in place_objects(record) if placed is not None]


def count_objects(records: Sequence[ImageRecord]) -> tuple[tuple[str, ...], np.ndarray]:
    """Counts the objects that count.

    Args:
        records: I images.

    Returns:
        The C classes, in alphabetical order; int64 (I, C), objects of each class in each image.
    """
    objects = [Counter(item.name for item in usable_objects(record) if not item.ignored) for record in records]
    classes = tuple(sorted({name for counter in objects for name in counter}))
    counts = np.array([[counter[name] for name in classes] for counter in objects], np.int64)
    return classes, counts.reshape(len(records), len(classes))
