"""A training loop that resumes at once."""

from __future__ import annotations

from mmengine.registry import LOOPS
from mmengine.runner import IterBasedTrainLoop
from torch import nn


@LOOPS.register_module()
class ReshufflingTrainLoop(IterBasedTrainLoop):
    """Steps without epochs, which a resumed training continues with the images in a new order.

    MMEngine's loop reads all batches of the steps already done, to come to the same place of the same order: on a
    processor, minutes for each hour of training. Here the sampler, an ``InfiniteSampler``, starts anew with another
    seed, its own and the number of the step.
    """

    def run(self) -> nn.Module:
        """Trains to the last step, from the one at which the checkpoint was written."""
        if self._iter:
            sampler = self.dataloader.batch_sampler.sampler
            sampler.seed += self._iter
            sampler.indices = sampler._indices_of_rank()
            self.dataloader_iterator = type(self.dataloader_iterator)(self.dataloader)
        self.runner.call_hook('before_train')
        self.runner.call_hook('before_train_epoch')
        while self._iter < self._max_iters and not self.stop_training:
            self.runner.model.train()
            self.run_iter(next(self.dataloader_iterator))
            self._decide_current_val_interval()
            due = self._iter % self.val_interval == 0 or self._iter == self._max_iters
            if self.runner.val_loop is not None and self._iter >= self.val_begin and due:
                self.runner.val_loop.run()
        self.runner.call_hook('after_train_epoch')
        self.runner.call_hook('after_train')
        return self.runner.model
