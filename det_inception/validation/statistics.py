"""Counts what is in a split: images, boxes, classes, sizes."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

import numpy as np

from det_inception.formats import ImageRecord
from det_inception.formats.records import place_objects


@dataclass
class ClassStatistics:
    """Of one class in one split.

    Attributes:
        images: Number of images that show it.
        boxes: Number of its boxes that count.
        ignored: Number of its boxes that count neither for nor against a detector (difficult, crowd).
        dropped: Number of its boxes of which nothing is left in the image.
        first: The first annotation file that names it.
        sides: Width and height of each box in the image, one after the other.
    """

    first: str
    images: int = 0
    boxes: int = 0
    ignored: int = 0
    dropped: int = 0
    sides: array = field(default_factory=lambda: array('f'))

    def typical_size(self) -> tuple[int, int] | None:
        """Returns median width and height in pixels."""
        if not self.sides:
            return None
        width, height = np.median(np.frombuffer(self.sides, np.float32).reshape(-1, 2), axis=0)
        return round(float(width)), round(float(height))


@dataclass
class Statistics:
    """Of one split.

    Attributes:
        classes: By name, in the order in which they were met.
        images: Number of images listed.
        empty: Number of images without an object that counts.
        most: Greatest number of boxes of an image.
        widths: Least and greatest; ``heights`` likewise. As the annotations say, or else the image files.
    """

    classes: dict[str, ClassStatistics] = field(default_factory=dict)
    images: int = 0
    empty: int = 0
    most: int = 0
    widths: tuple[int, int] | None = None
    heights: tuple[int, int] | None = None

    def total(self, what: str) -> int:
        """Returns the sum of an attribute over the classes."""
        return sum(getattr(entry, what) for entry in self.classes.values())

    def add(self, record: ImageRecord) -> int:
        """Counts an image; returns how many of its objects count."""
        for name in dict.fromkeys(item.name for item in record.objects):
            self.classes.setdefault(name, ClassStatistics(str(record.source))).images += 1
        boxes = 0
        for item, placed in place_objects(record):
            entry = self.classes[item.name]
            if placed is None:
                entry.dropped += 1
            elif item.ignored:
                entry.ignored += 1
            else:
                boxes += 1
                entry.boxes += 1
                x1, y1, x2, y2 = placed.box
                entry.sides.extend((x2 - x1, y2 - y1))
        self.images += 1
        self.empty += not boxes
        self.most = max(self.most, boxes)
        if record.width > 0 and record.height > 0:
            self.widths = _widened(self.widths, record.width)
            self.heights = _widened(self.heights, record.height)
        return boxes


def _widened(limits: tuple[int, int] | None, value: int) -> tuple[int, int]:
    return (value, value) if limits is None else (min(limits[0], value), max(limits[1], value))
