"""Boxes drawn into photos, and all of them as JSON: what ``tools/demo.py`` does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from det_inception.config.loading import read_config
from det_inception.ilsvrc import DET_CLASSES
from det_inception.ilsvrc.imagenet import leaves_of
from det_inception.inference.detector import Detector
from det_inception.inference.drawing import draw
from det_inception.models import ImageNetRCNN
from det_inception.utils.errors import InputError
from det_inception.utils.files import output_names, require_apart, write_image, write_text
from det_inception.utils.images import ImageError, read_image
from det_inception.weights.files import CheckpointError

REPO = Path(__file__).resolve().parents[2]
IMAGENET_CONFIG = REPO / 'configs/googlenet_rcnn_imagenet1k.py'
MINI_CONFIG = REPO / 'configs/googlenet_rcnn_mini.py'
MINI_CHECKPOINT = REPO / 'checkpoints/googlenet_rcnn_mini.pth'

DRAWN, DRAWN_UNTRAINED = 0.5, 0.05
"""Lowest scores that are drawn. Without training on boxes a score is no probability; see docs/photo.md."""


def demo_detector(
    config: str | Path | None = None,
    checkpoint: str | Path | Sequence[str | Path] | None = None,
    weights: str | Path | None = None,
    **settings,
) -> Detector:
    """Builds the detector that config, checkpoint and weights describe.

    With neither config nor checkpoint, it is the ImageNet classifier of ``weights`` (None: torchvision's). With one of
    them, the other is the mini set's.

    Args:
        config: As for :class:`Detector`.
        checkpoint: Likewise.
        weights: Likewise.
        **settings: The other arguments of :class:`Detector`.

    Raises:
        InputError: See :class:`Detector`.
    """
    if config is None and checkpoint is None:
        try:
            return Detector(IMAGENET_CONFIG, weights=weights, **settings)
        except CheckpointError as error:
            if weights is not None:
                raise
            raise InputError(
                f'without --weights FILE (an ImageNet GoogLeNet), --config and --checkpoint: {error}'
            ) from error
    config = config or MINI_CONFIG
    if checkpoint is None and read_config(config).model.get('type') != 'ImageNetRCNN':
        checkpoint = MINI_CHECKPOINT
    return Detector(config, checkpoint, weights=weights, **settings)


@dataclass(frozen=True)
class DrawnPhotos:
    """What :func:`draw_photos` did.

    Attributes:
        images: Number of images with a picture.
        boxes: Number of boxes of ``score`` or more.
        score: Lowest score that was drawn.
        unreadable: Files that are no images, in order.
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
        paths: Image files. One that cannot be read is left out.
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
    results, unreadable, boxes = {}, [], 0
    for path, picture in tqdm(list(zip(paths, pictures)), unit='image', disable=None):
        try:
            image = read_image(path)
        except ImageError as error:  # One bad file is no reason to leave the others.
            tqdm.write(f'skipped: {error}')
            unreadable.append(str(path))
            continue
        found = detector.detect(image, path)
        results[str(path)] = found.above(min(0.05, score)).as_dicts()
        boxes += len(found.above(score))
        shown = found.above(score, max_boxes)
        if not len(shown):
            tqdm.write(f'{path}: nothing found with a score of {score} or more.')
        write_image(picture, draw(image, shown))
    if not results:
        raise InputError(f'{paths[0]}: none of the {len(paths)} images can be read; name others.')
    write_text(out_dir / 'detections.json', json.dumps(dict(images=results, unreadable=unreadable), indent=1))
    return DrawnPhotos(len(results), boxes, score, tuple(unreadable))


def is_trained(detector: Detector) -> bool:
    """Whether the detector was trained on boxes."""
    return not isinstance(detector.model, ImageNetRCNN)


def known_people(detector: Detector) -> str:
    """Says which kinds of people an ImageNet classifier knows: it has no class for people in general."""
    if 'person' not in detector.classes:
        return 'people are not among its classes.'
    kinds = ', '.join(leaf.name for leaf in leaves_of(DET_CLASSES.index('person') + 1))
    return f'it knows people only as {kinds}.'
