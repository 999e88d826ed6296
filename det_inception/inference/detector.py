"""Images in, boxes out: what ``tools/demo.py``, a notebook or a service calls.

Shape legend: D detections of an image.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from glob import glob
from pathlib import Path

import cv2
import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmdet.visualization import DetLocalVisualizer
from mmengine.dataset import Compose, pseudo_collate
from mmengine.structures import InstanceData

from det_inception.config.classifier import is_classifier
from det_inception.config.loading import checkpoint_list, load_config
from det_inception.inference.acceleration.engines import accelerate
from det_inception.registry import MODELS
from det_inception.utils.allocator import keep_freed_memory
from det_inception.utils.errors import InputError, first_line
from det_inception.utils.images import IMAGE_SUFFIXES, read_image
from det_inception.weights.checkpoints import holds_multibox, load_detectors, read_checkpoint, require_classes


@dataclass(frozen=True)
class Detections:
    """What was found in one image, best first.

    Attributes:
        boxes: float32 (D, 4): x1, y1, x2, y2 in the image's pixels, continuous coordinates.
        scores: float32 (D,), 0 to 1.
        labels: int64 (D,): positions in ``classes``.
        classes: Names of the detector's classes.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.scores)

    def above(self, score: float, limit: int | None = None) -> Detections:
        """Returns the detections of at least this score, at most ``limit`` of them."""
        keep = np.flatnonzero(self.scores >= score)[:limit]
        return Detections(self.boxes[keep], self.scores[keep], self.labels[keep], self.classes)

    def as_dicts(self) -> list[dict]:
        """Returns plain values, ready for JSON: class, score, box."""
        return [
            dict(label=self.classes[label], score=round(float(score), 4), box=[round(float(v), 1) for v in box])
            for box, score, label in zip(self.boxes, self.scores, self.labels)
        ]


