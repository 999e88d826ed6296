"""Composes a picture: background, clutter, objects of the classes, shadows, light and camera.

Legend: H x W the picture, N objects that it holds. Boxes are 0-based inclusive pixel indices x1, y1, x2, y2,
as in the annotation files of ILSVRC DET (there xmin may be 0 and xmax is at most width - 1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from det_inception.mini_set.backgrounds import background
from det_inception.mini_set.canvas import Array, Canvas, hsv, noise
from det_inception.mini_set.clutter import clutter
from det_inception.mini_set.objects import CATALOGUE

CLASSES: tuple[tuple[str, str], ...] = tuple((entry.wnid, entry.name) for entry in CATALOGUE)
"""(WNID, name) of each class, as in the development kit's `map_det.txt`."""

Box = tuple[str, int, int, int, int]

LEAST_VISIBLE = 0.45
"""An object of which a smaller share of its own area is seen is not placed."""

_LEAST_SIDE = 12
_OVERSAMPLING = 2.0
_ATTEMPTS = 14
# Chances of 0, 1, ... pieces of clutter behind and before the objects, and of 1 to 6 objects.
_CLUTTER_CHANCES = (0.08, 0.12, 0.16, 0.16, 0.14, 0.12, 0.1, 0.07, 0.05)
_FOREGROUND_CHANCES = (0.45, 0.3, 0.15, 0.1)
_COUNT_CHANCES = (0.24, 0.25, 0.2, 0.14, 0.1, 0.07)


@dataclass(frozen=True)
class Layer:
    """Something painted into the picture.

    Attributes:
        alpha: (H, W) uint8, the share of each pixel that it covers.
        object_index: index of the object in `Scene.boxes`, or -1 for clutter before the objects.
    """

    alpha: Array
    object_index: int


@dataclass(frozen=True)
class Scene:
    """A picture with what is known about it.

    Attributes:
        image: (H, W, 3) uint8 BGR.
        boxes: N times (WNID, x1, y1, x2, y2), 0-based inclusive pixel indices.
        layers: objects and the clutter before them, in the order in which they were painted.
    """

    image: Array
    boxes: list[Box]
    layers: list[Layer]


def render(seed: int | Sequence[int]) -> tuple[Array, list[Box]]:
    """Draws the picture of a seed.

    Args:
        seed: a non-negative integer, or several.

    Returns:
        The picture, (H, W, 3) uint8 BGR, and for each of its 1 to 6 objects (WNID, x1, y1, x2, y2): the box
        about the pixels of which at least half show the object; 0-based inclusive indices.

    Example:
        >>> image, boxes = render(7)
        >>> image.dtype, all(0 <= x1 <= x2 < image.shape[1] for _, x1, _, x2, _ in boxes)
        (dtype('uint8'), True)
    """
    scene = compose(seed)
    return scene.image, scene.boxes


