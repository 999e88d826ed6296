"""Which image files a command is about."""

from __future__ import annotations

import os
from collections.abc import Sequence
from glob import glob
from pathlib import Path

from det_inception.formats.folders import walk
from det_inception.utils.errors import InputError
from det_inception.utils.images import IMAGE_SUFFIXES


def find_images(patterns: Sequence[str | Path]) -> list[Path]:
    """Returns the image files that paths, folders and globs name, each once, in order; folders are searched below.

    Raises:
        InputError: A path does not exist, or a folder or glob holds no image.
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
        if not files:
            kind = 'the folder holds no image' if os.path.isdir(path) else 'no such file, folder or match'
            raise InputError(f'{pattern}: {kind}; name images ({", ".join(IMAGE_SUFFIXES)}), folders or globs.')
        found.update(dict.fromkeys(files))
    return list(found)
