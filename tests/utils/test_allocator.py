"""Freed memory stays in the process, where the C library lets it."""

import os
import subprocess
import sys

import pytest

from det_inception.utils.allocator import limit_compiled_convolutions

PROGRAM = """
import resource
import numpy as np
from det_inception.utils.allocator import keep_freed_memory

if KEEP:
    assert keep_freed_memory()


def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


for _ in range(2):  # The first of them has to come from the kernel in any case.
    before = faults()
    for _ in range(20):
        np.ones(8_000_000)
print(faults() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='glibc only')
def test_large_arrays_come_from_kept_memory():
    def count(keep: bool) -> int:
        # Without the package's __init__, which would load torch for a test of three lines.
        code = PROGRAM.replace('KEEP', str(keep)).replace(
            'from det_inception.utils.allocator import', 'exec(open("det_inception/utils/allocator.py").read()) #'
        )
        return int(subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True).stdout)

    assert count(True) < 0.1 * count(False)


@pytest.mark.parametrize('chosen', [None, '7'])
def test_the_users_own_limit_of_compiled_convolutions_counts(monkeypatch, chosen):
    name = 'ONEDNN_PRIMITIVE_CACHE_CAPACITY'
    monkeypatch.setenv(name, chosen or 'x')
    if chosen is None:
        monkeypatch.delenv(name)
    limit_compiled_convolutions()
    assert os.environ[name] == (chosen or '96')
