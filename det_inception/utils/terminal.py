"""What is printed: file and class names come from strangers, and a terminal obeys some characters."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterable, Iterator
from typing import TextIO

_COLORS = re.compile(r'\x1b\[[\d;]*m')
# Control characters, marks that turn the direction of the text, and a return to the line's beginning anywhere but
# around a whole text, where a progress bar has it.
_CONTROLS = re.compile(
    '[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]|(?!\\A)\r(?!\n|\\Z)'
)


def escape_controls(text: str) -> str:
    r"""Returns a text that a terminal shows and does not obey: colors are left out, other controls written out.

    Example:
        >>> escape_controls('a\x1b[31mred\x1b]0;title\x07.jpg')
        'ared\\x1b]0;title\\x07.jpg'
    """
    return _CONTROLS.sub(lambda found: found[0].encode('unicode_escape').decode(), _COLORS.sub('', text))


class PrintableStream:
    """A stream that passes everything on, texts as :func:`escape_controls`."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(escape_controls(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def plain_stream(stream: TextIO) -> TextIO:
    """Returns the stream below, for who writes a terminal's own controls and escapes all else itself."""
    return stream._stream if isinstance(stream, PrintableStream) else stream


@contextlib.contextmanager
def printable_output() -> Iterator[None]:
    """Makes standard output and error print what is printable, in any encoding: what it lacks is written out."""
    before = sys.stdout, sys.stderr
    for stream in before:
        if hasattr(stream, 'reconfigure'):
            stream.reconfigure(errors='backslashreplace')
    sys.stdout, sys.stderr = (stream and PrintableStream(stream) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
