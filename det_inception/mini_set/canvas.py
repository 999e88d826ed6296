"""A small drawing board: shapes in unit coordinates, painted with light on them.

Legend: S = side of the board in pixels, h x w = a window of it, P points. Coordinates: x to the right,
y down; a drawing lies within [-1, 1] x [-1, 1]. Colors: float B, G, R in 0..1. A normal is (nx, ny, nz), z
towards the viewer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

REACH = 1.15
"""The board shows -REACH..REACH, so that a stroke on the rim of the unit square keeps its soft edge."""

Array = np.ndarray
Field = Callable[[Array, Array], Array]
"""Function of the coordinate grids x, y (each h x w) that gives one color (3,) or one a pixel (h, w, 3)."""
Relief = Callable[[Array, Array], tuple[Array, Array]]
"""Function of the coordinate grids x, y that gives the normal's x and y components."""

_SUBPIXEL_BITS = 4


def hsv(hue: float, saturation: float, value: float) -> Array:
    """Gives the B, G, R color of a hue in degrees (any number) and a saturation and value in 0..1."""
    sector = np.array([1.0, 3.0, 5.0]) + hue / 60.0
    weight = np.clip(np.minimum(sector % 6, 4 - sector % 6), 0, 1)
    return (value * (1 - saturation * weight)).astype(np.float32)


def random_color(rng: np.random.Generator, saturation: float = 0.6) -> Array:
    """Draws a color of any hue, up to a saturation."""
    return hsv(rng.uniform(0, 360), rng.uniform(0, saturation), rng.uniform(0.2, 0.95))


def mix(first: Array, second: Array, share: Array) -> Array:
    """Mixes two colors, (3,) or (h, w, 3), by the share (h, w) of the second; shares beyond 0..1 are cut."""
    share = np.clip(share, 0, 1)[..., None]
    return first * (1 - share) + second * share


BLACK, WHITE = hsv(0, 0, 0.06), hsv(0, 0, 0.96)


def spline(points: Sequence[Sequence[float]] | Array, closed: bool = True, steps: int = 8) -> Array:
    """Runs a Catmull-Rom curve through P points; gives about P * steps points on it."""
    knots = np.asarray(points, np.float64)
    if closed:
        padded = np.concatenate([knots[-1:], knots, knots[:2]])
    else:
        padded = np.concatenate([knots[:1], knots, knots[-1:]])
    p0, p1, p2, p3 = (padded[i : len(padded) - 3 + i, None] for i in range(4))
    t = (np.arange(steps) / steps)[None, :, None]
    curve = 0.5 * (2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3)
    curve = curve.reshape(-1, 2)
    return curve if closed else np.concatenate([curve, knots[-1:]])


def ellipse(
    x: float, y: float, rx: float, ry: float, angle: float = 0.0, start: float = 0.0, stop: float = 360.0
) -> Array:
    """Gives points on an ellipse or on an arc of it; angles in degrees, clockwise as seen."""
    turn = np.radians(np.linspace(start, stop, 49))
    points = np.stack([rx * np.cos(turn), ry * np.sin(turn)], 1)
    return rotate(points, angle) + (x, y)


def rectangle(x: float, y: float, width: float, height: float, radius: float = 0.0, angle: float = 0.0) -> Array:
    """Gives the outline of a rectangle with round corners about its center x, y."""
    radius = min(radius, width / 2, height / 2)
    turn = np.radians(np.linspace(0, 90, 7 if radius > 0 else 1))
    corner = radius * np.stack([np.cos(turn), np.sin(turn)], 1)
    center = np.array([width / 2 - radius, height / 2 - radius])
    if radius == 0:
        corner = np.zeros((1, 2))
    quarters = [rotate(corner, 90.0 * i) + center * sign for i, sign in enumerate([(1, 1), (-1, 1), (-1, -1), (1, -1)])]
    return rotate(np.concatenate(quarters), angle) + (x, y)


def ribbon(path: Array, half_width: float | Array) -> Array:
    """Gives the outline of a band along a path of P points; half_width is one number or P numbers."""
    tangent = np.gradient(path, axis=0)
    tangent /= np.maximum(np.hypot(*tangent.T), 1e-9)[:, None]
    offset = np.stack([-tangent[:, 1], tangent[:, 0]], 1) * np.broadcast_to(half_width, len(path))[:, None]
    return np.concatenate([path + offset, (path - offset)[::-1]])


