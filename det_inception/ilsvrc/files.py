"""Files from strangers and files for others: compressed text, and writing whole or not at all."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from det_inception.errors import InputError

# First bytes of a file -> how to open it. A downloaded file's name often says nothing, or lies.
_READERS = {b'\x1f\x8b': gzip.open, b'BZh': bz2.open, b'\xfd7zXZ\x00': lzma.open}
_WRITERS = {'.gz': gzip.open, '.bz2': bz2.open, '.xz': lzma.open}


@contextmanager
def explain_read_errors(path: str | os.PathLike) -> Iterator[None]:
    """Turns what reading a file may raise into one sentence about that file.

    Args:
        path: The file, for the message.

    Raises:
        InputError: If the file is missing, unreadable, cut short or damaged.
    """
    try:
        yield
    except (EOFError, lzma.LZMAError, zlib.error) as error:
        raise InputError(f'{path}: the file is truncated or damaged ({error}); fetch it again.') from None
    except OSError as error:
        if error.errno is None:  # what gzip and bzip2 raise for bad data
            raise InputError(f'{path}: the file is damaged ({error}); fetch it again.') from None
        raise InputError(f'{path}: cannot be read ({error.strerror}); give a file that can.') from None


@contextmanager
def open_text(path: str | os.PathLike) -> Iterator[TextIO]:
    """Opens a text file that may be compressed with gzip, bzip2 or xz.

    Bytes that are no UTF-8 are kept as escapes, so that a reader can report the line they are in.

    Args:
        path: The file.

    Yields:
        The decompressed text.

    Raises:
        InputError: If the file cannot be read, also while it is being read.
    """
    with explain_read_errors(path):
        with open(path, 'rb') as file:
            head = file.read(6)
        opener = next((opener for magic, opener in _READERS.items() if head.startswith(magic)), open)
        with opener(path, 'rb') as file, io.TextIOWrapper(file, 'utf-8-sig', 'backslashreplace') as text:
            yield text


def write_text(path: str | os.PathLike, chunks: Iterable[str]) -> None:
    """Writes a text file beside its place and renames it, so that no half-written file is ever found there.

    Args:
        path: The file; compressed if it ends in ``.gz``, ``.bz2`` or ``.xz``. Missing folders are made.
        chunks: The text in pieces.

    Raises:
        InputError: If the file cannot be written.
    """
    path = Path(path)
    unfinished = path.with_name(f'.{path.name}.{os.getpid()}.part')
    opener = _WRITERS.get(path.suffix, open)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with opener(unfinished, 'wt', encoding='utf-8', newline='\n') as file:
                file.writelines(chunks)
            os.replace(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f'{path}: cannot be written ({error.strerror or error}); give another place.') from None
