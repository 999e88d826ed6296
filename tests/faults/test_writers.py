"""A disk that fails, a disk that is full and a sudden end, at every step of everything that is written.

Then each file is what it was before or complete, the one sentence names a file, and a second run ends as the first
would have.
"""

from __future__ import annotations

import itertools
import os
import subprocess

import pytest
from machine import FAILING, in_a_child, interesting
from trials import Trials
from writers import WRITERS


@pytest.fixture(params=WRITERS)
def trials(request, tmp_path, monkeypatch) -> Trials:
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    return Trials(WRITERS[request.param], tmp_path)


def test_a_disk_that_refuses(trials):
    for number, step in enumerate(interesting(trials.steps)):
        if trials.steps[step] not in FAILING:
            continue
        trials.reset()
        fault = 'full' if trials.steps[step] == 'write' and number % 2 else 'broken'
        where = f'{fault} at step {step}'
        with trials.machine(step, fault).running():
            trials.fail(where)
        trials.require_whole(where)
        trials.require_same_after_another_run(where)


def test_a_sudden_end(trials):
    for step in interesting(trials.steps):
        trials.reset()

        def work(step=step):
            with trials.machine(step, 'killed').running():
                trials.writer.write(trials.out, 'new')

        assert in_a_child(work) == 9
        trials.require_whole(f'killed at step {step}')
        trials.require_same_after_another_run(f'killed at step {step}')


@pytest.fixture(scope='module')
def small_disk(tmp_path_factory):
    """A file system of a mebibyte, for as long as the tests of this file run."""
    folder = tmp_path_factory.mktemp('disk')
    mounted = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder], capture_output=True)
    if mounted.returncode:
        pytest.skip(f'only root can mount a file system: {mounted.stderr.decode().strip()}')
    yield folder
    subprocess.run(['umount', folder], check=True)


def test_a_full_disk(trials, small_disk):
    """With room for nothing, a page, two, four and so on, until there is enough."""
    trials.out = small_disk / 'out'
    ballast = small_disk / 'ballast'
    for pages in itertools.chain([0], (2**power for power in range(8))):
        trials.reset()
        free = os.statvfs(small_disk)
        ballast.write_bytes(bytes(max(free.f_bavail - pages, 0) * free.f_bsize))
        try:
            succeeded = trials.fail(f'{pages} pages')
            trials.require_whole(f'{pages} pages')
        finally:
            ballast.unlink()
        trials.require_same_after_another_run(f'{pages} pages')
        if succeeded and not trials.writer.never_fails:
            break
    assert succeeded and pages
