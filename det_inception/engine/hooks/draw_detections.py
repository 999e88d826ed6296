"""Pictures of the objects and detections of a test: ``tools/test.py --show-dir``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import BaseBoxes
from mmengine.hooks import Hook
from mmengine.structures import InstanceData

from det_inception.registry import HOOKS
from det_inception.utils.drawing import class_color, draw_boxes
from det_inception.utils.files import common_folder, require_apart, require_writable, write_image
from det_inception.utils.images import read_image

WRITABLE = ('.jpg', '.jpeg', '.png')
"""Pictures keep the names of images that end so; others are PNGs."""


@HOOKS.register_module()
class DrawDetectionsHook(Hook):
    """Draws every image of a test with its objects on the left and its detections on the right.

    MMDetection's own hook reads fewer formats than training does, of images with the same name in different folders
    keeps the last one's picture, and takes 50 times an image's size of memory to draw it.

    Args:
        folder: Where to write the pictures; as deep as the images lie below the folder that all of them share.
        score: Detections above this are drawn.
    """

    def __init__(self, folder: str, score: float = 0.3) -> None:
        require_writable(folder, 'the pictures cannot be written there', 'choose another folder')
        self.folder, self.score = Path(folder), score
        self.root = ''

    def before_test_epoch(self, runner: Any) -> None:
        """Finds the folder that all images share, and makes sure that none is drawn over.

        Raises:
            InputError: A picture would take an image's place.
        """
        dataset = runner.test_loop.dataloader.dataset
        images = {os.path.abspath(dataset.get_data_info(number)['img_path']) for number in range(len(dataset))}
        self.root = common_folder(images)
        require_apart(images, map(self._target, images), '--show-dir')

    def after_test_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Sequence[DetDataSample] | None = None
    ) -> None:
        """Writes the pictures of a batch."""
        for sample in outputs or ():
            target = self._target(sample.img_path)
            target.parent.mkdir(parents=True, exist_ok=True)
            image = read_image(sample.img_path)
            objects, found = sample.gt_instances, sample.pred_instances
            found = found[found.scores > self.score]
            sides = [self._draw(image, objects, runner), self._draw(image, found, runner)]
            write_image(target, np.concatenate(sides, axis=1))

    def _draw(self, image: np.ndarray, instances: InstanceData, runner: Any) -> np.ndarray:
        classes = (runner.visualizer.dataset_meta or {}).get('classes') or ()
        labels = instances.labels.tolist()
        captions = [str(classes[label]) if label < len(classes) else str(label) for label in labels]
        if 'scores' in instances:
            captions = [f'{caption}: {100 * score:.1f}' for caption, score in zip(captions, instances.scores.tolist())]
        boxes = instances.bboxes
        boxes = (boxes.tensor if isinstance(boxes, BaseBoxes) else torch.as_tensor(boxes)).float().cpu().numpy()
        return draw_boxes(image, boxes, captions, [class_color(label) for label in labels])

    def _target(self, image: str) -> Path:
        """The picture of an image."""
        target = self.folder / os.path.relpath(image, self.root)
        return target if target.suffix.lower() in WRITABLE else target.with_name(f'{target.name}.png')
