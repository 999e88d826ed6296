"""Drawings of living things: banana, butterfly, goldfish, ladybug, starfish.

Each paints one individual upright on a `Canvas`, about 2 units long, and takes its proportions, colors and
patterns from the canvas's random numbers.
"""

from __future__ import annotations

import numpy as np

from det_inception.mini_set.canvas import BLACK, WHITE, Array, Canvas, ellipse, hsv, ribbon, rotate, spline


def banana(canvas: Canvas) -> None:
    """A bent spindle with ridges, a stem, a dark tip and freckles."""
    rng = canvas.rng
    bend, girth = rng.uniform(60, 155), rng.uniform(0.17, 0.25)
    ripeness = rng.uniform(0, 1)
    t = np.linspace(0, 1, 40)
    angle = np.radians(90 + bend * (t - 0.5))
    radius = 0.93 / np.sin(np.radians(bend / 2))
    path = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
    path -= (path.max(0) + path.min(0)) / 2
    width = girth * np.clip(np.sin(np.pi * np.clip(t * 0.9 + 0.06, 0, 1)), 0, 1) ** 0.55
    stem = np.clip((0.16 - t) / 0.06, 0, 1)
    width = width * (1 - stem) + 0.05 * stem
    width *= np.clip((1 - t) / 0.06, 0.3, 1) ** 0.5
    skin = hsv(62 - 16 * ripeness, rng.uniform(0.72, 0.92), rng.uniform(0.85, 0.98))
    green = hsv(78, 0.75, 0.7)
    unripe = rng.uniform(0.2, 0.8) * (ripeness < 0.35)

    def color(x: Array, y: Array) -> Array:
        ends = np.clip((np.abs(x) - 0.45) / 0.5, 0, 1)[..., None] * unripe
        return skin * (1 - ends) + green * ends

    body = canvas.fill(ribbon(path, width), color, relief=0.95, gloss=0.12, grain=0.05)
    for offset, shade in ((-0.3, 0.78), (0.42, 0.82)):
        ridge = path[6:-3] + (ribbon(path, width)[: len(path)] - path)[6:-3] * offset
        canvas.stroke(ridge, 0.022, skin * shade, 0.75, inside=body)
    brown = hsv(30, 0.6, 0.28)
    for _ in range(int(rng.integers(2, 26) * ripeness)):
        i, side = rng.integers(8, 36), rng.uniform(-0.8, 0.8)
        spot = path[i] + (0, side * width[i])
        size = rng.uniform(0.006, 0.03)
        canvas.fill(
            ellipse(*spot, size * rng.uniform(1, 2.5), size, rng.uniform(0, 180)),
            brown,
            opacity=0.7,
            inside=body,
        )
    canvas.fill(ribbon(path[:4], 0.055), hsv(45, 0.6, 0.45), relief=0.6)
    canvas.fill(ellipse(*path[0], 0.05, 0.06), brown, relief=0.5)
    canvas.fill(ellipse(*path[-1], 0.045, 0.055), brown * 0.7, relief=0.5)


