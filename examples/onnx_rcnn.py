#!/usr/bin/env python3
"""Runs an R-CNN that ``det-inception export`` wrote, with ONNX Runtime, OpenCV and NumPy alone.

python examples/onnx_rcnn.py rcnn.onnx photo.jpg boxes.txt  # a line per proposal: x1 y1 x2 y2
"""

from __future__ import annotations

import json
import sys

import cv2
import numpy as np


def detect(session, image: np.ndarray, boxes: np.ndarray, score: float = 0.05, overlap: float = 0.3) -> list[tuple]:
    """Returns (label, score, box) of an image, uint8 (H, W, 3) BGR, whose proposals are boxes (R, 4); best first."""
    facts = {key: json.loads(value) for key, value in session.get_modelmeta().custom_metadata_map.items()}
    pixels = (image[..., ::-1] if facts['bgr_to_rgb'] else image).astype(np.float32)
    pixels = (pixels - np.float32(facts['mean'])) / np.float32(facts['std'])
    crops = np.stack([warp(pixels, box, facts['size'], facts['context']) for box in boxes])
    scores, *deltas = session.run(None, {'crops': crops})
    found = []
    for label in range(scores.shape[1] - 1):  # The last is the background.
        moved = boxes
        if deltas:
            moved = regress(boxes, deltas[0][:, 4 * label :][:, :4] * facts['delta_stds'] + facts['delta_means'])
        moved = np.clip(moved, 0, [*image.shape[1::-1]] * 2)
        sides = np.c_[moved[:, :2], moved[:, 2:] - moved[:, :2]]
        kept = cv2.dnn.NMSBoxes(sides.tolist(), scores[:, label].tolist(), score, overlap)
        found += [(label, float(scores[number, label]), moved[number]) for number in np.array(kept, int).flatten()]
    return sorted(found, key=lambda item: -item[1])


def warp(pixels: np.ndarray, box: np.ndarray, size: int, context: int) -> np.ndarray:
    """Stretches a box with its context to (3, size, size); what lies outside the image is 0, the mean."""
    length = (box[2:] - box[:2]) * size / (size - 2 * context)
    x, y = ((box[:2] + box[2:] - length) / 2 + (np.arange(size)[:, None] + 0.5) / size * length).T
    crop = sample(sample(pixels, y), x, axis=1)
    crop[((y < 0) | (y >= pixels.shape[0]))[:, None] | ((x < 0) | (x >= pixels.shape[1]))] = 0
    return crop.transpose(2, 0, 1)


def sample(pixels: np.ndarray, places: np.ndarray, axis: int = 0) -> np.ndarray:
    """Interpolates linearly along an axis; the first pixel's center is at 0.5."""
    last = pixels.shape[axis] - 1
    places = np.clip(places - 0.5, 0, last)
    low = places.astype(int)
    share = (places - low).astype(np.float32).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
    return pixels.take(low, axis) * (1 - share) + pixels.take(np.minimum(low + 1, last), axis) * share


def regress(boxes: np.ndarray, deltas: np.ndarray) -> np.ndarray:
    """Moves boxes (R, 4) by deltas (R, 4)."""
    length = boxes[:, 2:] - boxes[:, :2]
    center = (boxes[:, :2] + boxes[:, 2:]) / 2 + deltas[:, :2] * length
    half = length * np.exp(np.clip(deltas[:, 2:], -4.135, 4.135)) / 2
    return np.hstack([center - half, center + half])


def main() -> None:
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    import onnxruntime

    file, photo, proposals = sys.argv[1:]
    session = onnxruntime.InferenceSession(file)
    classes = json.loads(session.get_modelmeta().custom_metadata_map['classes'])
    for label, score, box in detect(session, cv2.imread(photo), np.loadtxt(proposals, ndmin=2)):
        print(f'{classes[label]} {score:.3f}', *box.round(1))


if __name__ == '__main__':
    main()
