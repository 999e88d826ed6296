"""Reads image files as they occur in real data sets: CMYK, 16-bit, gray, with alpha, rotated by EXIF, damaged.

Shape legend: H and W are the height and width of an image.
"""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from det_inception.utils.errors import InputError

IMAGE_SUFFIXES = tuple('.jpg .jpeg .jpe .jp2 .png .bmp .webp .tif .tiff .pbm .pgm .ppm .gif'.split())
"""What the names of images end in, in small letters, where a folder is searched for them."""

# How a complete file begins and ends.
_FRAMES = {b'\xff\xd8': b'\xff\xd9', b'\x89PNG': b'IEND\xaeB`\x82'}


class ImageError(InputError):
    """An image file that is missing or cannot be read; the message names the file and says what to do."""


def read_image(path: str | Path) -> np.ndarray:
    """Reads an image file as 8-bit BGR.

    Gray is replicated, alpha is dropped, 16-bit numbers are divided by 256, CMYK is converted, and the rotation that
    EXIF asks for is applied, as ``cv2.imread`` and MMDetection do. A file that ends early is refused, where OpenCV
    would fill the missing part with gray.

    Args:
        path: The file, of any format that OpenCV or Pillow decodes, whatever its suffix says.

    Returns:
        uint8 (H, W, 3), contiguous, BGR.

    Raises:
        ImageError: The file is missing, empty, truncated or no image.
    """
    try:
        content = Path(path).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a null character in the name.
        reason = getattr(error, 'strerror', None) or error
        raise ImageError(f'{path}: the image cannot be read ({reason}); check the path.') from error
    return decode_image(content, str(path))


def decode_image(content: bytes, name: str) -> np.ndarray:
    """Decodes the bytes of an image file as 8-bit BGR; see :func:`read_image`. ``name`` is for the error."""
    if not content:
        raise ImageError(f'{name}: the image file is empty; replace it or take it out of the list.')
    if not _looks_complete(content):
        _require_complete(content, name)
    image = _decode_with_opencv(content)
    if image is None:
        image = _decode_with_pillow(content, name)
    return np.ascontiguousarray(image)


def image_size(path: str | Path) -> tuple[int, int]:
    """Returns height and width of an image file as :func:`read_image` would give it, from its header if possible.

    Raises:
        ImageError: The file is missing or no image.
    """
    try:
        with Image.open(path) as image:
            if image.format == 'TIFF':  # Pillow and OpenCV do not turn the same ones.
                return read_image(path).shape[:2]
            width, height = image.size
            turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    except ImageError:
        raise
    except Exception:  # Pillow reads fewer formats than OpenCV, and explains less.
        return read_image(path).shape[:2]
    return (width, height) if turned else (height, width)


def _looks_complete(content: bytes) -> bool:
    """Cheap test that lets nearly every sound file pass: the format's end marker ends the file.

    Anywhere else it says nothing: a thumbnail inside a JPEG has an end of its own.
    """
    return all(content.endswith(end) for start, end in _FRAMES.items() if content.startswith(start))


def _require_complete(content: bytes, name: str) -> None:
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
    except Exception as error:
        raise ImageError(
            f'{name}: the image is truncated or damaged ({error}); replace it or take it out of the list.'
        ) from error


def _decode_with_opencv(content: bytes) -> np.ndarray | None:
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # The error says it better.
    try:
        return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:  # Its header promises more pixels than OpenCV accepts.
        return None
    finally:
        cv2.utils.logging.setLogLevel(level)


def _decode_with_pillow(content: bytes, name: str) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(content)) as image:
            rgb = np.asarray(ImageOps.exif_transpose(image).convert('RGB'))
    except UnidentifiedImageError as error:
        raise ImageError(f'{name}: this is no image that OpenCV or Pillow can read; replace it.') from error
    except Exception as error:
        raise ImageError(f'{name}: this is no image that OpenCV or Pillow can read ({error}); replace it.') from error
    return rgb[:, :, ::-1]