def compose(seed: int | Sequence[int]) -> Scene:
    """Draws the picture of a seed as `render` does, and gives its layers too."""
    rng = np.random.default_rng(seed)
    height, width = _picture_size(rng)
    azimuth, steepness = rng.uniform(0, 2 * np.pi), rng.uniform(0.8, 2.0)
    light = np.array([np.cos(azimuth), np.sin(azimuth), steepness])
    picture = background(_own(rng), height, width)
    for _ in range(rng.choice(9, p=_CLUTTER_CHANCES)):
        lot = _own(rng)
        sprite = _clutter_sprite(lot, light, lot.uniform(0.12, 0.55) * min(height, width))
        _paste(picture, sprite, _anywhere(lot, sprite, height, width, 0.5), light, lot.uniform(0.2, 0.6))

    layers: list[Layer] = []
    visible: list[Array] = []
    areas: list[int] = []
    kinds: list[int] = []
    wanted = 1 + int(rng.choice(6, p=_COUNT_CHANCES))
    crowded = rng.random() < 0.5
    for _ in range(wanted):
        lot = _own(rng)
        # A second one of a kind is common in photographs: with some chance the last kind is drawn again.
        kind = kinds[-1] if kinds and lot.random() < 0.2 else int(lot.integers(len(CATALOGUE)))
        sprite = _object_sprite(lot, kind, light, height, width, wanted)
        area = int(np.count_nonzero(sprite[..., 3] >= 128))
        for attempt in range(_ATTEMPTS + 1):
            corner = _anywhere(lot, sprite, height, width, 0.12 if kinds else 0.06)
            if attempt == _ATTEMPTS:
                corner = ((height - sprite.shape[0]) // 2, (width - sprite.shape[1]) // 2)
            alpha = _full_frame(sprite, corner, height, width)
            now = [*(_hidden_by(v, alpha) for v in visible), alpha.astype(np.float32) / 255]
            # Late attempts are content with less, so that the picture does not stay emptier than meant.
            least = LEAST_VISIBLE if crowded or attempt > 9 else 0.92
            if all(_is_seen(v, a, least) for v, a in zip(now, [*areas, area])):
                break
        else:
            # The first, in the middle of the picture, is always well seen; a later one may have to stay away.
            if kinds:
                continue
        _paste(picture, sprite, corner, light, lot.uniform(0.25, 0.65))
        layers.append(Layer(alpha, len(kinds)))
        visible, areas, kinds = now, [*areas, area], [*kinds, kind]

    for _ in range(rng.choice(4, p=_FOREGROUND_CHANCES)):
        lot = _own(rng)
        sprite = _clutter_sprite(lot, light, lot.uniform(0.1, 0.4) * min(height, width))
        corner = _anywhere(lot, sprite, height, width, 0.5)
        alpha = _full_frame(sprite, corner, height, width)
        now = [_hidden_by(v, alpha) for v in visible]
        if all(_is_seen(v, a, LEAST_VISIBLE) for v, a in zip(now, areas)):
            _paste(picture, sprite, corner, light, lot.uniform(0.2, 0.6))
            layers.append(Layer(alpha, -1))
            visible = now

    boxes = [(CATALOGUE[kind].wnid, *tight_box(v)) for kind, v in zip(kinds, visible)]
    return Scene(_photograph(_own(rng), picture), boxes, layers)


def _own(rng: np.random.Generator) -> np.random.Generator:
    """Gives a part of the scene random numbers of its own.

    How many numbers a part draws can depend on a pixel that another version of OpenCV rounds differently:
    then that stays within the part instead of changing all that comes after it.
    """
    return np.random.default_rng(rng.integers(2**62))


def tight_box(coverage: Array) -> tuple[int, int, int, int]:
    """Gives the inclusive box x1, y1, x2, y2 about the pixels of an (H, W) array of at least one half."""
    seen = coverage >= 0.5
    columns, rows = np.flatnonzero(seen.any(0)), np.flatnonzero(seen.any(1))
    return int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])


def _picture_size(rng: np.random.Generator) -> tuple[int, int]:
    longer = int(rng.integers(240, 361))
    shorter = int(round(longer / rng.choice([4 / 3, 4 / 3, 3 / 2, 1.25, 1.1, 1.6])))
    return (longer, shorter) if rng.random() < 0.35 else (shorter, longer)


def _object_sprite(rng: np.random.Generator, kind: int, light: Array, height: int, width: int, count: int) -> Array:
    """Draws one individual of a class in a random pose and size."""
    entry = CATALOGUE[kind]
    # The more objects, the smaller each: the picture stays legible.
    largest = min(height, width) * (1.02, 0.92, 0.78, 0.68, 0.6, 0.55)[count - 1]
    largest = min(largest, 220.0)
    smallest = min(entry.smallest, largest)
    # A little less in favour of the small ones than a log-uniform draw.
    length = smallest * (largest / smallest) ** rng.uniform(0, 1) ** 0.8
    turn = rng.uniform(-entry.turn, entry.turn)
    return _pose(rng, length, turn, entry.slant, rng.random() < 0.5, light, entry.draw)


