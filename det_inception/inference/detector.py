"""Images in, boxes out: what ``tools/demo.py``, a notebook or a service calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.dataset import Compose, pseudo_collate

from det_inception.config.classifier import is_classifier
from det_inception.config.loading import checkpoint_list, load_config, read_config
from det_inception.inference.acceleration import accelerate
from det_inception.inference.detections import Detections
from det_inception.inference.sources import ImageSource, as_bgr, open_image
from det_inception.inference.video import Video, is_video_source
from det_inception.registry import MODELS
from det_inception.utils.allocator import keep_freed_memory, limit_compiled_convolutions
from det_inception.utils.errors import InputError, first_line
from det_inception.utils.images import read_image
from det_inception.utils.included import checkpoint_of
from det_inception.weights.checkpoints import holds_multibox, load_detectors, read_checkpoint, require_classes

MAX_PIXELS = 2**25
"""Images of more are made smaller for the network, as an R-CNN needs about 50 bytes for each pixel."""


class Detector:
    """A detector that is ready for images.

    Args:
        config: Config file, or the bare name of one of the project's configs, such as
            ``'googlenet_faster-rcnn_voc2007'``.
        checkpoint: Checkpoint that ``tools/train.py`` wrote with it, or the bare name of one of the project's; several
            make an ensemble. None: the one that comes with the project's config, or none for a config that needs no
            training, :class:`~det_inception.models.ImageNetRCNN`'s.
        device: ``'cuda'``, ``'cpu'``, ...; None: a GPU where there is one.
        amp: Mixed precision; bfloat16 on a processor.
        options: Settings that override the config's, dotted names allowed.
        engine: How to classify regions faster, see :func:`det_inception.inference.acceleration.accelerate`; not with
            ``amp``.
        weights: Without a checkpoint: the ImageNet classifier, a file or an address, that overrides the config's.

    Raises:
        InputError: Config, checkpoint or weights cannot be used, or do not belong together.

    Example:
        >>> detector = Detector('googlenet_faster-rcnn_voc2007')  # doctest: +SKIP
        >>> found = detector('photo.jpg', score=0.5)  # doctest: +SKIP
        >>> found.save('found.png'), found.to_supervision(), found.to_coco()  # doctest: +SKIP
    """

    def __init__(
        self,
        config: str | Path,
        checkpoint: str | Path | Sequence[str | Path] | None = None,
        device: str | None = None,
        amp: bool = False,
        options: Mapping | None = None,
        engine: str | None = None,
        weights: str | Path | None = None,
    ) -> None:
        if checkpoint is None and weights is None:
            checkpoint = checkpoint_of(config)
        if checkpoint is None:
            if read_config(config, options=options).model.get('type') != 'ImageNetRCNN':
                raise InputError(f'{config}: describes a detector that must be trained; name its checkpoint as well.')
            cfg = load_config(config, options=options, weights=weights)
        elif weights is not None:
            raise InputError(f'{weights}: a trained detector has weights of its own; name these or a checkpoint.')
        else:
            checkpoints = checkpoint_list(checkpoint)
            content = read_checkpoint(checkpoints[0])
            # MultiBox knows objects only, whatever the classes of its data.
            classes = ('object',) if holds_multibox(content) else require_classes(content, checkpoints[0])
            cfg = load_config(config, options=options, checkpoint=checkpoint)
        if is_classifier(cfg):
            raise InputError(
                f'{config}: describes a classifier, which finds no boxes; measure it with det-inception test.'
            )
        self.device = _usable_device(device or ('cuda' if torch.cuda.is_available() else 'cpu'))
        if self.device.type == 'cpu':
            keep_freed_memory()
            limit_compiled_convolutions()
        self.amp = amp
        self.model = MODELS.build(cfg.model)
        if checkpoint is None:
            self.model.init_weights()
            self.classes = self.model.classes
        else:
            load_detectors(self.model, checkpoints)
            self.classes = classes
        self.model.to(self.device).eval()
        if engine is not None:
            accelerate(self.model, engine)
        if cfg.get('test_dataloader') is None:
            raise InputError(f'{config}: the config has no test_dataloader, whose pipeline images go through; add it.')
        steps = cfg.test_dataloader.dataset.pipeline
        self.stores_proposals = any(step.get('store') for step in steps)
        self.pipeline = Compose([_without_annotations(step) for step in steps if step['type'] != 'LoadAnnotations'])

    def __call__(
        self, source: ImageSource | Sequence[ImageSource], score: float | None = None
    ) -> Detections | list[Detections] | Iterator[Detections]:
        """Finds the objects of whatever holds images.

        Args:
            source: One of these.

                * An image: a path, an http or https address, a picture of Pillow, or a NumPy array, gray, BGR or BGRA
                  (OpenCV's order; ``rgb[..., ::-1]`` makes it of RGB). See
                  :func:`~det_inception.inference.sources.open_image`.
                * A list of images. All of them stay in memory; take one at a time where they are many.
                * A video file, or ``'camera:0'``; :meth:`detect_video` has more settings.
            score: Lowest score, 0 to 1; None: all that the config's ``test_cfg`` lets through.

        Returns:
            The detections of an image; a list for a list; for a video an iterator, which reads it frame by frame.

        Raises:
            InputError: An image cannot be read, or the score is none.
        """
        require_score(score)
        if isinstance(source, (list, tuple)):
            return [self._detect_source(one, score) for one in source]
        if is_video_source(source):
            return self.detect_video(Video(source), score)
        return self._detect_source(source, score)

    def _detect_source(self, source: ImageSource, score: float | None) -> Detections:
        found = self.detect(*open_image(source))
        return found if score is None else found.above(score)

    def detect_video(self, video: Video, score: float | None = None) -> Iterator[Detections]:
        """Yields the detections of the frames of a video, each with its frame.

        Args:
            video: Such as ``Video('clip.mp4', every=5)``.
            score: As for a call.
        """
        require_score(score)
        for frame in video:
            found = self.detect(frame.image, f'{video.source}, frame {frame.number}')
            yield found if score is None else found.above(score)

    def detect(self, image: np.ndarray, path: str | Path = '') -> Detections:
        """Finds the objects of one image.

        Args:
            image: An array; see :func:`~det_inception.inference.sources.open_image`.
            path: Its file, for messages and for a proposal store, which refuses that of another image.
        """
        return self.detect_batch([image], [path])[0]

    @torch.no_grad()
    def detect_batch(self, images: Sequence[np.ndarray], paths: Sequence[str | Path]) -> list[Detections]:
        """Finds the objects of several images at once; see :meth:`detect`."""
        images = [as_bgr(image) for image in images]
        seen = images if self.stores_proposals else [_within(image, MAX_PIXELS) for image in images]
        samples = [
            self.pipeline(dict(img=image, img_path=str(path), img_id=str(path))) for image, path in zip(seen, paths)
        ]
        precision = torch.autocast(self.device.type, torch.bfloat16) if self.amp else nullcontext()
        with precision:
            results = self.model.test_step(pseudo_collate(samples))
        for result, small, image in zip(results, seen, images):
            if small is not image:
                found = result.pred_instances
                (height, width), (small_height, small_width) = image.shape[:2], small.shape[:2]
                found.bboxes = found.bboxes * found.bboxes.new_tensor([width / small_width, height / small_height] * 2)
        return [
            Detections.from_instances(result.pred_instances, self.classes, image, str(path))
            for result, image, path in zip(results, images, paths)
        ]

    def detect_files(self, paths: Iterable[str | Path]) -> Iterator[tuple[Path, np.ndarray, Detections]]:
        """Yields path, image and detections of each file, in order."""
        for path in paths:
            image = read_image(path)
            yield Path(path), image, self.detect(image, path)


def _within(image: np.ndarray, pixels: int) -> np.ndarray:
    """Returns an image, made smaller if it has more pixels."""
    height, width = image.shape[:2]
    share = (pixels / (height * width)) ** 0.5
    if share >= 1:
        return image
    return cv2.resize(
        image, (max(1, round(width * share)), max(1, round(height * share))), interpolation=cv2.INTER_AREA
    )


def require_score(score: float | None) -> None:
    """Makes sure that a lowest score is one.

    Raises:
        InputError: It is not 0 to 1.
    """
    if score is not None and not 0 <= score <= 1:
        raise InputError(f'a lowest score of {score:g}: scores are 0 to 1, such as 0.5.')


def _usable_device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = first_line(error)
        raise InputError(f'device {name!r} cannot be used here ({reason}); name another, such as cpu.') from error
    return device


def _without_annotations(step: dict) -> dict:
    """An image of one's own has no annotated objects to pack."""
    if step['type'] != 'PackDetInputs':
        return step
    return dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'))
