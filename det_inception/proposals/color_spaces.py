"""Color spaces in which selective search looks at an image.

Shape legend: H, W image height and width.

Every conversion returns uint8 (H, W, 3), because both the segmentation and the histograms of the authors' code work on
images rounded to 8 bits. The conversions follow MATLAB, which that code calls, to the last rounding. OpenCV's differ:
it halves the hue to 0..179, which makes hue weigh less against saturation and value, and its Lab is that of the white
point D65, where MATLAB's ``srgb2lab`` transform has the D50 of the ICC profile.

From: Uijlings et al., "Selective Search for Object Recognition", IJCV 2013, section 3.2 ("Complementary Color Spaces");
'rgb' and 'opponent' from van de Sande et al., "Segmentation as Selective Search for Object Recognition", ICCV 2011.
"""

from __future__ import annotations

import numpy as np

from det_inception.utils.compiled import compiled

# Luma of NTSC with the digits of MATLAB's rgb2gray.
_RED, _GREEN, _BLUE = 0.298936021293776, 0.587043074451121, 0.114020904255103


def _srgb_to_linear() -> np.ndarray:
    """Linear light of each 8-bit sRGB value (IEC 61966-2-1), float64 (256,)."""
    value = np.arange(256) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def _lab_response(steps: int) -> np.ndarray:
    """CIE Lab's cube root with its linear foot, sampled at ``steps`` points of [0, 1], float64 (steps,)."""
    t = np.linspace(0, 1, steps)
    return np.where(t > 216 / 24389, np.cbrt(t), (24389 / 27 * t + 16) / 116)


