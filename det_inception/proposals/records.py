"""The proposals of one image, and by what the image is recognized.

Shape legend: N proposals of an image. Boxes are x1, y1, x2, y2 in pixels of the image as it is displayed (after its
EXIF rotation), in continuous coordinates: a box that covers the whole image is 0, 0, width, height.
"""

import hashlib
from dataclasses import dataclass

import numpy as np

# More boxes than any method gives, few enough that a forged index cannot ask for the machine's memory.
MAX_BOXES_PER_IMAGE = 1_000_000


@dataclass(frozen=True)
class Proposals:
    """The proposals of one image, best first.

    Attributes:
        boxes: float32 (N, 4), x1 y1 x2 y2 in continuous pixel coordinates.
        scores: float32 (N,), never increasing.
        height: Height of the image in pixels.
        width: Width of the image in pixels.
    """

    boxes: np.ndarray
    scores: np.ndarray
    height: int
    width: int

    def __len__(self) -> int:
        return len(self.boxes)


@dataclass(frozen=True)
class ImageIdentity:
    """By what an image's file is recognized: its size in bytes and a hash of them."""

    file_size: int
    fingerprint: bytes


def identify(data: bytes) -> ImageIdentity:
    """Returns the number of bytes of an image's file and their BLAKE2b hash of 8 bytes."""
    return ImageIdentity(len(data), hashlib.blake2b(data, digest_size=8).digest())


def rank_scores(count: int) -> np.ndarray:
    """Returns the scores of a method that only ranks, float32 (N,): from 1 down in equal steps, never reaching 0."""
    return ((count - np.arange(count)) / max(count, 1)).astype(np.float32)


def is_valid_key(key: object) -> bool:
    """Whether something can be an image's key: a relative POSIX path, normal, of printable characters, in UTF-8."""
    if not isinstance(key, str) or not key.isprintable():
        return False
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return all(name not in ('', '.', '..') for name in key.split('/'))


def validated(key: str, proposals: Proposals) -> Proposals:
    """Returns proposals as a store keeps them: float32, sorted by score (equal scores keep their order).

    Raises:
        ValueError: Shapes, numbers, boxes or the image's size cannot be right.
    """
    boxes = np.asarray(proposals.boxes, dtype=np.float32)
    scores = np.asarray(proposals.scores, dtype=np.float32)
    height, width = int(proposals.height), int(proposals.width)
    if boxes.size == 0:
        boxes = boxes.reshape(0, 4)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or scores.shape != boxes.shape[:1]:
        raise ValueError(f'{key}: boxes must be (N, 4) and scores (N,), not {boxes.shape} and {scores.shape}.')
    if len(boxes) > MAX_BOXES_PER_IMAGE:
        raise ValueError(f'{key}: {len(boxes)} boxes are more than a store holds for an image.')
    if not 0 < height < 2**32 or not 0 < width < 2**32:
        raise ValueError(f'{key}: an image of {width} x {height} pixels cannot be.')
    if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
        raise ValueError(f'{key}: boxes and scores must be finite.')
    # A pixel of slack: methods that work on a resized image round.
    inside = (boxes[:, :2] >= -1).all() and (boxes[:, 2] <= width + 1).all() and (boxes[:, 3] <= height + 1).all()
    if not inside or (boxes[:, :2] > boxes[:, 2:]).any():
        raise ValueError(f'{key}: a box is inside out or leaves the image of {width} x {height} pixels.')
    if (np.diff(scores) > 0).any():
        order = np.argsort(-scores, kind='stable')
        boxes, scores = boxes[order], scores[order]
    return Proposals(boxes, scores, height, width)
