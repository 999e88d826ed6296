"""A folder for one process at a time."""

from __future__ import annotations

import os
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_held: set[int] = set()


def lock_folder(folder: str | os.PathLike) -> int | None:
    """Locks a folder until :func:`unlock`, or until this process ends, whatever ends it.

    The folder itself is locked: no file is left behind. Processes that are forked meanwhile do not hold the lock.

    Returns:
        What :func:`unlock` needs; None where there are no locks, as on Windows and some network file systems.

    Raises:
        BlockingIOError: Another process has locked it.
    """
    if fcntl is None:
        return None
    try:
        descriptor = os.open(Path(folder), os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            raise
        return None
    _held.add(descriptor)
    return descriptor


def unlock(lock: int | None) -> None:
    """Gives a folder back."""
    if lock in _held:
        _held.remove(lock)
        fcntl.flock(lock, fcntl.LOCK_UN)  # Also where a process that is being forked has it still.
        os.close(lock)


def _forget() -> None:
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


if fcntl is not None:
    os.register_at_fork(after_in_child=_forget)
