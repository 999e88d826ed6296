"""Pretrained weights and the normalisation that they were trained with belong together."""

from __future__ import annotations

import torch
from torch import nn

from det_inception.errors import InputError


def require_normalisation(backbone: nn.Module, data_preprocessor: nn.Module) -> None:
    """Refuses pretrained weights that were trained with another normalisation than the config's.

    Args:
        backbone: With ``normalisation`` where weights were loaded, see :class:`~det_inception.models.GoogLeNet`.
        data_preprocessor: The detector's.

    Raises:
        InputError: They differ.
    """
    belongs = getattr(backbone, 'normalisation', None)
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
            f'the pretrained weights want images normalised by {belongs}, and the config normalises by {used}; '
            'put the former into model.data_preprocessor, or name the weights with tools/train.py --weights, '
            'which sets both.'
        )
