"""MMEngine's runner for a config: precision, work directory, processes."""

from __future__ import annotations

import contextlib
import errno
import os.path as osp
from collections.abc import Iterator
from pathlib import Path

import mmengine.runner
import torch
from mmengine.config import Config

from det_inception.config.errors import ConfigError
from det_inception.engine.distributed import join_processes
from det_inception.utils.allocator import keep_freed_memory
from det_inception.utils.errors import InputError, first_line
from det_inception.utils.files import reason, require_writable
from det_inception.weights.files import CheckpointError

DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def apply_amp(cfg: Config) -> None:
    """Trains and tests in mixed precision: MMEngine's on an accelerator, bfloat16 on a processor."""
    if cfg.get('optim_wrapper') is not None:
        cfg.optim_wrapper.type = 'AmpOptimWrapper' if torch.cuda.is_available() else 'CPUAmpOptimWrapper'
    for name in ('val_cfg', 'test_cfg'):
        if cfg.get(name) is not None:
            cfg[name].fp16 = True  # MMEngine's name; on a processor it is bfloat16.


def apply_work_dir(cfg: Config, work_dir: str | None) -> None:
    """Sets the folder for logs and checkpoints: as given, as in the config, or work_dirs/ and the config's name."""
    if work_dir is not None:
        cfg.work_dir = str(work_dir)
    elif cfg.get('work_dir') is None:
        cfg.work_dir = osp.join('work_dirs', Path(cfg.filename).stem)


def require_settings(cfg: Config, *names: str) -> None:
    """Refuses a config that lacks one of the settings."""
    for name in names:
        if cfg.get(name) is None:
            raise ConfigError(f'{cfg.filename}: the config has no {name}, which this needs; add it.')


def require_work_dir(folder: str | Path) -> None:
    """Refuses a folder that cannot be written to."""
    require_writable(
        folder, 'the work directory cannot be written to', 'choose another with --work-dir', error_type=ConfigError
    )


class Runner(mmengine.runner.Runner):
    """MMEngine's runner, which says in one sentence that a checkpoint cannot be resumed."""

    def resume(self, filename: str, *args, **kwargs) -> None:
        """Resumes a training.

        Raises:
            CheckpointError: The checkpoint's optimizer, schedules or log do not fit this training.
        """
        try:
            super().resume(filename, *args, **kwargs)
            for parameter, state in self.optim_wrapper.optimizer.state.items():
                for name, value in state.items():
                    if isinstance(value, torch.Tensor) and value.ndim and value.shape != parameter.shape:
                        raise ValueError(f'its {name} is {tuple(value.shape)} for {tuple(parameter.shape)} weights')
        except InputError:
            raise
        except Exception as error:  # What a stranger's file says may fail anywhere.
            raise CheckpointError(
                f'{filename}: the state of its training does not fit ({type(error).__name__}: {first_line(error)}); '
                f'use the config that it was trained with, or start from its weights with --cfg-options '
                f'load_from={filename}.'
            ) from error


@contextlib.contextmanager
def explain_disk_errors(folder: str | Path) -> Iterator[None]:
    """Names a folder in errors of the disk that name no file, as of a log that is open for long.

    Raises:
        InputError: The disk is full, or fails.
    """
    try:
        yield
    except OSError as error:
        if error.filename is not None or error.errno not in DISK_ERRORS:
            raise
        raise InputError(f'{folder}: cannot be written to: {reason(error)}.') from error


def build_runner(cfg: Config) -> Runner:
    """Builds MMEngine's runner, in one or several processes."""
    if not torch.cuda.is_available():
        keep_freed_memory()
    if cfg.get('launcher', 'none') != 'none':
        join_processes(cfg)
    with explain_disk_errors(cfg.work_dir):
        return Runner.from_cfg(cfg)
