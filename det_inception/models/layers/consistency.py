"""What belongs together in a model: weights and their normalization, a network's channels and those of its head."""

from __future__ import annotations

import torch
from torch import nn

from det_inception.utils.errors import InputError


def require_normalization(backbone: nn.Module, data_preprocessor: nn.Module) -> None:
    """Refuses pretrained weights that were trained with another normalization than the config's.

    Args:
        backbone: With ``normalization`` where weights were loaded, see :class:`~det_inception.models.GoogLeNet`.
        data_preprocessor: The detector's.

    Raises:
        InputError: They differ.
    """
    belongs = getattr(backbone, 'normalization', None)
    if belongs is None or not getattr(data_preprocessor, '_enable_normalize', False):
        return
    used = dict(
        mean=data_preprocessor.mean.flatten().tolist(),
        std=data_preprocessor.std.flatten().tolist(),
        bgr_to_rgb=data_preprocessor._channel_conversion,
    )
    if any(
        not torch.allclose(torch.tensor(used[key]).double(), torch.tensor(belongs[key]).double(), atol=0.01)
        for key in ('mean', 'std')
    ) or used['bgr_to_rgb'] != bool(belongs['bgr_to_rgb']):
        raise InputError(
            f'the pretrained weights want images normalized by {belongs}, and the config normalizes by {used}; '
            'put the former into model.data_preprocessor, or name the weights with tools/train.py --weights, '
            'which sets both.'
        )


def require_channels(backbone: nn.Module, head: nn.Module) -> None:
    """Refuses a head that wants another number of channels than the backbone gives it.

    Without this, training would end with an error of a matrix product in its first step.

    Args:
        backbone: Checked if it says its ``out_channels``, one a returned stage.
        head: Its ``in_channels``, if it says them, are a number, for the last stage, or one for each.

    Raises:
        InputError: They differ.
    """
    given, wanted = getattr(backbone, 'out_channels', None), getattr(head, 'in_channels', None)
    if given is None or wanted is None:
        return
    given = tuple(given) if isinstance(wanted, (tuple, list)) else given[-1]
    if given != (tuple(wanted) if isinstance(wanted, (tuple, list)) else wanted):
        raise InputError(
            f'model.bbox_head.in_channels is {wanted}, and the backbone gives {given} channels; set '
            f'model.bbox_head.in_channels={str(given).replace(" ", "")}.'
        )
