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


@contextmanager
def open_text(path: str | os.PathLike) -> Iterator[TextIO]:
    """Opens a text file that may be compressed with gzip, bzip2 or xz, and yields its text.

    Bytes that are no UTF-8 are kept as escapes, so that a reader can report the line they are in.

    Raises:
        InputError: If the file cannot be read, also while it is being read.
    """
    with explain_read_errors(path):
        with open(path, 'rb') as file:
            head = file.read(6)
        opener = next((opener for magic, opener in _READERS.items() if head.startswith(magic)), open)
        with opener(path, 'rb') as file, io.TextIOWrapper(file, 'utf-8-sig', 'backslashreplace') as text:
            yield text
