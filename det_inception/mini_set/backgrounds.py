"""Procedural backgrounds: wood, bricks, cloth, grass, sky and others, in random colors.

Each texture fills a picture of `height` x `width` pixels and gives (height, width, 3) float BGR, about 0..1.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from det_inception.mini_set.canvas import Array, hsv, mix, noise, random_color, rotate, spline

Random = np.random.Generator


def background(rng: Random, height: int, width: int) -> Array:
    """Draws a background, (height, width, 3) float32 BGR in 0..1: one texture, or two that meet at a line."""
    picture = _texture(rng, height, width)
    if rng.random() < 0.25:
        # A table before a wall, a meadow under a sky: the second texture fills the part below a tilted line.
        other = _texture(rng, height, width)
        x, y = _grid(height, width)
        line = height * rng.uniform(0.3, 0.75) + (x - width / 2) * rng.normal(0, 0.06)
        share = np.clip((y - line) / rng.uniform(0.8, 3) + 0.5, 0, 1)[..., None]
        contact = 1 - 0.35 * np.exp(-np.abs(y - line) / (0.04 * height))[..., None]
        picture = (picture * (1 - share) + other * share) * contact
    if rng.random() < 0.3:
        # Behind the plane of focus.
        picture = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), rng.uniform(0.8, 3.5))
    return np.clip(picture, 0, 1).astype(np.float32)


def _texture(rng: Random, height: int, width: int) -> Array:
    return TEXTURES[rng.integers(len(TEXTURES))](rng, height, width)


def _grid(height: int, width: int) -> tuple[Array, Array]:
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return x, y


def _turned(rng: Random, height: int, width: int, spread: float = 90.0) -> tuple[Array, Array]:
    """Coordinate grids turned by a random angle about the corner, for textures with a direction."""
    x, y = _grid(height, width)
    angle = np.radians(rng.uniform(-spread, spread))
    return x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle)), y * np.float32(
        np.cos(angle)
    ) - x * np.float32(np.sin(angle))


def _clouds(rng: Random, height: int, width: int) -> Array:
    """Multi-octave noise between three colors: plaster, stone, rust, camouflage."""
    first, second, third = random_color(rng), random_color(rng), random_color(rng)
    cell = rng.uniform(25, 110)
    field = noise(rng, height, width, cell, 5)
    fine = noise(rng, height, width, rng.uniform(2, 6), 2)
    picture = mix(first, second, 0.5 + rng.uniform(0.6, 1.6) * field)
    return mix(picture, third, rng.uniform(0.0, 1.5) * noise(rng, height, width, cell * 0.7, 4)) * (
        1 + 0.1 * fine[..., None]
    )


def _marble(rng: Random, height: int, width: int) -> Array:
    x, y = _turned(rng, height, width)
    warp = noise(rng, height, width, rng.uniform(50, 100), 5)
    vein = np.abs(np.sin(x / rng.uniform(18, 45) + 4 * warp))
    base, ink = (
        hsv(rng.uniform(0, 360), rng.uniform(0, 0.25), rng.uniform(0.6, 0.95)),
        random_color(rng, 0.4),
    )
    return mix(ink, base, vein ** rng.uniform(0.3, 0.7)) * (1 + 0.08 * warp[..., None])


def _wood(rng: Random, height: int, width: int) -> Array:
    """Planks, each with its own tone, growth rings and pores."""
    tall = rng.random() < 0.5
    rows, columns = (width, height) if tall else (height, width)
    x, y = _grid(rows, columns)
    plank = rng.uniform(28, 90)
    index = np.floor(y / plank).astype(int)
    count = int(index.max()) + 1
    tone = rng.uniform(0.8, 1.12, count).astype(np.float32)[index]
    shift = rng.uniform(0, 500, count).astype(np.float32)[index]
    flow = noise(rng, rows, columns, (rng.uniform(90, 200), rng.uniform(14, 30)), 4)
    rings = np.sin((y + shift + 14 * flow) / rng.uniform(1.6, 4.5))
    pores = noise(rng, rows, columns, (24, 1.6), 2)
    base = hsv(rng.uniform(14, 38), rng.uniform(0.2, 0.7), rng.uniform(0.35, 0.9))
    value = tone * (1 + 0.11 * rings + 0.12 * pores + 0.12 * flow)
    groove = 1 - 0.6 * np.exp(-(((y % plank) / 1.3) ** 2))
    picture = base * (value * groove)[..., None]
    return picture.transpose(1, 0, 2) if tall else picture


def _bricks(rng: Random, height: int, width: int) -> Array:
    """A wall of bricks or of square tiles."""
    x, y = _turned(rng, height, width, 6)
    tiles = rng.random() < 0.4
    tall = rng.uniform(16, 44)
    wide = tall * (1 if tiles else rng.uniform(1.8, 2.8))
    joint = rng.uniform(0.8, 2.5)
    row = np.floor(y / tall).astype(int)
    x = x + (0 if tiles else 0.5 * wide) * (row % 2)
    column = np.floor(x / wide).astype(int)
    tones = rng.uniform(0.78, 1.15, (64, 64)).astype(np.float32)
    tone = tones[row % 64, column % 64]
    edge = np.minimum(np.minimum(x % wide, wide - x % wide), np.minimum(y % tall, tall - y % tall))
    base = random_color(rng, 0.5) if tiles else hsv(rng.uniform(5, 35), rng.uniform(0.25, 0.7), rng.uniform(0.35, 0.8))
    second = random_color(rng, 0.5)
    brick = base * tone[..., None]
    if tiles and rng.random() < 0.5:
        brick = np.where(((row + column) % 2 == 0)[..., None], second, brick)
    mortar = hsv(40, 0.1, rng.uniform(0.3, 0.85))
    rough = 1 + rng.uniform(0.05, 0.2) * noise(rng, height, width, rng.uniform(4, 16), 3)
    light = 1 + 0.15 * np.clip(1 - (y % tall) / 3, 0, 1) - 0.15 * np.clip(1 - (tall - y % tall) / 3, 0, 1)
    return mix(mortar, brick, (edge - joint) / 1.2) * (rough * light)[..., None]


def _cloth(rng: Random, height: int, width: int) -> Array:
    """Woven stuff: plain, striped or checked, with folds."""
    x, y = _turned(rng, height, width)
    folds = noise(rng, height, width, rng.uniform(50, 120), 3)
    x, y = x + 8 * folds, y + 8 * folds
    base, second, third = random_color(rng, 0.8), random_color(rng, 0.8), random_color(rng, 0.8)
    period = rng.uniform(14, 60)
    style = rng.integers(4)
    picture = np.broadcast_to(base, (height, width, 3))
    if style >= 1:
        picture = mix(base, second, 0.5 + 4 * (np.sin(2 * np.pi * x / period) - rng.uniform(-0.6, 0.8)))
    if style >= 2:
        across = np.clip(0.5 + 4 * (np.sin(2 * np.pi * y / period) - rng.uniform(-0.3, 0.8)), 0, 1)
        picture = picture * (1 - 0.5 * across[..., None]) + 0.5 * across[..., None] * third
    weave = np.sin(x * 2.1) * np.sin(y * 2.1)
    return picture * (1 + 0.09 * weave + 0.22 * folds)[..., None]


def _grass(rng: Random, height: int, width: int) -> Array:
    """Blades over soil, or needles, or straw: many short strokes."""
    hue = rng.uniform(60, 125) if rng.random() < 0.7 else rng.uniform(25, 50)
    picture = hsv(hue, 0.5, 0.25) * (1 + 0.4 * noise(rng, height, width, 40, 4)[..., None])
    image = np.clip(255 * picture, 0, 255).astype(np.uint8)
    count = int(height * width / rng.uniform(70, 140))
    length = rng.uniform(7, 18)
    lean = rng.uniform(10, 60)
    base = np.stack([rng.uniform(0, width, count), rng.uniform(0, height + length, count)], 1)
    base = base[np.argsort(base[:, 1], kind='stable')]
    angle = np.radians(rng.normal(-90, lean, count))
    tip = base + np.stack([np.cos(angle), np.sin(angle)], 1) * (length * rng.uniform(0.5, 1.3, count))[:, None]
    tones = np.stack(
        [
            hsv(h, s, v)
            for h, s, v in zip(rng.normal(hue, 10, 24), rng.uniform(0.4, 0.85, 24), rng.uniform(0.25, 0.8, 24))
        ]
    )
    lines = np.rint(np.stack([base, tip], 1) * 16).astype(np.int32)
    group = rng.integers(0, 24, count)
    # In bundles of one color, nearest last, so that blades of all colors cross each other.
    for start in range(0, count, 40):
        tone = 255 * tones[group[start]]
        cv2.polylines(image, list(lines[start : start + 40]), False, tone.tolist(), 1, cv2.LINE_AA, 4)
    return image.astype(np.float32) / 255


def _sky(rng: Random, height: int, width: int) -> Array:
    """A graded sky with clouds, by day or at dusk."""
    _, y = _grid(height, width)
    hue = rng.uniform(195, 225) if rng.random() < 0.7 else rng.uniform(0, 360)
    high, low = (
        hsv(hue, rng.uniform(0.3, 0.8), rng.uniform(0.35, 0.9)),
        hsv(hue + rng.uniform(-40, 20), rng.uniform(0.05, 0.5), rng.uniform(0.75, 1)),
    )
    picture = mix(high, low, y / height)
    field = noise(rng, height, width, (rng.uniform(80, 160), rng.uniform(40, 80)), 6)
    return mix(picture, hsv(40, 0.03, rng.uniform(0.8, 1)), rng.uniform(0, 2.2) * (field - rng.uniform(-0.3, 0.3)))


def _bokeh(rng: Random, height: int, width: int) -> Array:
    """Blurred lights before something dim, as behind a subject in focus."""
    picture = mix(random_color(rng) * 0.6, random_color(rng) * 0.6, 0.5 + noise(rng, height, width, 120, 2)).astype(
        np.float32
    )
    hue, spread = rng.uniform(0, 360), rng.uniform(10, 120)
    for _ in range(rng.integers(12, 40)):
        radius = rng.uniform(4, 30)
        center = (int(rng.uniform(0, width) * 16), int(rng.uniform(0, height) * 16))
        disc = np.zeros((height, width), np.uint8)
        cv2.circle(disc, center, int(radius * 16), 255, -1, cv2.LINE_AA, 4)
        x, y, w, h = cv2.boundingRect(disc)
        window = np.s_[y : y + h, x : x + w]
        glow = disc[window].astype(np.float32)[..., None]
        picture[window] += (
            glow * (rng.uniform(0.1, 0.45) / 255) * hsv(rng.normal(hue, spread), rng.uniform(0.1, 0.8), 1.0)
        )
    return cv2.GaussianBlur(picture, (0, 0), rng.uniform(1, 3))


def _pebbles(rng: Random, height: int, width: int) -> Array:
    """Cells about scattered points, each with its own tone: gravel, cobbles, scales, cracked earth."""
    cell = rng.uniform(9, 34)
    rows, columns = int(height / cell) + 3, int(width / cell) + 3
    # One jittered point in each square of a coarse grid; the nearest of the 9 squares around a pixel owns it.
    jitter = rng.uniform(0.05, 0.95, (rows + 2, columns + 2, 2)).astype(np.float32)
    x, y = _grid(height, width)
    x, y = x / np.float32(cell) + 1, y / np.float32(cell) + 1
    j, i = x.astype(int), y.astype(int)
    best = np.full((height, width), 9, np.float32)
    second = best.copy()
    owner = np.zeros((height, width), int)
    for di in (-1, 0, 1):
        for dj in (-1, 0, 1):
            point = jitter[i + di, j + dj]
            far = np.hypot(x - (j + dj) - point[..., 0], y - (i + di) - point[..., 1])
            closer = far < best
            second = np.minimum(second, np.where(closer, best, far))
            owner = np.where(closer, (i + di) * 97 + j + dj, owner)
            best = np.minimum(best, far)
    gap = second - best
    hue, spread = rng.uniform(0, 360) if rng.random() < 0.4 else rng.uniform(15, 45), rng.uniform(3, 25)
    tones = np.stack([hsv(rng.normal(hue, spread), rng.uniform(0.05, 0.4), rng.uniform(0.35, 0.85)) for _ in range(64)])
    dome = np.clip(gap / rng.uniform(0.15, 0.5), 0, 1)
    return tones[owner % 64] * (0.3 + 0.7 * dome)[..., None] * (1 + 0.12 * noise(rng, height, width, 5, 2)[..., None])


def _boards(rng: Random, height: int, width: int) -> Array:
    """A flat wall that is lit from one side, with a pattern of dots or zigzags, like wallpaper."""
    x, y = _turned(rng, height, width, 45)
    base, second = random_color(rng), random_color(rng, 0.8)
    period = rng.uniform(12, 40)
    if rng.random() < 0.5:
        row = np.floor(y / period)
        field = np.hypot(
            (x + 0.5 * period * (row % 2)) % period - period / 2, y % period - period / 2
        ) - period * rng.uniform(0.15, 0.4)
    else:
        zigzag = np.abs((x % period) - period / 2)
        field = np.abs((y + zigzag) % period - period / 2) - period * rng.uniform(0.1, 0.3)
    return mix(second, base, field + 0.5) * (1 + 0.08 * noise(rng, height, width, 60, 5)[..., None])


def _leaves(rng: Random, height: int, width: int) -> Array:
    """Leaf upon leaf, as of a hedge or of a forest floor."""
    hue = rng.uniform(70, 130) if rng.random() < 0.65 else rng.uniform(15, 50)
    image = np.clip(255 * hsv(hue, 0.6, 0.16) * (1 + 0.4 * noise(rng, height, width, 30, 3)[..., None]), 0, 255).astype(
        np.uint8
    )
    size = rng.uniform(9, 24)
    slim = rng.uniform(0.25, 0.5)
    shape = spline([(-1, 0), (-0.3, -slim), (1, 0), (-0.3, slim)], steps=5)
    count = int(2.2 * height * width / (size * size))
    for k in range(count):
        tone = 255 * hsv(rng.normal(hue, 12), rng.uniform(0.4, 0.85), 0.2 + 0.5 * k / count * rng.uniform(0.6, 1.2))
        place = np.array([rng.uniform(0, width), rng.uniform(0, height)])
        leaf = rotate(shape * size * rng.uniform(0.6, 1.2), rng.uniform(0, 360)) + place
        cv2.fillPoly(image, [np.rint(leaf * 16).astype(np.int32)], tone.tolist(), cv2.LINE_AA, 4)
        rib = np.rint(leaf[[0, 10]] * 16).astype(np.int32)
        cv2.polylines(image, [rib], False, (tone * 0.7).tolist(), 1, cv2.LINE_AA, 4)
    return image.astype(np.float32) / 255


TEXTURES: tuple[Callable[[Random, int, int], Array], ...] = (
    _clouds,
    _marble,
    _wood,
    _wood,
    _bricks,
    _cloth,
    _cloth,
    _grass,
    _sky,
    _bokeh,
    _pebbles,
    _boards,
    _leaves,
)
