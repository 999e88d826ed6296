"""The root of all errors that a user's input causes, how a reader goes on after one, and parts of their messages."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable


class InputError(ValueError):
    """Something given by the user cannot be used.

    The message is one sentence that names the file or setting, what is wrong with it and what to do; the command-line
    tools print it and nothing else.
    """


class OutputError(InputError):
    """A result cannot be written, so it makes no sense to go on with the next input."""


ErrorHandler = Callable[[str, str | os.PathLike, InputError], None]
"""What a reader calls with every fault that it meets: its kind, the file it is in, and the error.

To train, the first fault is one too many (:func:`raise_error`); to say all that is wrong with a data set, they are
collected, and the reader leaves out what it cannot understand and goes on.
"""


def raise_error(kind: str, file: str | os.PathLike, error: InputError) -> None:
    """The :data:`ErrorHandler` that stops at the first fault."""
    raise error


def some(names: Iterable[str], limit: int = 5) -> str:
    """Returns the first names, for a message; of more than ``limit``, also how many there are."""
    names = list(names)
    return ', '.join(names[:limit]) + (f', ... ({len(names)})' if len(names) > limit else '')


def counted(count: int, word: str, several: str | None = None) -> str:
    """Returns a number of things in words.

    Example:
        >>> counted(1, 'image'), counted(2000, 'box', 'boxes')
        ('1 image', '2,000 boxes')
    """
    return f'{count:,} {word if count == 1 else several or f"{word}s"}'


def first_line(error: Exception) -> str:
    """Returns what a foreign error says first, for a message of ours."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip('.')[:200]


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory was lacking; PyTorch and OpenCV have no error of their own for it."""
    text = str(error).lower()
    return (
        isinstance(error, MemoryError) or 'out of memory' in text or 'allocate' in text or 'insufficient memory' in text
    )


def printable(line: str) -> str:
    """Returns a line without the characters with which a name could play tricks on a terminal."""
    return ''.join(c if c.isprintable() else c.encode('unicode_escape', 'replace').decode() for c in line)
