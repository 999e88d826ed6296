"""The cores that a process may use."""

import os

from det_inception.utils.cores import available_cores


def test_only_cores_that_the_process_may_use_count(monkeypatch):
    assert 1 <= available_cores() <= os.cpu_count()
    monkeypatch.setattr(os, 'sched_getaffinity', lambda process: {0, 5, 7}, raising=False)
    assert available_cores() == 3
    monkeypatch.delattr(os, 'sched_getaffinity')
    assert available_cores() == os.cpu_count()
