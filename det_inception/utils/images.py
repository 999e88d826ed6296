"""Reads image files as they occur in real data sets: CMYK, 16-bit, gray, with alpha, rotated by EXIF, damaged.

Shape legend: H and W are the height and width of an image.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import math
import os
import stat
import struct
import warnings
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image, ImageOps, TiffImagePlugin, UnidentifiedImageError

from det_inception.utils.bit_depth import to_8_bits
from det_inception.utils.errors import InputError
from det_inception.utils.file_kinds import unlike_an_image
from det_inception.utils.files import reason
from det_inception.utils.opencv_log import quiet_opencv

IMAGE_SUFFIXES = tuple(
    '.jpg .jpeg .jpe .jfif .pjpeg .pjp .jp2 .png .bmp .webp .avif .tif .tiff .pbm .pgm .ppm .pnm .gif'.split()
)
"""What the names of images end in, in small letters, where a folder is searched for them."""

UNREAD_SUFFIXES = tuple('.heic .heif .cr2 .cr3 .nef .arw .dng .raf .orf .rw2 .psd .svg .pdf .eps .dcm'.split())
"""What the names of photos end in that are not read; in a folder they are passed over."""

VIDEO_SUFFIXES = tuple('.mp4 .m4v .mov .avi .mkv .webm .mpg .mpeg .wmv .flv .3gp .ts .ogv'.split())
"""What the names of videos end in; in a folder they are passed over, too."""

MAX_PIXELS = 178_956_970
"""Images of more pixels are refused; it is where Pillow takes an image for an attack, and half a gigabyte as BGR."""

_MAX_FILE_SIZE = 2**31
_MAX_SCANS = 500  # Of a progressive JPEG; each takes as long as decoding the whole image.
_ORIENTATION = 0x0112  # the tag of EXIF
_PNG = b'\x89PNG\r\n\x1a\n'

for _plugin in ('Avif', 'Bmp', 'Gif', 'Jpeg2K', 'Jpeg', 'Png', 'Ppm', 'Tiff', 'WebP'):
    with contextlib.suppress(ImportError):  # Pillow before 11.3 has no AVIF.
        importlib.import_module(f'PIL.{_plugin}ImagePlugin')
# Pillow knows others, and starts programs for some of them: Ghostscript for EPS, whatever the file's suffix.
_FORMATS = tuple(
    name for name in ('JPEG', 'PNG', 'WEBP', 'TIFF', 'GIF', 'BMP', 'PPM', 'JPEG2000', 'AVIF') if name in Image.OPEN
)
# MAX_PIXELS says when an image is too large, and half of it is not.
warnings.filterwarnings('ignore', category=Image.DecompressionBombWarning)

# How a complete file begins and ends.
_FRAMES = {b'\xff\xd8': b'\xff\xd9', b'\x89PNG': b'IEND\xaeB`\x82'}


class ImageError(InputError):
    """An image file that is missing or cannot be read; the message names the file and says what to do."""


def read_image(path: str | Path) -> np.ndarray:
    """Reads an image file as 8-bit BGR.

    Gray is replicated, alpha is dropped, numbers of more than 8 bits are scaled (see
    :func:`det_inception.utils.bit_depth.to_8_bits`), CMYK is converted, and the rotation that EXIF asks for is applied,
    as ``cv2.imread`` and MMDetection do. A file that ends early is refused, where OpenCV would fill the missing part
    with gray.

    Args:
        path: The file, of any format that OpenCV or Pillow decodes, whatever its suffix says.

    Returns:
        uint8 (H, W, 3), contiguous, BGR.

    Raises:
        ImageError: The file is missing, empty, truncated or no image.
    """
    return decode_image(read_image_file(path), str(path))


def read_image_file(path: str | os.PathLike) -> bytes:
    """Returns the bytes of an image file.

    Raises:
        ImageError: The file is missing, no regular file (a pipe would be waited for), or larger than 2 GiB.
    """
    with _open_regular(path) as file:
        try:
            return file.read(_MAX_FILE_SIZE)
        except OSError as error:
            raise _unreadable(path, error) from error


def _open_regular(path: str | os.PathLike) -> BinaryIO:
    try:
        file = open(path, 'rb', opener=_open_without_waiting)
        status = os.fstat(file.fileno())
        if stat.S_ISREG(status.st_mode) and status.st_size <= _MAX_FILE_SIZE:
            return file
        file.close()
    except (OSError, ValueError) as error:  # ValueError: a null character in the name.
        raise _unreadable(path, error) from error
    raise _unreadable(path, ValueError('it is a device or pipe, or larger than 2 GiB'))


def _unreadable(path: str | os.PathLike, error: Exception) -> ImageError:
    return ImageError(f'{path}: the image cannot be read ({reason(error)}); check the path.')


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, 'O_NONBLOCK', 0))


def decode_image(content: bytes, name: str, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decodes the bytes of an image file as 8-bit BGR; see :func:`read_image`. ``name`` is for the error."""
    if not content:
        raise ImageError(f'{name}: the image file is empty; replace it or take it out of the list.')
    _require_decodable(content, name, max_pixels)
    if not _looks_complete(content):
        _require_complete(content, name)
    image = _decode_with_opencv(content)
    if image is None:
        image = _decode_with_pillow(content, name)
    if not _is_tiff(content):
        image = _turned(image, exif_orientation(io.BytesIO(content)))
    try:
        image = to_8_bits(image)
    except ValueError as error:
        raise ImageError(f'{name}: {error}; convert it to 8 bits.') from error
    if image.ndim == 2:
        image = np.repeat(image[:, :, None], 3, axis=2)
    return np.ascontiguousarray(image)


