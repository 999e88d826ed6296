"""Detections drawn into their image."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmdet.visualization import DetLocalVisualizer
from mmengine.structures import InstanceData

from det_inception.inference.detections import Detections


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
