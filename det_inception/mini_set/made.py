"""Drawings of street and table: car, traffic light, cup or mug, wine bottle.

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
    rectangle,
    ribbon,
    rotate,
    spline,
)


def car(canvas: Canvas) -> None:
    """A car from the side, saloon to coupe: body, glass, doors, lamps, two wheels with rims."""
    rng = canvas.rng
    paint = hsv(
        rng.choice([0, 5, 30, 48, 120, 160, 210, 220, 230, 280]),
        rng.choice([0.0, 0.55, 0.85, 0.9]),
        rng.uniform(0.35, 0.95),
    )
    kind = rng.integers(4)
    roof = -rng.uniform(0.4, 0.48) - 0.08 * (kind == 2)
    sill, belt = 0.22, -0.08
    hood = rng.uniform(-0.1, -0.02)
    # x of: foot of windscreen, front of roof, back of roof, foot of rear window; the car looks to the right
    screen, front, back, rear = [
        (0.48, 0.18, -0.35, -0.66),
        (0.5, 0.2, -0.62, -0.88),
        (0.52, 0.26, -0.8, -0.93),
        (0.42, 0.08, -0.2, -0.75),
    ][kind]
    deck = belt - 0.02 if kind in (0, 3) else belt
    body = spline(
        [
            (-0.97, 0.16),
            (-0.98, 0.0),
            (-0.95, deck),
            (rear, deck - 0.03),
            (back, roof + 0.02),
            ((back + front) / 2, roof - 0.02),
            (front, roof + 0.02),
        ]
        + [
            (screen, hood - 0.04),
            (0.82, hood + 0.03),
            (0.96, hood + 0.12),
            (0.98, 0.12),
            (0.94, sill),
            (0.3, sill + 0.02),
            (-0.3, sill + 0.02),
            (-0.93, sill),
        ],
        steps=6,
    )
    wheel, axle_y = rng.uniform(0.19, 0.225), 0.2
    axles = (-0.6, 0.6)
    canvas.fill(rectangle(0, 0.24, 1.7, 0.14, 0.04), BLACK)

    def color(x: Array, y: Array) -> Array:
        # A painted side mirrors the sky above the belt line and the road below it.
        sheen = 1 + 0.22 * np.clip((0.05 - y) / 0.4, -1, 1) - 0.28 * np.clip((y - 0.06) / 0.1, 0, 1)
        return paint * sheen[..., None] + (0.1 * np.exp(-(((y + 0.02) / 0.03) ** 2)))[..., None]

    shell = canvas.fill(body, color, relief=0.55, bevel=0.12, gloss=0.15)
    slope_f, slope_r = (screen - front), (back - rear)
    glass = np.array(
        [
            (rear + slope_r * 0.25 + 0.06, belt - 0.07),
            (back + 0.05, roof + 0.08),
            (front - 0.03, roof + 0.08),
            (screen - slope_f * 0.25 - 0.03, belt - 0.06),
        ]
    )
    tint = hsv(205, rng.uniform(0.15, 0.4), rng.uniform(0.15, 0.45))

    def window(x: Array, y: Array) -> Array:
        streak = np.clip(np.sin((x + 0.6 * y) * 6 + 1), 0, 1) ** 4
        return tint * (1.1 - 0.9 * (y[..., None] - belt)) + 0.25 * streak[..., None]

    pane = canvas.fill(glass, window, inside=shell)
    canvas.stroke(glass, 0.02, BLACK, closed=True)
    seam = paint * 0.45
    for x in (np.mean([front, back]), back + 0.12 if kind == 2 else None):
        if x is not None:
            canvas.fill(rectangle(x, (roof + belt) / 2, 0.05, 0.6), paint * 0.8, inside=pane)
    middle = float(np.mean([front, back]))
    for x in (middle, middle + 0.42, middle - 0.4):
        canvas.stroke(np.array([[x, belt - 0.05], [x - 0.01, sill - 0.03]]), 0.014, seam, inside=shell)
    canvas.stroke(np.array([[-0.95, 0.04], [0.95, 0.06]]), 0.014, seam, 0.6, inside=shell)
    for x in (middle + 0.07, middle - 0.33):
        canvas.fill(rectangle(x, 0.0, 0.09, 0.025, 0.01), paint * 1.5 if paint.max() < 0.6 else seam)
    canvas.fill(ellipse(0.92, hood + 0.14, 0.07, 0.05, 20), hsv(50, 0.15, 1.0), inside=shell, gloss=0.3)
    canvas.fill(rectangle(-0.95, 0.0, 0.08, 0.1, 0.02), hsv(0, 0.9, 0.75), inside=shell)
    canvas.fill(rectangle(0.0, sill, 2.0, 0.06), BLACK * 2, opacity=0.7, inside=shell)
    canvas.fill(ellipse(screen - 0.08, belt - 0.03, 0.055, 0.04), paint * 0.9, relief=0.6)
    spokes, rim_tone = int(rng.integers(5, 9)), rng.uniform(0.55, 0.9)
    for x in axles:
        canvas.fill(ellipse(x, axle_y - 0.01, wheel + 0.045, wheel + 0.045), BLACK, inside=shell)
        canvas.fill(ellipse(x, axle_y, wheel, wheel), hsv(0, 0, 0.13), relief=0.5, bevel=0.06)
        canvas.fill(ellipse(x, axle_y, wheel * 0.66, wheel * 0.66), hsv(0, 0, rim_tone), relief=0.3, gloss=0.2)
        phase = rng.uniform(0, 360)
        for i in range(spokes):
            hole = rotate(
                ellipse(wheel * 0.4, 0, wheel * 0.17, wheel * 0.3 * 4 / spokes * 0.6),
                phase + 360 * i / spokes,
            )
            canvas.fill(hole + (x, axle_y), hsv(0, 0, 0.15))
        canvas.fill(ellipse(x, axle_y, wheel * 0.13, wheel * 0.13), hsv(0, 0, rim_tone * 0.8), relief=0.6)


def cup_or_mug(canvas: Canvas) -> None:
    """A round vessel with an open mouth, a handle, a glaze pattern, often with a drink and a saucer."""
    rng = canvas.rng
    glaze = hsv(rng.uniform(0, 360), rng.choice([0.05, 0.5, 0.8]), rng.uniform(0.55, 0.97))
    second = hsv(rng.uniform(0, 360), rng.uniform(0.5, 0.9), rng.uniform(0.3, 0.9))
    tall = rng.random() < 0.6
    top_y = -0.68 if tall else -0.42
    bottom_y = 0.8 if tall else 0.5
    mouth = rng.uniform(0.5, 0.62) if tall else rng.uniform(0.62, 0.74)
    foot = mouth * (rng.uniform(0.8, 1.0) if tall else rng.uniform(0.45, 0.65))
    tilt = rng.uniform(0.18, 0.36)
    left = -0.18
    if not tall and rng.random() < 0.7:
        for size, tone in ((1.0, 0.82), (0.97, 0.95), (0.6, 0.85)):
            canvas.fill(
                ellipse(left + 0.12, bottom_y - 0.02, size * 0.98, size * 0.98 * (tilt + 0.05)),
                glaze * tone,
                relief=0.4,
                bevel=0.05,
            )
    # handle: a bent tube, drawn first so that the body hides its ends
    grip, loop = rng.uniform(0.055, 0.085), rng.uniform(0.3, 0.44)
    span = (bottom_y - top_y) * rng.uniform(0.24, 0.31)
    middle = top_y + (bottom_y - top_y) * 0.45
    handle = spline(
        [
            (left + mouth * 0.8, middle - span),
            (left + mouth + loop * 0.7, middle - span * 0.95),
            (left + mouth + loop, middle - span * 0.2),
        ]
        + [(left + mouth + loop * 0.75, middle + span * 0.75), (left + (mouth + foot) * 0.45, middle + span)],
        closed=False,
    )
    canvas.fill(ribbon(handle, grip), glaze, relief=0.9, gloss=0.25)
    belly = np.linspace(0, 1, 12)
    power = 1.0 if tall and rng.random() < 0.6 else rng.uniform(2.0, 3.0)
    radius = mouth + (foot - mouth) * belly**power
    height = top_y + (bottom_y - top_y) * belly
    bow = ellipse(left, bottom_y, foot, foot * tilt, 0, 180, 0)
    body = np.concatenate([np.stack([left - radius, height], 1), bow, np.stack([left + radius, height], 1)[::-1]])
    pattern = rng.integers(5)
    level, thick, count = rng.uniform(0.2, 0.75), rng.uniform(0.08, 0.25), rng.integers(3, 9)

    def around(x: Array, y: Array) -> tuple[Array, Array]:
        share = np.clip((y - top_y) / (bottom_y - top_y), 0, 1)
        return (x - left) / (mouth + (foot - mouth) * share**power), share

    def color(x: Array, y: Array) -> Array:
        u, share = around(x, y)
        turn = np.arcsin(np.clip(u, -1, 1))
        # bands follow the ellipse of the mouth
        v = share - tilt * mouth / (bottom_y - top_y) * np.sqrt(np.clip(1 - u * u, 0, 1))
        if pattern == 0:
            mark = np.zeros_like(x, bool)
        elif pattern == 1:
            mark = np.abs(v - level + 0.1) < thick / 2
        elif pattern == 2:
            mark = np.sin(turn * count * 1.5) > 0.3
        elif pattern == 3:
            mark = (np.sin(turn * count) * np.sin(v * count * 3)) > 0.45
        else:
            mark = v > level
        return np.where(mark[..., None], second, glaze)

    def curved(x: Array, y: Array) -> tuple[Array, Array]:
        u, share = around(x, y)
        return np.clip(u, -1, 1) * 0.95, 0.25 * (share - 0.2)

    canvas.fill(body, color, relief=curved, gloss=0.3)
    canvas.fill(ellipse(left, top_y, mouth, mouth * tilt), glaze * 1.1)
    inner = canvas.fill(
        ellipse(left, top_y + 0.005, mouth * 0.91, mouth * 0.91 * tilt),
        glaze * 0.75,
        relief=lambda x, y: (-(x - left) / mouth * 0.8, 0 * x),
    )
    if rng.random() < 0.75:
        drink = hsv(*[(22, 0.75, 0.22), (30, 0.55, 0.6), (28, 0.85, 0.5), (20, 0.6, 0.35)][rng.integers(4)])
        canvas.fill(ellipse(left, top_y + 0.07, mouth * 0.84, mouth * 0.8 * tilt), drink, inside=inner, gloss=0.1)


def traffic_light(canvas: Canvas) -> None:
    """A housing with three round lenses under visors, red over amber over green, one of them lit."""
    rng = canvas.rng
    case = [hsv(0, 0, 0.13), hsv(0, 0, 0.22), hsv(46, 0.85, 0.85), hsv(150, 0.6, 0.25)][
        rng.choice(4, p=[0.4, 0.2, 0.25, 0.15])
    ]
    wide = rng.uniform(0.3, 0.37)
    if rng.random() < 0.3:
        board = rectangle(0, 0, 2 * wide + 0.3, 2.0, 0.1)
        canvas.fill(board, BLACK * 1.4)
        canvas.stroke(rectangle(0, 0, 2 * wide + 0.24, 1.94, 0.08), 0.04, WHITE, closed=True)
    else:
        canvas.fill(rectangle(0, -0.92, 0.14, 0.16), hsv(0, 0, 0.35), relief=0.7)
        canvas.fill(rectangle(0, 0.92, 0.14, 0.16), hsv(0, 0, 0.35), relief=0.7)
    canvas.fill(rectangle(0, 0, 2 * wide, 1.76, rng.uniform(0.03, 0.16)), case, relief=0.7, bevel=0.06, gloss=0.15)
    lit = rng.choice(3, p=[0.42, 0.16, 0.42])
    radius = wide * rng.uniform(0.68, 0.78)
    for i, (hue, y) in enumerate(((2, -0.57), (42, 0.0), (rng.choice([130, 150, 165]), 0.57))):
        canvas.fill(ellipse(0, y, radius * 1.12, radius * 1.12), BLACK)
        if i == lit:
            glow, deep = hsv(hue, 0.35, 1.0), hsv(hue, 0.92, 1.0)
        else:
            glow, deep = hsv(hue, 0.75, 0.42), hsv(hue, 0.85, 0.24)

        def color(x: Array, y_: Array, y: float = y, glow: Array = glow, deep: Array = deep) -> Array:
            r = np.clip(np.hypot(x, y_ - y) / radius, 0, 1)[..., None]
            mesh = 0.06 * np.sin(x * 60) * np.sin(y_ * 60)
            return (glow * (1 - r * r) + deep * r * r) * (1 + mesh[..., None])

        lens = canvas.fill(ellipse(0, y, radius, radius), color)
        # The visor: a hood over the upper half, as thick above as the difference of two circles.
        hood = [
            ellipse(0, y - radius * 0.12, radius * 1.25, radius * 1.25),
            ellipse(0, y + radius * 0.22, radius * 1.18, radius * 1.25),
        ]
        upper = canvas.area(rectangle(0, y - radius * 0.7, 3 * radius, radius * 1.5))
        canvas.fill(hood, case * 0.55, inside=upper, relief=0.6)
        if i != lit:
            canvas.fill(
                ellipse(-radius * 0.25, y - radius * 0.1, radius * 0.2, radius * 0.12, -30),
                WHITE,
                opacity=0.35,
                inside=lens,
            )
    if rng.random() < 0.5:
        for y in (-0.285, 0.285):
            canvas.stroke(np.array([[-wide, y], [wide, y]]), 0.02, case * 0.5)


def wine_bottle(canvas: Canvas) -> None:
    """A bottle, neck up: glass with long highlights, shoulders, a foil capsule, a printed label."""
    rng = canvas.rng
    # Greens, wine red, brown, and clear glass with white wine or rose in it.
    glasses = [(100, 0.7, 0.2), (85, 0.6, 0.28), (350, 0.8, 0.22), (30, 0.75, 0.22)]
    glasses += [(110, 0.35, 0.5), (52, 0.45, 0.75), (345, 0.5, 0.75)]
    glass = hsv(*glasses[rng.choice(7, p=[0.27, 0.2, 0.15, 0.12, 0.1, 0.08, 0.08])])
    body, neck = rng.uniform(0.27, 0.33), rng.uniform(0.085, 0.105)
    shoulder = rng.uniform(-0.35, -0.18)
    if rng.random() < 0.6:
        side = [
            (neck, -0.98),
            (neck, -0.6),
            (neck * 1.05, shoulder - 0.22),
            (body * 0.8, shoulder - 0.05),
            (body, shoulder + 0.12),
        ]
    else:
        side = [
            (neck, -0.98),
            (neck, -0.66),
            (neck * 1.35, -0.5),
            (body * 0.75, shoulder),
            (body, shoulder + 0.3),
        ]
    right = np.concatenate([spline(side, closed=False), [(body, 0.9), (body * 0.97, 0.97), (body * 0.85, 0.99)]])
    outline = np.concatenate([right, mirror(right)[::-1]])

    def edge(y: Array) -> Array:
        return np.interp(y, right[:, 1], right[:, 0])

    def color(x: Array, y: Array) -> Array:
        u = x / edge(y)
        rim = np.clip(np.abs(u) * 1.6 - 0.7, 0, 1)[..., None]
        shine = np.exp(-(((u + 0.55) / 0.12) ** 2)) * 0.5 + np.exp(-(((u - 0.7) / 0.06) ** 2)) * 0.25
        return glass * (1.25 - 0.7 * rim) + shine[..., None] * (0.4 + 0.6 * glass)

    def round_(x: Array, y: Array) -> tuple[Array, Array]:
        return np.clip(x / edge(y), -1, 1) * 0.8, 0 * x

    shell = canvas.fill(outline, color, relief=round_, gloss=0.2)
    foil = hsv(rng.choice([0, 350, 45, 210, 130]), rng.choice([0.1, 0.8, 0.9]), rng.uniform(0.15, 0.75))
    canvas.fill(rectangle(0, -0.8, 0.5, 0.4), foil, inside=shell, relief=round_, gloss=0.3)
    canvas.fill(rectangle(0, -0.965, neck * 2.3, 0.06, 0.02), foil * 0.9, relief=round_, gloss=0.3)
    paper = [WHITE * 0.95, hsv(45, 0.2, 0.93), hsv(40, 0.35, 0.8), BLACK * 1.5, hsv(0, 0.75, 0.55)][
        rng.choice(5, p=[0.3, 0.35, 0.15, 0.1, 0.1])
    ]
    ink = BLACK if paper.max() > 0.7 else hsv(45, 0.5, 0.85)
    accent = hsv(rng.choice([0, 350, 45, 215, 130]), 0.8, 0.6)
    middle, tall = rng.uniform(0.38, 0.5), rng.uniform(0.42, 0.68)
    label = canvas.fill(rectangle(0, middle, 2 * body * 0.985, tall), paper, inside=shell, relief=round_)
    canvas.fill(rectangle(0, middle - tall * 0.36, body * 1.9, 0.03), accent, inside=label)
    canvas.fill(rectangle(0, middle + tall * 0.4, body * 1.9, 0.03), accent, inside=label)
    if rng.random() < 0.6:
        canvas.fill(ellipse(0, middle - tall * 0.12, body * 0.35, tall * 0.14), accent, inside=label)
        canvas.fill(ellipse(0, middle - tall * 0.12, body * 0.2, tall * 0.07), paper, inside=label)
    for i, y in enumerate(np.linspace(middle + tall * 0.1, middle + tall * 0.3, 3)):
        canvas.fill(rectangle(0, y, body * (1.3 - 0.35 * i), 0.028), ink, opacity=0.75, inside=label)
