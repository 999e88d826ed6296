"""The one walk through a folder of images or annotations."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import PurePath

from det_inception.utils.images import IMAGE_SUFFIXES


def walk(root: str | os.PathLike, suffixes: Iterable[str] | None = IMAGE_SUFFIXES) -> list[str]:
    """Lists the files below a folder.

    Links to folders are followed, but no folder is visited twice, so that there are no circles. A folder is preferred
    under its own name to one under a link. Hidden files and folders are left out: they are no images, but what some
    systems leave beside them.

    Args:
        root: The folder; one that does not exist has no files.
        suffixes: What the names end in, in small letters; None: anything.

    Returns:
        POSIX paths relative to ``root``, sorted.
    """
    suffixes = None if suffixes is None else frozenset(suffixes)
    keys: list[str] = []
    seen: set[tuple[int, int]] = set()
    folders, links = [''], []
    while folders or links:
        relative = folders.pop() if folders else links.pop(0)
        try:
            status = os.stat(os.path.join(root, relative))
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(os.path.join(root, relative)) as entries:
                entries = sorted(entries, key=lambda entry: entry.name)
        except OSError:  # It may not be read, or is gone: nothing is found in it.
            continue
        for entry in entries:
            if entry.name.startswith('.'):
                continue
            path = os.path.join(relative, entry.name)
            if entry.is_dir():
                (links if entry.is_symlink() else folders).append(path)
            elif suffixes is None or os.path.splitext(entry.name)[1].lower() in suffixes:
                keys.append(PurePath(path).as_posix())
    return sorted(keys)
