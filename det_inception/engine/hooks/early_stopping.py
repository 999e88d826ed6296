"""An end of trainings that get no better."""

from __future__ import annotations

import logging

from mmengine.hooks import EarlyStoppingHook
from mmengine.logging import print_log
from mmengine.runner import Runner

from det_inception.registry import HOOKS
from det_inception.utils.errors import counted


@HOOKS.register_module()
class StopWithoutGainHook(EarlyStoppingHook):
    """MMEngine's ``EarlyStoppingHook`` for the first score of the validation, by which the best checkpoint is chosen.

    Args:
        patience: Validations in a row without a better score.
        min_delta: How much better it must be.
    """

    def __init__(self, patience: int, min_delta: float = 1e-4) -> None:
        super().__init__(monitor='', rule='greater', patience=patience, min_delta=min_delta)

    def before_train(self, runner: Runner) -> None:
        """Takes over the best score of a training that goes on."""
        self.best_score = max(self.best_score, runner.message_hub.runtime_info.get('best_score', self.best_score))

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float]) -> None:
        """Ends the training where it is time."""
        self.monitor = next(iter(metrics), '')
        if self.monitor:
            super().after_val_epoch(runner, metrics)
        if runner.train_loop.stop_training:
            print_log(
                f'The training ends: {self.monitor} {self.best_score:.4f} is the best, and then came '
                f'{counted(self.wait_count, "validation")} without gain.',
                'current',
                logging.WARNING,
            )
