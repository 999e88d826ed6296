"""Pixels of any number of bits as 8-bit brightness."""

from __future__ import annotations

import numpy as np

_BITS = (8, 10, 12, 14, 16, 24, 32)
"""What cameras, microscopes and scanners have, whatever the file stores it in."""
_BRIGHT = 16
"""Less is no brightness of 0 to 255 that anybody could see."""


def to_8_bits(pixels: np.ndarray) -> np.ndarray:
    """Returns pixels of any type as uint8.

    Whole numbers are taken to have the fewest bits, of 8, 10, 12, 14, 16, 24 and 32, that hold the largest of them: a
    12-bit picture in a 16-bit file is as bright as any other. Floats of 0 to 1 are multiplied by 255; larger ones are
    treated as whole numbers.

    Args:
        pixels: Of any shape.

    Raises:
        ValueError: They are no brightness: negative, not a number, or floats that exceed 1 by little. The message is
            the rest of a sentence.

    Example:
        >>> to_8_bits(np.array([0, 1024, 4095], np.uint16)).tolist(), to_8_bits(np.array([0.5, 1.0])).tolist()
        ([0, 64, 255], [128, 255])
    """
    if pixels.dtype == np.uint8:
        return pixels
    low, high = pixels.min(), pixels.max()
    is_float = np.issubdtype(pixels.dtype, np.floating)
    if not (low >= 0 and high < 2 ** _BITS[-1]) or (is_float and 1 < high < _BRIGHT):
        wanted = '0 to 1, or 0 to 255' if is_float else '0 on'
        raise ValueError(f'its pixels are {pixels.dtype} from {low:g} to {high:g}, no brightness from {wanted}')
    if is_float and high <= 1:
        return np.rint(pixels * 255).astype(np.uint8)
    bits = next(bits for bits in _BITS if high < 2**bits)
    return (pixels / 2 ** (bits - 8) if is_float else pixels >> (bits - 8)).astype(np.uint8)
