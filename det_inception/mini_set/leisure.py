"""Drawings for leisure: guitar, pizza, soccer ball.

Each paints one piece upright on a `Canvas`, about 2 units long, and takes its proportions, colors and
patterns from the canvas's random numbers.
"""

from __future__ import annotations

import numpy as np

from det_inception.mini_set.canvas import (
    BLACK,
    WHITE,
    Array,
    Canvas,
    ellipse,
    hsv,
    mirror,
    noise,
    rectangle,
    ribbon,
    rotate,
    spline,
)


def guitar(canvas: Canvas) -> None:
    """A guitar, head up: body with waist, hole or pickups, bridge, fretted neck, strings, pegs."""
    rng = canvas.rng
    electric = rng.random() < 0.4
    wood = hsv(rng.uniform(18, 38), rng.uniform(0.45, 0.85), rng.uniform(0.55, 0.95))
    if electric:
        wood = hsv(rng.choice([0, 10, 45, 160, 200, 225, 320]), rng.choice([0.05, 0.8, 0.9]), rng.uniform(0.2, 0.95))
    edge = wood * 0.25 if rng.random() < 0.4 else wood * 0.9
    w = rng.uniform(0.35, 0.42)
    if electric:
        outline = [
            (0.06, 0.1),
            (0.16, -0.02),
            (0.3, -0.06),
            (0.27, 0.12),
            (0.25, 0.32),
            (0.36, 0.6),
            (0.3, 0.9),
            (0, 0.98),
            (-0.32, 0.93),
            (-0.42, 0.65),
        ]
        outline += [(-0.28, 0.38), (-0.32, 0.1), (-0.38, -0.12), (-0.22, -0.1), (-0.08, 0.12)]
        body = spline(np.array(outline) * (w / 0.4, 1))
    else:
        half = np.array(
            [
                (0.06, -0.04),
                (0.24, -0.03),
                (0.31, 0.14),
                (0.245, 0.34),
                (0.36, 0.56),
                (0.39, 0.76),
                (0.26, 0.96),
                (0.06, 0.99),
            ]
        ) * (w / 0.39, 1)
        body = spline(np.concatenate([half, mirror(half)[::-1]]))
        if rng.random() < 0.25:
            body[(body[:, 0] > 0.08) & (body[:, 1] < 0.16)] *= (0.75, 1)
    center_y = 0.55

    def color(x: Array, y: Array) -> Array:
        burst = np.clip((np.hypot(x / w, (y - center_y) / 0.5) - 0.55) / 0.5, 0, 1)[..., None]
        lines = 1 + (0.0 if electric else 0.06) * np.sin(x * 90 + 2 * np.sin(y * 3))
        return (wood * (1 - burst) + edge * burst) * lines[..., None]

    shell = canvas.fill(body, color, relief=0.6, bevel=0.05, gloss=0.18)
    canvas.stroke(body, 0.022, WHITE * 0.85 if rng.random() < 0.5 else edge * 0.3, closed=True)
    dark = hsv(20, 0.5, 0.14)
    if electric:
        if rng.random() < 0.7:
            guard = spline(
                [
                    (0.08, 0.1),
                    (0.24, 0.06),
                    (0.2, 0.35),
                    (0.3, 0.62),
                    (0.12, 0.72),
                    (-0.14, 0.62),
                    (-0.16, 0.12),
                ]
            )
            canvas.fill(guard, WHITE * rng.choice([0.12, 0.9]), inside=shell)
        for y in (0.26, 0.42, 0.58)[: rng.integers(2, 4)]:
            canvas.fill(rectangle(0, y, 0.22, 0.065, 0.03), hsv(0, 0, rng.choice([0.1, 0.8])), relief=0.5)
        canvas.fill(rectangle(0, 0.74, 0.22, 0.08, 0.01), hsv(0, 0, 0.72), relief=0.5, gloss=0.3)
        for y in (0.66, 0.78):
            canvas.fill(ellipse(0.24, y, 0.03, 0.03), hsv(0, 0, 0.8), relief=0.8)
    else:
        canvas.fill(ellipse(0, 0.3, 0.15, 0.15), wood * 0.55)
        canvas.fill(ellipse(0, 0.3, 0.125, 0.125), WHITE * 0.8)
        canvas.fill(ellipse(0, 0.3, 0.115, 0.115), dark * 0.6)
        canvas.fill(rectangle(0, 0.75, 0.3, 0.06, 0.02), dark, relief=0.4)
        if rng.random() < 0.4:
            canvas.fill(spline([(0.12, 0.36), (0.22, 0.36), (0.22, 0.52), (0.08, 0.45)]), dark, inside=shell)
    top = -0.74
    board = hsv(*((20, 0.5, 0.2) if rng.random() < 0.7 else (34, 0.5, 0.75)))
    canvas.fill(np.array([(-0.047, top), (0.047, top), (0.062, 0.2), (-0.062, 0.2)]), board, relief=0.5, bevel=0.03)
    y, scale = top, 1.49
    for i in range(1, 17):
        y = top + scale * (1 - 2 ** (-i / 12))
        if y < 0.18:
            canvas.stroke(np.array([[-0.055, y], [0.055, y]]), 0.011, hsv(0, 0, 0.8), 0.85)
            if i in (3, 5, 7, 9, 12):
                canvas.fill(ellipse(0, y - 0.025, 0.014, 0.014), WHITE)
    head = [
        (-0.05, top),
        (-0.085, top - 0.06),
        (-0.075, -0.98),
        (0.075, -0.98),
        (0.085, top - 0.06),
        (0.05, top),
    ]
    if electric:
        head = [
            (-0.05, top),
            (-0.1, top - 0.05),
            (-0.09, -0.96),
            (0.03, -1.0),
            (0.08, -0.94),
            (0.05, top - 0.04),
            (0.05, top),
        ]
    for y in np.linspace(top - 0.07, -0.94, 3):
        for side in (-1, 1):
            canvas.fill(ellipse(side * 0.115, y, 0.03, 0.02), hsv(40, 0.2, 0.85), relief=0.6)
    canvas.fill(np.array(head), wood * 0.8, relief=0.5, bevel=0.03)
    for x in np.linspace(-0.035, 0.035, 6):
        canvas.stroke(np.array([[x, top], [x * 1.25, 0.75]]), 0.006, hsv(40, 0.1, 0.9), 0.8)


