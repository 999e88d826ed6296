"""Testing from a config: what ``tools/test.py`` does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from mmengine.config import Config
from torch import nn

from det_inception.config.weights import checkpoint_list, is_score_file
from det_inception.engine.console import Console
from det_inception.engine.faults import explain_deaths
from det_inception.engine.hooks.console import ConsoleHook
from det_inception.engine.runner import build_runner, explain_disk_errors, require_settings, require_work_dir
from det_inception.engine.summary import describe_test
from det_inception.utils.allocator import limit_compiled_convolutions
from det_inception.utils.errors import InputError
from det_inception.weights.checkpoints import load_detectors, unwrapped


def test(
    cfg: Config,
    checkpoint: str | Path | Sequence[str | Path],
    prepare: Callable[[nn.Module], object] | None = None,
    console: Console | None = None,
) -> dict[str, float]:
    """Tests a checkpoint, or the ensemble of several, and returns the metrics.

    Args:
        cfg: A complete config with ``work_dir`` set, see :func:`det_inception.config.loading.load_config`.
        checkpoint: The detector or the members of an ensemble; files of region scores stand for such, see
            :mod:`det_inception.proposals.region_scores`.
        prepare: Called with the loaded model, for example to accelerate it.
        console: Where to say how it goes; None: nowhere but in the log.

    Raises:
        CheckpointError: The checkpoint does not fit the config's model.
        ConfigError: The config describes no test, or ``work_dir`` cannot be written to.
        InputError: There was nothing to measure, or another process of the test was ended.
    """
    require_settings(cfg, 'test_dataloader', 'test_cfg', 'test_evaluator')
    require_work_dir(cfg.work_dir)
    cfg.load_from, cfg.resume = None, False
    limit_compiled_convolutions()
    runner = build_runner(cfg)
    if not any(map(is_score_file, checkpoint_list(checkpoint))):
        load_detectors(runner.model, checkpoint_list(checkpoint))
    if prepare is not None:
        prepare(unwrapped(runner.model))
    if console is not None:
        for line in describe_test(runner, checkpoint_list(checkpoint)):
            console.say(line)
        runner.register_hook(ConsoleHook(console))
    with explain_disk_errors(cfg.work_dir), explain_deaths(cfg.work_dir):
        metrics = runner.test()
    if not metrics:  # CocoMetric's answer to a model that detects nothing.
        name = checkpoint_list(checkpoint)[0]
        raise InputError(f'{name}: the detector found nothing in any image, so there is no score; train it on.')
    return {name: value.item() if hasattr(value, 'item') else value for name, value in metrics.items()}