_LINEAR = _srgb_to_linear()
# A cube root costs more than all the rest of the conversion. Linear interpolation between this many samples is within
# 0.002 of the exact L, a and b, far less than the rounding to 8 bits that follows. The last entry is only a guard.
_RESPONSE_STEPS = 8192
_RESPONSE = np.append(_lab_response(_RESPONSE_STEPS + 1), 1.0)
# sRGB to XYZ as ICC profiles have it, adapted to D50 (Bradford). Each row is divided by the white point, so that the
# rows sum to 1 and grays have a = b = 0.
_RGB_TO_XYZ = np.array(
    [
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
)
_RGB_TO_XYZ /= _RGB_TO_XYZ.sum(axis=1, keepdims=True)
# Opponent colors: intensity, yellow against blue, magenta against green. Only the direction of a row matters, since
# every channel is stretched to its range.
_OPPONENT = np.array(
    [
        [0.000233846, 0.00261968, 0.00127135],
        [0.000726333, 0.000718106, -0.00121377],
        [0.000846833, -0.00173932, 0.000221515],
    ]
)


@compiled(nogil=True)
def _bgr_to_hsv(image):
    height, width, _ = image.shape
    out = np.empty((height, width, 3), np.uint8)
    for y in range(height):
        for x in range(width):
            # MATLAB divides by 255 first, in double precision. Whole numbers would be simpler, but many a hue ends on
            # exactly one half, and only the same rounding errors round it the same way: 2 % of the hues of a photo
            # would differ by one, and with them a quarter of its superpixels.
            b = image[y, x, 0] / 255.0
            g = image[y, x, 1] / 255.0
            r = image[y, x, 2] / 255.0
            high = max(r, g, b)
            spread = high - min(r, g, b)
            hue = 0.0
            saturation = 0.0
            if spread > 0:
                if high == b:
                    hue = (4 + (r - g) / spread) / 6
                elif high == g:
                    hue = (2 + (b - r) / spread) / 6
                else:
                    hue = (g - b) / spread / 6
                if hue < 0:
                    hue += 1
                saturation = spread / high
            out[y, x, 0] = np.uint8(hue * 255 + 0.5)
            out[y, x, 1] = np.uint8(saturation * 255 + 0.5)
            out[y, x, 2] = max(image[y, x, 0], image[y, x, 1], image[y, x, 2])
    return out


@compiled(nogil=True)
def _lab_function(value, response):
    position = min(1.0, value) * _RESPONSE_STEPS
    index = int(position)
    part = position - index
    return response[index] * (1 - part) + response[index + 1] * part


@compiled(nogil=True)
def _bgr_to_lab(image, linear, matrix, response):
    height, width, _ = image.shape
    out = np.empty((height, width, 3), np.uint8)
    for y in range(height):
        for x in range(width):
            b = linear[image[y, x, 0]]
            g = linear[image[y, x, 1]]
            r = linear[image[y, x, 2]]
            fx = _lab_function(matrix[0, 0] * r + matrix[0, 1] * g + matrix[0, 2] * b, response)
            fy = _lab_function(matrix[1, 0] * r + matrix[1, 1] * g + matrix[1, 2] * b, response)
            fz = _lab_function(matrix[2, 0] * r + matrix[2, 1] * g + matrix[2, 2] * b, response)
            # The 8-bit Lab of ICC profiles: L times 255/100, a and b moved by 128.
            out[y, x, 0] = np.uint8((116 * fy - 16) * 2.55 + 0.5)
            out[y, x, 1] = np.uint8(min(255.0, max(0.0, 500 * (fx - fy) + 128.5)))
            out[y, x, 2] = np.uint8(min(255.0, max(0.0, 200 * (fy - fz) + 128.5)))
    return out


@compiled(nogil=True)
def _gray(image, y, x):
    b = image[y, x, 0] / 255.0
    g = image[y, x, 1] / 255.0
    r = image[y, x, 2] / 255.0
    return np.uint8(min(1.0, _RED * r + _GREEN * g + _BLUE * b) * 255 + 0.5)


@compiled(nogil=True)
def _bgr_to_rgi(image):
    height, width, _ = image.shape
    out = np.empty((height, width, 3), np.uint8)
    for y in range(height):
        for x in range(width):
            b = image[y, x, 0] / 255.0
            g = image[y, x, 1] / 255.0
            r = image[y, x, 2] / 255.0
            total = r + g + b
            # Black has no chromaticity; a third each is that of every other gray.
            red = r / total if total > 0 else 1 / 3
            green = g / total if total > 0 else 1 / 3
            out[y, x, 0] = np.uint8(red * 255 + 0.5)
            out[y, x, 1] = np.uint8(green * 255 + 0.5)
            out[y, x, 2] = _gray(image, y, x)
    return out


@compiled(nogil=True)
def _bgr_to_intensity(image):
    height, width, _ = image.shape
    out = np.empty((height, width, 3), np.uint8)
    for y in range(height):
        for x in range(width):
            out[y, x, :] = _gray(image, y, x)
    return out


def _bgr_to_opponent(image: np.ndarray) -> np.ndarray:
    channels = image[:, :, ::-1].astype(np.float64) @ _OPPONENT.T
    low = channels.min(axis=(0, 1))
    spread = channels.max(axis=(0, 1)) - low
    return ((channels - low) / np.where(spread > 0, spread, 1) * 255 + 0.5).astype(np.uint8)


_CONVERSIONS = {
    'hsv': _bgr_to_hsv,
    'lab': lambda image: _bgr_to_lab(image, _LINEAR, _RGB_TO_XYZ, _RESPONSE),
    'rgi': _bgr_to_rgi,
    'h': lambda image: np.repeat(_bgr_to_hsv(image)[:, :, :1], 3, axis=2),
    'intensity': _bgr_to_intensity,
    'rgb': lambda image: np.ascontiguousarray(image[:, :, ::-1]),
    'opponent': _bgr_to_opponent,
}
COLOR_SPACES = tuple(_CONVERSIONS)


def convert_color(image: np.ndarray, color_space: str) -> np.ndarray:
    """Converts a BGR image to one of the color spaces of selective search.

    Args:
        image: uint8 (H, W, 3), BGR.
        color_space: 'hsv'; 'lab'; 'rgi', normalized red and green, and intensity; 'h', the hue three times;
            'intensity', gray three times; 'rgb'; 'opponent', opponent colors, each channel stretched to its range.

    Returns:
        uint8 (H, W, 3), contiguous. One-channel spaces are repeated as in the authors' code: this lengthens color
        distances by the root of 3, so that the same k suits every space.

    Raises:
        ValueError: If ``color_space`` is none of ``COLOR_SPACES``.
    """
    if color_space not in _CONVERSIONS:
        raise ValueError(f'color_space is {color_space!r}; choose one of {", ".join(map(repr, COLOR_SPACES))}.')
    return _CONVERSIONS[color_space](image)
