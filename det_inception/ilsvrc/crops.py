"""The crops of a test image: 1, 10, or the 144 of GoogLeNet (arXiv 1409.4842, section 7).

Where 1 or 10 crops are taken is a rule of whoever published the weights: a network knows images as it was trained and
tested on. A rule is a plain dict, so that configs and checkpoints can hold it. Of a length that is not whole, and of a
center between two pixels, other libraries may take the other one.

=================  ====================================================================================================
``resize``         ``'shorter'``: the shorter side becomes ``side``; ``'squash'``: both sides do, the aspect ratio is
                   lost; ``'central'``: nothing is resized first, windows of ``crop / side`` of each side are
``side``           length in pixels that ``resize`` is about
``crop``           side of the crop
``interpolation``  one of :data:`INTERPOLATIONS`
=================  ====================================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from det_inception.utils.errors import InputError

CROPS = (1, 10, 144)
LONGEST = 50
"""An image whose one side is more than so many times the other is no photograph, and would be scaled to gigabytes."""
RESIZES = ('shorter', 'squash', 'central')
INTERPOLATIONS = (
    'area',  # averages where the image shrinks, bilinear where it grows
    'bilinear',  # of the four nearest pixels, however much the image shrinks: Caffe's, which is OpenCV's
    'bicubic',
    'bilinear_antialias',  # Pillow's, and so torchvision's and timm's
    'bicubic_antialias',
    'bilinear_tensorflow',  # of the first TensorFlow: pixel 0 stays pixel 0, without antialiasing
)
RULES = {
    'paper': dict(resize='shorter', side=256, crop=224, interpolation='area'),
    'caffe': dict(resize='squash', side=256, crop=224, interpolation='bilinear'),
    'torchvision': dict(resize='shorter', side=256, crop=224, interpolation='bilinear_antialias'),
    'tf_slim': dict(resize='central', side=256, crop=224, interpolation='bilinear_tensorflow'),
}
"""How the public weights of GoogLeNet were tested; ``'paper'``, which leaves the interpolation open, is for others."""


def require_rule(rule: str | Mapping) -> dict:
    """Returns a rule, of :data:`RULES` where it is a name.

    Raises:
        InputError: It is no rule.
    """
    if isinstance(rule, str):
        if rule not in RULES:
            raise InputError(f'the rule of a test is one of {", ".join(RULES)} or a dict, not {rule!r}.')
        return dict(RULES[rule])
    if not isinstance(rule, Mapping) or {*rule} != {*RULES['paper']}:
        raise InputError(f'the rule of a test has {", ".join(RULES["paper"])}, and this one is {rule!r}.')
    side, crop = rule['side'], rule['crop']
    whole = all(isinstance(length, int) and not isinstance(length, bool) for length in (side, crop))
    if not whole or not 1 <= crop <= side <= LONGEST * crop:
        raise InputError(
            f'the rule of a test has the crop {crop!r} and the side {side!r}; both are pixels, the crop at least 1, '
            f'and the side at least the crop and at most {LONGEST} times as much.'
        )
    for key, known in (('resize', RESIZES), ('interpolation', INTERPOLATIONS)):
        if rule[key] not in known:
            raise InputError(f'{key} in the rule of a test is one of {", ".join(known)}, not {rule[key]!r}.')
    return dict(rule)


def describe_rule(rule: Mapping) -> str:
    """Returns a rule in words.

    Example:
        >>> describe_rule(RULES['caffe'])
        'squashed to 256x256, crops of 224, bilinear'
    """
    side = rule['side']
    how = {
        'shorter': f'shorter side {side}',
        'squash': f'squashed to {side}x{side}',
        'central': f'windows of {rule["crop"] / side:.1%} of each side',
    }[rule['resize']]
    return f'{how}, crops of {rule["crop"]}, {rule["interpolation"].replace("_", ", ")}'


class CropPlan(NamedTuple):
    """Where the N crops of an image are taken.

    Attributes:
        sizes: int64 (N, 2): height and width that the image is resized to.
        boxes: int64 (N, 4): x1, y1, x2, y2 in the resized image, x2 and y2 exclusive: what is cut out. A box that is
            of another size than a crop is resized to it.
        mirrored: bool (N,): whether the crop is then mirrored; a mirrored crop follows its plain one.
    """

    sizes: np.ndarray
    boxes: np.ndarray
    mirrored: np.ndarray


def crop_plan(
    height: int, width: int, number: int = 144, size: int = 224, resize: str = 'shorter', share: float = 7 / 8
) -> CropPlan:
    """Returns the crops of an image of a given size.

    * 1: the center of the image as ``resize`` and ``share`` say; by default, the shorter side becomes 256.
    * 10: the four corners and the center of the same image, of its central square for ``'shorter'``, each also
      mirrored (Krizhevsky et al., 2012, section 4.1).
    * 144, always as in the paper: the shorter side becomes 256, 288, 320 and 352; of each the left, central and right
      square (top, center and bottom of a portrait); of each square the four corners, the center, and the square itself
      resized; each also mirrored: 4 x 3 x 6 x 2. The three squares of a square image are one and the same, and still
      count three times.

    Args:
        height: Of the image in pixels; an image smaller than the crop is enlarged like any other.
        width: Likewise.
        number: 1, 10 or 144.
        size: Side of a crop. For another than 224, 256 to 352 change in proportion: 8, 9, 10, 11 sevenths of it.
        resize: Of 1 and 10 crops, one of :data:`RESIZES`.
        share: Of 1 and 10 crops: ``size`` over the side that the image is resized to.

    Raises:
        ValueError: ``number``, ``resize`` or ``share`` is another, or ``height``, ``width`` or ``size`` is below 1.
        InputError: The image is more than 50 times as long as it is short.

    Example:
        >>> crop_plan(300, 400, number=1)
        CropPlan(sizes=array([[256, 341]]), boxes=array([[ 58,  16, 282, 240]]), mirrored=array([False]))
    """
    if number not in CROPS:
        raise ValueError(f'an image is tested with {", ".join(map(str, CROPS))} crops, not {number}')
    if min(height, width, size) < 1:
        raise ValueError(f'an image of {width}x{height} has no crops of {size}')
    if resize not in RESIZES or not 0 < share <= 1:
        raise ValueError(f'crops are a share in (0, 1] after one of {", ".join(RESIZES)}, not {share} after {resize}')
    if max(height, width) > LONGEST * min(height, width):
        raise InputError(
            f'an image of {width}x{height} pixels is more than {LONGEST} times as long as it is short; leave it out.'
        )
    if number == 144:
        rows = _paper_rows(height, width, size)
    elif resize == 'central':
        rows = [((height, width), box) for box in _windows(height, width, share, number)]
    else:
        rows = _resized_rows(height, width, number, size, resize == 'squash', int(size / share + 0.5))
    twice = 1 if number == 1 else 2
    return CropPlan(
        np.repeat(np.array([lengths for lengths, _ in rows]), twice, axis=0),
        np.repeat(np.array([box for _, box in rows]), twice, axis=0),
        np.tile(np.arange(twice) == 1, len(rows)),
    )


Row = tuple[tuple[int, int], tuple[int, int, int, int]]
"""Height and width of the resized image, and a box in it."""


def _paper_rows(height: int, width: int, size: int) -> list[Row]:
    rows = []
    for sevenths in (8, 9, 10, 11):
        short = (size * sevenths + 3) // 7  # rounded: 256, 288, 320, 352
        long, resized = _shorter(height, width, short)
        for slack in (0, (long - short) // 2, long - short):
            left, top = (slack, 0) if width > height else (0, slack)
            boxes = [*_corners_and_center(left, top, short, size), (left, top, left + short, top + short)]
            rows += [(resized, box) for box in boxes]
    return rows


def _resized_rows(height: int, width: int, number: int, size: int, squash: bool, short: int) -> list[Row]:
    long, resized = (short, (short, short)) if squash else _shorter(height, width, short)
    slack = (long - short) // 2
    left, top = (slack, 0) if width > height else (0, slack)
    boxes = _corners_and_center(left, top, short, size)
    return [(resized, box) for box in (boxes if number == 10 else boxes[-1:])]


def _shorter(height: int, width: int, short: int) -> tuple[int, tuple[int, int]]:
    """Returns the longer side, and height and width, of an image whose shorter side becomes ``short``."""
    long = max(short, round(max(height, width) * short / min(height, width)))
    return long, (long, short) if height > width else (short, long)


def _corners_and_center(left: int, top: int, side: int, size: int) -> list[tuple[int, int, int, int]]:
    """Returns the boxes of five crops in one square."""
    rest = side - size
    places = [*((x, y) for y in (0, rest) for x in (0, rest)), (rest // 2, rest // 2)]
    return [(left + x, top + y, left + x + size, top + y + size) for x, y in places]


def _windows(height: int, width: int, share: float, number: int) -> list[tuple[int, int, int, int]]:
    """Returns the central window of an image, as TensorFlow's ``central_crop``, behind those in the corners."""
    x, y = (int((length - length * share) / 2) for length in (width, height))
    places = [(0, 0), (2 * x, 0), (0, 2 * y), (2 * x, 2 * y)] if number == 10 else []
    return [(left, top, left + width - 2 * x, top + height - 2 * y) for left, top in (*places, (x, y))]
