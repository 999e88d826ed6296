"""Memory of a process that computes on a CPU: freed memory is kept, compiled convolutions are not kept without end.

Without the first, the kernel takes half the time of a training step.

A step allocates and frees tensors of tens of megabytes. glibc hands each of them back to the kernel at once, which then
clears every page again for the next step: on two cores that took 46 % of the time of a step of 128 crops.
"""

from __future__ import annotations

import ctypes
import os
import sys

_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8  # From glibc's malloc.h.


def keep_freed_memory() -> bool:
    """Tells glibc to serve large tensors from memory that it keeps; the process then never shrinks.

    Returns:
        True if the C library is glibc and agreed; elsewhere nothing changes.
    """
    if not sys.platform.startswith('linux'):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # musl has none.
        return False
    # One arena for all threads: the backward pass runs in a thread of its own, whose arena would still use mmap.
    return all(
        mallopt(option, value) for option, value in ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, -1), (_M_ARENA_MAX, 1))
    )


def limit_compiled_convolutions() -> None:
    """Tells oneDNN to keep 96 compiled operations instead of 1,024, about those of one size of images.

    It compiles every convolution for every size, in milliseconds. A detector that sees photos of all sizes took 1.6 GB
    after 25 of them and 2.7 GB after 500; with this, 1.9 GB. Call it before the first convolution of the process; later
    it does nothing. A training keeps the default: its sizes return, and each has a backward pass, too.
    """
    os.environ.setdefault('ONEDNN_PRIMITIVE_CACHE_CAPACITY', '96')
