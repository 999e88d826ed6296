"""Detections drawn into their image."""

from __future__ import annotations

import numpy as np

from det_inception.inference.detections import Detections
from det_inception.utils.drawing import class_color, draw_boxes

__all__ = ['class_color', 'draw']


def draw(image: np.ndarray, detections: Detections) -> np.ndarray:
    """Draws boxes with class names and scores, each class in its color.

    Args:
        image: uint8 (H, W, 3), BGR; not changed.
        detections: Those to draw; the first comes on top.

    Returns:
        A copy of the image with the drawing.
    """
    captions = [
        f'{detections.classes[label]}: {100 * score:.1f}' for label, score in zip(detections.labels, detections.scores)
    ]
    return draw_boxes(image, detections.boxes, captions, [class_color(label) for label in detections.labels])
