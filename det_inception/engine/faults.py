"""What other processes can do to a training or a test: write to the same folder, or be ended from outside."""

from __future__ import annotations

import contextlib
import os
import re
import traceback
from collections.abc import Iterator
from pathlib import Path

import torch
from mmengine.config import Config

from det_inception.config.errors import ConfigError
from det_inception.utils.errors import InputError
from det_inception.utils.locks import lock_folder, unlock

_PEER_GONE = re.compile('closed by peer|reset by peer|remote process exited|broken pipe', re.IGNORECASE)
_LOADER_GONE = re.compile(r'DataLoader worker .*(killed|exited unexpectedly)')
_LOADER_ENDED = (
    'a process that loads data was ended from outside, perhaps for lack of memory; run the same command again (a '
    'training with --resume), perhaps with fewer num_workers.'
)
_PEER_ENDED = (
    'another process of this run has ended, and its own message says why; run the same command again (a training with '
    '--resume).'
)
_RANKS = dict(pytorch='RANK', slurm='SLURM_PROCID', mpi='OMPI_COMM_WORLD_RANK')


@contextlib.contextmanager
def alone_in_work_dir(cfg: Config) -> Iterator[None]:
    """Keeps other trainings out of the config's ``work_dir``, which is there: checkpoints have the same names.

    Of several processes of one training, the first locks the folder.

    Raises:
        ConfigError: Another training is running there.
    """
    rank = os.environ.get(_RANKS.get(cfg.get('launcher', 'none'), ''), '0')
    try:
        lock = lock_folder(cfg.work_dir) if rank == '0' else None
    except BlockingIOError as error:
        raise ConfigError(
            f'{cfg.work_dir}: another training is writing there; wait for it, or choose another --work-dir.'
        ) from error
    try:
        yield
    finally:
        unlock(lock)


@contextlib.contextmanager
def explain_deaths(work_dir: str | Path) -> Iterator[None]:
    """Says in one sentence that another process of a training or a test was ended from outside.

    Raises:
        InputError: Such an error has reached this process.
    """
    try:
        yield
    except (RuntimeError, EOFError, ConnectionError) as error:
        try:
            sentence = _explanation(error)
        except RuntimeError:  # PyTorch's signal handler says at any moment, also now, that a loader has ended.
            sentence = _LOADER_ENDED
        if sentence is None:
            raise
        raise InputError(f'{work_dir}: {sentence}') from error


def _explanation(error: Exception) -> str | None:
    """What an error means for the user, if another process was ended."""
    text = str(error)
    if _LOADER_GONE.search(text) or (not isinstance(error, RuntimeError) and _is_of_a_pipe(error)):
        return _LOADER_ENDED
    return _PEER_ENDED if torch.distributed.is_initialized() and _PEER_GONE.search(text) else None


def _is_of_a_pipe(error: Exception) -> bool:
    """Whether an error came up where processes talk."""
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_globals.get('__name__', '').startswith('multiprocessing.') for frame, _ in frames)
