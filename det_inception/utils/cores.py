"""How many processor cores there are to work with."""

from __future__ import annotations

import os


def available_cores() -> int:
    """Returns the number of cores that this process may use, at least 1.

    A container or a batch system often allows fewer than the machine has.
    """
    if hasattr(os, 'sched_getaffinity'):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1
