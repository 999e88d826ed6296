"""MMEngine's runner for a config: precision, work directory, processes."""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import itertools
import os.path as osp
from collections.abc import Iterator
from pathlib import Path

import mmengine.runner
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger

from det_inception.config.errors import ConfigError
from det_inception.engine.console import turn_to_file
from det_inception.engine.distributed import join_processes
from det_inception.models.layers.precision import gpu_half_precision
from det_inception.utils.allocator import keep_freed_memory
from det_inception.utils.errors import InputError, first_line
from det_inception.utils.files import reason, require_writable
from det_inception.weights.files import CheckpointError

_RUNS = itertools.count(1)
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def apply_amp(cfg: Config) -> None:
    """Trains and tests in mixed precision.

    The training's is bfloat16 where processor or GPU have it, which has float32's range, and float16 on older GPUs.
    """
    if (wrapper := cfg.get('optim_wrapper')) is not None:
        if torch.cuda.is_available():
            wrapper.update(type='AmpOptimWrapper', dtype=gpu_half_precision())
        else:
            wrapper.type = 'CPUAmpOptimWrapper'
    for name in ('val_cfg', 'test_cfg'):
        if cfg.get(name) is not None:
            cfg[name].fp16 = True  # MMEngine's name; on a processor it is bfloat16.


def apply_average(cfg: Config) -> None:
    """Averages the weights over the last steps of the training.

    Raises:
        ConfigError: The config does so already.
    """
    hooks = [*(cfg.get('custom_hooks') or ()), *(cfg.get('default_hooks') or {}).values()]
    if any(hook is not None and hook.get('type') in ('EMAHook', 'AverageWeightsHook') for hook in hooks):
        raise ConfigError(f'{cfg.filename}: averages the weights already (EMAHook); leave --ema out.')
    cfg.custom_hooks = [*(cfg.get('custom_hooks') or ()), dict(type='AverageWeightsHook')]


def apply_early_stopping(cfg: Config, validations: int) -> None:
    """Ends the training after so many validations in a row without a better score.

    Raises:
        ConfigError: There would be none, or the config has no validation.
    """
    if validations < 1:
        raise ConfigError(f'--early-stopping {validations}: name a number of validations, at least 1.')
    if cfg.get('val_cfg') is None:
        raise ConfigError(f'{cfg.filename}: has no validation, which --early-stopping needs; leave it out.')
    cfg.custom_hooks = [*(cfg.get('custom_hooks') or ()), dict(type='StopWithoutGainHook', patience=validations)]


LOGS = {'tensorboard': 'TensorboardVisBackend', 'wandb': 'WandbVisBackend'}
"""Where a training can be logged to beside its JSON log: the package, and MMEngine's class."""


def apply_log(cfg: Config, package: str) -> None:
    """Logs to another place as well.

    Args:
        cfg: Changed in place.
        package: One of :data:`LOGS`.

    Raises:
        ConfigError: The package is not installed.
    """
    if importlib.util.find_spec(package) is None:
        raise ConfigError(
            f'--log {package}: the package {package} is not installed; run pip install {package}, or leave --log out.'
        )
    visualizer = dict(cfg.get('visualizer') or dict(type='DetLocalVisualizer'))
    backends = visualizer.get('vis_backends') or [dict(type='LocalVisBackend')]
    if LOGS[package] not in [backend['type'] for backend in backends]:
        cfg.visualizer = dict(visualizer, vis_backends=[*backends, dict(type=LOGS[package])])


def apply_work_dir(cfg: Config, work_dir: str | None) -> None:
    """Sets the folder for logs and checkpoints: as given, as in the config, or work_dirs/ and the config's name."""
    if work_dir is not None:
        cfg.work_dir = str(work_dir)
    elif cfg.get('work_dir') is None:
        cfg.work_dir = default_work_dir(cfg.filename)


def default_work_dir(config: str | Path) -> str:
    """Returns the folder for a config that names none."""
    return osp.join('work_dirs', Path(config).stem)


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
    """MMEngine's runner, which leaves the console alone, and says in one sentence what cannot be resumed."""

    def build_logger(self, *args, **kwargs) -> MMLogger:
        """Builds MMEngine's logger; see :func:`det_inception.engine.console.quiet_console`."""
        logger = super().build_logger(*args, **kwargs)
        turn_to_file(logger)
        return logger

    @property
    def _experiment_name(self) -> str:
        """The name of this run in this process.

        By it MMEngine finds a run's log, messages and visualizer. It ends with the second in which the run begins, so
        two runs of one second would share them, and the second would write into the first one's folder.
        """
        return self._own_name

    @_experiment_name.setter
    def _experiment_name(self, name: str) -> None:
        self._own_name = f'{name} {next(_RUNS)}' if MMLogger.check_instance_created(name) else name

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
