"""Chooses the detections and objects of a run that are worth a look, and draws them.

Shape legend: I images, N detections, M objects; H and W of an image.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from det_inception.evaluation.analysis.errors import (
    BACKGROUND,
    BACKGROUND_THRESHOLD,
    CLASSIFICATION,
    KINDS,
    ErrorAnalysis,
)
from det_inception.evaluation.analysis.results import EvalResults
from det_inception.evaluation.analysis.scoring import THRESHOLD, Score, pairing_arrays
from det_inception.utils.boxes import overlap
from det_inception.utils.compiled import compiled
from det_inception.utils.errors import InputError
from det_inception.utils.fonts import BOLD, font_for
from det_inception.utils.images import read_image

WIDTH, HEIGHT = 480, 360  # pixels that a drawn crop fits into; twice what the page shows it at
_CONTEXT = 0.35  # of the box on each side
_GREEN, _RED, _AMBER = (38, 166, 91), (226, 74, 51), (255, 200, 60)
_WHITE, _BLACK = (255, 255, 255), (20, 22, 26)
_OTHERS = 4  # objects that are drawn besides; more would hide the picture


@dataclass(frozen=True, eq=False)
class Shot:
    """One picture of a gallery.

    Attributes:
        image: Position of its image.
        detection: Position of the detection that it shows, or -1.
        target: Position of the object that the detection took or just misses, or that is missed; or -1.
        kind: Of the error, a word of ``KINDS``; '' for a true detection.
        overlap: Of the detection with the target; 0 where one of the two is not there.
        jpeg: The drawn crop.
        size: Its width and height.
    """

    image: int
    detection: int
    target: int
    kind: str
    overlap: float
    jpeg: bytes
    size: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Galleries:
    """What a report shows.

    Attributes:
        true: The most confident true detections.
        false: The most confident false ones.
        by_kind: For each kind of false detection, the most confident ones that ``false`` does not show already.
        missed: The largest objects that no detection of any confidence fits.
        num_missed: How many of these there are, in all images.
        readable: Number of images that are at hand.
        unreadable: Reasons why images could not be read, one for each.
    """

    true: list[Shot]
    false: list[Shot]
    by_kind: dict[str, list[Shot]]
    missed: list[Shot]
    num_missed: int
    readable: int
    unreadable: list[str]


def make_galleries(results: EvalResults, score: Score, errors: ErrorAnalysis, limit: int) -> Galleries:
    """Chooses and draws at most ``limit`` pictures for each gallery, and half as many for each kind of error.

    Classes take turns: the most confident detection of each class comes first, then the second one of each, and so on,
    with one detection per class and image. Those that are chosen are shown in descending confidence. So it is with
    missed objects and their sizes. True and false ones are so by the run's rules and at IoU 0.5, so that no image
    contradicts a number.
    """
    there = np.array([path is not None for path in results.image_paths] or [False] * len(results.image_names))
    predictions, annotations = results.predictions, results.annotations
    artist = _Artist(results, errors)
    order = np.argsort(-predictions.scores, kind='stable')
    order = order[there[predictions.images[order]]]
    is_true = (score.matches >= 0) & (errors.verdicts == 0)
    is_false = (score.matches == -1) & (errors.verdicts >= CLASSIFICATION)

    def detections(rows: NDArray, limit: int) -> list[Shot]:
        pairs = predictions.images[rows] * len(results.class_names) + predictions.labels[rows]
        rows = rows[np.sort(np.unique(pairs, return_index=True)[1])]
        shots = artist.detections(rows[_in_turns(predictions.labels[rows])], limit)
        return sorted(shots, key=lambda shot: -predictions.scores[shot.detection])

    wrong = order[is_false[order]]
    false = detections(wrong, limit)
    unseen = wrong[~np.isin(wrong, [shot.detection for shot in false])]
    by_kind = {}
    for number in range(CLASSIFICATION, BACKGROUND + 1):
        if shots := detections(unseen[errors.verdicts[unseen] == number], max(limit // 2, 1)):
            by_kind[KINDS[number - 1]] = shots
    misses = np.flatnonzero(unreached(results, score) & ~annotations.ignored)
    largest = misses[np.argsort(-annotations.areas[misses], kind='stable')]
    largest = largest[there[annotations.images[largest]]]
    missed = artist.objects(largest[_in_turns(annotations.labels[largest])], limit)
    return Galleries(
        true=detections(order[is_true[order]], limit),
        false=false,
        by_kind=by_kind,
        missed=sorted(missed, key=lambda shot: -annotations.areas[shot.target]),
        num_missed=len(misses),
        readable=int(there.sum()),
        unreadable=list(artist.unreadable.values()),
    )


def _in_turns(labels: NDArray) -> NDArray:
    """The order in which ranked things take turns by their labels: the first of each label, the second of each, ..."""
    grouped = np.argsort(labels, kind='stable')
    turns = np.empty(len(labels), np.int64)
    turns[grouped] = np.arange(len(labels)) - np.searchsorted(labels[grouped], labels[grouped])
    return np.argsort(turns, kind='stable')


def unreached(results: EvalResults, score: Score) -> NDArray:
    """bool (M,): objects that no detection of their class, of whatever confidence, overlaps by half.

    Small objects that the rules of ILSVRC count as found with less are not among them.
    """
    reached = _reached(pairing_arrays(results))
    reached[score.matches[score.matches >= 0]] = True
    return ~reached


@compiled()
def _reached(arrays: tuple[NDArray, ...]) -> NDArray:
    boxes, labels, first, end, object_boxes, object_labels = arrays
    reached = np.zeros(len(object_boxes), dtype=np.bool_)
    for d in range(len(boxes)):
        for m in range(first[d], end[d]):
            if labels[d] == object_labels[m] and overlap(boxes[d], object_boxes[m]) >= THRESHOLD:
                reached[m] = True
    return reached


class _Artist:
    """Draws shots, and passes over images that cannot be read."""

    def __init__(self, results: EvalResults, errors: ErrorAnalysis) -> None:
        self.results, self.errors = results, errors
        self.unreadable: dict[int, str] = {}
        self._read = lru_cache(maxsize=8)(read_image)

    def detections(self, rows: Iterable[int], limit: int) -> list[Shot]:
        """Draws the first detections."""
        predictions, shots = self.results.predictions, []
        for row in map(int, rows):
            if len(shots) == limit:
                break
            verdict = self.errors.verdicts[row]
            kind = KINDS[verdict - 1] if verdict > 0 else ''
            shot = self._shot(int(predictions.images[row]), row, int(self.errors.targets[row]), kind)
            if shot is not None:
                shots.append(shot)
        return shots

    def objects(self, members: Iterable[int], limit: int) -> list[Shot]:
        """Draws the first objects, each with the detection that comes nearest to it."""
        predictions, annotations, shots = self.results.predictions, self.results.annotations, []
        for m in members:
            if len(shots) == limit:
                break
            image = int(annotations.images[m])
            rows = _members(predictions.images, image)
            overlaps = [overlap(predictions.boxes[row], annotations.boxes[m]) for row in rows]
            nearest = rows[int(np.argmax(overlaps))] if rows and max(overlaps) >= BACKGROUND_THRESHOLD else -1
            shot = self._shot(image, nearest, int(m), KINDS[-1])
            if shot is not None:
                shots.append(shot)
        return shots

    def _shot(self, image: int, row: int, target: int, kind: str) -> Shot | None:
        predictions, annotations = self.results.predictions, self.results.annotations
        picture = self._picture(image)
        if picture is None:
            return None
        is_missed = kind == KINDS[-1]
        if is_missed:  # Its nearest detection may be far larger.
            boxes = annotations.boxes[[target]]
        else:
            boxes = np.concatenate([predictions.boxes[[row]], annotations.boxes[[target] if target >= 0 else []]])
        canvas = _Canvas(picture, _window(boxes, picture.shape[:2]))
        names = self.results.class_names
        for m in self._others(image, target, canvas) if kind and not is_missed else ():
            canvas.draw(annotations.boxes[m], _WHITE, dashed=True)
            canvas.tag(annotations.boxes[m], names[annotations.labels[m]], _BLACK, _WHITE, below=True)
        color = _WHITE if is_missed else _RED if kind else _GREEN
        if row >= 0:
            canvas.draw(predictions.boxes[row], color, dashed=False)
        if target >= 0:
            ground = _AMBER if is_missed else _WHITE
            canvas.draw(annotations.boxes[target], ground, dashed=True)
            canvas.tag(annotations.boxes[target], names[annotations.labels[target]], _BLACK, ground, below=True)
        if row >= 0:
            text = f'{names[predictions.labels[row]]} {predictions.scores[row]:.2f}'
            canvas.tag(predictions.boxes[row], text, _BLACK if is_missed else _WHITE, color, below=False)
        reached = overlap(predictions.boxes[row], annotations.boxes[target]) if row >= 0 and target >= 0 else 0.0
        return Shot(image, row, target, kind, float(reached), canvas.jpeg(), canvas.picture.size)

    def _others(self, image: int, target: int, canvas: _Canvas) -> list[int]:
        """The objects besides the target that explain a false detection: those in the picture, the largest first."""
        annotations = self.results.annotations
        members = [m for m in _members(annotations.images, image) if m != target and canvas.shows(annotations.boxes[m])]
        return sorted(members, key=lambda m: -annotations.areas[m])[:_OTHERS]

    def _picture(self, image: int) -> NDArray | None:
        if image in self.unreadable:
            return None
        try:
            return self._read(Path(self.results.image_paths[image]))
        except InputError as error:
            self.unreadable[image] = str(error)
            return None


def _members(images: NDArray, image: int) -> range:
    """The positions of an image's detections or objects."""
    first, end = np.searchsorted(images, [image, image + 1])
    return range(int(first), int(end))


