"""What can be wrong with a data set, and the list in which it is collected."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from det_inception.utils.errors import ErrorHandler, InputError

ERROR, WARNING = 'error', 'warning'

HEADINGS = {
    'list': 'Lists and folders',
    'missing image': 'Images that are missing',
    'unreadable image': 'Images that cannot be read',
    'image size': 'Images of another size than their annotation says',
    'turned': 'Images that their EXIF data turn or mirror',
    'annotation': 'Annotations that cannot be understood',
    'classes': 'Classes that cannot be read',
    'ids': 'Ids that refer to nothing, or to two things',
    'no object': 'Nothing to find',
    'ignored': 'Objects that do not count',
    'unknown class': 'Classes that are not among those to be learned',
    'similar class': 'Classes that may be one, spelled in two ways',
    'unused class': 'Classes without an object',
    'box reversed': 'Boxes that end before they begin',
    'box empty': 'Boxes without area',
    'box outside': 'Boxes outside their image',
    'box cut': 'Boxes that leave their image',
    'box tiny': 'Boxes of less than a pixel',
    'box twice': 'Objects annotated twice',
    'listed twice': 'Images listed twice',
    'shared image': 'Images that training and test have in common',
    'same file': 'Copies of one file',
    'looks the same': 'Images that look the same in training and test',
    'not listed': 'Files that no list names',
    'proposals': 'Proposals that do not match',
}
"""The kinds of problems in the order in which they are shown, and their headings."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        kind: One of :data:`HEADINGS`.
        severity: ``'error'``: training or testing stops there; ``'warning'``: it goes on, perhaps with less or worse
            data.
        split: The part of the data set, or ``''``.
        file: The file to look at.
        message: A sentence that names the file, what is wrong, and what to do.
    """

    kind: str
    severity: str
    split: str
    file: str
    message: str


class Problems:
    """Collects problems, each once."""

    def __init__(self) -> None:
        self._by_kind: dict[str, dict[Problem, None]] = defaultdict(dict)

    def add(self, kind: str, severity: str, split: str, file: str | os.PathLike, message: str) -> None:
        """Notes a problem; see :class:`Problem`."""
        assert kind in HEADINGS and severity in (ERROR, WARNING)
        self._by_kind[kind].setdefault(Problem(kind, severity, split, os.fspath(file), message))

    def on_error(self, split: str) -> ErrorHandler:
        """Returns what a reader of this split is to call with its faults."""

        def note(kind: str, file: str | os.PathLike, error: InputError) -> None:
            self.add(kind, ERROR, split, file, str(error))

        return note

    def __iter__(self) -> Iterator[Problem]:
        """Errors first, then warnings, kind by kind."""
        for severity in (ERROR, WARNING):
            for kind in HEADINGS:
                yield from (problem for problem in self._by_kind.get(kind, ()) if problem.severity == severity)

    def count(self, severity: str) -> int:
        """Returns the number of problems of a severity."""
        return sum(problem.severity == severity for problems in self._by_kind.values() for problem in problems)
