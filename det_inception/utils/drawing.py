"""Boxes with captions drawn into an image, at its full size and with no more memory than a copy of it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from det_inception.utils.fonts import font_for

Color = tuple[int, int, int]


def draw_boxes(image: np.ndarray, boxes: np.ndarray, captions: Sequence[str], colors: Sequence[Color]) -> np.ndarray:
    """Draws boxes, the first on top; lines and letters grow with the image.

    Args:
        image: uint8 (H, W, 3), BGR; not changed.
        boxes: (N, 4): x1, y1, x2, y2 in pixels, continuous coordinates.
        captions: N texts, each written inside its box's upper left corner, and inside the image as far as it fits.
        colors: N BGR colors.

    Returns:
        A copy of the image with the drawing.
    """
    drawn = image.copy()
    height, width = drawn.shape[:2]
    letters = int(np.clip(0.03 * np.sqrt(height * width), 9, 160))
    line = max(1, round(letters / 7))
    corners = np.clip(np.nan_to_num(boxes).reshape(-1, 4), 0, [width, height, width, height])
    corners = np.round(corners - [0, 0, 1, 1]).astype(int)  # A box's last pixel ends where the box does.
    for (x1, y1, x2, y2), caption, color in reversed(list(zip(corners.tolist(), captions, colors, strict=True))):
        cv2.rectangle(drawn, (x1, y1), (max(x1, x2), max(y1, y2)), color, line)
        if caption:
            tile = _caption(caption, letters, color)
            # Further left or up where it would end beyond the image.
            x, y = max(0, min(x1, width - tile.shape[1])), max(0, min(y1, height - tile.shape[0]))
            part = drawn[y : y + tile.shape[0], x : x + tile.shape[1]]
            part[:] = tile[: part.shape[0], : part.shape[1]]
    return drawn


def contact_sheet(images: Sequence[np.ndarray], columns: int, side: int) -> np.ndarray:
    """Puts pictures, uint8 (H, W, 3) of any size, into a grid of squares, each shrunk to fit and none enlarged.

    Returns:
        uint8 (rows * side, columns * side, 3), white between the pictures; fewer columns for fewer pictures.
    """
    columns = min(columns, len(images))
    sheet = np.full((-(-len(images) // columns) * side, columns * side, 3), 255, np.uint8)
    for place, image in enumerate(images):
        factor = min(1, (side - 4) / max(image.shape[:2]))
        height, width = (max(1, round(factor * length)) for length in image.shape[:2])
        y, x = (place // columns * side + (side - height) // 2, place % columns * side + (side - width) // 2)
        sheet[y : y + height, x : x + width] = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return sheet


def class_color(label: int) -> Color:
    """Returns a class's BGR color: neighbors differ by the golden angle in hue."""
    hue = int(label * 111.246 + 5) % 180
    pixel = cv2.cvtColor(np.uint8([[[hue, 200, 230]]]), cv2.COLOR_HSV2BGR)[0, 0]
    return tuple(int(value) for value in pixel)


@lru_cache(maxsize=256)
def _caption(text: str, letters: int, color: Color) -> np.ndarray:
    """Returns a text on a dark ground, uint8 (h, w, 3) BGR."""
    path, text = font_for(''.join(letter if letter.isprintable() else ' ' for letter in text[:80]))
    font = _font(path, letters)
    left, top, right, bottom = font.getbbox(text)
    margin = letters // 4 + 1
    tile = Image.new('RGB', (int(right - left) + 2 * margin, int(bottom - top) + 2 * margin), (25, 25, 25))
    bright = tuple(int(255 - (255 - value) * 0.4) for value in color[::-1])
    ImageDraw.Draw(tile).text((margin - left, margin - top), text, fill=bright, font=font)
    return np.asarray(tile)[:, :, ::-1]


@lru_cache(maxsize=8)
def _font(path: str, letters: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, letters)
