"""Weights that are averaged over the last steps of a training."""

from __future__ import annotations

from mmengine.hooks import EMAHook
from mmengine.logging import print_log
from mmengine.runner import Runner

from det_inception.registry import HOOKS

STEPS = 5000
"""Steps that the average of a long training covers."""

SHARE = 20
"""Of a shorter one it covers this part."""


@HOOKS.register_module()
class AverageWeightsHook(EMAHook):
    """MMEngine's exponential moving average, over 5,000 steps, or a twentieth of a shorter training.

    Validations, checkpoints and the best one have the averaged weights; ``ema_state_dict`` of a checkpoint has the
    others. A shorter average counts at the beginning, until as many steps are done.
    """

    def __init__(self) -> None:
        super().__init__(ema_type='ExpMomentumEMA', update_buffers=True)

    def before_run(self, runner: Runner) -> None:
        """Fits the average to the training's length, and copies the model."""
        steps = max(2, min(STEPS, runner.max_iters // SHARE))
        self.ema_cfg.update(momentum=1 / steps, gamma=steps)
        print_log(f'Weights are averaged over {steps} steps.', 'current')
        super().before_run(runner)
