"""Class names: which may be one class spelled in two ways, and which was meant by one that is unknown."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping

# A class is rare beside another if it has at most this many objects, and this part of the other's.
_RARE, _PART = 3, 0.1


def meant(name: str, classes: Iterable[str]) -> str | None:
    """Returns the class that an unknown name is most like; None if it is like none."""
    classes = list(classes)
    for candidate in classes:
        if _plain(candidate) == _plain(name):
            return candidate
    close = difflib.get_close_matches(name, classes, n=1, cutoff=0.75)
    return close[0] if close else None


def similar_classes(counts: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Yields pairs of classes that may be one: the rarer, which may be the wrong spelling, and the other.

    They differ in case, blanks or punctuation alone, or the one is rare and the other resembles it, by the number of
    objects of each class.
    """
    ordered = sorted(counts, key=lambda name: (-counts[name], name))
    first: dict[str, str] = {}
    for name in ordered:
        same = first.setdefault(_plain(name), name)
        if same != name:
            yield name, same
        elif 0 < counts[name] <= _RARE:
            often = [other for other in ordered if counts[name] <= _PART * counts[other]]
            close = difflib.get_close_matches(name, often, n=1, cutoff=0.8)
            if close:
                yield name, close[0]


def folded(name: str) -> str:
    """Returns a name without what may differ where one is meant: capitals, and accents, which macOS writes apart."""
    return unicodedata.normalize('NFC', name).casefold()


def _plain(name: str) -> str:
    return re.sub(r'[\W_]+', '', folded(name)) or name
