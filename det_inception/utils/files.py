"""Writes files under a temporary name and renames them, so that nobody ever finds half of one."""

from __future__ import annotations

import bz2
import contextlib
import errno
import gzip
import io
import itertools
import lzma
import os
import secrets
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
import platformdirs

from det_inception.utils.errors import InputError, OutputError


@contextlib.contextmanager
def atomic_write(
    path: str | os.PathLike, error_type: type[InputError] = OutputError, make_folder: bool = False, durable: bool = True
) -> Iterator[Path]:
    """Gives a new, empty file in the folder of a file, and renames it when the block ends well.

    Whatever goes wrong, ``path`` is either what it was before or complete, also if several processes write it at a
    time: then the last one wins. The name of the temporary file is random, so nobody can put a link there, and ends in
    the suffix of ``path``, by which some libraries choose the format. Only a process that is killed leaves it behind.

    Args:
        path: The file to come.
        error_type: What to raise.
        make_folder: Make the folder first.
        durable: The content is on the disk before it gets its name, so that a power failure cannot empty the file.

    Yields:
        The path to write to.

    Raises:
        InputError: There is no such folder, it may not be written to, the disk is full, or the path is a device.
    """
    path, temporary = Path(path), None
    require_no_device(path, 'name a file', error_type)
    try:
        if make_folder:
            path.parent.mkdir(parents=True, exist_ok=True)
        unused = path.with_name(f'.{path.stem[:40]}.{secrets.token_hex(8)}.tmp{path.suffix}')
        os.close(os.open(unused, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        temporary = unused
        yield temporary
        if durable:
            with open(temporary, 'rb+') as file:
                os.fsync(file.fileno())
        os.replace(temporary, path)
        if durable:
            _flush_folder(path.parent)
    except BaseException as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _not_written(path, error, error_type) from error
        raise


def write_bytes(path: str | os.PathLike, content: bytes) -> None:
    """Writes a file, making its folder; see :func:`atomic_write`."""
    with atomic_write(path, make_folder=True) as temporary:
        temporary.write_bytes(content)


def cache_folder(name: str, chosen: str | os.PathLike | None = None) -> Path | None:
    """Returns where to keep what can be computed again.

    Args:
        name: What it is; its folder is ``det_inception/NAME`` in the user's cache folder: that of the operating system,
            or ``XDG_CACHE_HOME``.
        chosen: Another folder; ``''``: nowhere, which gives None. A user without a home has none either.
    """
    if chosen is None:
        if root := os.environ.get('XDG_CACHE_HOME'):
            return Path(root, 'det_inception', name)
        try:
            folder = Path(platformdirs.user_cache_dir('det_inception', appauthor=False), name)
        except RuntimeError:  # A user without a home, as in a container.
            return None
        return folder if folder.is_absolute() else None  # Older versions of platformdirs say "~/..." then.
    return Path(chosen) if chosen != '' else None


def require_no_device(path: str | os.PathLike, advice: str, error_type: type[InputError] = InputError) -> None:
    """Makes sure that a path is no device or pipe: a user who may do anything would exchange /dev/null for a file.

    Args:
        path: Of a file to be written.
        advice: What to do otherwise, as the end of the message's sentence.
        error_type: What to raise.

    Raises:
        InputError: It is one.
    """
    if os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)):
        raise error_type(f'{path}: is a device or pipe, and would be replaced by a file; {advice}.')


