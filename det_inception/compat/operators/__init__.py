"""Stands in for mmcv's compiled operators, under the name ``mmcv._ext``.

torchvision computes what it has, short PyTorch the rest, on CPU and GPU: NMS, soft-NMS, RoIAlign, RoIPool, deformable
RoI pooling, deformable and masked convolutions, CARAFE, deformable attention, focal losses, synchronized batch
normalization. The real module, where it is installed, goes before. Who wants another operator gets a sentence.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import sys
import types
from collections.abc import Callable

import torchvision  # noqa: F401  (registers torch.ops.torchvision)

from det_inception.compat.errors import BrokenInstallationError
from det_inception.compat.operators import attention, batch_norm, boxes, convolutions, losses, regions
from det_inception.compat.operators.missing import missing_operator, refuse_layers

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
} | {name: lambda: 'n/a' for name in ('get_compiler_version', 'get_compiling_cuda_version')}
"""To each name what computes it. Nothing has been compiled, which ``mmcv.utils.collect_env`` asks for."""


class _Operators(types.ModuleType):
    """Stands in for ``mmcv._ext``: MMCV checks at import that every operator's name exists, and calls it later."""

    def __getattr__(self, name: str) -> Callable:
        if name.startswith('__'):
            raise AttributeError(name)
        return missing_operator(name)


def install_operators() -> bool:
    """Registers the stand-in for ``mmcv._ext`` unless the compiled module is there.

    Returns:
        True if the stand-in is in use.

    Raises:
        BrokenInstallationError: There is no mmcv, or its compiled module does not fit the installed PyTorch.
    """
    present = sys.modules.get(MODULE)
    if present is not None:
        return isinstance(present, _Operators)
    if _has_compiled():
        return False
    module = _Operators(MODULE, doc=__doc__)
    module.__dict__.update(OPERATORS)
    # MMEngine looks for the module with find_spec, which refuses a module whose __spec__ is None.
    module.__spec__ = importlib.machinery.ModuleSpec(MODULE, loader=None)
    sys.modules[MODULE] = module
    import mmcv

    mmcv._ext = module
    refuse_layers()
    return True


def _has_compiled() -> bool:
    """Whether the compiled module is there; one that is there and cannot be loaded is an error, not a reason to replace
    it unseen."""
    try:
        import mmcv  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != 'mmcv':
            raise
        raise BrokenInstallationError('MMDetection needs mmcv, which is missing; run pip install mmcv-lite.') from error
    if importlib.util.find_spec(MODULE) is None:
        return False
    try:
        importlib.import_module(MODULE)
    except ImportError as error:
        reason = str(error).strip().splitlines()[0]
        raise BrokenInstallationError(
            f"mmcv's compiled operators cannot be loaded ({reason}); install mmcv anew for "
            'this PyTorch, or do without: pip uninstall mmcv, then pip install --force-reinstall mmcv-lite.'
        ) from error
    return True
