"""OpenCV's log, whose level is set in another place since OpenCV 4.13."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import cv2

_SILENT = 0


@contextlib.contextmanager
def quiet_opencv() -> Iterator[None]:
    """Silences OpenCV's log where an error of this project says it better."""
    set_level = getattr(cv2.utils, 'logging', cv2).setLogLevel
    level = set_level(_SILENT)
    try:
        yield
    finally:
        set_level(level)
