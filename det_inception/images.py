"""Reads image files as they occur in real data sets: CMYK, 16-bit, grey, with alpha, rotated by EXIF, damaged.

Shape legend: H and W are the height and width of an image.
"""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from det_inception.errors import InputError

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff', '.ppm')

_END_MARKERS = {b'\xff\xd8': b'\xff\xd9', b'\x89PNG': b'IEND'}
_TAIL = 4096


class ImageError(InputError):
    """An image file that is missing or cannot be read; the message names the file and says what to do."""


def read_image(path: str | Path) -> np.ndarray:
    """Reads an image file as 8-bit BGR.

    Grey is replicated, alpha is dropped, 16-bit numbers are divided by 256, CMYK is converted, and the rotation that
    EXIF asks for is applied, as ``cv2.imread`` and MMDetection do. A file that ends early is refused, where OpenCV
    would fill the missing part with grey.

    Args:
        path: The file, of any format that OpenCV or Pillow decodes, whatever its suffix says.

    Returns:
        uint8 (H, W, 3), contiguous, BGR.

    Raises:
        ImageError: The file is missing, empty, truncated or no image.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ImageError(
            f'{path}: the image cannot be read ({error.strerror or error}); check the path.'
        ) from error
    return decode_image(content, str(path))


def decode_image(content: bytes, name: str) -> np.ndarray:
    """Decodes the bytes of an image file as 8-bit BGR; see :func:`read_image`. ``name`` stands in the error."""
    if not content:
        raise ImageError(f'{name}: the image file is empty; replace it or take it out of the list.')
    if not _looks_complete(content):
        _require_complete(content, name)
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        image = _decode_with_pillow(content, name)
    return np.ascontiguousarray(image)


def image_size(path: str | Path) -> tuple[int, int]:
    """Returns height and width of an image file as :func:`read_image` would give it, from its header alone."""
    try:
        with Image.open(path) as image:
            width, height = image.size
            turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    except FileNotFoundError as error:
        raise ImageError(f'{path}: the image cannot be read (no such file); check the path.') from error
    except Exception as error:
        raise ImageError(f'{path}: this is no readable image ({error}); replace it.') from error
    return (width, height) if turned else (height, width)


def _looks_complete(content: bytes) -> bool:
    """Cheap test that lets nearly every sound file pass: the format's end marker stands near the end of the file."""
    for start, end in _END_MARKERS.items():
        if content.startswith(start):
            return end in content[-_TAIL:]
    return True


def _require_complete(content: bytes, name: str) -> None:
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
    except Exception as error:
        raise ImageError(
            f'{name}: the image is truncated or damaged ({error}); replace it or take it out of the list.'
        ) from error


def _decode_with_pillow(content: bytes, name: str) -> np.ndarray:
    from PIL import ImageOps

    try:
        with Image.open(io.BytesIO(content)) as image:
            rgb = np.asarray(ImageOps.exif_transpose(image).convert('RGB'))
    except Exception as error:
        raise ImageError(
            f'{name}: this is no image that OpenCV or Pillow can read ({error}); replace it.'
        ) from error
    return rgb[:, :, ::-1]
