"""Images in, boxes out."""

import det_inception.compat  # noqa: F401  (first: MMDetection cannot be imported without it)
from det_inception.inference.detections import Detections
from det_inception.inference.detector import Detector
from det_inception.inference.drawing import draw
from det_inception.inference.images import find_images, passed_over

__all__ = ['Detections', 'Detector', 'draw', 'find_images', 'passed_over']