def _clutter_sprite(rng: np.random.Generator, light: Array, length: float) -> Array:
    return _pose(rng, max(length, 24.0), rng.uniform(-180, 180), 0.5, False, light, clutter)


def _pose(
    rng: np.random.Generator,
    length: float,
    turn: float,
    slant: float,
    flipped: bool,
    light: Array,
    draw: Callable[[Canvas], None],
) -> Array:
    """Draws on a board and maps that to the picture, turned, slanted, in mild perspective, perhaps mirrored.

    Args:
        rng: source of the pose and of the drawing.
        length: length of the unit square's side in pixels.
        turn: rotation in degrees, clockwise as seen.
        slant: least ratio of the two axes' scales; below 0.7 the thing lies flat: the vertical shrinks.
        flipped: whether it is mirrored.
        light: direction towards the lamp in the picture.
        draw: paints the thing.

    Returns:
        (h, w, 4) uint8: B, G, R times alpha, and alpha, cropped to what is painted.
    """
    angle, lean = np.radians(turn), rng.uniform(0, np.pi)
    squeeze = rng.uniform(slant, 1.0)
    turning = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    axis = np.array([[np.cos(lean), -np.sin(lean)], [np.sin(lean), np.cos(lean)]])
    if slant < 0.7:
        # What lies flat and is seen from the side is foreshortened in the picture's vertical.
        axis = np.array([[0.0, 1.0], [-1.0, 0.0]])
    linear = axis @ np.diag([squeeze, 1.0]) @ axis.T @ turning @ np.diag([-1.0 if flipped else 1.0, 1.0])
    # The lamp stays where it is while the thing turns: on the board its direction is turned back.
    board_light = np.append(np.linalg.inv(linear) @ light[:2], light[2])
    canvas = Canvas(0.5 * length * _OVERSAMPLING, board_light, rng, ambient=rng.uniform(0.35, 0.6))
    draw(canvas)
    middle = canvas.side / 2 - 0.5
    half = int(np.ceil(0.5 * canvas.side * np.sqrt(2) / _OVERSAMPLING)) + 1
    to_center = np.array([[1, 0, -middle], [0, 1, -middle], [0, 0, 1.0]])
    posed = np.eye(3)
    posed[:2, :2] = linear / _OVERSAMPLING
    posed[2, :2] = rng.normal(0, 0.05, 2) * (1.0 - slant + 0.1) / middle
    to_patch = np.array([[1, 0, half], [0, 1, half], [0, 0, 1.0]])
    patch = cv2.warpPerspective(
        canvas.sprite(), to_patch @ posed @ to_center, (2 * half + 1, 2 * half + 1), flags=cv2.INTER_LINEAR
    )
    x, y, w, h = cv2.boundingRect(patch[..., 3])
    patch = patch[y : y + h, x : x + w]
    # Some things stand in the shade of others, or in a haze: their colors are not always the pure ones.
    gain, haze = rng.uniform(0.72, 1.1) * rng.uniform(0.92, 1.05, 3), max(0.0, rng.uniform(-0.15, 0.2))
    alpha = patch[..., 3:].astype(np.float32)
    tinted = patch[..., :3] * ((1 - haze) * gain).astype(np.float32) + np.float32(0.5 * haze) * alpha
    patch[..., :3] = np.rint(np.minimum(tinted, alpha))
    return patch


def _anywhere(rng: np.random.Generator, sprite: Array, height: int, width: int, outside: float) -> tuple[int, int]:
    """Picks the place (y, x) of a sprite's corner; up to that share of its sides may leave the picture."""
    h, w = sprite.shape[:2]
    if rng.random() > 0.35:
        outside = 0.0 if h < height and w < width else outside
    margin_y, margin_x = outside * h, outside * w
    return tuple(
        int(round(rng.uniform(min(-margin, size - length), max(size - length + margin, 0))))
        for margin, length, size in ((margin_y, h, height), (margin_x, w, width))
    )


