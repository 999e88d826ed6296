"""The clock of benchmarks that also run on a GPU."""

from __future__ import annotations

import time

import torch


def now() -> float:
    """Returns the time, in seconds, at which a GPU has done what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()
