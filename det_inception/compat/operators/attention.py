"""Attention at few points of several maps, as Deformable DETR has it.

Shape legend: B images, Q queries, A heads, D channels of a head, L maps, P points, V cells of all maps.
"""

from __future__ import annotations

from torch import Tensor

from det_inception.compat.operators.tensors import gradients, in_float


def ms_deform_attn_forward(
    value: Tensor,
    value_spatial_shapes: Tensor,
    value_level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    im2col_step: int,
) -> Tensor:
    """Multi-scale deformable attention (Zhu et al., arXiv 2010.04159, section 4.1), by MMCV's own formula in PyTorch.

    Args:
        value: (B, V, A, D).
        value_spatial_shapes: int64 (L, 2), height and width of each map.
        value_level_start_index: Not used; the maps follow one another.
        sampling_locations: (B, Q, A, L, P, 2), x and y from 0 to 1.
        attention_weights: (B, Q, A, L, P).
        im2col_step: Not used.

    Returns:
        (B, Q, A * D).
    """
    return attend(value_spatial_shapes)(*map(in_float, (value, sampling_locations, attention_weights))).to(value.dtype)


def ms_deform_attn_backward(
    value: Tensor,
    value_spatial_shapes: Tensor,
    value_level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    grad_output: Tensor,
    grad_value: Tensor,
    grad_sampling_loc: Tensor,
    grad_attn_weight: Tensor,
    im2col_step: int,
) -> None:
    """Fills the gradients of values, places and weights."""
    found = gradients(attend(value_spatial_shapes), grad_output, value, sampling_locations, attention_weights)
    for target, grad in zip((grad_value, grad_sampling_loc, grad_attn_weight), found):
        target.copy_(grad)


def attend(shapes: Tensor):
    """Returns the function of values, places and weights."""
    # MMCV's operators are behind the stand-in that this module is part of.
    from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch

    sizes = [tuple(shape) for shape in shapes.tolist()]
    return lambda value, places, weights: multi_scale_deformable_attn_pytorch(value, sizes, places, weights)