def rotate(points: Array, degrees: float) -> Array:
    """Turns points about the origin, clockwise as seen (y points down)."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.stack([points[:, 0] * c - points[:, 1] * s, points[:, 0] * s + points[:, 1] * c], 1)


def mirror(points: Array) -> Array:
    """Reflects points in the vertical axis x = 0."""
    return points * (-1, 1)


def noise(
    rng: np.random.Generator, height: int, width: int, cell: float | tuple[float, float], octaves: int = 4
) -> Array:
    """Sums octaves of smoothed random grids into a (height, width) float32 field within -1..1, mean about 0.

    Args:
        rng: source of the grids.
        height: rows.
        width: columns.
        cell: size of the coarsest grid's cell in pixels, or (horizontal, vertical) for noise with a grain.
        octaves: each has half the cell and 0.55 of the amplitude of the one before.
    """
    cell_x, cell_y = cell if isinstance(cell, tuple) else (cell, cell)
    total = np.zeros((height, width), np.float32)
    amplitude, norm = 1.0, 0.0
    for _ in range(octaves):
        # Two cells more than needed: the picture takes a piece from the middle, so no border is ever smeared.
        rows, columns = int(np.ceil(height / cell_y)) + 2, int(np.ceil(width / cell_x)) + 2
        rows, columns = min(rows, height + 2), min(columns, width + 2)
        grid = rng.uniform(-1, 1, (rows, columns)).astype(np.float32)
        full = cv2.resize(grid, (width + 2 * int(cell_x), height + 2 * int(cell_y)), interpolation=cv2.INTER_CUBIC)
        total += amplitude * full[int(cell_y) : int(cell_y) + height, int(cell_x) : int(cell_x) + width]
        norm += amplitude
        amplitude *= 0.55
        cell_x, cell_y = max(cell_x / 2, 1.0), max(cell_y / 2, 1.0)
    return np.clip(total / (0.6 * norm), -1, 1)


class Canvas:
    """Board on which one thing is painted, part over part, lit by one distant lamp.

    Args:
        scale: pixels a unit. The thing spans about 2 units, so it comes out about 2 * scale pixels long.
        light: direction towards the lamp (x, y, z), any length, z > 0.
        rng: source of the textures' randomness.
        ambient: share of the light that comes from everywhere, 0..1.

    Attributes:
        board: (S, S, 4) float32, 0..1: B, G, R times alpha, and alpha.
    """

    def __init__(self, scale: float, light: Sequence[float], rng: np.random.Generator, ambient: float = 0.45) -> None:
        self.scale = float(scale)
        self.side = int(np.ceil(2 * REACH * scale))
        self.rng = rng
        self.ambient = ambient
        self.light = np.asarray(light, np.float64) / np.linalg.norm(light)
        half_way = self.light + (0, 0, 1)
        self.half_way = half_way / np.linalg.norm(half_way)
        self.board = np.zeros((self.side, self.side, 4), np.float32)

    def area(self, *outlines: Array) -> Array:
        """Gives the (S, S) uint8 mask of closed outlines; where an even number of them overlap is a hole."""
        mask = np.zeros((self.side, self.side), np.uint8)
        cv2.fillPoly(mask, [self._pixels(o) for o in outlines], 255, cv2.LINE_AA, _SUBPIXEL_BITS)
        return mask

    def fill(
        self,
        shape: Array | Sequence[Array],
        color: Array | Field,
        *,
        relief: float | Relief = 0.0,
        bevel: float = 0.0,
        gloss: float = 0.0,
        grain: float = 0.0,
        opacity: float = 1.0,
        inside: Array | None = None,
    ) -> Array:
        """Paints a shape over what is there.

        Args:
            shape: outline (P, 2), several outlines, or a mask of `area`.
            color: one color, or a field of colors.
            relief: 0 flat; up to 1 puffed up like a cushion; or a function that gives the normals.
            bevel: > 0: only a rim of this width (units) is rounded, the rest is flat.
            gloss: strength of the highlight.
            grain: strength of a fine mottling of the color.
            opacity: 0..1.
            inside: mask of `area`; nothing is painted outside of it.

        Returns:
            The (S, S) uint8 mask of the shape, for `inside`.
        """
        if isinstance(shape, np.ndarray) and shape.dtype == np.uint8:
            mask = shape
        else:
            mask = self.area(*([shape] if isinstance(shape, np.ndarray) else shape))
        x, y, w, h = cv2.boundingRect(mask)
        if w == 0:
            return mask
        window = np.s_[y : y + h, x : x + w]
        part = mask[window]
        coverage = part.astype(np.float32) * (opacity / 255)
        if inside is not None:
            coverage *= inside[window].astype(np.float32) * (1 / 255)
        if callable(color) or callable(relief):
            grid_x, grid_y = np.meshgrid(
                (np.arange(x, x + w, dtype=np.float32) + 0.5) / self.scale - REACH,
                (np.arange(y, y + h, dtype=np.float32) + 0.5) / self.scale - REACH,
            )
        paint = np.asarray(color(grid_x, grid_y) if callable(color) else color, np.float32)
        if grain > 0:
            # Of its own, for the window's size, hence the count of numbers, hangs on how single pixels round.
            rng = np.random.default_rng(self.rng.integers(2**62))
            paint = paint * (1 + grain * noise(rng, h, w, max(2.0, self.scale * 0.12), 3))[..., None]
        if callable(relief):
            paint = self._lit(paint, *relief(grid_x, grid_y), gloss)
        elif relief > 0:
            paint = self._lit(paint, *self._cushion(part, relief, bevel), gloss)
        target = self.board[window]
        step = np.empty_like(target)
        step[..., :3] = np.clip(paint, 0, 1)
        step[..., 3] = 1
        step -= target
        step *= coverage[..., None]
        target += step
        return mask

    def stroke(
        self,
        path: Array,
        width: float,
        color: Array,
        opacity: float = 1.0,
        inside: Array | None = None,
        closed: bool = False,
    ) -> None:
        """Draws a line of a width in units; thinner than a pixel it grows faint instead."""
        mask = np.zeros((self.side, self.side), np.uint8)
        pixels = width * self.scale
        thickness = max(1, int(round(pixels)))
        cv2.polylines(mask, [self._pixels(path)], closed, 255, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)
        self.fill(mask, color, opacity=opacity * min(1.0, max(pixels, 0.25)), inside=inside)

    def sample(self, field: Array, x: Array, y: Array) -> Array:
        """Looks up a field of the whole board, (S, S), at unit coordinates."""
        i, j = (np.clip(((v + REACH) * self.scale).astype(int), 0, self.side - 1) for v in (y, x))
        return field[i, j]

    def sprite(self) -> Array:
        """Gives the drawing as (S, S, 4) uint8: B, G, R times alpha, and alpha."""
        return cv2.convertScaleAbs(self.board, alpha=255)

    def _pixels(self, points: Array) -> Array:
        # OpenCV's integer coordinates are pixel centers, hence the half.
        fixed = ((np.asarray(points) + REACH) * self.scale - 0.5) * (1 << _SUBPIXEL_BITS)
        return np.rint(fixed).astype(np.int32)[:, None]

    def _cushion(self, mask: Array, height: float, bevel: float) -> tuple[Array, Array]:
        """Normals of a shape puffed up: height is a quarter circle over the distance to the rim."""
        inner = cv2.copyMakeBorder((mask > 127).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
        depth = cv2.distanceTransform(inner, cv2.DIST_L2, 5)
        reach = max(bevel * self.scale if bevel > 0 else float(depth.max()), 1.0)
        level = 1 - np.minimum(depth / reach, 1)
        dome = reach * np.sqrt(np.maximum(1 - level * level, 0))
        # The distance has sharp ridges along the middle of the shape; a cushion has none.
        dome = cv2.GaussianBlur(dome, (0, 0), max(0.8, 0.22 * reach))
        slope_x = cv2.Sobel(dome, cv2.CV_32F, 1, 0, ksize=3, scale=height / 8)[1:-1, 1:-1]
        slope_y = cv2.Sobel(dome, cv2.CV_32F, 0, 1, ksize=3, scale=height / 8)[1:-1, 1:-1]
        length = np.sqrt(1 + slope_x**2 + slope_y**2)
        return -slope_x / length, -slope_y / length

    def _lit(self, paint: Array, nx: Array, ny: Array, gloss: float) -> Array:
        """Lambert's law, scaled so that a flat part keeps its color, plus Blinn's highlight."""
        nz = np.sqrt(np.clip(1 - nx * nx - ny * ny, 0, 1))
        diffuse = np.maximum(nx * self.light[0] + ny * self.light[1] + nz * self.light[2], 0) / self.light[2]
        lit = paint * (self.ambient + (1 - self.ambient) * diffuse)[..., None].astype(np.float32)
        if gloss > 0:
            facing = np.maximum(nx * self.half_way[0] + ny * self.half_way[1] + nz * self.half_way[2], 0)
            lit = lit + (gloss * facing**40)[..., None].astype(np.float32)
        return lit