def pizza(canvas: Canvas) -> None:
    """A pizza from above, whole, with a slice gone, or one slice: browned crust, sauce, cheese, toppings."""
    rng = canvas.rng
    crust = hsv(rng.uniform(28, 36), rng.uniform(0.5, 0.7), rng.uniform(0.72, 0.9))
    sauce, cheese = (
        hsv(8, 0.85, rng.uniform(0.6, 0.8)),
        hsv(rng.uniform(42, 50), rng.uniform(0.45, 0.7), 0.97),
    )
    turn = np.linspace(0, 2 * np.pi, 90)
    ripple = (
        1
        + 0.025 * np.sin(turn * 3 + rng.uniform(0, 6))
        + 0.018 * np.sin(turn * 7 + rng.uniform(0, 6))
        + rng.normal(0, 0.006, 90)
    )
    ripple[-1] = ripple[0]
    rim = np.stack([np.cos(turn), np.sin(turn)], 1) * ripple[:, None] * 0.97
    kind = rng.choice(['whole', 'cut', 'slice'], p=[0.5, 0.3, 0.2])
    middle = np.zeros(2)
    if kind == 'cut':
        gone = rng.integers(10, 24)
        rim = np.concatenate([rim[gone:], [[0, 0]]])
    elif kind == 'slice':
        half = rng.integers(6, 9)
        rim = rotate(np.concatenate([rim[45 - half : 46 + half] * 1.9, [[0, 0]]]), 90)
        middle = (rim.max(0) + rim.min(0)) / 2
        rim -= middle
        middle = -middle
    scale = 1.9 if kind == 'slice' else 1.0
    plate = canvas.fill(rim, crust, relief=0.8, bevel=0.12, grain=0.2)
    for _ in range(14):
        a, r = rng.uniform(0, 2 * np.pi), rng.uniform(0.85, 0.95) * scale
        canvas.fill(
            ellipse(middle[0] + r * np.cos(a), middle[1] + r * np.sin(a), 0.09, 0.06, rng.uniform(0, 180)),
            hsv(22, 0.8, 0.4),
            opacity=0.4,
            inside=plate,
        )
    outer, inner = rng.uniform(0.83, 0.87) * scale, rng.uniform(0.76, 0.81) * scale
    disc = canvas.area(ellipse(*middle, outer, outer))
    disc = np.minimum(disc, plate)
    canvas.fill(disc, sauce, grain=0.2, relief=0.3, bevel=0.04)
    field = noise(rng, canvas.side, canvas.side, canvas.scale * 0.3, 4)
    melted = canvas.area(ellipse(*middle, inner, inner))

    def color(x: Array, y: Array) -> Array:
        n = canvas.sample(field, x, y)[..., None]
        tint = cheese * (1 - 0.3 * np.clip(n - 0.25, 0, 1)) * (1 + 0.1 * n)
        return np.where(n < -0.42, sauce * 1.1, tint)

    top = canvas.fill(np.minimum(melted, disc), color, relief=0.2, bevel=0.05)
    toppings = rng.permutation(['salami', 'salami', 'olive', 'leaf', 'mushroom', 'pepper'])[: rng.integers(1, 4)]
    count = rng.integers(7, 15)
    spots: list[tuple[float, float]] = []
    while len(spots) < count and rng.random() < 0.985:
        r, a = np.sqrt(rng.uniform(0.01, 1)) * inner * 0.86, rng.uniform(0, 2 * np.pi)
        spot = (middle[0] + r * np.cos(a), middle[1] + r * np.sin(a))
        if all(np.hypot(spot[0] - q[0], spot[1] - q[1]) > 0.3 for q in spots):
            spots.append(spot)
    for i, (x, y) in enumerate(spots):
        what, angle = toppings[i % len(toppings)], rng.uniform(0, 360)
        if what == 'salami':
            size = rng.uniform(0.13, 0.17) * scale**0.3
            canvas.fill(ellipse(x, y, size, size), hsv(4, 0.85, 0.5), inside=top, relief=0.5, bevel=0.03)
            canvas.fill(
                ellipse(x, y, size * 0.88, size * 0.88),
                hsv(6, 0.8, rng.uniform(0.65, 0.8)),
                inside=top,
                grain=0.25,
                gloss=0.1,
            )
        elif what == 'olive':
            canvas.fill(
                [ellipse(x, y, 0.08, 0.08), ellipse(x, y, 0.035, 0.035)],
                hsv(80, 0.4, 0.18),
                inside=top,
                relief=0.8,
                gloss=0.3,
            )
        elif what == 'leaf':
            leaf = spline([(-0.16, 0), (-0.04, -0.075), (0.16, 0), (-0.04, 0.075)])
            canvas.fill(rotate(leaf, angle) + (x, y), hsv(105, 0.75, rng.uniform(0.35, 0.55)), inside=top, relief=0.5)
            canvas.stroke(
                rotate(np.array([[-0.15, 0.0], [0.13, 0]]), angle) + (x, y),
                0.015,
                hsv(95, 0.5, 0.65),
                inside=top,
            )
        elif what == 'mushroom':
            piece = spline(
                [
                    (-0.12, 0.0),
                    (-0.08, -0.1),
                    (0.08, -0.1),
                    (0.12, 0),
                    (0.035, 0.01),
                    (0.03, 0.12),
                    (-0.03, 0.12),
                    (-0.035, 0.01),
                ]
            )
            canvas.fill(rotate(piece, angle) + (x, y), hsv(35, 0.2, 0.9), inside=top, relief=0.5, bevel=0.03)
        else:
            arc = ellipse(0, 0, 0.12, 0.12, angle, 0, 230)
            canvas.fill(
                ribbon(arc, 0.028) + (x, y),
                hsv(rng.choice([110, 0, 50]), 0.85, 0.65),
                inside=top,
                relief=0.7,
                gloss=0.2,
            )
    if kind != 'slice' and rng.random() < 0.5:
        for angle in rng.uniform(0, 45) + np.arange(4) * 45:
            canvas.stroke(rotate(np.array([[-1.0, 0], [1, 0]]), angle), 0.02, crust * 0.45, 0.7, inside=plate)


