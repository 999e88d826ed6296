"""Writes files beside their place and renames them, so that nobody ever finds half of one."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from det_inception.errors import InputError


def write_bytes(path: str | Path, content: bytes) -> None:
    """Writes a file, making its folder.

    Raises:
        InputError: The folder cannot be made or written to, or the disk is full.
    """
    path = Path(path)
    beside = path.with_name(f'.{path.name}.{os.getpid()}.tmp')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(content)
        os.replace(beside, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise InputError(f'{path}: cannot be written ({error.strerror or error}); choose another place.') from error


def write_text(path: str | Path, content: str) -> None:
    """Writes a text file in UTF-8; see :func:`write_bytes`."""
    write_bytes(path, content.encode())


def write_image(path: str | Path, image: np.ndarray) -> None:
    """Writes a picture, uint8 (H, W, 3) BGR, in the format of its suffix; see :func:`write_bytes`."""
    done, content = cv2.imencode(Path(path).suffix, image)
    if not done:
        raise InputError(f'{path}: a picture of {image.shape} cannot be written in this format.')
    write_bytes(path, content.tobytes())


def output_names(paths: Sequence[Path], suffix: str = '.png') -> list[str]:
    """Returns a different file name for each path: its stem, numbered where several share it."""
    taken: set[str] = set()
    names = []
    for path in paths:
        candidates = (f'{path.stem}_{number}{suffix}' for number in itertools.count(2))
        name = next(name for name in itertools.chain([f'{path.stem}{suffix}'], candidates) if name not in taken)
        taken.add(name)
        names.append(name)
    return names
