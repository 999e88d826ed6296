"""Which image files a command is about."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from glob import glob
from pathlib import Path

from det_inception.formats.folders import walk
from det_inception.utils.errors import InputError, some
from det_inception.utils.images import IMAGE_SUFFIXES, UNREAD_SUFFIXES

_ADDRESS = re.compile('[a-zA-Z][a-zA-Z0-9+.-]+:/')


def find_images(patterns: Sequence[str | Path]) -> list[Path]:
    """Returns the image files that paths, folders and globs name, each once, in order; folders are searched below.

    Raises:
        InputError: A path does not exist or is an address, or a folder or glob holds no image.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        path = Path(pattern)
        if os.path.isdir(path):
            files = [path / name for name in walk(path)]
        elif os.path.exists(path):
            files = [path]
        else:
            files = [Path(name) for name in sorted(glob(str(pattern), recursive=True)) if os.path.isfile(name)]
        if not files and _ADDRESS.match(str(pattern)):
            raise InputError(f'{pattern}: addresses are not read; download the image and name its file.')
        if not files:
            if (unread := passed_over([pattern])) is not None:
                raise InputError(f'{pattern}: no image but {unread}')
            kind = 'the folder holds no image' if os.path.isdir(path) else 'no such file, folder or match'
            raise InputError(f'{pattern}: {kind}; name images ({", ".join(IMAGE_SUFFIXES)}), folders or globs.')
        found.update(dict.fromkeys(files))
    return list(found)


def passed_over(patterns: Sequence[str | Path]) -> str | None:
    """Says which photos and videos in the folders among some paths are not read; None if there are none."""
    names = [os.path.join(root, name) for root in patterns for name in walk(root, UNREAD_SUFFIXES)]
    return f'files of formats that are not read: {some(names)}; convert them to JPEG.' if names else None