_GOLDEN = (1 + 5**0.5) / 2


def _football_faces() -> tuple[Array, Array]:
    """Directions of a truncated icosahedron's 12 pentagons and 20 hexagons."""
    pentagons = np.array(
        [p for a in (-1, 1) for b in (-_GOLDEN, _GOLDEN) for p in ((0, a, b), (a, b, 0), (b, 0, a))], float
    )
    pentagons /= np.linalg.norm(pentagons[0])
    hexagons = []
    for i in range(12):
        for j in range(i):
            for k in range(j):
                close = [
                    pentagons[i] @ pentagons[j],
                    pentagons[j] @ pentagons[k],
                    pentagons[i] @ pentagons[k],
                ]
                if min(close) > 0.4:
                    hexagons.append(pentagons[i] + pentagons[j] + pentagons[k])
    return pentagons, np.array(hexagons) / np.linalg.norm(hexagons, axis=1, keepdims=True)


def soccer_ball(canvas: Canvas) -> None:
    """A sphere with the panels of a truncated icosahedron: dark pentagons among pale hexagons."""
    rng = canvas.rng
    pentagons, hexagons = _football_faces()
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    # Distances of the two kinds of faces from the center, for edges of equal length.
    faces = np.concatenate([pentagons / 0.9393, hexagons / 0.9149]) @ turn
    dark = (
        BLACK
        if rng.random() < 0.65
        else hsv(rng.choice([0, 30, 120, 215, 230, 280]), rng.uniform(0.75, 0.95), rng.uniform(0.3, 0.75))
    )
    pale = hsv(
        rng.uniform(0, 360),
        rng.choice([0.0, 0.03, 0.06, 0.5], p=[0.4, 0.3, 0.2, 0.1]),
        rng.uniform(0.88, 0.98),
    )
    dirt = rng.uniform(0, 0.16)

    def color(x: Array, y: Array) -> Array:
        z = np.sqrt(np.clip(1 - x * x - y * y, 0, 1))
        reach = np.stack([x, y, z], -1) @ faces.T.astype(np.float32)
        order = np.sort(reach, -1)
        seam = np.exp(-(((order[..., -1] - order[..., -2]) / 0.022) ** 2))[..., None]
        tint = np.where((reach.argmax(-1) < 12)[..., None], dark, pale)
        return tint * (1 - 0.7 * seam)

    canvas.fill(
        ellipse(0, 0, 0.99, 0.99),
        color,
        relief=lambda x, y: (x * 0.97, y * 0.97),
        gloss=rng.uniform(0.05, 0.35),
        grain=dirt,
    )
