"""What a detector takes: files, addresses, arrays and pictures of Pillow, as BGR arrays."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from det_inception.utils.bit_depth import to_8_bits
from det_inception.utils.downloads import MAX_SIZE, is_address, read_address
from det_inception.utils.errors import InputError
from det_inception.utils.file_kinds import is_video
from det_inception.utils.images import decode_image, read_image

STANDARD_INPUT = '-'
"""The name by which a command is given an image through a pipe."""

ImageSource = str | Path | np.ndarray | Image.Image
"""A file, an http or https address, an array, or a picture of Pillow."""


class Photo(NamedTuple):
    """An image and its file or address, ``''`` where it has none.

    Attributes:
        image: uint8 (H, W, 3), BGR.
        name: See above.
    """

    image: np.ndarray
    name: str


def open_image(source: ImageSource) -> Photo:
    """Reads an image, or takes one over.

    Arrays are as OpenCV has them: gray (H, W) or (H, W, 1), BGR (H, W, 3) or BGRA (H, W, 4); alpha is dropped. uint8,
    or any other type that :func:`~det_inception.utils.bit_depth.to_8_bits` makes so: floats of 0 to 1 and more bits.
    Pillow's pictures say themselves what they are, and are turned as their EXIF data ask for.

    Raises:
        InputError: It is none of these, or cannot be read.
    """
    if isinstance(source, Image.Image):
        return Photo(_of_pillow(source), getattr(source, 'filename', '') or '')
    if isinstance(source, np.ndarray):
        return Photo(as_bgr(source), '')
    if is_address(source):
        content = read_address(source)
        if is_video(content[:1000]):
            raise InputError(f'{source}: is a video; download it and name its file.')
        return Photo(decode_image(content, source), source)
    if isinstance(source, (str, Path)):
        return Photo(read_image(source), str(source))
    kind = type(source).__name__
    raise InputError(f'an image is a path, an http or https address, a NumPy array or a picture of Pillow, no {kind}.')


def as_bgr(array: np.ndarray) -> np.ndarray:
    """Returns an array of an image as uint8 (H, W, 3) BGR, contiguous; see :func:`open_image`."""
    shape = array.shape
    known = array.ndim == 2 or (array.ndim == 3 and shape[2] in (1, 3, 4))
    if not known or array.size == 0 or array.dtype.kind not in 'uifb':
        raise InputError(
            f'an image is an array (H, W), (H, W, 3) in BGR or (H, W, 4) in BGRA, not {array.dtype} {shape}.'
        )
    try:
        pixels = to_8_bits(array.astype(np.uint8) * 255 if array.dtype == bool else array)
    except ValueError as error:
        raise InputError(f'an array is no image: {error}.') from error
    if pixels.ndim == 2 or shape[2] == 1:
        pixels = np.repeat(pixels.reshape(*shape[:2], 1), 3, axis=2)
    return np.ascontiguousarray(pixels[:, :, :3])


def read_standard_input() -> Photo:
    """Reads an image from standard input.

    Raises:
        InputError: It is no image, or larger than :data:`~det_inception.utils.downloads.MAX_SIZE`.
    """
    content = sys.stdin.buffer.read(MAX_SIZE + 1)
    if len(content) > MAX_SIZE:
        raise InputError(f'standard input: is larger than {MAX_SIZE >> 20} MiB; write it to a file and name that.')
    return Photo(decode_image(content, 'standard input'), STANDARD_INPUT)


def _of_pillow(picture: Image.Image) -> np.ndarray:
    try:
        picture = ImageOps.exif_transpose(picture)
        if picture.mode.startswith(('I', 'F')):  # Gray of more than 8 bits.
            return as_bgr(np.asarray(picture))
        return np.ascontiguousarray(np.asarray(picture.convert('RGB'))[:, :, ::-1])
    except InputError:
        raise
    except Exception as error:  # Pillow reads the file only now, and raises nearly anything for damaged bytes.
        raise InputError(f'a picture of Pillow cannot be read ({error}); check its file.') from error