class _Canvas:
    """A window of an image, enlarged or reduced to a gallery's size, in whose coordinates one draws."""

    def __init__(self, picture: NDArray, window: tuple[int, int, int, int]) -> None:
        x1, y1, x2, y2 = window
        self.origin = np.array([x1, y1, x1, y1], np.float64)
        self.scale = min(WIDTH / (x2 - x1), HEIGHT / (y2 - y1))
        size = max(1, round((x2 - x1) * self.scale)), max(1, round((y2 - y1) * self.scale))
        crop = np.ascontiguousarray(picture[y1:y2, x1:x2, ::-1])
        method = cv2.INTER_AREA if self.scale < 1 else cv2.INTER_CUBIC
        self.picture = Image.fromarray(cv2.resize(crop, size, interpolation=method))
        self.pen = ImageDraw.Draw(self.picture)

    def shows(self, box: NDArray) -> bool:
        x1, y1, x2, y2 = self._place(box)
        return x2 > 4 and y2 > 4 and x1 < self.picture.width - 4 and y1 < self.picture.height - 4

    def draw(self, box: NDArray, color: tuple[int, int, int], dashed: bool) -> None:
        """Draws a box, on a dark seam that keeps it visible on any ground."""
        x1, y1, x2, y2 = self._inside(box)
        sides = [((x1, y1), (x2, y1)), ((x2, y1), (x2, y2)), ((x2, y2), (x1, y2)), ((x1, y2), (x1, y1))]
        for ink, width in ((_BLACK, 6 if not dashed else 5), (color, 4 if not dashed else 3)):
            for (ax, ay), (bx, by) in sides:
                length = max(abs(bx - ax), abs(by - ay))
                pieces = int(length // 14) | 1 if dashed else 1  # odd: dashes meet in the corners
                for piece in range(0, pieces, 2):
                    start, stop = piece / pieces, (piece + 1) / pieces
                    line = (ax + (bx - ax) * start, ay + (by - ay) * start)
                    line += (ax + (bx - ax) * stop, ay + (by - ay) * stop)
                    self.pen.line(line, fill=ink, width=width)

    def tag(self, box: NDArray, text: str, ink: tuple, ground: tuple, below: bool) -> None:
        """Writes a text on a ground of its own at a box's upper left corner, or at its lower left one."""
        x1, y1, _, y2 = self._inside(box)
        path, text = font_for(text, BOLD)
        font = _font(path)
        left, top, right, bottom = self.pen.textbbox((0, 0), text, font=font)
        width, height = right - left + 12, bottom - top + 10
        x = min(max(0, x1 - 2), max(0, self.picture.width - width))
        y = y2 - height + 2 if below else y1 - height
        y = min(max(0, y), max(0, self.picture.height - height))
        self.pen.rectangle((x, y, x + width, y + height), fill=ground)
        self.pen.text((x + 6 - left, y + 5 - top), text, fill=ink, font=font)

    def jpeg(self) -> bytes:
        done, content = cv2.imencode('.jpg', np.asarray(self.picture)[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
        return content.tobytes()

    def _place(self, box: NDArray) -> NDArray:
        return (box - self.origin) * self.scale

    def _inside(self, box: NDArray) -> tuple[float, float, float, float]:
        """Returns a box's place, cut to the canvas so that its lines stay visible; a reversed one is put right."""
        place = self._place(box)
        limit = np.array([self.picture.width, self.picture.height], np.float64) - 3
        corner = np.clip(np.minimum(place[:2], place[2:]), 2, limit)
        opposite = np.clip(np.maximum(place[:2], place[2:]), 2, limit)
        return corner[0], corner[1], opposite[0], opposite[1]


def _window(boxes: NDArray, shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """Returns the part of an image to show: boxes (n, 4) with context, of the canvas's proportions where it can be."""
    height, width = shape
    corner = np.minimum(boxes[:, :2], boxes[:, 2:]).min(axis=0)
    opposite = np.maximum(boxes[:, :2], boxes[:, 2:]).max(axis=0)
    center, sides = (corner + opposite) / 2, opposite - corner
    sides = np.maximum(sides * (1 + 2 * _CONTEXT), 48)
    sides = np.maximum(sides, sides[::-1] * [WIDTH / HEIGHT, HEIGHT / WIDTH])
    sides = np.minimum(np.ceil(sides), [width, height])
    # Moved rather than cut where it would leave the image.
    start = np.clip(np.round(center - sides / 2), 0, np.array([width, height]) - sides)
    x1, y1 = start.astype(int)
    x2, y2 = (start + sides).astype(int)
    return x1, y1, x2, y2


@lru_cache(maxsize=8)
def _font(path: str) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, 20)
