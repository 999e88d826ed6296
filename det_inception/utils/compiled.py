"""Functions that Numba compiles."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import lru_cache

from numba import njit


def compiled(**options: object) -> Callable[[Callable], Callable]:
    """Decorates a function that Numba compiles at its first call, and keeps for later processes where it can.

    Where neither the package's folder nor the user's cache can be written to, as in a container without a home, every
    process compiles anew, and a warning says so.

    Args:
        **options: Of ``numba.njit``.
    """

    def decorate(function: Callable) -> Callable:
        try:
            return njit(cache=True, **options)(function)
        except RuntimeError:  # "no locator available": Numba found no place for its cache.
            _warn()
            return njit(**options)(function)

    return decorate


@lru_cache(maxsize=1)
def _warn() -> None:
    logging.getLogger(__name__).warning(
        'Numba has no folder for what it compiles, so every process compiles anew, for up to a minute; set '
        'NUMBA_CACHE_DIR to a folder of your own that can be written to.'
    )
