"""The cores that a process may use."""

import os

from det_inception.utils.cores import available_cores, limit_cores


def test_only_cores_that_the_process_may_use_count(monkeypatch):
    assert 1 <= available_cores() <= os.cpu_count()
    monkeypatch.setattr(os, 'sched_getaffinity', lambda process: {0, 5, 7}, raising=False)
    assert available_cores() == 3
    monkeypatch.delattr(os, 'sched_getaffinity')
    assert available_cores() == os.cpu_count()


def test_a_limit(monkeypatch):
    monkeypatch.setattr(os, 'sched_getaffinity', lambda process: {0, 1, 2, 3}, raising=False)
    try:
        for limit, cores in ((None, 4), (3, 3), (8, 4)):
            limit_cores(limit)
            assert available_cores() == cores
    finally:
        limit_cores(None)
