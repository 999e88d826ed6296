"""Convolutions that look elsewhere: deformable and masked ones, and CARAFE.

Shape legend: B images, I and O channels in and out, (H, W) map, (h, w) map behind the layer, (k, l) kernel, G groups of
offsets, S scale.
"""

from __future__ import annotations

import threading
import weakref

import torch
from torch import Tensor
from torch.nn.functional import pad

from det_inception.compat.operators.tensors import gradients, in_float

_weight_gradient = threading.local()
"""In ``of``, between the two halves of a step backwards: the tensors of the first, and the gradient for the second."""


def deform_conv_forward(
    input: Tensor, weight: Tensor, offset: Tensor, output: Tensor, columns: Tensor, ones: Tensor, **settings
) -> None:
    """Deformable convolution (Dai et al., arXiv 1703.06211, section 2.1).

    Args:
        input: (B, I, H, W).
        weight: (O, I / groups, k, l).
        offset: (B, G * k * l * 2, h, w), rows before columns.
        output: (B, O, h, w), filled.
        columns: Not used.
        ones: Not used.
        settings: MMCV's.
    """
    convolve(output, input, weight, None, offset, None, plain_settings(**settings))


def deform_conv_backward_input(
    input: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_input: Tensor,
    grad_offset: Tensor,
    weight: Tensor,
    columns: Tensor,
    **settings,
) -> None:
    """Fills the gradients of maps and offsets."""
    found = convolution_gradients(grad_output, input, weight, None, offset, None, plain_settings(**settings))
    grad_input.copy_(found[0])
    grad_offset.copy_(found[2])
    # torchvision computes all gradients at once, and MMCV asks for the weights' next.
    _weight_gradient.of = [weakref.ref(one) for one in (input, offset, grad_output)], found[1]


def deform_conv_backward_parameters(
    input: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_weight: Tensor,
    columns: Tensor,
    ones: Tensor,
    scale: float,
    **settings,
) -> None:
    """Adds ``scale`` times the gradient of the weights to ``grad_weight``."""
    known, found = _weight_gradient.__dict__.pop('of', ((), None))
    if not known or any(one() is not tensor for one, tensor in zip(known, (input, offset, grad_output))):
        settings = plain_settings(**settings)
        found = convolution_gradients(grad_output, input, grad_weight, None, offset, None, settings)[1]
    grad_weight.add_(found.to(grad_weight.dtype), alpha=scale)


def modulated_deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    output: Tensor,
    columns: Tensor,
    with_bias: bool,
    **settings,
) -> None:
    """Deformable convolution whose samples are weighted (Zhu et al., arXiv 1811.11168).

    As :func:`deform_conv_forward`, with ``mask`` (B, G * k * l, h, w) and ``bias`` (O,). Offsets and masks may be
    larger than the output, as DyHead gives them: MMCV reads as many numbers of each image as it needs, one after the
    other.
    """
    convolve(output, input, weight, bias if with_bias else None, offset, mask, modulated_settings(**settings))


def modulated_deform_conv_backward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    columns: Tensor,
    grad_input: Tensor,
    grad_weight: Tensor,
    grad_bias: Tensor,
    grad_offset: Tensor,
    grad_mask: Tensor,
    grad_output: Tensor,
    with_bias: bool,
    **settings,
) -> None:
    """Fills all gradients."""
    found = convolution_gradients(
        grad_output, input, weight, bias if with_bias else None, offset, mask, modulated_settings(**settings)
    )
    for target, value in zip((grad_input, grad_weight, grad_offset, grad_mask), found):
        target.copy_(value)
    if with_bias:
        grad_bias.copy_(found[4])


def plain_settings(dH, dW, padH, padW, dilationH, dilationW, group, deformable_group, **_) -> tuple[int, ...]:
    """Returns MMCV's settings of :func:`deform_conv_forward` in torchvision's order."""
    return dH, dW, padH, padW, dilationH, dilationW, group, deformable_group


def modulated_settings(
    stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w, group, deformable_group, **_
) -> tuple[int, ...]:
    """Returns MMCV's settings of :func:`modulated_deform_conv_forward` in torchvision's order."""
    return stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w, group, deformable_group


def convolve(
    output: Tensor,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    offset: Tensor,
    mask: Tensor | None,
    settings: tuple[int, ...],
) -> None:
    """Fills ``output`` (B, O, h, w) by torchvision's deformable convolution."""
    if not output.numel():
        return
    tensors = convolution_tensors(input, weight, bias, offset, mask, output.shape[2:], settings)
    output.copy_(torch.ops.torchvision.deform_conv2d(*tensors, *settings, mask is not None))


def convolution_gradients(
    grad_output: Tensor,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    offset: Tensor,
    mask: Tensor | None,
    settings: tuple[int, ...],
) -> list[Tensor]:
    """Returns the gradients of input, weight, offset, mask and bias, the third and fourth in their tensors' shapes."""
    if not grad_output.numel():
        return [
            torch.zeros_like(one)
            for one in (input, weight, offset, offset if mask is None else mask, weight[:, 0, 0, 0])
        ]
    tensors = convolution_tensors(input, weight, bias, offset, mask, grad_output.shape[2:], settings)
    found = list(
        torch.ops.torchvision._deform_conv2d_backward(
            in_float(grad_output).contiguous(), *tensors, *settings, mask is not None
        )
    )
    found[2] = as_they_came(found[2], offset)
    if mask is not None:
        found[3] = as_they_came(found[3], mask)
    return found