def butterfly(canvas: Canvas) -> None:
    """Four patterned wings seen from above, mirrored, with veins and spots; a segmented body; feelers."""
    rng = canvas.rng
    hue = rng.choice([24, 30, 48, 55, 205, 215, 350, 8, 170, 280])
    pale = rng.random() < 0.12
    base = hsv(hue, 0.1 if pale else rng.uniform(0.75, 0.95), rng.uniform(0.85, 1.0))
    core = hsv(hue + rng.uniform(-25, 25), 0.05 if pale else rng.uniform(0.4, 0.9), 1.0)
    rim = hsv(hue, 0.4, 0.1)
    rise, span = rng.uniform(0.65, 0.9), rng.uniform(0.88, 1.02)
    fore = spline(
        [
            (0.05, -0.1),
            (0.3, -0.5 * rise),
            (0.72 * span, -0.98 * rise),
            (0.97 * span, -0.88 * rise),
            (0.93 * span, -0.45),
            (0.7, -0.05),
            (0.35, 0.08),
        ]
    )
    drop = rng.uniform(0.62, 0.85)
    hind_points = [
        (0.05, 0.0),
        (0.4, 0.0),
        (0.72 * span, 0.12),
        (0.74 * span, 0.45),
        (0.5, 0.75 * drop),
        (0.22, 0.72 * drop),
        (0.08, 0.4),
    ]
    if rng.random() < 0.3:
        hind_points[4:5] = [
            (0.55, 0.62 * drop),
            (0.56, 1.08 * drop),
            (0.48, 1.08 * drop),
            (0.44, 0.72 * drop),
        ]
    hind = spline(hind_points)
    border = rng.uniform(0.78, 0.88)
    eyes = rng.random() < 0.4
    vein_opacity = rng.uniform(0.3, 0.95)
    fold = rng.uniform(0.72, 1.0, 2)
    spots = [(rng.uniform(0.82, 0.9), a) for a in np.linspace(0.12, 0.88, rng.integers(4, 8))]
    spot_color = WHITE if rng.random() < 0.6 else core

    def color(x: Array, y: Array) -> Array:
        mix = np.clip(np.hypot(x, y) * 1.2, 0, 1)[..., None]
        return core * (1 - mix) + base * mix

    for side in (-1, 1):
        squeeze = np.array([side * fold[(side + 1) // 2], 1])
        for wing, root in ((hind, np.array([0.1, 0.1])), (fore, np.array([0.1, -0.1]))):
            outline = wing * squeeze
            outer = canvas.fill(outline, rim, relief=0.25, bevel=0.06)
            center = wing.mean(0)
            panel = (center + (wing - center) * border) * squeeze
            inner = canvas.fill(panel, color, inside=outer, relief=0.12, grain=0.07, gloss=0.05)
            for share in np.linspace(0.08, 0.92, 8):
                tip = wing[int(share * len(wing))]
                canvas.stroke(
                    np.stack([root, (root + tip) / 2 + (0.02, 0), tip]) * squeeze,
                    0.022,
                    rim,
                    vein_opacity,
                    inside=inner,
                )
            for reach, share in spots:
                spot = (root + (wing[int(share * len(wing))] - root) * (reach + 0.06)) * squeeze
                canvas.fill(ellipse(*spot, 0.028, 0.028), spot_color, inside=outer)
            if eyes:
                eye = (center + (center - root) * 0.35) * squeeze
                for size, tint in ((0.13, rim), (0.095, core), (0.06, rim)):
                    canvas.fill(ellipse(*eye, size * abs(squeeze[0]), size), tint, inside=outer)
                canvas.fill(ellipse(eye[0] - 0.02, eye[1] - 0.02, 0.02, 0.02), WHITE, inside=outer)
    dark = hsv(hue, 0.3, rng.uniform(0.1, 0.25))
    for side in (-1, 1):
        feeler = spline([(0, -0.3), (side * 0.08, -0.5), (side * 0.2, -0.66)], closed=False)
        canvas.stroke(feeler, 0.022, dark)
        canvas.fill(ellipse(*feeler[-1], 0.028, 0.028), dark)
    canvas.fill(ellipse(0, 0.22, 0.065, 0.36), dark * 1.3, relief=0.9, gloss=0.1)
    for y in np.linspace(0.08, 0.48, 5):
        canvas.stroke(np.array([[-0.05, y], [0.05, y]]), 0.015, dark * 0.5)
    canvas.fill(ellipse(0, -0.1, 0.085, 0.17), dark * 1.5, relief=0.9, gloss=0.1, grain=0.3)
    canvas.fill(ellipse(0, -0.29, 0.065, 0.065), dark, relief=0.9, gloss=0.2)


def goldfish(canvas: Canvas) -> None:
    """A plump fish from the side: scales, eye, gill, veil tail and fins, orange with white or red."""
    rng = canvas.rng
    hue = rng.uniform(8, 36)
    skin, belly = (
        hsv(hue, rng.uniform(0.82, 0.97), rng.uniform(0.9, 1.0)),
        hsv(hue + 14, rng.uniform(0.25, 0.7), 1.0),
    )
    fin = skin * 0.5 + belly * 0.5
    plump = rng.uniform(0.3, 0.46)
    tail = rng.uniform(0.4, 0.72)
    fork, sway = rng.uniform(0.1, 0.28), rng.uniform(-0.12, 0.12)
    tail_shape = spline(
        [
            (-0.28, -0.08),
            (-0.55, -0.25 + sway),
            (-0.98, -tail + sway),
            (-0.92, -0.25 + sway),
            (-0.98 + fork, sway),
            (-0.96, 0.3 + sway),
            (-0.9, tail * 0.9 + sway),
        ]
        + [(-0.55, 0.25 + sway), (-0.28, 0.08)]
    )

    def rays(root: tuple[float, float], outline: Array, opacity: float = 0.92) -> None:
        mask = canvas.fill(outline, fin, relief=0.3, opacity=opacity, grain=0.08)
        for share in np.linspace(0.05, 0.95, 16):
            canvas.stroke(
                np.array([root, outline[int(share * (len(outline) - 1))]]),
                0.012,
                skin * 0.7,
                0.6,
                inside=mask,
            )

    rays((-0.25, 0.0), tail_shape)
    height = rng.uniform(0.2, 0.36)
    rays(
        (0.05, -0.1),
        spline(
            [
                (0.3, -plump * 0.8),
                (0.12, -plump - height),
                (-0.12, -plump - height * 0.8),
                (-0.32, -plump * 0.5),
                (0, -plump * 0.5),
            ]
        ),
    )
    rays(
        (0.0, 0.1),
        spline([(0.2, plump * 0.8), (0.02, plump + 0.26), (-0.12, plump + 0.16), (0.0, plump * 0.7)]),
    )
    rays(
        (-0.2, 0.05),
        spline([(-0.15, plump * 0.6), (-0.35, plump + 0.18), (-0.46, plump + 0.02), (-0.35, plump * 0.3)]),
    )
    body = spline(
        [
            (0.95, 0.02),
            (0.86, -0.13),
            (0.6, -plump * 0.75),
            (0.2, -plump),
            (-0.15, -plump * 0.75),
            (-0.42, -0.12),
            (-0.42, 0.12),
            (-0.15, plump * 0.75),
        ]
        + [(0.2, plump * 1.05), (0.6, plump * 0.8), (0.86, 0.16)]
    )
    white = rng.random() < 0.35
    patches = rng.uniform(-1, 1, 6)

    def color(x: Array, y: Array) -> Array:
        low = np.clip(0.5 + y / plump * 0.9, 0, 1)[..., None]
        tint = skin * (1 - low) + belly * low
        # scales: rows of arcs, each row moved by half a scale
        row = np.floor(y / 0.085)
        u = (x + 0.055 * (row % 2)) / 0.11 % 1 - 0.15
        v = y / 0.085 % 1 - 0.5
        arc = np.hypot(u * 1.2, v)
        scale = np.where(x < 0.5, 1 - 0.28 * np.exp(-(((arc - 0.6) / 0.16) ** 2)), 1.0)
        tint = tint * scale[..., None]
        if white:
            field = np.sin(4 * x + 5 * patches[0]) + np.sin(5 * y + 3 * x * patches[1] + 5 * patches[2])
            tint = np.where((field > 0.5)[..., None], tint * 0.25 + WHITE * 0.75, tint)
        return tint

    shell = canvas.fill(body, color, relief=0.9, gloss=0.25)
    canvas.stroke(ellipse(0.5, 0.02, 0.14, plump * 0.62, 0, 110, 250), 0.025, skin * 0.6, 0.8, inside=shell)
    rays((0.38, 0.1), spline([(0.4, 0.08), (0.2, 0.28), (0.06, 0.24), (0.2, 0.1)]), 0.85)
    canvas.stroke(spline([(0.95, 0.05), (0.88, 0.08), (0.83, 0.07)], closed=False), 0.02, skin * 0.45)
    eye = rng.uniform(0.07, 0.095)
    canvas.fill(ellipse(0.72, -0.07, eye, eye), hsv(45, 0.3, 0.98), relief=0.4)
    canvas.fill(ellipse(0.73, -0.07, eye * 0.6, eye * 0.6), BLACK)
    canvas.fill(ellipse(0.75, -0.09, eye * 0.2, eye * 0.2), WHITE)


def ladybug(canvas: Canvas) -> None:
    """A beetle from above, head up: domed wing cases with mirrored spots, pale cheeks, six legs."""
    rng = canvas.rng
    red = hsv(
        rng.choice([0, 4, 8, 14, 24, 40], p=[0.3, 0.25, 0.2, 0.1, 0.1, 0.05]),
        rng.uniform(0.85, 0.97),
        rng.uniform(0.7, 0.95),
    )
    wide = rng.uniform(0.68, 0.82)
    for side in (-1, 1):
        for y, reach, bow in ((-0.32, 0.24, -0.2), (0.12, 0.27, 0.04), (0.5, 0.24, 0.24)):
            bow += rng.uniform(-0.06, 0.06)
            start = side * wide * 0.8
            leg = spline(
                [
                    (start, y),
                    (side * (wide * 0.92 + reach * 0.5), y + bow * 0.4),
                    (side * (wide * 0.9 + reach), y + bow),
                ],
                closed=False,
            )
            canvas.fill(ribbon(leg, np.linspace(0.055, 0.025, len(leg))), BLACK, relief=0.7)
        feeler = spline([(side * 0.15, -0.8), (side * 0.25, -0.98), (side * 0.4, -1.03)], closed=False)
        canvas.stroke(feeler, 0.035, BLACK)
    canvas.fill(ellipse(0, -0.74, 0.27, 0.22), BLACK * 1.3, relief=0.9, gloss=0.35)
    for side in (-1, 1):
        canvas.fill(ellipse(side * 0.15, -0.83, 0.06, 0.045), WHITE * 0.95)
    plate = canvas.fill(ellipse(0, -0.52, 0.45, 0.25), BLACK * 1.3, relief=0.9, gloss=0.35)
    for side in (-1, 1):
        canvas.fill(ellipse(side * 0.34, -0.58, 0.12, 0.1, side * 30), WHITE * 0.95, inside=plate)
    outline = ellipse(0, 0.2, wide, 0.8)
    outline[:, 1] = np.maximum(outline[:, 1], -0.52)

    def dome(x: Array, y: Array) -> tuple[Array, Array]:
        return x / wide * 0.92, (y - 0.2) / 0.8 * 0.92

    spots: list[tuple[float, float, float]] = []
    for _ in range(rng.integers(2, 7)):
        spot = (rng.uniform(0.2, 0.75) * wide, rng.uniform(-0.3, 0.75), rng.uniform(0.1, 0.19))
        if all(np.hypot(spot[0] - s[0], spot[1] - s[1]) > spot[2] + s[2] + 0.03 for s in spots):
            spots.append(spot)
    marks = [ellipse(s * x, y, r * (1 - 0.4 * (x / wide) ** 2), r) for x, y, r in spots for s in (-1, 1)]
    if rng.random() < 0.6:
        marks.append(ellipse(0, -0.4, 0.14, 0.15))
    gap = rng.uniform(0.0, 0.1)
    # The wing cases part a little towards the tail.
    marks.append(np.array([(-0.018, -0.55), (-0.018 - gap, 1.0), (0.018 + gap, 1.0), (0.018, -0.55)]))
    paint = np.maximum.reduce([canvas.area(mark) for mark in marks])

    def color(x: Array, y: Array) -> Array:
        share = canvas.sample(paint, x, y).astype(np.float32)[..., None] / 255
        return red * (1 - share) + BLACK * share

    canvas.fill(outline, color, relief=dome, gloss=0.6)


def starfish(canvas: Canvas) -> None:
    """Five (seldom six) tapering, slightly bent arms with rows of knobs."""
    rng = canvas.rng
    arms = 5 if rng.random() < 0.88 else 6
    base = hsv(rng.choice([5, 15, 22, 30, 38, 260, 220, 340, 350]), rng.uniform(0.5, 0.9), rng.uniform(0.6, 0.95))
    knob = base * 0.35 + WHITE * 0.6 if rng.random() < 0.7 else base * 0.55
    core, tip_width = rng.uniform(0.26, 0.38), rng.uniform(0.035, 0.09)
    points, spines = [], []
    for i in range(arms):
        angle = 360 * i / arms - 90 + rng.normal(0, 5)
        length, bend = rng.uniform(0.86, 1.0), rng.normal(0, 0.1)
        spine = np.array([(0, 0), (0.33 * length, bend * 0.15), (0.66 * length, bend * 0.5), (length, bend)])
        spines.append(rotate(spline(spine, closed=False), angle))
        arm = [
            (core * 0.8, -core * 0.5),
            (0.55 * length, bend * 0.35 - core * 0.36),
            (length * 0.9, bend * 0.85 - tip_width),
            (length, bend),
        ]
        arm += [
            (length * 0.9, bend * 0.85 + tip_width),
            (0.55 * length, bend * 0.35 + core * 0.36),
            (core * 0.8, core * 0.5),
        ]
        points.append(rotate(np.array(arm), angle))
    outline = spline(np.concatenate(points), steps=5)

    def color(x: Array, y: Array) -> Array:
        return base * (1.08 - 0.3 * np.hypot(x, y))[..., None]

    body = canvas.fill(outline, color, relief=1.0, grain=0.22, gloss=0.08)
    rows = rng.integers(5, 10)
    for spine in spines:
        for share in np.linspace(0.04, 0.93, rows):
            x, y = spine[int(share * (len(spine) - 1))]
            size = 0.034 * (1.25 - share)
            canvas.fill(ellipse(x, y, size, size), knob, relief=0.6, inside=body)
            if share < 0.8:
                side = rotate(spine[-1:] - spine[:1], 90)[0] * core * 0.42 * (1 - share)
                for s in (-1, 1):
                    canvas.fill(
                        ellipse(x + s * side[0], y + s * side[1], size * 0.7, size * 0.7),
                        knob,
                        opacity=0.8,
                        inside=body,
                    )
