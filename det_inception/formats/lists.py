r"""Lists of images: one image a line. All that read such lists read them here.

A line is looked for in this order, and the first that is there is meant:

1. the line as it is (``two words.jpg``, ``frame 1``), with ``\`` for ``/`` where it comes from Windows;
2. with the suffix of an image added or taken away;
3. without a number behind it, which is VOC's ``1``, ``-1`` or ``0`` for a class, or ILSVRC's index; again with 2.
"""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from det_inception.formats.folders import walk
from det_inception.formats.records import DataError
from det_inception.utils.errors import some
from det_inception.utils.images import IMAGE_SUFFIXES

_NUMBER_BEHIND = re.compile(r'\s+(-?\d+)$')
_LINE_END = re.compile('\r\n|\r|\n')  # str.splitlines would also divide names that hold rarer characters.


def read_list(path: str | Path) -> list[str]:
    """Returns the lines of a list of images, stripped and without blank ones.

    Raises:
        DataError: The list is missing or no text in UTF-8.
    """
    return [line for _, line in numbered_lines(path)]


def numbered_lines(path: str | Path) -> list[tuple[int, str]]:
    """Returns the lines of a list as :func:`read_list` does, each with its number in the file, from 1."""
    try:
        content = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        others = sorted(file.name for file in Path(path).parent.glob('*.txt')) if isinstance(error, OSError) else []
        advice = f'; there is {some(others)}, which det-inception split divides' if others else ''
        raise DataError(
            f'{path}: the list of images cannot be read ({getattr(error, "strerror", None) or error}){advice}; check '
            'data_root and ann_file.'
        ) from error
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b'\0' in content[:1000]:
        raise DataError(
            f'{path}: cannot be read as a list of images: it is no text in UTF-8, but perhaps in UTF-16; save it as '
            'UTF-8, one image a line.'
        )
    try:
        text = content.decode('utf-8-sig')  # Windows' editors put a mark before it.
    except UnicodeDecodeError as error:
        raise DataError(
            f'{path}: the list of images is no text in UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8, '
            'one image a line.'
        ) from error
    return [(number, line.strip()) for number, line in enumerate(_LINE_END.split(text), start=1) if line.strip()]


def list_text(names: Iterable[str]) -> str:
    """Returns the content of a list of images.

    Raises:
        DataError: A name would not be read back as it is.
    """
    names = list(names)
    for name in names:
        if name != name.strip() or _LINE_END.search(name):
            raise DataError(
                f'{name!r}: a list of images holds no name that begins with a blank or has a line break in it; rename '
                'the image, and its annotation.'
            )
    return ''.join(f'{name}\n' for name in names)


def split_number(line: str) -> tuple[str, int | None]:
    """Returns a line without the number behind it, and the number.

    Example:
        >>> split_number('my image -1'), split_number('frame')
        (('my image', -1), ('frame', None))
    """
    number = _NUMBER_BEHIND.search(line)
    return (line, None) if number is None else (line[: number.start()], int(number[1]))


def spellings(line: str) -> Iterator[tuple[str, int | None]]:
    r"""Yields what the image of a line may be called, the first choice first; see the module.

    Yields:
        A name, and the number that stands behind it in the line; None where that is taken as part of the name.

    Example:
        >>> list(spellings('a\\b.jpg 1'))[1:4]
        [('a/b.jpg 1', None), ('a\\b.jpg', 1), ('a\\b', 1)]
    """
    seen: set[str] = set()
    for text, number in ((line, None), split_number(line)):
        for name in (text, text.replace('\\', '/')):
            name = os.path.normpath(name).replace(os.sep, '/')
            for spelling in (name, without_suffix(name)):
                if spelling and spelling not in seen:
                    seen.add(spelling)
                    yield spelling, number


def plain_name(line: str) -> str:
    """Returns what a line names where no image of that name is there, to be told the user."""
    return os.path.normpath(split_number(line)[0].replace('\\', '/')).replace(os.sep, '/')


def without_suffix(name: str) -> str:
    """Returns a name without the suffix of an image; dots that begin no such suffix stay."""
    stem, suffix = os.path.splitext(name)
    return stem if suffix.lower() in IMAGE_SUFFIXES else name


class ImageNames:
    """The images below a folder, by what lists call them.

    Args:
        root: The folder.
        keys: The images' POSIX paths relative to it; None: all that are there, looked for when they are needed.
    """

    def __init__(self, root: str | Path, keys: Iterable[str] | None = None) -> None:
        self.root = Path(root)
        self._keys = None if keys is None else list(dict.fromkeys(keys))
        self._known: dict[str, list[str]] | None = None
        self._ends: dict[str, list[str]] | None = None

    @property
    def keys(self) -> list[str]:
        """POSIX paths relative to the folder, sorted if it was searched."""
        if self._keys is None:
            self._keys = walk(self.root)
        return self._keys

    def find(self, line: str) -> list[str]:
        """Returns the keys of the image that a line of a list names.

        The name may begin with folders or, where that is enough to tell, only with the last of them, as ILSVRC's lists
        do. An absolute path is taken relative to the folder.

        Returns:
            One key; none if there is no such image; several if the line does not say which.

        Raises:
            DataError: The line names something outside the folder.
        """
        names = [self._relative(name, line) for name, _ in spellings(line)]
        if self._keys is None and self._known is None:
            # A list of complete names does not need a search through the folder.
            for name in names:
                if without_suffix(name) != name and os.path.isfile(self.root / name):
                    return [name]
        if self._known is None:
            self._known = {key: [key] for key in self.keys}
            stems: dict[str, list[str]] = {}
            for key in self.keys:
                stems.setdefault(os.path.splitext(key)[0], []).append(key)
            for stem, keys in stems.items():
                self._known.setdefault(stem, keys)
        if found := next((self._known[name] for name in names if name in self._known), None):
            return found
        if self._ends is None:
            self._ends = {}
            for key in self.keys:
                for end in _ends(key):
                    self._ends.setdefault(end, []).append(key)
        return next((self._ends[name] for name in names if name in self._ends), [])

    def _relative(self, name: str, line: str) -> str:
        if os.path.isabs(name):
            name = os.path.relpath(name, os.path.abspath(self.root)).replace(os.sep, '/')
        if name == '..' or name.startswith('../'):
            raise DataError(f'{line} in the list lies outside the folder of images {self.root}; give another folder.')
        return name


def _ends(key: str) -> Iterator[str]:
    """The ends of a path with fewer folders, with and without its suffix."""
    names = key.split('/')
    for start in range(1, len(names)):
        end = '/'.join(names[start:])
        yield end
        yield os.path.splitext(end)[0]
