"""Training from a config: what ``tools/train.py`` does."""

from __future__ import annotations

import numpy as np
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import EpochBasedTrainLoop

from det_inception.config.data import config_classes, pipeline_steps
from det_inception.config.errors import ConfigError
from det_inception.config.weights import require_pretrained
from det_inception.engine.console import Console
from det_inception.engine.faults import alone_in_work_dir, explain_deaths
from det_inception.engine.hooks.console import ConsoleHook
from det_inception.engine.hooks.work_folder import WorkFolderHook
from det_inception.engine.resuming import find_last_checkpoint, require_state
from det_inception.engine.runner import Runner, build_runner, explain_disk_errors, require_settings, require_work_dir
from det_inception.evaluation.analysis.label_statistics import label_statistics
from det_inception.proposals import build_method
from det_inception.proposals.methods import DEFAULT_METHOD
from det_inception.weights.checkpoints import checkpoint_classes, read_checkpoint, require_fit, require_overlap
from det_inception.weights.files import CheckpointError


def train(cfg: Config, resume: str | bool = False, console: Console | None = None, report: bool = True) -> Runner:
    """Trains as the config says.

    Args:
        cfg: A complete config with ``work_dir`` set, see :func:`det_inception.config.loading.load_config`.
        resume: True: from the last checkpoint in ``work_dir``, from the beginning if there is none; or a checkpoint.
        console: Where to say how it goes; None: nowhere but in the log.
        report: Write the report of the best validation, beside labels, images, results and curves.

    Raises:
        CheckpointError: The checkpoint to resume, or that of the config's ``load_from``, does not fit.
        ConfigError: The config describes no training, or ``work_dir`` cannot be written to.
        InputError: Another training is writing to ``work_dir``, or another process of this one was ended.
    """
    require_settings(cfg, 'train_dataloader', 'train_cfg', 'optim_wrapper')
    require_work_dir(cfg.work_dir)
    with alone_in_work_dir(cfg), explain_deaths(cfg.work_dir):
        return _train(cfg, resume, console, report)


def _train(cfg: Config, resume: str | bool, console: Console | None, report: bool) -> Runner:
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
    runner = build_runner(cfg)
    # MMEngine loads what fits and only logs what does not.
    if cfg.get('resume'):
        require_fit(runner.model, cfg.load_from, checkpoint)
    elif checkpoint is not None:
        require_overlap(runner.model, cfg.load_from, checkpoint)
    del checkpoint
    _require_steps(cfg, runner)
    data = label_statistics(runner.train_loop.dataloader.dataset)
    runner.register_hook(WorkFolderHook(data, report))
    if console is not None:
        runner.register_hook(ConsoleHook(console, data))
    _compile_proposals(cfg)
    with explain_disk_errors(cfg.work_dir):
        runner.train()
    return runner


def _require_steps(cfg: Config, runner: Runner) -> None:
    if isinstance(runner.train_loop, EpochBasedTrainLoop) and not len(runner.train_loop.dataloader):
        raise ConfigError(
            f'{cfg.filename}: the training data are fewer than one batch of {runner.train_loop.dataloader.batch_size} '
            'images a process; set a smaller train_dataloader.batch_size.'
        )


def _compile_proposals(cfg: Config) -> None:
    """Lets selective search compile what it needs in this process, from which the workers of the loaders come."""
    for step in pipeline_steps(cfg, 'LoadRegionProposals'):
        method = step.get('method') or DEFAULT_METHOD
        if method['type'] == 'SelectiveSearch' and not step.get('store'):
            build_method(method)(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
            return


def _last_checkpoint(work_dir: str) -> str | None:
    path = find_last_checkpoint(work_dir)
    if path is None:
        print_log(f'{work_dir} holds no checkpoint to resume from; training starts from the beginning.', 'current')
    return path


def _require_resumable(cfg: Config, checkpoint: dict) -> None:
    require_state(checkpoint, cfg.load_from)
    trained, wanted = checkpoint_classes(checkpoint), config_classes(cfg)
    if trained and wanted and trained != wanted:
        raise CheckpointError(
            f'{cfg.load_from}: was trained for the classes {", ".join(trained)}, and the config or its data have '
            f'{", ".join(wanted)}; train anew in another --work-dir.'
        )
