"""The boxes that a detector found in one image.

Shape legend: D detections.
"""

from __future__ import annotations

import base64
import html
import importlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from mmengine.structures import InstanceData

from det_inception.inference.result_files import (
    FoundImage,
    FoundObject,
    coco_box,
    coco_text,
    csv_text,
    voc_text,
    yolo_text,
)
from det_inception.utils.drawing import class_color, draw_boxes
from det_inception.utils.errors import InputError
from det_inception.utils.files import write_image, write_text

if TYPE_CHECKING:
    import pandas
    import supervision

_SHOWN_SIDE = 800  # pixels of a picture in a notebook


@dataclass(frozen=True, repr=False, eq=False)
class Detections:
    """Boxes with scores and classes, best first.

    Attributes:
        boxes: float32 (D, 4): x1, y1, x2, y2 in the image's pixels, continuous coordinates.
        scores: float32 (D,), 0 to 1.
        labels: int64 (D,): positions in ``classes``.
        classes: Names of the detector's classes.
        image: uint8 (H, W, 3), BGR: what they were found in; None where nobody kept it.
        name: The image's file or address; ``''`` where it has none.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    image: np.ndarray | None = field(default=None)
    name: str = ''

    @classmethod
    def from_instances(
        cls, found: InstanceData, classes: tuple[str, ...], image: np.ndarray | None = None, name: str = ''
    ) -> Detections:
        """Takes over MMDetection's ``pred_instances``, in any order and on any device."""
        order = torch.argsort(found.scores, descending=True, stable=True)
        return cls(
            boxes=found.bboxes[order].float().cpu().numpy(),
            scores=found.scores[order].float().cpu().numpy(),
            labels=found.labels[order].cpu().numpy(),
            classes=classes,
            image=image,
            name=name,
        )

    def __len__(self) -> int:
        return len(self.scores)

    def __repr__(self) -> str:
        counts = Counter(self.names)
        found = ', '.join(f'{count} {name}' for name, count in counts.most_common(5)) or 'nothing'
        more = f', ... ({len(counts)} classes)' if len(counts) > 5 else ''
        best = f'; best score {self.scores[0]:.2f}' if len(self) else ''
        return f'<Detections: {found}{more}{best}>'

    @property
    def names(self) -> list[str]:
        """The name of each detection's class."""
        return [self.classes[label] for label in self.labels]

    def above(self, score: float, limit: int | None = None) -> Detections:
        """Returns the detections of at least this score, at most ``limit`` of them."""
        keep = np.flatnonzero(self.scores >= score)[:limit]
        return replace(self, boxes=self.boxes[keep], scores=self.scores[keep], labels=self.labels[keep])

    def draw(self, image: np.ndarray | None = None) -> np.ndarray:
        """Draws the boxes with class names and scores, each class in its color, the best on top.

        Args:
            image: uint8 (H, W, 3), BGR, not changed; None: the one that they were found in.

        Returns:
            uint8 (H, W, 3), BGR: a copy with the drawing.

        Raises:
            InputError: There is no image.
        """
        image = self._image('draw(image)') if image is None else image
        captions = [f'{name}: {100 * score:.1f}' for name, score in zip(self.names, self.scores)]
        return draw_boxes(image, self.boxes, captions, [class_color(label) for label in self.labels])

    def save(self, path: str | Path) -> None:
        """Writes a file, whose suffix says what: a picture (.png, .jpg, ...), or the boxes as COCO's JSON (.json), a
        table (.csv), YOLO's labels (.txt) or Pascal VOC's XML (.xml).

        Raises:
            InputError: It cannot be written, the suffix is another one, or there is no image to draw on or to take the
                size from.
        """
        texts = {
            '.json': lambda: coco_text([self._found_image()], self.classes),
            '.csv': lambda: csv_text([self._found_image()]),
            '.txt': lambda: yolo_text(self._found_image(), self.classes),
            '.xml': lambda: voc_text(self._found_image()),
        }
        suffix = Path(path).suffix.lower()
        if suffix in texts:
            write_text(path, texts[suffix]())
        elif suffix in ('.png', '.jpg', '.jpeg', '.webp', '.bmp', '.tif', '.tiff'):
            write_image(path, self.draw())
        else:
            raise InputError(f'{path}: its suffix says no format; use .png or .jpg, or {", ".join(texts)}.')

    def as_dicts(self) -> list[dict]:
        """Returns plain values, ready for JSON: ``label`` (the class's name), ``score`` and ``box``."""
        return [
            dict(label=name, score=round(float(score), 4), box=[round(float(v), 1) for v in box])
            for name, box, score in zip(self.names, self.boxes, self.scores)
        ]

    def to_coco(self, image_id: int = 1, category_ids: Sequence[int] | None = None) -> list[dict]:
        """Returns results as ``COCO.loadRes`` of pycocotools takes them.

        Args:
            image_id: The image's number.
            category_ids: The number of each of ``classes``; None: counted from 1.
        """
        ids = range(1, len(self.classes) + 1) if category_ids is None else category_ids
        return [
            dict(image_id=image_id, category_id=int(ids[label]), bbox=coco_box(box), score=round(float(score), 5))
            for box, score, label in zip(self.boxes, self.scores, self.labels)
        ]

    def to_supervision(self) -> supervision.Detections:
        """Returns supervision's ``Detections``, with the names in ``data['class_name']``.

        Raises:
            InputError: supervision is not installed.
        """
        data = {'class_name': np.array(self.names, dtype=str)}
        return _package('supervision').Detections(
            xyxy=self.boxes.copy(), confidence=self.scores.copy(), class_id=self.labels.copy(), data=data
        )

    def to_frame(self) -> pandas.DataFrame:
        """Returns a table with the columns ``label``, ``score``, ``x1``, ``y1``, ``x2`` and ``y2``.

        Raises:
            InputError: pandas is not installed.
        """
        corners = dict(zip(('x1', 'y1', 'x2', 'y2'), self.boxes.T))
        return _package('pandas').DataFrame(dict(label=self.names, score=self.scores, **corners))

    def _image(self, instead: str) -> np.ndarray:
        if self.image is None:
            raise InputError(f'these detections were made without their image; use {instead}.')
        return self.image

    def _found_image(self) -> FoundImage:
        image = self._image('dataclasses.replace(detections, image=image)')
        return found_image(self, self.name or 'image', image)

    def _repr_html_(self) -> str:
        """What a notebook shows: the picture, and a table of the boxes."""
        rows = ''.join(
            f'<tr><td>{html.escape(found["label"])}</td><td>{found["score"]:.2f}</td>'
            f'<td>{", ".join(f"{value:.0f}" for value in found["box"])}</td></tr>'
            for found in self.above(0, 20).as_dicts()
        )
        more = f'<p>and {len(self) - 20} more</p>' if len(self) > 20 else ''
        table = f'<table><tr><th>class</th><th>score</th><th>x1, y1, x2, y2</th></tr>{rows}</table>{more}'
        if self.image is None:
            return table
        picture = self.draw()
        height, width = picture.shape[:2]
        if (scale := _SHOWN_SIDE / max(height, width)) < 1:
            size = max(1, round(scale * width)), max(1, round(scale * height))
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        content = base64.b64encode(cv2.imencode('.jpg', picture)[1]).decode()
        return f'<img src="data:image/jpeg;base64,{content}" alt="{html.escape(repr(self))}">{table}'


def found_image(found: Detections, name: str, image: np.ndarray) -> FoundImage:
    """Returns detections as :mod:`~det_inception.inference.result_files` takes them."""
    objects = [
        FoundObject(label, round(float(score), 5), tuple(map(float, box)))
        for label, score, box in zip(found.names, found.scores, found.boxes)
    ]
    return FoundImage(name, *image.shape[:2], objects)


def _package(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise InputError(f'{name} is missing; run pip install {name}.') from error