def convolution_tensors(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    offset: Tensor,
    mask: Tensor | None,
    size: torch.Size,
    settings: tuple[int, ...],
) -> tuple[Tensor, ...]:
    """Returns the tensors in torchvision's order, offsets and masks in the output's size."""
    input, weight = in_float(input), in_float(weight)
    samples = settings[-1] * weight.shape[2] * weight.shape[3]
    offset = one_after_the_other(in_float(offset), 2 * samples, size)
    # Without masks and biases torchvision wants tensors all the same.
    mask = input.new_zeros(len(input), 1) if mask is None else one_after_the_other(in_float(mask), samples, size)
    bias = input.new_zeros(len(weight)) if bias is None else in_float(bias)
    return input, weight, offset, mask, bias


def one_after_the_other(tensor: Tensor, channels: int, size: torch.Size) -> Tensor:
    """Returns (B, channels, h, w) of a tensor with at least as many numbers for each image."""
    if tensor.shape[1:] == (channels, *size):
        return tensor.contiguous()
    count = channels * size[0] * size[1]
    if tensor[0].numel() < count:
        raise ValueError(
            f'a deformable convolution with an output of {size[0]} x {size[1]} needs {count} offsets or masks per '
            f'image and gets {tensor[0].numel()}, in the shape {tuple(tensor.shape[1:])}.'
        )
    return tensor.flatten(1)[:, :count].reshape(len(tensor), channels, *size)


def as_they_came(grad: Tensor, tensor: Tensor) -> Tensor:
    """The reverse of :func:`one_after_the_other`: numbers that were not read get gradient 0."""
    if grad.shape == tensor.shape:
        return grad
    whole = grad.new_zeros(tensor.shape)
    whole.view(len(tensor), -1)[:, : grad[0].numel()] = grad.flatten(1)
    return whole


def masked_im2col_forward(
    im: Tensor,
    mask_h_idx: Tensor,
    mask_w_idx: Tensor,
    col: Tensor,
    kernel_h: int,
    kernel_w: int,
    pad_h: int,
    pad_w: int,
) -> None:
    """Fills ``col`` (I * k * l, M) with the patches of a map (1, I, H, W) at M places; zeros outside of the map."""
    height, width = im.shape[2:]
    rows = mask_h_idx - pad_h + torch.arange(kernel_h, device=im.device)[:, None]
    columns = mask_w_idx - pad_w + torch.arange(kernel_w, device=im.device)[:, None]
    inside = ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))[None]
    patches = im[0][:, rows.clamp(0, height - 1)[:, None], columns.clamp(0, width - 1)[None]]
    col.copy_((patches * inside).reshape(col.shape))


def masked_col2im_forward(
    col: Tensor, mask_h_idx: Tensor, mask_w_idx: Tensor, im: Tensor, height: int, width: int, channels: int
) -> None:
    """Writes ``col`` (O, M) to M places of ``im`` (1, O, h, w)."""
    im[0, :, mask_h_idx, mask_w_idx] = col


def carafe_forward(
    features: Tensor,
    masks: Tensor,
    rfeatures: Tensor,
    routput: Tensor,
    rmasks: Tensor,
    output: Tensor,
    **settings: int,
) -> None:
    """CARAFE (Wang et al., arXiv 1905.02188): each pixel of the larger map is a weighted sum of a small window.

    Args:
        features: (B, I, H, W).
        masks: (B, groups * k * k, S H, S W).
        rfeatures: Like ``features``; holds them for :func:`carafe_backward`.
        routput: Not used.
        rmasks: Not used.
        output: (B, I, S H, S W), filled.
        settings: ``kernel_size`` k, ``group_size`` and ``scale_factor`` S.
    """
    rfeatures.resize_(features.shape).copy_(features)
    output.copy_(carafe(in_float(features), in_float(masks), **settings))


def carafe_backward(
    top_grad: Tensor,
    rfeatures: Tensor,
    masks: Tensor,
    rtop_grad: Tensor,
    rbottom_grad_hs: Tensor,
    rbottom_grad: Tensor,
    rmask_grad: Tensor,
    bottom_grad: Tensor,
    mask_grad: Tensor,
    **settings: int,
) -> None:
    """Fills the gradients of features and masks."""
    carafe_naive_backward(top_grad, rfeatures, masks, bottom_grad, mask_grad, **settings)


def carafe_naive_forward(features: Tensor, masks: Tensor, output: Tensor, **settings: int) -> None:
    """As :func:`carafe_forward`."""
    output.copy_(carafe(in_float(features), in_float(masks), **settings))


def carafe_naive_backward(
    top_grad: Tensor, features: Tensor, masks: Tensor, bottom_grad: Tensor, mask_grad: Tensor, **settings: int
) -> None:
    """As :func:`carafe_backward`."""
    found = gradients(lambda maps, weights: carafe(maps, weights, **settings), top_grad, features, masks)
    bottom_grad.copy_(found[0])
    mask_grad.copy_(found[1])


def carafe(features: Tensor, masks: Tensor, kernel_size: int, group_size: int, scale_factor: int) -> Tensor:
    """Returns (B, I, S H, S W): a sum over the window's places, each a shifted map times its weights."""
    (images, channels, height, width), reach = features.shape, kernel_size // 2
    padded = pad(features, (reach,) * 4)
    weights = masks.view(images, group_size, kernel_size**2, height, scale_factor, width, scale_factor)
    total = features.new_zeros(images, group_size, channels // group_size, height, scale_factor, width, scale_factor)
    for place in range(kernel_size**2):
        row, column = divmod(place, kernel_size)
        shifted = padded[:, :, row : row + height, column : column + width]
        shifted = shifted.reshape(images, group_size, channels // group_size, height, 1, width, 1)
        total = total + shifted * weights[:, :, place, None]
    return total.view(images, channels, height * scale_factor, width * scale_factor)
