"""How every file of this package comes to its name: written beside, flushed to the disk, renamed."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from det_inception.errors import InputError


class ProposalError(InputError):
    """What is wrong with proposals or their file, in one sentence that says what to do; a `ValueError`."""


@contextlib.contextmanager
def written_beside(path: str | os.PathLike) -> Iterator[Path]:
    """Gives a temporary name in the folder of `path` and renames it to `path` when the block ends well.

    Whatever goes wrong, `path` is either what it was before or complete. The temporary name keeps the suffix,
    by which some libraries choose the format, and is always the same, so that what a killed process left is
    written over.

    Args:
        path: The file to come.

    Yields:
        The path to write to.

    Raises:
        ProposalError: The disk is full, the folder does not exist or may not be written to.
    """
    path = Path(path)
    temporary = path.with_name(f'.{path.stem}.tmp{path.suffix}')
    try:
        yield temporary
        with open(temporary, 'rb+') as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _flush_folder(path.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise ProposalError(f'{path} could not be written: {reason(error)}.') from error
        raise


def reason(error: BaseException) -> str:
    """What an operating system's or HDF5's error means, as the rest of a sentence.

    Args:
        error: The error.

    Returns:
        Some words without a full stop.
    """
    if _disk_is_full(error):
        return 'no space is left on the disk (or the quota is used up); free some and run the same command again'
    if isinstance(error, OSError) and error.strerror and error.errno:
        return error.strerror[0].lower() + error.strerror[1:]
    return ' '.join(str(error).split()) or type(error).__name__


def _disk_is_full(error: BaseException) -> bool:
    # A limit on the size of files (EFBIG) and a quota are full disks to whoever meets them.
    numbers = {getattr(errno, name, None) for name in ('ENOSPC', 'EDQUOT', 'EFBIG')}
    return isinstance(error, OSError) and error.errno in numbers - {None}


def _flush_folder(folder: Path) -> None:
    """Makes a rename survive a power failure; not every file system knows how, and none needs it to be correct."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
