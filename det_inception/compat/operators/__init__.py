"""Stands in for mmcv's compiled operators, under the name ``mmcv._ext``.

torchvision computes what it has, short PyTorch the rest, on CPU and GPU: NMS, soft-NMS, RoIAlign, RoIPool, deformable
RoI pooling, deformable and masked convolutions, CARAFE, deformable attention, focal losses, synchronized batch
normalization. The real module, where it is installed, goes before.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
import types
from collections.abc import Callable

import torchvision  # noqa: F401  (registers torch.ops.torchvision)

from det_inception.compat.operators import attention, batch_norm, boxes, convolutions, losses, regions

MODULE = 'mmcv._ext'
OPERATORS: dict[str, Callable] = {
    operator.__name__: operator
    for operator in (
        boxes.nms,
        boxes.softnms,
        boxes.nms_match,
        regions.roi_align_forward,
        regions.roi_align_backward,
        regions.roi_pool_forward,
        regions.roi_pool_backward,
        regions.deform_roi_pool_forward,
        regions.deform_roi_pool_backward,
        convolutions.deform_conv_forward,
        convolutions.deform_conv_backward_input,
        convolutions.deform_conv_backward_parameters,
        convolutions.modulated_deform_conv_forward,
        convolutions.modulated_deform_conv_backward,
        convolutions.masked_im2col_forward,
        convolutions.masked_col2im_forward,
        convolutions.carafe_forward,
        convolutions.carafe_backward,
        convolutions.carafe_naive_forward,
        convolutions.carafe_naive_backward,
        attention.ms_deform_attn_forward,
        attention.ms_deform_attn_backward,
        losses.sigmoid_focal_loss_forward,
        losses.sigmoid_focal_loss_backward,
        losses.softmax_focal_loss_forward,
        losses.softmax_focal_loss_backward,
        batch_norm.sync_bn_forward_mean,
        batch_norm.sync_bn_forward_var,
        batch_norm.sync_bn_forward_output,
        batch_norm.sync_bn_backward_param,
        batch_norm.sync_bn_backward_data,
    )
}


class _Operators(types.ModuleType):
    """Stands in for ``mmcv._ext``: MMCV checks at import that every operator's name exists, and calls it later."""

    def __getattr__(self, name: str) -> Callable:
        if name.startswith('__'):
            raise AttributeError(name)

        def missing(*args, **kwargs):
            raise NotImplementedError(
                f"mmcv's compiled operator {name!r} is not covered by det_inception's stand-in; "
                'install the full mmcv (which needs a compiler) or choose a model that does not use it.'
            )

        return missing


def install_operators() -> bool:
    """Registers the stand-in for ``mmcv._ext`` unless the compiled module is there.

    Returns:
        True if the stand-in is in use.
    """
    present = sys.modules.get(MODULE)
    if present is not None:
        return isinstance(present, _Operators)
    if importlib.util.find_spec(MODULE) is not None:
        return False
    module = _Operators(MODULE, doc=__doc__)
    module.__dict__.update(OPERATORS)
    # MMEngine looks for the module with find_spec, which refuses a module whose __spec__ is None.
    module.__spec__ = importlib.machinery.ModuleSpec(MODULE, loader=None)
    sys.modules[MODULE] = module
    import mmcv

    mmcv._ext = module
    return True
