"""Training and testing from a config: what ``tools/train.py`` and ``tools/test.py`` do."""

from __future__ import annotations

import os.path as osp
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import EpochBasedTrainLoop, Runner, find_latest_checkpoint
from torch import nn

from det_inception.config.data import config_classes
from det_inception.config.errors import ConfigError
from det_inception.config.weights import checkpoint_list, is_score_file, require_pretrained
from det_inception.engine.distributed import join_processes
from det_inception.utils.allocator import keep_freed_memory
from det_inception.utils.errors import InputError
from det_inception.utils.files import require_writable
from det_inception.weights.checkpoints import (
    checkpoint_classes,
    load_detectors,
    read_checkpoint,
    require_fit,
    require_overlap,
    unwrapped,
)
from det_inception.weights.files import CheckpointError


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
        cfg: A complete config with ``work_dir`` set, see :func:`det_inception.config.loading.load_config`.
        resume: True: from the last checkpoint in ``work_dir``, from the beginning if there is none; or a checkpoint.

    Raises:
        CheckpointError: The checkpoint to resume, or that of the config's ``load_from``, does not fit.
        ConfigError: The config describes no training, or ``work_dir`` cannot be written to.
    """
    _require(cfg, 'train_dataloader', 'train_cfg', 'optim_wrapper')
    _require_writable(cfg.work_dir)
    if not resume and cfg.get('resume'):
        resume = cfg.get('load_from') or True
    if resume:
        last = _last_checkpoint(cfg.work_dir) if resume is True else str(resume)
        cfg.resume = last is not None
        cfg.load_from = last or cfg.get('load_from')  # A training that has not begun begins where the config says.
    require_pretrained(cfg)
    checkpoint = None if cfg.get('load_from') is None else read_checkpoint(cfg.load_from)
    if cfg.get('resume'):
        _require_resumable(cfg, checkpoint)
    runner = _build_runner(cfg)
    # MMEngine loads what fits and only logs what does not.
    if cfg.get('resume'):
        require_fit(runner.model, cfg.load_from, checkpoint)
    elif checkpoint is not None:
        require_overlap(runner.model, cfg.load_from, checkpoint)
    del checkpoint
    _require_steps(cfg, runner)
    runner.train()
    return runner


def test(
    cfg: Config, checkpoint: str | Path | Sequence[str | Path], prepare: Callable[[nn.Module], object] | None = None
) -> dict[str, float]:
    """Tests a checkpoint, or the ensemble of several, and returns the metrics.

    Args:
        cfg: A complete config with ``work_dir`` set, see :func:`det_inception.config.loading.load_config`.
        checkpoint: The detector or the members of an ensemble; files of region scores stand for such, see
            :mod:`det_inception.proposals.region_scores`.
        prepare: Called with the loaded model, for example to accelerate it.

    Raises:
        CheckpointError: The checkpoint does not fit the config's model.
        ConfigError: The config describes no test, or ``work_dir`` cannot be written to.
        InputError: There was nothing to measure.
    """
    _require(cfg, 'test_dataloader', 'test_cfg', 'test_evaluator')
    _require_writable(cfg.work_dir)
    cfg.load_from, cfg.resume = None, False
    runner = _build_runner(cfg)
    if not any(map(is_score_file, checkpoint_list(checkpoint))):
        load_detectors(runner.model, checkpoint_list(checkpoint))
    if prepare is not None:
        prepare(unwrapped(runner.model))
    metrics = runner.test()
    if not metrics:  # CocoMetric's answer to a model that detects nothing.
        name = checkpoint_list(checkpoint)[0]
        raise InputError(f'{name}: the detector found nothing in any image, so there is no score; train it on.')
    return {name: value.item() if hasattr(value, 'item') else value for name, value in metrics.items()}


def _require(cfg: Config, *names: str) -> None:
    for name in names:
        if cfg.get(name) is None:
            raise ConfigError(f'{cfg.filename}: the config has no {name}, which this needs; add it.')


def _require_writable(folder: str | Path) -> None:
    require_writable(
        folder, 'the work directory cannot be written to', 'choose another with --work-dir', error_type=ConfigError
    )


def _require_steps(cfg: Config, runner: Runner) -> None:
    if isinstance(runner.train_loop, EpochBasedTrainLoop) and not len(runner.train_loop.dataloader):
        raise ConfigError(
            f'{cfg.filename}: the training data are fewer than one batch of {runner.train_loop.dataloader.batch_size} '
            'images a process; set a smaller train_dataloader.batch_size.'
        )


def _last_checkpoint(work_dir: str) -> str | None:
    """Returns the checkpoint that was written last in a folder, also if the folder has been moved since."""
    path = find_latest_checkpoint(work_dir)
    if path is None:
        print_log(f'{work_dir} holds no checkpoint to resume from; training starts from the beginning.', 'current')
        return None
    moved = Path(work_dir) / Path(path).name
    return str(moved) if moved.is_file() else path


def _require_resumable(cfg: Config, checkpoint: dict) -> None:
    meta = checkpoint['meta']
    if not {'epoch', 'iter'} <= meta.keys() or not {'optimizer', 'message_hub'} <= checkpoint.keys():
        raise CheckpointError(
            f'{cfg.load_from}: holds weights and no state of a training to resume; start from its weights with '
            f'--cfg-options load_from={cfg.load_from} instead.'
        )
    trained, wanted = checkpoint_classes(checkpoint), config_classes(cfg)
    if trained and wanted and trained != wanted:
        raise CheckpointError(
            f'{cfg.load_from}: was trained for the classes {", ".join(trained)}, and the config or its data have '
            f'{", ".join(wanted)}; train anew in another --work-dir.'
        )


def _build_runner(cfg: Config) -> Runner:
    if not torch.cuda.is_available():
        keep_freed_memory()
    if cfg.get('launcher', 'none') != 'none':
        join_processes(cfg)
    return Runner.from_cfg(cfg)
