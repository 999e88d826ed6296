"""Limits the memory of this process for a while, where the system can: on Linux."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def limited_memory(size: int) -> Iterator[None]:
    """Whoever asks for more than ``size`` bytes beyond what the process has gets a ``MemoryError``; only on Linux."""
    if not sys.platform.startswith('linux'):
        yield
        return
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    with open('/proc/self/statm') as file:
        taken = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
