"""Which detector the command ``detect`` uses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from det_inception.ilsvrc import DET_CLASSES
from det_inception.ilsvrc.imagenet import leaves_of
from det_inception.inference.detector import Detector
from det_inception.utils.errors import InputError
from det_inception.weights.files import CheckpointError

IMAGENET_CONFIG = 'googlenet_rcnn_imagenet1k'
VOC_CONFIG = 'googlenet_faster-rcnn_voc2007'
MINI_CONFIG = 'googlenet_rcnn_mini'
"""Bare names of configs that come with the project, of which the last two have a checkpoint."""


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


def known_people(detector: Detector) -> str:
    """Says which kinds of people an ImageNet classifier knows: it has no class for people in general."""
    if 'person' not in detector.classes:
        return 'people are not among its classes.'
    kinds = ', '.join(leaf.name for leaf in leaves_of(DET_CLASSES.index('person') + 1))
    return f'it knows people only as {kinds}.'
