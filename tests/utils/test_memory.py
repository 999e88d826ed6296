"""A limit on memory holds in its block, and is gone behind it."""

import sys

import numpy as np
import pytest

from det_inception.utils.memory import limited_memory


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='there is no limit elsewhere')
def test_the_limit_is_that_of_the_block():
    with pytest.raises(MemoryError), limited_memory(64 << 20):
        assert len(np.zeros(16 << 20, np.uint8)) == 16 << 20  # There is room for less.
        np.zeros(256 << 20, np.uint8)
    assert len(np.zeros(256 << 20, np.uint8)) == 256 << 20
