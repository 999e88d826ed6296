"""Functions that Numba compiles."""

from __future__ import annotations

from collections.abc import Callable

from numba import njit


def compiled(**options: object) -> Callable[[Callable], Callable]:
    """Decorates a function that Numba compiles at its first call, and keeps for later processes where it can.

    Where neither the package's folder nor the user's cache can be written to, as in a container without a home, every
    process compiles anew, which takes some seconds; ``NUMBA_CACHE_DIR`` names another place.

    Args:
        **options: Of ``numba.njit``.
    """

    def decorate(function: Callable) -> Callable:
        try:
            return njit(cache=True, **options)(function)
        except RuntimeError:  # "no locator available": Numba found no place for its cache.
            return njit(**options)(function)

    return decorate
