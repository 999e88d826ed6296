"""A limit on memory holds in its block, and is gone behind it."""

import mmap
import sys

import numpy as np
import pytest

from det_inception.utils.memory import limited_memory


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='there is no limit elsewhere')
def test_the_limit_is_that_of_the_block():
    # A mapping is always new memory; an array may get what the process has freed and kept.
    with limited_memory(64 << 20):
        mmap.mmap(-1, 16 << 20).close()
        with pytest.raises(OSError, match='allocate'):
            mmap.mmap(-1, 256 << 20)
        with pytest.raises(MemoryError):
            np.zeros(1 << 40, np.uint8)  # More than any process has kept.
    mmap.mmap(-1, 256 << 20).close()
