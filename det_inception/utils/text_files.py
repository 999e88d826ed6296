"""Files from strangers: compressed text, and what can go wrong in reading."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from det_inception.utils.errors import InputError

MAX_INFLATION = 100
"""A compressed file may hold so many times its own size: annotations in XML come to 32 times."""
ANY_INFLATION = 64 << 20
"""And so many bytes more, however small it is."""
MAX_LINE = 1 << 20
"""Bytes of a line of text."""

# First bytes of a file -> how to open it. A downloaded file's name often says nothing, or is wrong.
_READERS = {b'\x1f\x8b': gzip.open, b'BZh': bz2.open, b'\xfd7zXZ\x00': lzma.open}


@contextmanager
def explain_read_errors(path: str | os.PathLike) -> Iterator[None]:
    """Turns what reading a file may raise into one sentence about that file.

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


class Inflated(io.BufferedIOBase):
    """A file that is decompressed while it is read, no further than :data:`MAX_INFLATION`.

    Args:
        path: A file that may be compressed with gzip, bzip2 or xz.
        max_line: Bytes that a line may have; 0: any number.

    Raises:
        InputError: While it is read: it goes on beyond either.
    """

    def __init__(self, path: str | os.PathLike, max_line: int = 0) -> None:
        with open(path, 'rb') as file:
            head, size = file.read(6), os.fstat(file.fileno()).st_size
        opener = next((opener for magic, opener in _READERS.items() if head.startswith(magic)), None)
        self._file = open(path, 'rb') if opener is None else opener(path, 'rb')
        self._path, self._max_line, self._line = path, max_line, 0
        self._position = 0
        self._limit = MAX_INFLATION * size + ANY_INFLATION if opener else None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET:
            raise io.UnsupportedOperation('only from the beginning')
        if self._limit is None or offset < self._position:
            self._position = self._file.seek(offset if self._limit is None else 0)
        while self._position < offset and self.read1(offset - self._position):
            pass
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        left = float('inf') if size is None or size < 0 else size
        parts = []
        while left and (part := self.read1(int(min(left, 1 << 20)))):
            parts.append(part)
            left -= len(part)
        return b''.join(parts)

    def read1(self, size: int = -1) -> bytes:
        block = self._file.read(min(size, 1 << 20) if size >= 0 else 1 << 20)
        self._position += len(block)
        if self._limit is not None and self._position > self._limit:
            raise InputError(
                f'{self._path}: inflates to more than {MAX_INFLATION} times its size; unpack it, and look at it first.'
            )
        if self._max_line and block:
            lines = block.split(b'\n')
            longest = max(self._line + len(lines[0]), *map(len, lines))
            self._line = len(lines[-1]) + (self._line if len(lines) == 1 else 0)
            if longest > self._max_line:
                raise InputError(f'{self._path}: has a line of more than {self._max_line} bytes; it is no such text.')
        return block

    def close(self) -> None:
        self._file.close()
        super().close()


@contextmanager
def open_text(path: str | os.PathLike) -> Iterator[TextIO]:
    """Opens a text file that may be compressed with gzip, bzip2 or xz, and yields its text.

    Bytes that are no UTF-8 are kept as escapes, so that a reader can report the line they are in.

    Raises:
        InputError: If the file cannot be read, also while it is being read, or is longer than :class:`Inflated` admits.
    """
    with explain_read_errors(path):
        with Inflated(path, MAX_LINE) as file, io.TextIOWrapper(file, 'utf-8-sig', 'backslashreplace') as text:
            yield text
