"""A training that starts from a detector of other classes begins with a head that knows what an object is."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from torch import Tensor

from det_inception.registry import HOOKS
from det_inception.weights.checkpoints import checkpoint_classes, unwrapped

CLASSIFIER, REGRESSOR = 'bbox_head.fc_cls.', 'bbox_head.fc_reg.'


@HOOKS.register_module()
class TransferHeadHook(Hook):
    """Fits the last layers of the detector in ``load_from`` to the classes of the training.

    A class that the detector knows by the same name keeps its weights. Any other starts as the mean of all classes,
    which tells objects from background and moves boxes to objects. MMEngine would start these layers from random
    numbers. Nothing happens where the classes are the same, or where a training is resumed.
    """

    priority = 'HIGH'

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Changes ``checkpoint``; MMEngine calls this before it loads it into the model."""
        if runner._resume or runner._train_loop is None or isinstance(runner._train_loop, dict):
            return
        known = checkpoint_classes(dict(meta=checkpoint.get('meta') or {}))
        wanted = runner._train_loop.dataloader.dataset.metainfo.get('classes')
        state_dict, own = checkpoint.get('state_dict') or {}, unwrapped(runner.model).state_dict()
        heads = [key for key in own if CLASSIFIER in key or REGRESSOR in key]
        if not known or not wanted or tuple(wanted) == known or not any(key in state_dict for key in heads):
            return
        for key in heads:
            if key in state_dict:
                rows = 1 if CLASSIFIER in key else 4
                moved = transfer_rows(state_dict[key], known, wanted, rows)
                # Another kind of head stays as the model has drawn it.
                state_dict[key] = moved if moved is not None and moved.shape == own[key].shape else own[key]
        kept = [name for name in wanted if name in known]
        print_log(
            f'The head starts from that of {len(known)} other classes'
            + (f'; {", ".join(kept)} {"is" if len(kept) == 1 else "are"} among them.' if kept else '.'),
            'current',
        )


def transfer_rows(weights: Tensor, known: Sequence[str], wanted: Sequence[str], rows: int) -> Tensor | None:
    """Rearranges the output rows of a linear layer from some classes to others.

    Args:
        weights: (rows K, ...) or, with the background behind the classes, (rows K + rows, ...).
        known: Names of the K classes.
        wanted: Names of the new ones.
        rows: Outputs a class: 1 of a classifier, 4 of class-specific box regression.

    Returns:
        The same for the new classes; None if the layer is not of ``known``.
    """
    groups = weights.unflatten(0, (-1, rows)) if len(weights) % rows == 0 else weights[:0, None]
    if len(groups) - len(known) not in (0, 1):
        return None
    mean = groups[: len(known)].float().mean(dim=0).to(weights.dtype)
    moved = [groups[list(known).index(name)] if name in known else mean for name in wanted]
    return torch.stack([*moved, *groups[len(known) :]]).flatten(0, 1)
