"""Boxes drawn into photos, and all of them as JSON: what ``tools/demo.py`` does."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
from tqdm import tqdm

from det_inception.ilsvrc import DET_CLASSES
from det_inception.ilsvrc.imagenet import leaves_of
from det_inception.inference.detector import Detector
from det_inception.inference.drawing import draw
from det_inception.models import ImageNetRCNN
from det_inception.utils.errors import InputError, is_out_of_memory, printable
from det_inception.utils.files import atomic_write, output_names, require_apart, write_image
from det_inception.utils.images import read_image
from det_inception.weights.files import CheckpointError

IMAGENET_CONFIG = 'googlenet_rcnn_imagenet1k'
VOC_CONFIG = 'googlenet_faster-rcnn_voc2007'
MINI_CONFIG = 'googlenet_rcnn_mini'
"""Bare names of configs that come with the project, of which the last two have a checkpoint."""

DRAWN, DRAWN_UNTRAINED = 0.5, 0.05
"""Lowest scores that are drawn. Without training on boxes a score is no probability; see docs/photo.md."""


def demo_detector(
    config: str | Path | None = None,
    checkpoint: str | Path | Sequence[str | Path] | None = None,
    weights: str | Path | None = None,
    classes: str | None = None,
    **settings,
) -> Detector:
    """Builds the detector that the arguments describe; without any, the included one of Pascal VOC's 20 classes.

    Args:
        config: As for :class:`Detector`. None with a checkpoint: the mini set's.
        checkpoint: Likewise.
        weights: An ImageNet classifier to find the 200 classes of DET with; None: torchvision's.
        classes: Instead of a config and a checkpoint. ``'voc'``: Pascal VOC's 20, by the included detector; ``'det'``:
            ILSVRC DET's 200, by an ImageNet classifier; None: ``'voc'``, or ``'det'`` if ``weights`` are given.
        **settings: The other arguments of :class:`Detector`.

    Raises:
        InputError: See :class:`Detector`; or the arguments contradict one another.
    """
    if config is not None or checkpoint is not None:
        if classes is not None:
            raise InputError(f'--classes {classes} chooses a detector, and so does --config or --checkpoint; give one.')
        return Detector(config or MINI_CONFIG, checkpoint, weights=weights, **settings)
    if classes is None:
        classes = 'voc' if weights is None else 'det'
    if classes == 'voc':
        if weights is not None:
            raise InputError(f'{weights}: an ImageNet classifier is for --classes det; leave --weights away.')
        return Detector(VOC_CONFIG, **settings)
    try:
        return Detector(IMAGENET_CONFIG, weights=weights, **settings)
    except CheckpointError as error:
        if weights is not None:
            raise
        raise InputError(f'--classes det without --weights FILE (an ImageNet GoogLeNet): {error}') from error


@dataclass(frozen=True)
class DrawnPhotos:
    """What :func:`draw_photos` did.

    Attributes:
        images: Number of images with a picture.
        boxes: Number of boxes of ``score`` or more.
        score: Lowest score that was drawn.
        unreadable: Files that are no images, or that the detector refused, in order.
    """

    images: int
    boxes: int
    score: float
    unreadable: tuple[str, ...]


def draw_photos(
    detector: Detector, paths: Sequence[Path], out_dir: str | Path, score: float | None = None, max_boxes: int = 30
) -> DrawnPhotos:
    """Detects in photos, and writes a picture for each and ``detections.json`` with all boxes.

    Args:
        detector: Any.
        paths: Image files. One that cannot be read, or that the detector refuses, is left out.
        out_dir: Folder of the output.
        score: Lowest score that is drawn; None: :data:`DRAWN`, or :data:`DRAWN_UNTRAINED` of a detector that was never
            trained on boxes.
        max_boxes: At most so many boxes a picture.

    Raises:
        InputError: A picture would replace its image, or no image can be read.
    """
    out_dir = Path(out_dir)
    pictures = [out_dir / name for name in output_names(paths)]
    require_apart(paths, pictures, '--out-dir')
    if score is None:
        score = DRAWN if is_trained(detector) else DRAWN_UNTRAINED
    found_boxes = _DetectionsFile(out_dir / 'detections.json')
    boxes, first = 0, None
    try:
        for path, picture in tqdm(list(zip(paths, pictures)), unit='image', disable=None):
            try:
                image = read_image(path)
                found = detector.detect(image, path)
            except (InputError, MemoryError, RuntimeError, cv2.error) as error:
                if not isinstance(error, InputError):
                    if not is_out_of_memory(error):
                        raise
                    error = InputError(f'{path}: takes more memory than there is; make it smaller.')
                # One bad file is no reason to leave the others.
                first = first or error
                tqdm.write(f'skipped: {printable(str(error))}')
                found_boxes.unreadable.append(str(path))
                continue
            boxes += len(found.above(score))
            shown = found.above(score, max_boxes)
            if not len(shown):
                tqdm.write(f'{printable(str(path))}: nothing found with a score of {score} or more.')
            write_image(picture, draw(image, shown))
            found_boxes.add(str(path), found.above(min(0.05, score)).as_dicts())
    finally:
        found_boxes.write(durable=True)
    if not found_boxes.images:
        raise InputError(f'none of the {len(paths)} images can be used; the first: {first}') from first
    return DrawnPhotos(len(found_boxes.images), boxes, score, tuple(found_boxes.unreadable))


class _DetectionsFile:
    """``detections.json``, which is written after every image, so that a run that is killed loses next to nothing.

    Many images make it long: it is written less often where writing would take more than a twentieth of the time.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.images: dict[str, list[dict]] = {}
        self.unreadable: list[str] = []
        self._next = 0.0

    def add(self, image: str, boxes: list[dict]) -> None:
        self.images[image] = boxes
        began = time.monotonic()
        if began >= self._next:
            self.write()
            ended = time.monotonic()
            self._next = ended + 20 * (ended - began)

    def write(self, durable: bool = False) -> None:
        if self.images:
            text = json.dumps(dict(images=self.images, unreadable=self.unreadable), indent=1)
            with atomic_write(self.path, make_folder=True, durable=durable) as temporary:
                temporary.write_text(text, encoding='utf-8')


def is_trained(detector: Detector) -> bool:
    """Whether the detector was trained on boxes."""
    return not isinstance(detector.model, ImageNetRCNN)


def known_people(detector: Detector) -> str:
    """Says which kinds of people an ImageNet classifier knows: it has no class for people in general."""
    if 'person' not in detector.classes:
        return 'people are not among its classes.'
    kinds = ', '.join(leaf.name for leaf in leaves_of(DET_CLASSES.index('person') + 1))
    return f'it knows people only as {kinds}.'
