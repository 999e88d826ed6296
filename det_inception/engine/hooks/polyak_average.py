"""The plain mean of the weights of many steps, with batch-norm statistics that belong to it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import torch
from mmengine import dist
from mmengine.hooks import EMAHook
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn
from torch.utils.data import DataLoader

from det_inception.registry import HOOKS
from det_inception.utils.errors import InputError


@HOOKS.register_module()
class PolyakAverageHook(EMAHook):
    """MMEngine's ``EMAHook`` with its plain mean, and batch-norm statistics computed anew for it.

    The mean of the statistics of many networks is not what the mean network sees, so before each validation and each
    checkpoint training images run through it once, as in stochastic weight averaging (Izmailov et al., arXiv
    1803.05407, section 3.2). Batch norms that training leaves alone (``frozen_stages``, ``norm_eval``) keep theirs.

    Args:
        batches: So many batches of the training data, in each process.
        ema_type: MMEngine's kind of average.
        **kwargs: As for ``EMAHook``, such as ``begin_epoch``.
    """

    def __init__(self, batches: int = 100, ema_type: str = 'StochasticWeightAverage', **kwargs) -> None:
        if batches < 1:
            raise InputError(f'PolyakAverageHook computes statistics of batches={batches}; set at least 1.')
        if not kwargs.setdefault('update_buffers', True):
            raise InputError('PolyakAverageHook has batch-norm statistics of its own; leave update_buffers=False out.')
        super().__init__(ema_type=ema_type, **kwargs)
        self.batches = batches
        self._computed: int | None = None  # The step to whose average the statistics belong.

    def before_val_epoch(self, runner: Runner) -> None:
        """Computes the statistics, and puts the average in place of the last weights."""
        self._compute_statistics(runner)
        super().before_val_epoch(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Computes the statistics, and puts the average into the checkpoint."""
        self._compute_statistics(runner)
        super().before_save_checkpoint(runner, checkpoint)

    def _compute_statistics(self, runner: Runner) -> None:
        if runner.iter == self._computed or int(self.ema_model.steps) == 0:  # Until it begins, it is the last weights.
            return
        self._computed = runner.iter
        model, loader = self.ema_model.module, runner.train_dataloader
        size = loader.batch_size or loader.batch_sampler.batch_size
        # A loader of its own: the training's may be in the middle of an epoch.
        batches = DataLoader(
            loader.dataset,
            size,
            shuffle=True,
            generator=torch.Generator().manual_seed((runner.seed or 0) + dist.get_rank()),
            collate_fn=loader.collate_fn,
            drop_last=len(loader.dataset) > size,
        )
        some = islice(batches, self.batches)
        recompute_statistics(model, (model.data_preprocessor(batch, training=True)['inputs'] for batch in some))


@torch.no_grad()
def recompute_statistics(model: nn.Module, batches: Iterable[Tensor]) -> None:
    """Computes the batch-norm statistics of a model anew.

    Batch norms that these images do not reach in training mode, or that stay in evaluation mode, keep theirs.

    Args:
        model: Called with one batch after the other; afterwards in the mode in which it was.
        batches: Normalized images (N, 3, H, W).
    """
    norms = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    before = [{name: value.clone() for name, value in norm.named_buffers()} for norm in norms]
    update_bn(batches, model)
    for norm, kept in zip(norms, before, strict=True):
        if not norm.num_batches_tracked:
            for name, value in kept.items():
                getattr(norm, name).copy_(value)
            continue
        for value in (norm.running_mean, norm.running_var):  # Each process has seen images of its own.
            dist.all_reduce(value, 'mean')
