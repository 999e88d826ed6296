"""The crops of a test image: 1, 10, or the 144 of GoogLeNet (arXiv 1409.4842, section 7)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from det_inception.utils.errors import InputError

CROPS = (1, 10, 144)
LONGEST = 50
"""An image whose one side is more than so many times the other is no photograph, and would be scaled to gigabytes."""


class CropPlan(NamedTuple):
    """Where the N crops of an image are taken.

    Attributes:
        sizes: int64 (N, 2): height and width that the image is resized to, its aspect ratio kept to the pixel.
        boxes: int64 (N, 4): x1, y1, x2, y2 in the resized image, x2 and y2 exclusive: what is cut out. A box that is
            larger than a crop is resized to it.
        mirrored: bool (N,): whether the crop is then mirrored; a mirrored crop follows its plain one.
    """

    sizes: np.ndarray
    boxes: np.ndarray
    mirrored: np.ndarray


def crop_plan(height: int, width: int, number: int = 144, size: int = 224) -> CropPlan:
    """Returns the crops of an image of a given size.

    * 1: the shorter side becomes 256; the center.
    * 10: the four corners and the center of the same image's central square, each also mirrored (Krizhevsky et al.,
      2012, section 4.1).
    * 144: the shorter side becomes 256, 288, 320 and 352; of each the left, central and right square (top, center and
      bottom of a portrait); of each square the four corners, the center, and the square itself resized; each also
      mirrored: 4 x 3 x 6 x 2. The three squares of a square image are one and the same, and still count three times.

    Args:
        height: Of the image in pixels; an image smaller than the crop is enlarged like any other.
        width: Likewise.
        number: 1, 10 or 144.
        size: Side of a crop. For another than 224, 256 to 352 change in proportion: 8, 9, 10, 11 sevenths of it.

    Raises:
        ValueError: ``number`` is another, or ``height``, ``width`` or ``size`` is below 1.
        InputError: The image is more than 50 times as long as it is short.

    Example:
        >>> crop_plan(300, 400, number=1)
        CropPlan(sizes=array([[256, 341]]), boxes=array([[ 58,  16, 282, 240]]), mirrored=array([False]))
    """
    if number not in CROPS:
        raise ValueError(f'an image is tested with {", ".join(map(str, CROPS))} crops, not {number}')
    if min(height, width, size) < 1:
        raise ValueError(f'an image of {width}x{height} has no crops of {size}')
    if max(height, width) > LONGEST * min(height, width):
        raise InputError(
            f'an image of {width}x{height} pixels is more than {LONGEST} times as long as it is short; leave it out.'
        )
    sizes, boxes = [], []
    for sevenths in (8, 9, 10, 11) if number == 144 else (8,):
        short = (size * sevenths + 3) // 7  # rounded: 256, 288, 320, 352
        long = max(short, round(max(height, width) * short / min(height, width)))
        for slack in (0, (long - short) // 2, long - short) if number == 144 else ((long - short) // 2,):
            left, top = (slack, 0) if width > height else (0, slack)
            for x1, y1, side in _views(left, top, short, size, number):
                sizes.append((long, short) if height > width else (short, long))
                boxes.append((x1, y1, x1 + side, y1 + side))
    twice = 1 if number == 1 else 2
    return CropPlan(
        np.repeat(np.array(sizes), twice, axis=0),
        np.repeat(np.array(boxes), twice, axis=0),
        np.tile(np.arange(twice) == 1, len(boxes)),
    )


def _views(left: int, top: int, side: int, size: int, number: int) -> list[tuple[int, int, int]]:
    """Returns left, top and side of what is cut out of one square."""
    rest = side - size
    center = (left + rest // 2, top + rest // 2, size)
    if number == 1:
        return [center]
    corners = [(left + x, top + y, size) for y in (0, rest) for x in (0, rest)]
    return [*corners, center] + ([(left, top, side)] if number == 144 else [])
