"""The one walk through a folder of images or annotations."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path, PurePath

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
            if is_folder(entry):
                (links if entry.is_symlink() else folders).append(path)
            elif suffixes is None or os.path.splitext(entry.name)[1].lower() in suffixes:
                keys.append(PurePath(path).as_posix())
    return sorted(keys)


def files_of(folder: Path, *suffixes: str) -> list[Path]:
    """Returns the files of a folder, not of those in it, whose names end so, in small letters or capitals; sorted.

    Hidden ones are left out, as by :func:`walk`.
    """
    try:
        with os.scandir(folder) as entries:
            shown = [entry for entry in entries if not entry.name.startswith('.')]
    except OSError:
        return []
    named = (entry for entry in shown if os.path.splitext(entry.name)[1].lower() in suffixes)
    return sorted(folder / entry.name for entry in named if _says(entry.is_file))


def any_case(path: Path) -> Path:
    """Returns a file; where there is none, the one with its suffix in capitals, if that is there."""
    other = path.with_name(f'{path.stem}{path.suffix.upper()}')
    return other if not os.path.isfile(path) and os.path.isfile(other) else path


def is_folder(entry: os.DirEntry) -> bool:
    """Whether an entry is a folder or a link to one; a link that ends in itself is none."""
    return _says(entry.is_dir)


def _says(is_kind: Callable[[], bool]) -> bool:
    try:
        return is_kind()
    except OSError:
        return False
