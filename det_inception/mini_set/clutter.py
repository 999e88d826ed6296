"""Things that lie about in a scene and are none of the classes: sheets, boxes, sticks, leaves, rubble."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from det_inception.mini_set.canvas import (
    Array,
    Canvas,
    ellipse,
    hsv,
    mix,
    random_color,
    rectangle,
    ribbon,
    spline,
)


def clutter(canvas: Canvas) -> None:
    """Paints one thing that is none of the classes."""
    CLUTTER[canvas.rng.integers(len(CLUTTER))](canvas)


def _pattern(canvas: Canvas) -> Callable[[Array, Array], Array]:
    """A random way to color a thing: plain, graded, striped, checked or mottled."""
    rng = canvas.rng
    base, second = random_color(rng, 0.9), random_color(rng, 0.9)
    style = rng.integers(4)
    angle, period = rng.uniform(0, np.pi), rng.uniform(0.12, 0.5)

    def color(x: Array, y: Array) -> Array:
        u = x * np.cos(angle) + y * np.sin(angle)
        v = y * np.cos(angle) - x * np.sin(angle)
        if style == 0:
            share = 0 * u
        elif style == 1:
            share = 0.5 + 0.5 * u
        elif style == 2:
            share = 0.5 + 5 * np.sin(2 * np.pi * u / period)
        else:
            share = 0.5 + 9 * np.sin(np.pi * u / period) * np.sin(np.pi * v / period)
        return mix(base, second, share)

    return color


def _sheet(canvas: Canvas) -> None:
    """A crumpled sheet of paper, foil or plastic: facets of different brightness."""
    rng = canvas.rng
    corners = np.array(
        [(-0.9, -0.7), (0, -0.75), (0.9, -0.7), (0.95, 0), (0.9, 0.7), (0, 0.75), (-0.9, 0.7), (-0.95, 0)]
    )
    outline = corners + rng.normal(0, 0.09, corners.shape)
    tint = hsv(rng.uniform(0, 360), rng.choice([0.05, 0.15, 0.6]), rng.uniform(0.6, 0.95))
    inside = canvas.fill(outline, tint)
    points = np.concatenate([outline, rng.uniform(-0.7, 0.7, (9, 2))]).astype(np.float32)
    net = cv2.Subdiv2D((-2, -2, 4, 4))
    net.insert([tuple(map(float, p)) for p in points])
    for triangle in net.getTriangleList():
        corner = triangle.reshape(3, 2)
        if np.abs(corner).max() < 1.2:
            canvas.fill(corner.astype(float), np.clip(tint * rng.uniform(0.65, 1.15), 0, 1), inside=inside)


def _box(canvas: Canvas) -> None:
    """A carton: three visible faces, perhaps with tape or print."""
    rng = canvas.rng
    tint = hsv(
        *(rng.uniform(25, 35), rng.uniform(0.4, 0.6), rng.uniform(0.5, 0.8))
        if rng.random() < 0.5
        else (rng.uniform(0, 360), 0.6, 0.7)
    )
    w, h, d = rng.uniform(0.4, 0.65), rng.uniform(0.3, 0.75), rng.uniform(0.15, 0.35)
    shear = rng.uniform(-0.3, 0.3)
    front = np.array([(-w, -h + d), (w, -h + d), (w, h), (-w, h)])
    lid = np.array([(-w, -h + d), (-w + shear, -h - d), (w + shear, -h - d), (w, -h + d)])
    edge = w if shear > 0 else -w
    side = np.array([(edge, -h + d), (edge + shear, -h - d), (edge + shear, h - 2 * d), (edge, h)])
    canvas.fill(side, tint * 0.6, grain=0.08)
    canvas.fill(lid, np.clip(tint * 1.15, 0, 1), grain=0.08)
    face = canvas.fill(front, tint * 0.88, grain=0.1)
    if rng.random() < 0.6:
        canvas.fill(rectangle(0, 0, 0.14, 3), np.clip(tint * 1.2, 0, 1), inside=face)
    for _ in range(rng.integers(0, 4)):
        canvas.fill(
            rectangle(
                rng.uniform(-w, w) * 0.6,
                rng.uniform(-h, h) * 0.6,
                rng.uniform(0.1, 0.4),
                rng.uniform(0.04, 0.25),
            ),
            random_color(rng),
            inside=face,
        )


def _stick(canvas: Canvas) -> None:
    """A rod, plank, branch or pencil-like bar."""
    rng = canvas.rng
    bend = rng.normal(0, 0.12)
    path = spline([(-1, 0), (-0.3, bend), (0.3, -bend * rng.uniform(-1, 1)), (1, 0)], closed=False)
    half = np.linspace(*rng.uniform(0.04, 0.15, 2), len(path))
    canvas.fill(
        ribbon(path, half),
        _pattern(canvas),
        relief=rng.uniform(0.3, 0.95),
        gloss=rng.uniform(0, 0.3),
        grain=0.2,
    )


def _blob(canvas: Canvas) -> None:
    """A pebble-like or splashed smooth shape."""
    rng = canvas.rng
    count = rng.integers(5, 11)
    turn = np.linspace(0, 2 * np.pi, count, endpoint=False)
    radius = rng.uniform(0.45, 0.95, count)
    outline = spline(np.stack([np.cos(turn), np.sin(turn) * rng.uniform(0.5, 1)], 1) * radius[:, None])
    canvas.fill(
        outline,
        _pattern(canvas),
        relief=rng.uniform(0.2, 0.95),
        gloss=rng.uniform(0, 0.5),
        grain=rng.uniform(0, 0.3),
    )


def _shard(canvas: Canvas) -> None:
    """A flat polygon: card, cloth, tile."""
    rng = canvas.rng
    count = rng.integers(3, 7)
    turn = np.sort(rng.uniform(0, 2 * np.pi, count))
    outline = np.stack([np.cos(turn), np.sin(turn)], 1) * rng.uniform(0.6, 1, (count, 1))
    canvas.fill(outline, _pattern(canvas), relief=rng.choice([0.0, 0.5]), bevel=0.06, grain=rng.uniform(0, 0.25))


def _cable(canvas: Canvas) -> None:
    """A winding cord."""
    rng = canvas.rng
    path = spline(np.stack([np.linspace(-1, 1, 6), rng.uniform(-0.6, 0.6, 6)], 1), closed=False)
    canvas.fill(ribbon(path, rng.uniform(0.025, 0.06)), random_color(rng, 0.9), relief=0.9, gloss=0.3)


def _ring(canvas: Canvas) -> None:
    """A hoop or washer."""
    rng = canvas.rng
    flat, thick = rng.uniform(0.5, 1), rng.uniform(0.1, 0.3)
    canvas.fill(
        [ellipse(0, 0, 0.95, 0.95 * flat), ellipse(0, 0, 0.95 - thick, (0.95 - thick) * flat)],
        _pattern(canvas),
        relief=0.8,
        gloss=0.2,
    )


def _book(canvas: Canvas) -> None:
    """A closed book or a printed card: a cover with a spine, a picture and lines of print."""
    rng = canvas.rng
    w, h = rng.uniform(0.5, 0.75), rng.uniform(0.75, 0.98)
    cover, ink = random_color(rng, 0.8), random_color(rng, 0.8)
    canvas.fill(rectangle(0.05, 0.05, 2 * w, 2 * h), hsv(45, 0.1, 0.85))
    face = canvas.fill(rectangle(0, 0, 2 * w, 2 * h, 0.03), cover, relief=0.4, bevel=0.04, grain=0.08)
    if rng.random() < 0.6:
        canvas.fill(rectangle(-0.88 * w, 0, 0.24 * w, 2 * h), cover * 0.6, inside=face)
    if rng.random() < 0.6:
        y = rng.uniform(-0.4, 0.3) * h
        canvas.fill(
            rectangle(0.1 * w, y, 1.3 * w, rng.uniform(0.3, 0.7) * h),
            _pattern(canvas),
            inside=face,
            grain=0.2,
        )
    for y in np.linspace(-0.8, rng.uniform(-0.6, 0.8), rng.integers(2, 9)) * h:
        canvas.fill(rectangle(0.1 * w, y, rng.uniform(0.6, 1.4) * w, 0.05), ink, inside=face)


def _leaf(canvas: Canvas) -> None:
    """One large leaf with a midrib and side veins, green or withered."""
    rng = canvas.rng
    slim = rng.uniform(0.25, 0.6)
    tint = hsv(rng.choice([25, 35, 60, 95, 110, 130]), rng.uniform(0.5, 0.85), rng.uniform(0.3, 0.75))
    outline = spline([(-0.95, 0), (-0.5, -0.8 * slim), (0.1, -slim), (0.95, 0), (0.1, slim), (-0.5, 0.8 * slim)])
    blade = canvas.fill(outline, tint, relief=0.35, grain=0.2, gloss=0.1)
    vein = np.clip(tint * 1.35, 0, 1)
    canvas.stroke(np.array([(-1.05, 0.0), (0.93, 0.0)]), 0.035, vein)
    for x in np.linspace(-0.7, 0.6, 6):
        for side in (-1, 1):
            canvas.stroke(np.array([(x, 0), (x + 0.35, side * slim)]), 0.018, vein, 0.8, inside=blade)


def _cushion(canvas: Canvas) -> None:
    """A patterned pillow, sponge or bag."""
    rng = canvas.rng
    h = rng.uniform(0.5, 0.9)
    sag = rng.uniform(0.0, 0.15)
    outline = spline(
        [
            (-0.95, -h),
            (0, -h + sag),
            (0.95, -h),
            (0.95 - sag, 0),
            (0.95, h),
            (0, h - sag),
            (-0.95, h),
            (-0.95 + sag, 0),
        ]
    )
    canvas.fill(outline, _pattern(canvas), relief=rng.uniform(0.5, 0.9), grain=rng.uniform(0.05, 0.3))


def _rubble(canvas: Canvas) -> None:
    """A handful of stones, crumbs, petals or buttons."""
    rng = canvas.rng
    base = rng.uniform(0, 360)
    for _ in range(rng.integers(6, 18)):
        x, y = rng.normal(0, 0.38, 2).clip(-0.85, 0.85)
        count, size = rng.integers(4, 8), rng.uniform(0.06, 0.2)
        turn = np.linspace(0, 2 * np.pi, count, endpoint=False)
        outline = spline(
            np.stack([np.cos(turn), np.sin(turn)], 1) * size * rng.uniform(0.6, 1.1, (count, 1)), steps=4
        ) + (x, y)
        canvas.fill(
            outline,
            hsv(rng.normal(base, 20), rng.uniform(0.1, 0.6), rng.uniform(0.3, 0.9)),
            relief=0.8,
            grain=0.15,
        )


CLUTTER: tuple[Callable[[Canvas], None], ...] = (
    _sheet,
    _box,
    _stick,
    _blob,
    _shard,
    _cable,
    _ring,
    _book,
    _leaf,
    _cushion,
    _rubble,
)
