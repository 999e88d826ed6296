"""A resumed training follows the config that it is resumed with."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from typing import Any

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper
from mmengine.runner import EpochBasedTrainLoop, Runner

from det_inception.registry import HOOKS
from det_inception.weights.files import CheckpointError

_CHANGING = ('last_step', '_global_step', '_last_value', 'base_values', 'verbose')
"""What a schedule's state has beside its settings."""


@HOOKS.register_module()
class ResumeSettingsHook(Hook):
    """Lets the config's learning rate, other settings of the optimizer, and schedule take effect on ``--resume``.

    MMEngine restores those of the checkpoint: a training of 8 epochs that is resumed for 16 would stay at the last,
    nearly zero rate. Here the schedule goes on where a training with these settings would be by now. The optimizer's
    momenta are the checkpoint's. A resumed training whose settings are the same is left as it is.
    """

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Changes what the checkpoint says; MMEngine calls this before it restores the optimizer.

        Raises:
            CheckpointError: The checkpoint is of another optimizer, or of other groups of weights.
        """
        if not runner._resume or 'optimizer' not in checkpoint or not isinstance(runner.optim_wrapper, OptimWrapper):
            return
        groups, saved = _groups(runner.optim_wrapper.state_dict()), _groups(checkpoint['optimizer'])
        _require_same_optimizer(groups, saved, runner._load_from)
        changes = _changes(groups, saved)
        schedulers = runner.param_schedulers if isinstance(runner.param_schedulers, list) else []
        saved_schedulers = checkpoint.get('param_schedulers') or []
        if [_settings(scheduler.state_dict()) for scheduler in schedulers] != list(map(_settings, saved_schedulers)):
            changes.append('the schedule')
        if changes:
            _advance(runner, schedulers, checkpoint['meta'])
            groups = _groups(runner.optim_wrapper.state_dict())
            for group, old in zip(groups, saved):
                old.update({name: value for name, value in group.items() if name != 'params'})
            checkpoint['param_schedulers'] = [scheduler.state_dict() for scheduler in schedulers]
            print_log(
                f'{runner._load_from}: was trained with other settings ({", ".join(changes)}); from here on, those of '
                'the config hold.',
                'current',
                logging.WARNING,
            )
        loop, done = runner.train_loop, checkpoint['meta']
        if (
            done['epoch'] >= loop.max_epochs
            if isinstance(loop, EpochBasedTrainLoop)
            else done['iter'] >= loop.max_iters
        ):
            print_log(
                f'{runner._load_from}: the training is complete; set a larger max_epochs or max_iters to go on.',
                'current',
                logging.WARNING,
            )


def _groups(state: Mapping[str, Any]) -> list[dict]:
    """The groups of weights of an optimizer's state, and the one in which MMEngine keeps their common settings."""
    common = state.get('base_param_settings')
    return [*state['param_groups'], *([] if common is None else [common])]


def _require_same_optimizer(groups: list[dict], saved: list[dict], path: str) -> None:
    same = len(groups) == len(saved) and all(
        len(group['params']) == len(old['params'])
        # Settings that are on or off come and go with PyTorch's versions.
        and not any(
            isinstance(group.get(name, old.get(name)), (int, float, tuple))
            and not isinstance(group.get(name, old.get(name)), bool)
            for name in _names(group) ^ _names(old)
        )
        for group, old in zip(groups, saved)
    )
    if not same:
        raise CheckpointError(
            f'{path}: was trained by another optimizer, or with other groups of weights (paramwise_cfg), so it cannot '
            f'be resumed; start from its weights with --cfg-options load_from={path} instead.'
        )


def _names(group: Mapping[str, Any]) -> set[str]:
    return {name for name in group if name != 'params' and not name.startswith('initial_')}


def _changes(groups: list[dict], saved: list[dict]) -> list[str]:
    """Says which settings of the optimizer differ, before any schedule."""
    found: dict[str, str] = {}
    for group, old in zip(groups, saved):
        for name in sorted(_names(group) & _names(old)):
            now, before = (values.get(f'initial_{name}', values[name]) for values in (group, old))
            if now != before and not (isinstance(now, tuple) and now == tuple(before)):
                found.setdefault(name, f'{name} {before} instead of {now}')
    return list(found.values())


def _settings(state: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in state.items() if name not in _CHANGING}


def _advance(runner: Runner, schedulers: list, done: Mapping[str, int]) -> None:
    """Steps schedules, which are at their beginning, to where a training would have them by now."""
    epochs, steps = done['epoch'], done['iter']
    if isinstance(runner.train_loop, EpochBasedTrainLoop):
        steps = epochs * len(runner.train_dataloader)
    counts = [epochs if scheduler.by_epoch else steps for scheduler in schedulers]
    longest = max(counts, default=0)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # PyTorch and MMEngine expect steps of the optimizer between.
        for position in range(longest):
            for scheduler, count in zip(schedulers, counts):
                # Those that go by epochs take a step at the end of each.
                if (position + 1) * count // longest > position * count // longest:
                    scheduler.step()
