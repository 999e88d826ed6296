"""Losses of several processes in one log."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.hooks import Hook

from det_inception.registry import HOOKS


@HOOKS.register_module()
class AverageLossesHook(Hook):
    """Averages the losses of a step over all processes before they are logged.

    MMEngine logs those of the first process, whose images are a part of the batch; with this, several processes write
    the curve that one with all images would.
    """

    priority = 'HIGHEST'

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Replaces the values that the hooks behind this one see."""
        if outputs is None or get_world_size() == 1:
            return
        for name, value in outputs.items():
            if isinstance(value, torch.Tensor) and value.is_floating_point():
                outputs[name] = value.detach().clone()
                all_reduce(outputs[name], 'mean')
