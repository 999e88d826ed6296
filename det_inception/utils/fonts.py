"""Fonts that have the letters of a text, for what is drawn into pictures."""

from __future__ import annotations

import logging
from functools import lru_cache
from pathlib import Path

REGULAR, BOLD = 'DejaVuSans.ttf', 'DejaVuSans-Bold.ttf'
"""Matplotlib's fonts: Latin, Greek, Cyrillic, Arabic and Hebrew letters, among others."""

_found: list[str] = []  # Fonts that had what the own ones lack; others are likely to be in them too.


@lru_cache(maxsize=1024)
def font_for(text: str, own: str = REGULAR) -> tuple[str, str]:
    """Finds a font for a text: Matplotlib's own, else the system's font that has the most of its letters.

    Args:
        text: Any.
        own: :data:`REGULAR` or :data:`BOLD`.

    Returns:
        The font's file, and the text with ``?`` for letters that no font has; of these, one warning tells.
    """
    import matplotlib
    from matplotlib import font_manager

    default = str(Path(matplotlib.get_data_path()) / 'fonts/ttf' / own)
    letters = {letter for letter in text if not letter.isspace()}
    lacking, chosen = _lacking(default, letters), default
    if lacking:
        system = sorted(path for path in font_manager.findSystemFonts() if 'emoji' not in path.lower())
        for path in dict.fromkeys([*_found, *system]):
            if len(still := _lacking(path, letters)) < len(lacking):
                lacking, chosen = still, path
            if not lacking:
                break
        if chosen != default and chosen not in _found:
            _found.append(chosen)
    if lacking:
        _warn()
    return chosen, ''.join('?' if letter in lacking else letter for letter in text)


def _lacking(path: str, letters: set[str]) -> set[str]:
    from matplotlib.ft2font import FT2Font

    try:
        font = FT2Font(path)
        return {letter for letter in letters if not font.get_char_index(ord(letter))}
    except (RuntimeError, OSError, ValueError):  # No font, or one that FreeType cannot read.
        return letters


@lru_cache(maxsize=1)
def _warn() -> None:
    logging.getLogger(__name__).warning(
        'No font of this system has all letters of the class names, and ? is drawn for them; install one, such as Noto '
        'Sans CJK.'
    )
