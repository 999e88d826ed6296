"""Images in, boxes out."""

import det_inception.compat  # noqa: F401  (first: MMDetection cannot be imported without it)
from det_inception.inference.detections import Detections
from det_inception.inference.detector import Detector
from det_inception.inference.images import find_images, find_sources, passed_over
from det_inception.inference.video import Video

__all__ = ['Detections', 'Detector', 'Video', 'find_images', 'find_sources', 'passed_over']
