"""Functions that Numba compiles."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import lru_cache

from numba import njit
from numba.core import event
from numba.core.dispatcher import Dispatcher


def compiled(**options: object) -> Callable[[Callable], Callable]:
    """Decorates a function that Numba compiles at its first call, and keeps for later processes where it can.

    Where neither the package's folder nor the user's cache can be written to, as in a container without a home, every
    process compiles anew, and a warning says so.

    Args:
        **options: Of ``numba.njit``.
    """

    def decorate(function: Callable) -> Callable:
        _announce()
        try:
            return _Announcer.known(njit(cache=True, **options)(function))
        except RuntimeError:  # "no locator available": Numba found no place for its cache.
            _warn()
            return _Announcer.known(njit(**options)(function))

    return decorate


class _Announcer(event.Listener):
    """Says when one of these functions is compiled, which takes long, and not when it is found in Numba's cache."""

    functions: set[Dispatcher] = set()

    @classmethod
    def known(cls, function: Dispatcher) -> Dispatcher:
        """Adds a function to those of this project."""
        cls.functions.add(function)
        return function

    def on_start(self, event: event.Event) -> None:
        """Called by Numba when it begins to compile."""
        if event.data['dispatcher'] in self.functions:
            _say_once()

    def on_end(self, event: event.Event) -> None:
        """Called by Numba when it is done."""


@lru_cache(maxsize=1)
def _announce() -> None:
    event.register('numba:compile', _Announcer())


@lru_cache(maxsize=1)
def _say_once() -> None:
    logging.getLogger(__name__).warning(
        'Numba compiles the first time that something is computed here; this takes up to a minute, once.'
    )


@lru_cache(maxsize=1)
def _warn() -> None:
    logging.getLogger(__name__).warning(
        'Numba has no folder for what it compiles, so every process compiles anew, for up to a minute; set '
        'NUMBA_CACHE_DIR to a folder of your own that can be written to.'
    )
