"""Processes that are ended from outside, and two that write to one place."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from multiprocessing import forkserver

import cv2
import numpy as np
import pytest
import torch
from machine import Machine, one_box
from mmengine.config import Config
from tiny_training import config
from trials import Trials
from writers import WRITERS

from det_inception.config.errors import ConfigError
from det_inception.engine.faults import alone_in_work_dir, explain_deaths
from det_inception.engine.runner import build_runner
from det_inception.mini_set import MiniSetError, make_mini
from det_inception.mini_set import folder as mini_set_folder
from det_inception.proposals import ProposalError
from det_inception.proposals.workers import propose_all
from det_inception.utils.errors import InputError
from det_inception.utils.locks import lock_folder, unlock


def run(cfg: Config, what: str) -> None:
    with explain_deaths(cfg.work_dir):
        getattr(build_runner(cfg), what)()


@pytest.mark.parametrize('what', ['train', 'test'])
def test_a_worker_of_the_data_loader_is_killed(what, tmp_path):
    with pytest.raises(InputError, match=f'^{tmp_path}: a process that loads data was ended from outside'):
        run(config(tmp_path, workers=1, deadly=2), what)


@pytest.mark.parametrize('what', ['train', 'test'])
def test_one_of_two_processes_is_killed(what, tmp_path):
    """The other ends soon, with one sentence."""

    def work(rank):
        store = tmp_path / 'meeting'
        torch.distributed.init_process_group('gloo', f'file://{store}', rank=rank, world_size=2)
        os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE='2')
        cfg = config(tmp_path / 'work', deadly=5, rank='1')
        cfg.launcher = 'pytorch'
        try:
            run(cfg, what)
        except InputError as error:
            (tmp_path / f'said by {rank}').write_text(str(error))

    children = []
    for rank in range(2):
        child = os.fork()
        if not child:
            with contextlib.suppress(BaseException):
                work(rank)
            os._exit(0)
        children.append(child)
    assert os.waitpid(children[1], 0)[1] == signal.SIGKILL
    began = time.monotonic()
    while not os.waitpid(children[0], os.WNOHANG)[0]:
        time.sleep(0.05)
        if time.monotonic() - began > 60:
            os.kill(children[0], signal.SIGKILL)
    said = (tmp_path / 'said by 0').read_text()
    assert said.startswith(f'{tmp_path}/work: another process of this run has ended') and '\n' not in said


def test_the_forkserver_is_killed(tmp_path):
    """While it is asked for a worker, which is an EOFError of Python's."""
    cv2.imwrite(str(tmp_path / 'a.png'), np.zeros((20, 20, 3), np.uint8))
    forkserver.ensure_running()
    server = forkserver._forkserver._forkserver_pid
    os.kill(server, signal.SIGSTOP)
    threading.Timer(0.3, os.kill, (server, signal.SIGKILL)).start()
    with pytest.raises(ProposalError, match='^A worker process was ended from outside'):
        list(propose_all(tmp_path, ['a.png'], one_box, None, 1))


def test_two_trainings_in_a_folder(tmp_path):
    cfg = config(tmp_path)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        with alone_in_work_dir(cfg):
            os.write(writing, b'.')
            time.sleep(100)
    os.read(reading, 1)
    with pytest.raises(ConfigError, match=f'^{tmp_path}: another training is writing there; .*--work-dir'):
        with alone_in_work_dir(cfg):
            pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with alone_in_work_dir(cfg):
        pass


def test_a_forked_process_holds_no_lock(tmp_path):
    """As a data loader's worker, which may live longer than the training."""
    lock = lock_folder(tmp_path)
    child = os.fork()
    if not child:
        time.sleep(100)
    unlock(lock)
    unlock(lock_folder(tmp_path))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


@pytest.mark.parametrize('name', ['store', 'region scores', 'drawn photos', 'report', 'lists', 'mini set'])
def test_two_processes_write_to_one_folder(name, tmp_path):
    """Each file is one's or the other's, or one process says that it is not alone."""
    trials = Trials(WRITERS[name], tmp_path)
    trials.reset()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, b'.')
        for _ in range(2):
            with contextlib.suppress(InputError):
                trials.writer.write(trials.out, 'new')
        os._exit(0)
    os.read(reading, 1)
    for _ in range(2):
        with contextlib.suppress(InputError):
            trials.writer.write(trials.out, 'old')
    assert os.waitpid(child, 0)[1] == 0
    trials.require_whole('two at a time')
    trials.require_same_after_another_run('two at a time')


def test_a_mini_set_that_fails_leaves_no_folder(tmp_path, monkeypatch):
    with (
        Machine(tmp_path, 0, 'full').running(),
        pytest.raises(MiniSetError, match='data/mini: cannot be made: no space'),
    ):
        make_mini(tmp_path / 'data/mini', 1, 1, workers=1, progress=False)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(mini_set_folder, '_WORKER', 'import os; os._exit(1)')
    with pytest.raises(MiniSetError, match='worker process failed'):
        make_mini(tmp_path / 'data/mini', 1, 1, workers=2, progress=False)
    assert list(tmp_path.iterdir()) == []