def image_size(path: str | Path) -> tuple[int, int]:
    """Returns height and width of an image file as :func:`read_image` would give it, from its header if possible.

    Raises:
        ImageError: The file is missing or no image.
    """
    try:
        with _open_regular(path) as file, Image.open(file, formats=_FORMATS) as image:
            if image.format != 'TIFF':  # Pillow and OpenCV do not turn the same ones.
                width, height = image.size
                return (width, height) if _orientation(image) >= 5 else (height, width)
    except ImageError:
        raise
    except Exception:  # Pillow reads fewer formats than OpenCV, and explains less.
        pass
    return read_image(path).shape[:2]


def exif_orientation(source: str | Path | BinaryIO) -> int:
    """Returns how EXIF data turn and mirror an image file: 1 not at all, 3 by 180 degrees, 6 and 8 by 90 degrees."""
    try:
        file = _open_regular(source) if isinstance(source, (str, Path)) else source
        with file, Image.open(file, formats=_FORMATS) as image:
            return _orientation(image)
    except Exception:  # Pillow raises nearly anything for damaged bytes; that the image is damaged, others say.
        return 1


def _orientation(image: Image.Image) -> int:
    """1 to 8, of the EXIF data alone: OpenCV and MMDetection do not ask for others, such as XMP."""
    exif = Image.Exif()
    if image.format == 'TIFF':
        exif = image.getexif()
    else:
        exif.load(image.info.get('exif', b''))
    orientation = exif.get(_ORIENTATION, 1)
    return orientation if orientation in range(1, 9) else 1


def _require_decodable(content: bytes, name: str, max_pixels: int) -> None:
    """Refuses what a decoder should not even be given: other formats, and files that promise more than they can hold.

    Raises:
        ImageError: See above.
    """
    if content.startswith(_PNG):
        _require_whole_chunks(content, name)
    if content.startswith(b'\xff\xd8') and content.count(b'\xff\xda') > _MAX_SCANS:
        raise ImageError(f'{name}: the image has more than {_MAX_SCANS} scans and would take hours; save it again.')
    pixels = _stated_pixels(content)
    if pixels is None:
        raise ImageError(f'{name}: {unlike_an_image(content)}.')
    if pixels > max_pixels:
        raise ImageError(
            f'{name}: the image exceeds the limit of {max_pixels} pixels; make it smaller or cut it into parts.'
        )


