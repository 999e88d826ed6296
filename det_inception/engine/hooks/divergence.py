"""An end of trainings whose weights are lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import Runner

from det_inception.registry import HOOKS
from det_inception.utils.errors import InputError
from det_inception.weights.checkpoints import unwrapped


@HOOKS.register_module()
class StopOnDivergenceHook(Hook):
    """Ends a training whose loss or weights are no numbers anymore, and never lets such weights become a checkpoint.

    Args:
        patience: Steps in a row whose loss may be no number, as long as the weights are: mixed precision leaves such
            steps out.
    """

    priority = 'VERY_HIGH'  # Before the hooks that write logs and checkpoints.

    def __init__(self, patience: int = 5) -> None:
        self.patience = patience
        self.lost_steps = 0
        self.last_checkpoint: str | None = None

    def before_train(self, runner: Runner) -> None:
        """Notes from where the training goes on."""
        self.last_checkpoint = runner._load_from if runner._resume else None

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Notes the last checkpoint, which is sound; while one is written, MMEngine names that."""
        for hook in runner.hooks:
            if isinstance(hook, CheckpointHook) and hook.last_ckpt is not None:
                self.last_checkpoint = hook.last_ckpt

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Looks at the loss of a step.

        Raises:
            InputError: The weights are lost.
        """
        loss = (outputs or {}).get('loss')
        loss = None if loss is None else torch.as_tensor(loss).detach()
        if loss is None or bool(loss.isfinite().all()):
            self.lost_steps = 0
            return
        self.lost_steps += 1
        if self.lost_steps >= self.patience or not _are_finite(dict(unwrapped(runner.model).named_parameters())):
            raise self._diverged(runner, f'the loss is {float(loss)}', runner.iter + 1, runner.epoch + 1)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Looks at the weights of a checkpoint to be: the last step before it may have spoiled them.

        Raises:
            InputError: They are lost.
        """
        names = dict(unwrapped(runner.model).named_parameters())
        if not _are_finite({name: value for name, value in checkpoint['state_dict'].items() if name in names}):
            meta = checkpoint['meta']
            raise self._diverged(runner, 'some weights are no numbers', meta['iter'], max(1, meta['epoch']))

    def _diverged(self, runner: Runner, what: str, step: int, epoch: int) -> InputError:
        """The error of a training that has diverged: where, and how to go on."""
        last = self.last_checkpoint
        optimizer = (runner.cfg.get('optim_wrapper') or {}).get('optimizer') or {}
        rate = f' than {optimizer["lr"]:g}' if isinstance(optimizer.get('lr'), (int, float)) else ''
        start = f'go on from the last sound checkpoint with --resume {last} and' if last else 'begin anew with'
        return InputError(
            f'{runner.work_dir}: {what} after step {step} (epoch {epoch}), so the weights are lost; '
            f'{start} a smaller learning rate{rate} (optim_wrapper.optimizer.lr).'
        )


def _are_finite(weights: Mapping[str, torch.Tensor]) -> bool:
    return all(bool(weight.isfinite().all()) for weight in weights.values())