class Detector:
    """A detector, ready for images.

    Args:
        config: Config file.
        checkpoint: Checkpoint that ``tools/train.py`` wrote with it; several make an ensemble. None for a config that
            needs no training, :class:`~det_inception.models.ImageNetRCNN`'s.
        device: ``'cuda'``, ``'cpu'``, ...; None: a GPU where there is one.
        amp: Mixed precision; bfloat16 on a processor.
        options: Settings that override the config's, dotted names allowed.
        engine: How to judge regions faster, see :func:`det_inception.inference.acceleration.engines.accelerate`; not
        with ``amp``.
        weights: Without a checkpoint: the ImageNet classifier, a file or an address, that overrides the config's.

    Raises:
        InputError: Config, checkpoint or weights cannot be used, or do not belong together.

    Example:
        >>> detector = Detector('configs/googlenet_rcnn_mini.py', 'checkpoints/mini.pth')  # doctest: +SKIP
        >>> detector.detect(cv2.imread('photo.jpg')).above(0.5).as_dicts()  # doctest: +SKIP
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
        if checkpoint is None:
            cfg = load_config(config, options=options, weights=weights)
            if cfg.model.get('type') != 'ImageNetRCNN':
                raise InputError(f'{config}: describes a detector that must be trained; name its checkpoint as well.')
        elif weights is not None:
            raise InputError(f'{weights}: a trained detector has weights of its own; name these or a checkpoint.')
        else:
            checkpoints = checkpoint_list(checkpoint)
            content = read_checkpoint(checkpoints[0])
            # MultiBox knows objects only, whatever the classes of its data.
            classes = ('object',) if holds_multibox(content) else require_classes(content, checkpoints[0])
            cfg = load_config(config, options=options, checkpoint=checkpoint)
        if is_classifier(cfg):
            raise InputError(f'{config}: describes a classifier, which finds no boxes; measure it with tools/test.py.')
        self.device = _usable_device(device or ('cuda' if torch.cuda.is_available() else 'cpu'))
        if self.device.type == 'cpu':
            keep_freed_memory()
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
        self.pipeline = Compose([_without_annotations(step) for step in steps if step['type'] != 'LoadAnnotations'])

    def detect(self, image: np.ndarray, path: str | Path = '') -> Detections:
        """Finds the objects of one image.

        Args:
            image: uint8 (H, W, 3), BGR.
            path: Its file, for a proposal store and for messages; not read.
        """
        return self.detect_batch([image], [path])[0]

    @torch.no_grad()
    def detect_batch(self, images: Sequence[np.ndarray], paths: Sequence[str | Path]) -> list[Detections]:
        """Finds the objects of several images at once; see :meth:`detect`."""
        for image in images:
            if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
                raise InputError(f'an image is uint8 (H, W, 3) in BGR, not {image.dtype} {image.shape}.')
        samples = [
            self.pipeline(dict(img=image, img_path=str(path), img_id=str(path))) for image, path in zip(images, paths)
        ]
        precision = torch.autocast(self.device.type, torch.bfloat16) if self.amp else nullcontext()
        with precision:
            results = self.model.test_step(pseudo_collate(samples))
        return [self._best_first(result.pred_instances) for result in results]

    def _best_first(self, found: InstanceData) -> Detections:
        order = torch.argsort(found.scores, descending=True, stable=True)
        return Detections(
            boxes=found.bboxes[order].float().cpu().numpy(),
            scores=found.scores[order].float().cpu().numpy(),
            labels=found.labels[order].cpu().numpy(),
            classes=self.classes,
        )

    def detect_files(self, paths: Iterable[str | Path]) -> Iterator[tuple[Path, np.ndarray, Detections]]:
        """Yields path, image and detections of each file, in order."""
        for path in paths:
            image = read_image(path)
            yield Path(path), image, self.detect(image, path)


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


def find_images(patterns: Sequence[str | Path]) -> list[Path]:
    """Returns the image files that paths, folders and globs name, each once, in order; folders are searched below.

    Raises:
        InputError: A path does not exist, or a folder or glob holds no image.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        path = Path(pattern)
        if os.path.isdir(path):
            # Hidden files are no pictures, but what some systems leave beside them.
            files = [
                file
                for file in sorted(path.rglob('*'))
                if file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith('.')
            ]
        elif os.path.exists(path):
            files = [path]
        else:
            files = [Path(name) for name in sorted(glob(str(pattern), recursive=True)) if os.path.isfile(name)]
        if not files:
            kind = 'the folder holds no image' if os.path.isdir(path) else 'no such file, folder or match'
            raise InputError(f'{pattern}: {kind}; name images ({", ".join(IMAGE_SUFFIXES)}), folders or globs.')
        found.update(dict.fromkeys(files))
    return list(found)


def draw(image: np.ndarray, detections: Detections) -> np.ndarray:
    """Draws boxes with class names and scores, with MMDetection's visualizer.

    Args:
        image: uint8 (H, W, 3), BGR; not changed.
        detections: Those to draw.

    Returns:
        A copy of the image with the drawing.
    """
    visualizer = DetLocalVisualizer()
    visualizer.dataset_meta = dict(
        classes=detections.classes, palette=[class_color(label)[::-1] for label in range(len(detections.classes))]
    )
    found = InstanceData(
        bboxes=torch.from_numpy(detections.boxes),
        scores=torch.from_numpy(detections.scores),
        labels=torch.from_numpy(detections.labels),
    )
    sample = DetDataSample(pred_instances=found)
    visualizer.add_datasample('', image[:, :, ::-1].copy(), sample, draw_gt=False, pred_score_thr=0)
    return np.ascontiguousarray(visualizer.get_image()[:, :, ::-1])


def class_color(label: int) -> tuple[int, int, int]:
    """Returns a class's BGR color: neighbors differ by the golden angle in hue."""
    hue = int(label * 111.246 + 5) % 180
    pixel = cv2.cvtColor(np.uint8([[[hue, 200, 230]]]), cv2.COLOR_HSV2BGR)[0, 0]
    return tuple(int(value) for value in pixel)
