"""Depthwise convolutions whose gradients a processor computes in good time.

PyTorch hands a depthwise convolution to oneDNN. Forwards that is fast. But two of its gradients take a general way,
which is up to a hundred times as slow: that of the weights, where the kernel is larger than 3 x 3, and that of the
input, where the stride is larger than 1 and the numbers have 16 bits. EfficientNet and NASNet are full of both.

Shape legend: N images, C channels, H x W the input, h x w the output, k the side of a kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.modules.utils import _pair
from torch.overrides import TorchFunctionMode

QUICK_KERNEL = 3
"""Up to this side, PyTorch's own gradient of the weights is the faster one."""


def quick_gradients(images: Tensor) -> AbstractContextManager:
    """In this context, depthwise convolutions have the quick gradients; values stay as they are.

    Gradients differ from PyTorch's by rounding. All other functions, and convolutions that learn nothing, run as ever.
    So does everything in float32, where PyTorch's gradients of whole networks take no longer than these.

    Args:
        images: What the network gets; it tells where it runs.
    """
    learns = images.device.type == 'cpu' and torch.is_grad_enabled()
    return _QuickDepthwise() if learns and _kind(images) == torch.bfloat16 else nullcontext()


class _QuickDepthwise(TorchFunctionMode):
    def __torch_function__(
        self, function: Callable, types: Sequence[type], args: Sequence = (), kwargs: Mapping | None = None
    ) -> object:
        kwargs = kwargs or {}
        return depthwise(*args, **kwargs) if function is torch.conv2d else function(*args, **kwargs)


def depthwise(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | str = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor:
    """Returns what ``torch.conv2d`` does, with quick gradients where the convolution is depthwise and learns.

    Args:
        input: (N, C, H, W).
        weight: (C, 1, k, k).
        bias: (C), or None.
        stride: As in ``torch.conv2d``, whose other convolutions are left to it.
        padding: Likewise.
        dilation: Likewise.
        groups: Likewise.
    """
    kind = _kind(input, weight)
    if not _fits(input, weight, kind, stride, padding, dilation, groups):
        return torch.conv2d(input, weight, bias, stride, padding, dilation, groups)
    input, weight, bias = (value if value is None else value.to(kind) for value in (input, weight, bias))
    return _Depthwise.apply(input, weight, bias, _pair(stride), _pair(padding))


def _kind(*values: Tensor) -> torch.dtype | None:
    """The type of numbers with which PyTorch convolves them on a processor; None if they are of several types."""
    kinds = {value.dtype for value in values}
    if torch.is_autocast_enabled('cpu') and kinds <= {torch.float32, torch.float16, torch.bfloat16}:
        return torch.get_autocast_dtype('cpu')  # It leaves float64 alone.
    return kinds.pop() if len(kinds) == 1 else None


def _fits(
    input: Tensor,
    weight: Tensor,
    kind: torch.dtype | None,
    stride: object,
    padding: object,
    dilation: object,
    groups: int,
) -> bool:
    """Whether the quick gradients know the convolution and are quicker. In float16 their sums would overflow."""
    if torch.jit.is_tracing() or not (weight.requires_grad and torch.is_grad_enabled()):
        return False
    fits = groups > 1 and groups == weight.shape[0] == input.shape[1] and input.dim() == 4 and input.shape[0] > 0
    fits = fits and kind in (torch.float32, torch.float64, torch.bfloat16)
    fits = fits and input.device.type == 'cpu' and not isinstance(padding, str) and _pair(dilation) == (1, 1)
    strided = kind == torch.bfloat16 and max(_pair(stride)) > 1
    return fits and (strided or max(weight.shape[2:]) > QUICK_KERNEL)


class _Depthwise(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(input: Tensor, weight: Tensor, bias: Tensor | None, stride: tuple, padding: tuple) -> Tensor:
        return torch.conv2d(input, weight, bias, stride, padding, 1, weight.shape[0])

    @staticmethod
    def setup_context(ctx, inputs: tuple, output: Tensor) -> None:
        ctx.save_for_backward(*inputs[:2])
        ctx.stride, ctx.padding = inputs[3:]

    @staticmethod
    @torch.autocast('cpu', enabled=False)
    def backward(ctx, gradient: Tensor) -> tuple:
        input, weight = ctx.saved_tensors
        wants_input, wants_weight, wants_bias = ctx.needs_input_grad[:3]
        of_input = of_weight = None
        if wants_weight and max(weight.shape[2:]) > QUICK_KERNEL:
            of_weight = weight_gradient(input, weight.shape[2:], gradient, ctx.stride, ctx.padding).to(weight.dtype)
            wants_weight = False

        def own(kind: torch.dtype, *wanted: bool) -> tuple:
            values = (value.to(kind) for value in (gradient, input, weight))
            return torch.ops.aten.convolution_backward(
                *values, None, ctx.stride, ctx.padding, (1, 1), False, (0, 0), weight.shape[0], [*wanted, False]
            )

        if wants_input:
            kind = _exact(input.dtype) if max(ctx.stride) > 1 else input.dtype
            of_input = own(kind, True, False)[0].to(input.dtype)
        if wants_weight:
            of_weight = own(weight.dtype, False, True)[1]
        return of_input, of_weight, gradient.sum((0, 2, 3)) if wants_bias else None, None, None


def weight_gradient(input: Tensor, kernel: Sequence[int], gradient: Tensor, stride: tuple, padding: tuple) -> Tensor:
    """Returns the gradient of a depthwise convolution's weights, itself computed as a depthwise convolution.

    Each channel of each image is convolved with the gradient of its output, in the place of a kernel.

    Args:
        input: (N, C, H, W).
        kernel: k of both directions.
        gradient: Of the output, (N, C, h, w).
        stride: Of both directions.
        padding: Likewise.

    Returns:
        (C, 1, k, k), with at least 32 bits.
    """
    images, channels = gradient.shape[:2]
    input = input.reshape(1, images * channels, *input.shape[2:])
    kernels = gradient.reshape(images * channels, 1, *gradient.shape[2:])
    # Where strides leave a border over, there are more sums than weights.
    sums = functional.conv2d(input, kernels, padding=padding, dilation=stride, groups=images * channels)
    sums = sums[..., : kernel[0], : kernel[1]].reshape(images, channels, *kernel)
    return sums.sum(0, dtype=_exact(sums.dtype))[:, None]


def _exact(kind: torch.dtype) -> torch.dtype:
    return torch.promote_types(kind, torch.float32)
