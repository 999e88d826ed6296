"""Found boxes in the files of other programs: COCO's JSON, CSV, YOLO's labels, Pascal VOC's XML.

Boxes are continuous ``x1 y1 x2 y2`` in pixels, as everywhere here; each file has them in its own convention.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from det_inception.utils.errors import printable
from det_inception.utils.files import write_text

KINDS = {
    'coco': 'one JSON file in COCO format, coco.json, with scores',
    'csv': 'one table, detections.csv, with scores',
    'yolo': "YOLO's labels, a file per image in labels/",
    'voc': "Pascal VOC's XML, a file per image in Annotations/",
}
"""What can be written, and what it is."""


class FoundObject(NamedTuple):
    """One found object."""

    label: str
    score: float
    box: tuple[float, float, float, float]


class FoundImage(NamedTuple):
    """An image with what was found in it; ``name`` is its file or address."""

    name: str
    height: int
    width: int
    objects: Sequence[FoundObject]


def coco_text(images: Iterable[FoundImage], classes: Sequence[str]) -> str:
    """Returns a complete COCO file: images and categories numbered from 1, annotations with ``score``."""
    content = dict(images=[], annotations=[], categories=[])
    content['categories'] = [dict(id=number, name=name) for number, name in enumerate(classes, start=1)]
    numbers = {name: number for number, name in enumerate(classes, start=1)}
    for image_id, image in enumerate(images, start=1):
        content['images'].append(dict(id=image_id, file_name=image.name, height=image.height, width=image.width))
        for item in image.objects:
            box = coco_box(item.box)
            content['annotations'].append(
                dict(
                    id=len(content['annotations']) + 1,
                    image_id=image_id,
                    category_id=numbers[item.label],
                    bbox=box,
                    area=round(box[2] * box[3], 2),
                    iscrowd=0,
                    score=item.score,
                )
            )
    return json.dumps(content, indent=1) + '\n'


def coco_box(box: Sequence[float]) -> list[float]:
    """Returns ``x y width height``, to a hundredth of a pixel."""
    x1, y1, x2, y2 = (round(float(value), 2) for value in box)
    return [x1, y1, round(x2 - x1, 2), round(y2 - y1, 2)]


def csv_text(images: Iterable[FoundImage]) -> str:
    """Returns a table with a line per object."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(['image', 'label', 'score', 'x1', 'y1', 'x2', 'y2'])
    for image in images:
        for item in image.objects:
            corners = (f'{value:.2f}' for value in item.box)
            writer.writerow([printable(image.name), printable(item.label), item.score, *corners])
    return text.getvalue()


def yolo_text(image: FoundImage, classes: Sequence[str]) -> str:
    """Returns label lines ``class cx cy w h``, in shares of the image's width and height."""
    numbers = {name: number for number, name in enumerate(classes)}
    lines = []
    for item in image.objects:
        x1, y1, x2, y2 = item.box
        shares = (
            (x1 + x2) / 2 / image.width,
            (y1 + y2) / 2 / image.height,
            (x2 - x1) / image.width,
            (y2 - y1) / image.height,
        )
        lines.append(f'{numbers[item.label]} ' + ' '.join(f'{share:.6f}' for share in shares) + '\n')
    return ''.join(lines)


def voc_text(image: FoundImage) -> str:
    """Returns an annotation in Pascal VOC's XML: boxes as whole, inclusive pixels that are counted from 1."""
    root = ElementTree.Element('annotation')
    _add(root, filename=Path(printable(image.name)).name)
    _add(ElementTree.SubElement(root, 'size'), width=image.width, height=image.height, depth=3)
    for item in image.objects:
        element = ElementTree.SubElement(root, 'object')
        _add(element, name=printable(item.label), pose='Unspecified', truncated=0, difficult=0)
        x1, y1 = (max(0, min(round(low), round(high) - 1)) for low, high in zip(item.box[:2], item.box[2:]))
        x2, y2 = (max(round(high), low + 1) for low, high in zip((x1, y1), item.box[2:]))
        _add(ElementTree.SubElement(element, 'bndbox'), xmin=x1 + 1, ymin=y1 + 1, xmax=x2, ymax=y2)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding='unicode') + '\n'


def _add(element: ElementTree.Element, **values: object) -> None:
    for name, value in values.items():
        ElementTree.SubElement(element, name).text = str(value)


class ResultFiles:
    """Writes the chosen kinds of files for many images into a folder.

    Args:
        folder: Where to.
        kinds: Some of :data:`KINDS`.
        classes: Names of the detector's classes.
        score: COCO's file and the table have scores and hold everything; labels and XML hold what has at least this.
    """

    def __init__(self, folder: Path, kinds: Sequence[str], classes: Sequence[str], score: float) -> None:
        self.folder, self.kinds, self.classes, self.score = folder, kinds, classes, score
        self.images: list[FoundImage] = []

    def add(self, image: FoundImage, stem: str) -> None:
        """Adds an image; ``stem`` is the name of its picture without suffix."""
        self.images.append(image)
        sure = image._replace(objects=[item for item in image.objects if item.score >= self.score])
        if 'yolo' in self.kinds:
            write_text(self.folder / 'labels' / f'{stem}.txt', yolo_text(sure, self.classes))
        if 'voc' in self.kinds:
            write_text(self.folder / 'Annotations' / f'{stem}.xml', voc_text(sure))

    def write(self, durable: bool = True) -> None:
        """Writes what is one file for all images, with those that there are by now."""
        if not self.images:
            return
        if 'coco' in self.kinds:
            write_text(self.folder / 'coco.json', coco_text(self.images, self.classes), durable)
        if 'csv' in self.kinds:
            write_text(self.folder / 'detections.csv', csv_text(self.images), durable)
        if 'yolo' in self.kinds:
            names = ''.join(f'{printable(name)}\n' for name in self.classes)
            write_text(self.folder / 'labels' / 'classes.txt', names, durable)
