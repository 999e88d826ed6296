"""Training and testing from a config: what ``tools/train.py`` and ``tools/test.py`` do."""

from __future__ import annotations

import os.path as osp
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.runner import Runner

from det_inception.allocator import keep_freed_memory
from det_inception.config import ConfigError
from det_inception.detectors import load_detector


def use_amp(cfg: Config) -> None:
    """Trains and tests in mixed precision: MMEngine's on an accelerator, bfloat16 on a processor."""
    if cfg.get('optim_wrapper') is not None:
        cfg.optim_wrapper.type = 'AmpOptimWrapper' if torch.cuda.is_available() else 'CPUAmpOptimWrapper'
    for name in ('val_cfg', 'test_cfg'):
        if cfg.get(name) is not None:
            cfg[name].fp16 = True  # MMEngine's name; on a processor it is bfloat16.


def use_work_dir(cfg: Config, work_dir: str | None) -> None:
    """Sets the folder for logs and checkpoints: as given, as in the config, or work_dirs/ and the config's name."""
    if work_dir is not None:
        cfg.work_dir = str(work_dir)
    elif cfg.get('work_dir') is None:
        cfg.work_dir = osp.join('work_dirs', Path(cfg.filename).stem)


def train(cfg: Config, resume: str | bool = False) -> Runner:
    """Trains as the config says.

    Args:
        cfg: A complete config with ``work_dir`` set, see :func:`det_inception.config.load_config`.
        resume: True: from the last checkpoint in ``work_dir``, from the beginning if there is none; or a checkpoint.
    """
    if resume is True:
        cfg.resume, cfg.load_from = True, None
    elif resume:
        if not Path(resume).is_file():
            raise ConfigError(f'{resume}: no such checkpoint to resume from.')
        cfg.resume, cfg.load_from = True, str(resume)
    keep_freed_memory()
    runner = Runner.from_cfg(cfg)
    runner.train()
    return runner


def test(cfg: Config, checkpoint: str | Path) -> dict[str, float]:
    """Tests a checkpoint and returns the metrics.

    Raises:
        DetectorError: The checkpoint does not fit the config's model.
    """
    cfg.load_from, cfg.resume = None, False
    keep_freed_memory()
    runner = Runner.from_cfg(cfg)
    load_detector(runner.model, checkpoint)
    return runner.test()
