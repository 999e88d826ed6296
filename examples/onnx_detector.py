#!/usr/bin/env python3
"""Runs a detector that ``det-inception export`` wrote, with ONNX Runtime, OpenCV and NumPy alone.

python examples/onnx_detector.py detector.onnx photo.jpg           # Faster R-CNN
python examples/onnx_detector.py detector.onnx photo.jpg boxes.txt # Fast R-CNN; a line per box: x1 y1 x2 y2
"""

from __future__ import annotations

import json
import sys

import cv2
import numpy as np


def detect(session, image: np.ndarray, proposals: np.ndarray | None = None) -> tuple[np.ndarray, ...]:
    """Returns boxes (D, 4), scores (D,) and labels (D,) of an image, uint8 (H, W, 3) BGR, best first."""
    height, width = image.shape[:2]
    longer, shorter = json.loads(session.get_modelmeta().custom_metadata_map['scale'])
    scale = min(longer / max(height, width), shorter / min(height, width))
    size = int(width * scale + 0.5), int(height * scale + 0.5)
    factors = np.array([size[0] / width, size[1] / height] * 2, np.float32)
    inputs = {'image': cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)}
    if proposals is not None:
        inputs['proposals'] = proposals.astype(np.float32) * factors
    boxes, scores, labels = session.run(['boxes', 'scores', 'labels'], inputs)
    return boxes / factors, scores, labels


def main() -> None:
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    import onnxruntime

    file, photo, *proposals = sys.argv[1:]
    session = onnxruntime.InferenceSession(file)
    classes = json.loads(session.get_modelmeta().custom_metadata_map['classes'])
    found = detect(session, cv2.imread(photo), *[np.loadtxt(path, ndmin=2) for path in proposals])
    for box, score, label in zip(*found):
        if score >= 0.5:
            print(f'{classes[label]} {score:.3f}', *box.round(1))


if __name__ == '__main__':
    main()