def _windows(
    sprite: Array, corner: tuple[int, int], height: int, width: int
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """The part of the picture and the part of the sprite that meet."""
    y, x = corner
    h, w = sprite.shape[:2]
    top, left, bottom, right = max(y, 0), max(x, 0), min(y + h, height), min(x + w, width)
    bottom, right = max(bottom, top), max(right, left)
    return np.s_[top:bottom, left:right], np.s_[top - y : bottom - y, left - x : right - x]


def _full_frame(sprite: Array, corner: tuple[int, int], height: int, width: int) -> Array:
    there, here = _windows(sprite, corner, height, width)
    alpha = np.zeros((height, width), np.uint8)
    alpha[there] = sprite[here][..., 3]
    return alpha


def _hidden_by(coverage: Array, alpha: Array) -> Array:
    return coverage * (1 - alpha.astype(np.float32) / 255)


def _is_seen(coverage: Array, area: int, least: float) -> bool:
    """Whether enough of an object is left: a share of its area, and sides that are not mere slivers."""
    seen = coverage >= 0.5
    if np.count_nonzero(seen) < least * area:
        return False
    x1, y1, x2, y2 = tight_box(coverage)
    return min(x2 - x1, y2 - y1) + 1 >= _LEAST_SIDE


def _paste(picture: Array, sprite: Array, corner: tuple[int, int], light: Array, shadow: float) -> None:
    """Puts a sprite into the picture, over the soft shadow that it throws away from the lamp."""
    height, width = picture.shape[:2]
    h, w = sprite.shape[:2]
    size = max(h, w)
    soft = max(1.0, 0.03 * size)
    pad = int(3 * soft) + 1
    shade = cv2.GaussianBlur(cv2.copyMakeBorder(sprite[..., 3], pad, pad, pad, pad, cv2.BORDER_CONSTANT), (0, 0), soft)
    away = -light[:2] / light[2] * 0.06 * size
    place = (corner[0] - pad + int(round(away[1])), corner[1] - pad + int(round(away[0])))
    there, here = _windows(shade, place, height, width)
    picture[there] *= 1 - shade[here][..., None].astype(np.float32) * np.float32(shadow / 255)
    there, here = _windows(sprite, corner, height, width)
    part = sprite[here].astype(np.float32) * np.float32(1 / 255)
    picture[there] = picture[there] * (1 - part[..., 3:]) + part[..., :3]


def _photograph(rng: np.random.Generator, picture: Array) -> Array:
    """Lights the scene unevenly, colors the light, darkens the corners, blurs, adds the sensor's noise."""
    height, width = picture.shape[:2]
    x, y = np.meshgrid(np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32))
    angle = rng.uniform(0, 2 * np.pi)
    falloff = 1 + rng.uniform(0, 0.28) * (x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle)))
    if rng.random() < 0.25:
        # Shade of something outside of the picture: leaves, a window frame.
        falloff = falloff * (
            1 - rng.uniform(0.1, 0.35) * np.clip(3 * noise(rng, height, width, rng.uniform(40, 120), 2), 0, 1)
        )
    falloff = falloff * (1 - rng.uniform(0, 0.3) * (x * x + y * y) / 2)
    cast = hsv(
        rng.choice([30, 40, 210, 220, 120, 300], p=[0.3, 0.2, 0.2, 0.15, 0.1, 0.05]),
        abs(rng.normal(0, 0.1)),
        1.0,
    )
    exposure = rng.uniform(0.8, 1.25)
    picture = np.clip(picture * (exposure * falloff)[..., None] * cast, 0, 1)
    # Contrast about the middle gray, then a slight gamma.
    picture = np.clip(
        0.5 + (picture - 0.5) * np.float32(rng.uniform(0.7, 1.15)) + np.float32(rng.uniform(-0.06, 0.08)),
        0,
        1,
    )
    blur = rng.choice([0.0, 0.5, 0.8, 1.2], p=[0.35, 0.3, 0.2, 0.15])
    if blur > 0:
        picture = cv2.GaussianBlur(picture, (0, 0), float(blur))
    grain = rng.standard_normal((height, width, 3), np.float32)
    picture = picture + grain * np.float32(rng.uniform(0.003, 0.03))
    return np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
