"""MMEngine's runner for a config: precision, work directory, processes."""

from __future__ import annotations

import os.path as osp
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.runner import Runner

from det_inception.config.errors import ConfigError
from det_inception.engine.distributed import join_processes
from det_inception.utils.allocator import keep_freed_memory
from det_inception.utils.files import require_writable


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


def build_runner(cfg: Config) -> Runner:
    """Builds MMEngine's runner, in one or several processes."""
    if not torch.cuda.is_available():
        keep_freed_memory()
    if cfg.get('launcher', 'none') != 'none':
        join_processes(cfg)
    return Runner.from_cfg(cfg)
