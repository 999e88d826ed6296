"""Operators that the stand-in does not have: whoever wants one is told so, when it is built where that is possible."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable

from torch import nn

from det_inception.compat.errors import MissingOperatorError

LAYERS = {
    'BezierAlign': 'bezier_align_forward',
    'BorderAlign': 'border_align_forward',
    'Correlation': 'correlation_forward',
    'DynamicScatter': 'dynamic_point_to_voxel_forward',
    'PrRoIPool': 'prroi_pool_forward',
    'PSAMask': 'psamask_forward',
    'RiRoIAlignRotated': 'riroi_align_rotated_forward',
    'RoIAlignRotated': 'roi_align_rotated_forward',
    'RoIAwarePool3d': 'roiaware_pool3d_forward',
    'RoIPointPool3d': 'roipoint_pool3d_forward',
    'TINShift': 'tin_shift_forward',
    'Voxelization': 'hard_voxelize_forward',
}
"""MMCV's layers that do nothing without an operator that is missing."""


def missing_operator(name: str) -> Callable:
    """Returns what stands for an operator, and raises as soon as it is called."""

    def missing(*args, **kwargs):
        raise MissingOperatorError(sentence(name))

    return missing


def refuse_layers() -> None:
    """Makes MMCV's layers of missing operators say so when they are built, not in their first step."""
    import mmcv.ops

    for layer, operator in LAYERS.items():
        kind = getattr(mmcv.ops, layer, None)
        if kind is not None:
            kind.__init__ = _refusal(kind.__init__, operator)


def sentence(operator: str) -> str:
    """Says which operator is missing, who wants it, and what to do."""
    model = _outermost_model()
    return (
        f'{model or "this program"} needs the compiled operator {operator!r} of mmcv, which det_inception does not '
        'stand in for; install the full mmcv (which needs a compiler) or choose a model that does without.'
    )


def _refusal(constructor: Callable, operator: str) -> Callable:
    @functools.wraps(constructor)
    def refuse(self, *args, **kwargs):
        raise MissingOperatorError(sentence(operator))

    return refuse


def _outermost_model() -> str | None:
    """Returns the class of the whole model that is being built or run: the first that called, beside a container."""
    frame, found = sys._getframe(1), None
    while frame is not None:
        owner = frame.f_locals.get('self')
        if isinstance(owner, nn.Module):
            found = type(owner).__name__
        frame = frame.f_back
    return found