def require_writable(
    folder: str | os.PathLike, problem: str, advice: str, error_type: type[InputError] = InputError
) -> None:
    """Makes a folder, and makes sure that files can be written to it, before hours of work depend on that.

    Args:
        folder: The folder.
        problem: What cannot be done otherwise, for the message.
        advice: What to do then, as the end of its sentence.
        error_type: What to raise.

    Raises:
        InputError: The folder cannot be made or written to.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise error_type(f'{folder}: {problem} ({error.strerror or error}); {advice}.') from error


def write_cache(path: str | os.PathLike, content: bytes) -> None:
    """Writes what can be computed again; does nothing where it cannot be written. See :func:`atomic_write`."""
    with contextlib.suppress(InputError), atomic_write(path, make_folder=True, durable=False) as temporary:
        temporary.write_bytes(content)


def write_text(path: str | os.PathLike, content: str | Iterable[str], durable: bool = True) -> None:
    """Writes a text, whole or in pieces, in UTF-8, making the file's folder; see :func:`atomic_write`.

    The file is compressed if it ends in ``.gz``, ``.bz2`` or ``.xz``.

    Raises:
        InputError: The file cannot be written, or the text has a name of a file that is not UTF-8.
    """
    write_texts({path: content}, durable)


def write_texts(files: Mapping[str | os.PathLike, str | Iterable[str]], durable: bool = True) -> None:
    """Writes several texts that belong together, none of them before all are complete; see :func:`write_text`."""
    with contextlib.ExitStack() as renames:
        for path, content in files.items():
            temporary = renames.enter_context(atomic_write(path, make_folder=True, durable=durable))
            try:
                with (
                    open(temporary, 'wb') as raw,
                    io.TextIOWrapper(_compressed(raw, Path(path)), encoding='utf-8', newline='\n') as file,
                ):
                    file.writelines([content] if isinstance(content, str) else content)
            except UnicodeEncodeError as error:  # The rest of a name in another encoding, as Python keeps it.
                name = error.object[max(0, error.start - 20) : error.end + 20].encode('ascii', 'backslashreplace')
                raise InputError(
                    f'{path}: cannot hold a name that is not UTF-8 (... {name.decode()} ...); rename that file.'
                ) from error


def _compressed(raw: BinaryIO, path: Path) -> BinaryIO:
    match path.suffix:
        case '.gz':  # Which notes a name, and would note the time.
            return gzip.GzipFile(path.stem, 'wb', fileobj=raw, mtime=0)
        case '.bz2':
            return bz2.BZ2File(raw, 'wb')
        case '.xz':
            return lzma.LZMAFile(raw, 'wb')
    return raw


class LineWriter:
    """Writes a text file that grows: each line is in the file once it is written, whatever happens after.

    Args:
        path: The file, which is replaced; its folder is made.

    Raises:
        OutputError: It cannot be written, now or later.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        with self._named():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(self.path, 'wb', buffering=0)

    def __enter__(self) -> LineWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, line: str) -> None:
        """Adds a line, which has no line feed yet."""
        rest = memoryview(f'{line}\n'.encode())
        with self._named():
            while rest:
                rest = rest[self._file.write(rest) :]

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise _not_written(self.path, error, OutputError) from error


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


def common_folder(paths: Iterable[str | os.PathLike]) -> str:
    """Returns the absolute folder that all files share; empty without files."""
    folders = [os.path.dirname(os.path.abspath(path)) for path in paths]
    return os.path.commonpath(folders) if folders else ''


def relative_names(paths: Sequence[str | os.PathLike]) -> list[str]:
    """Returns the paths as seen from the folder that all of them share: base names if they lie in one folder.

    Example:
        >>> relative_names(['photos/left/1.jpg', 'photos/right/1.jpg'])
        ['left/1.jpg', 'right/1.jpg']
    """
    root = common_folder(paths)
    return [Path(os.path.abspath(path)).relative_to(root).as_posix() for path in paths]


def require_apart(images: Iterable[str | os.PathLike], pictures: Iterable[str | os.PathLike], option: str) -> None:
    """Makes sure that no picture, to be written to the folder of an option, overwrites one of the images that are read.

    Raises:
        InputError: One does.
    """
    if overwritten := set(map(os.path.realpath, images)) & set(map(os.path.realpath, pictures)):
        raise InputError(f'{min(overwritten)}: its own drawing would overwrite it; choose another {option}.')


def reason(error: BaseException) -> str:
    """Returns what an operating system's or a library's error means, as the rest of a sentence without full stop."""
    if _disk_is_full(error):
        return 'no space is left on the disk (or the quota is used up); free some and run the same command again'
    if isinstance(error, OSError) and error.strerror and error.errno:
        return error.strerror[0].lower() + error.strerror[1:]
    return ' '.join(str(error).split()) or type(error).__name__


def _not_written(path: Path, error: OSError, error_type: type[InputError]) -> InputError:
    advice = '' if _disk_is_full(error) else '; choose another place'
    return error_type(f'{path}: cannot be written: {reason(error)}{advice}.')


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