def _stated_pixels(content: bytes) -> float | None:
    """The number of pixels that the header states; None if it is of no allowed format."""
    if content.startswith(_PNG):  # Pillow minds damage to parts of a PNG that do not matter.
        return math.prod(struct.unpack_from('>II', content, 16)) if len(content) >= 24 else None
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            return math.prod(image.size)
    except Image.DecompressionBombError:
        return math.inf
    except Exception:  # Pillow raises nearly anything for damaged bytes.
        return _stated_tiff_pixels(content)


def _stated_tiff_pixels(content: bytes) -> int | None:
    """OpenCV reads kinds of TIFF that Pillow does not."""
    try:
        is_big = content[2] == 43
        tags = TiffImagePlugin.ImageFileDirectory_v2(content[: 16 if is_big else 8])
        file = io.BytesIO(content)
        file.seek(tags.next)
        tags.load(file)
        return int(tags[TiffImagePlugin.IMAGEWIDTH]) * int(tags[TiffImagePlugin.IMAGELENGTH])
    except Exception:
        return None


def _require_whole_chunks(content: bytes, name: str) -> None:
    """Refuses a PNG with a part that is longer than the file: OpenCV would make room for it."""
    position, kind = len(_PNG), b''
    while kind != b'IEND' and position + 8 <= len(content):
        length, kind = struct.unpack_from('>I4s', content, position)
        position += 12 + length
        if position > len(content) + 4:  # The last checksum may be missing.
            raise ImageError(f'{name}: the image is truncated or damaged; replace it or take it out of the list.')


def _looks_complete(content: bytes) -> bool:
    """Cheap test that lets nearly every sound file pass: the format's end marker ends the file.

    Anywhere else it says nothing: a thumbnail inside a JPEG has an end of its own.
    """
    return all(content.endswith(end) for start, end in _FRAMES.items() if content.startswith(start))


def _require_complete(content: bytes, name: str) -> None:
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            image.load()
    except Exception as error:
        raise ImageError(
            f'{name}: the image is truncated or damaged ({error}); replace it or take it out of the list.'
        ) from error


def _decode_with_opencv(content: bytes) -> np.ndarray | None:
    """The pixels in their stored depth, (H, W, 3) BGR or (H, W); None if OpenCV cannot read them."""
    if _is_tiff(content) and _would_be_darkened(content):
        return None
    turn = 0 if _is_tiff(content) else cv2.IMREAD_IGNORE_ORIENTATION
    pixels = _opencv(content, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | turn)
    if pixels is None:  # It replicates no gray floats.
        pixels = _opencv(content, cv2.IMREAD_UNCHANGED)
        pixels = _opencv(content, cv2.IMREAD_ANYDEPTH | turn) if pixels is not None and pixels.ndim == 2 else None
    return pixels


def _would_be_darkened(content: bytes) -> bool:
    """Whether a TIFF has 8-bit colors beside transparency, by which OpenCV multiplies them."""
    try:
        with Image.open(io.BytesIO(content), formats=['TIFF']) as image:
            return image.mode == 'RGBA' and set(image.tag_v2[TiffImagePlugin.BITSPERSAMPLE]) == {8}
    except Exception:  # Pillow reads fewer kinds of TIFF.
        return False


def _is_tiff(content: bytes) -> bool:
    """Whether the decoders turn the image themselves. Of others, damaged EXIF data must mean the same to everybody."""
    return content[:2] in (b'II', b'MM')


def _turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Pixels (H, W, ...) as EXIF's orientation, 1 to 8, wants them seen."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def _opencv(content: bytes, flags: int) -> np.ndarray | None:
    try:
        with quiet_opencv():
            return cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error:  # Its header promises more pixels than OpenCV accepts.
        return None


def _decode_with_pillow(content: bytes, name: str) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            if _is_tiff(content):
                image = ImageOps.exif_transpose(image)
            if image.mode.startswith(('I', 'F')):  # Gray of more than 8 bits.
                return np.asarray(image)
            rgb = np.asarray(image.convert('RGB'))
    except UnidentifiedImageError as error:
        raise ImageError(f'{name}: this is no image that OpenCV or Pillow can read; replace it.') from error
    except Exception as error:
        raise ImageError(f'{name}: this is no image that OpenCV or Pillow can read ({error}); replace it.') from error
    return rgb[:, :, ::-1]
