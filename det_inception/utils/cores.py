"""How many cores this process may use."""

import os

_limit: int | None = None


def available_cores() -> int:
    """Returns the number of cores that this process may use, at least 1.

    A cluster's scheduler may have limited it, or :func:`limit_cores`.
    """
    count = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
    return max(1, count if _limit is None else min(count, _limit))


def limit_cores(number: int | None) -> None:
    """Makes this process use at most so many cores, since other processes use the others; None lifts the limit."""
    global _limit
    _limit = number
