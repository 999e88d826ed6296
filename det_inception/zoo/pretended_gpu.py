"""A GPU that is not there: the processor computes, and refuses what a GPU would for where a tensor lies.

A model that runs on a processor and fails on a GPU has, nearly always, tensors of its own that stay on the processor.
:func:`pretended_gpu` finds these without a GPU. What it cannot find: a kernel that a GPU lacks for a type of numbers,
and wrong results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from typing import Any, Union
from unittest import mock

import numpy as np
import torch
from mmengine.structures import instance_data
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

PRETENDED = 'pretended'
"""What the pretended GPU is called where a device is named."""
PLACE = torch.device('meta')
"""The device that tensors on the pretended GPU name."""

_aten = torch.ops.aten
_COPIES = (_aten._to_copy.default, _aten.copy_.default)
_INDEXING = (
    _aten.index.Tensor,
    _aten._unsafe_index.Tensor,
    _aten.index_put.default,
    _aten.index_put_.default,
    _aten._index_put_impl_.default,
)
"""Their second argument is the indices: a GPU's tensor takes those of the processor, but not the other way round."""


@contextmanager
def pretended_gpu() -> Iterator[torch.device]:
    """Within it, tensors and models can be moved ``.to(device)`` of a GPU that the processor stands in for.

    As on a GPU, an operation on tensors of both devices is refused, unless the processor's has no dimension; so is
    NumPy's view of a tensor that was not moved back. Gradients are computed as ever.

    Yields:
        The device. Tensors there are not ``is_cuda``, so code that a model has for CUDA alone is not reached.
        Mixed precision has no effect.

    Raises:
        RuntimeError: (Within) tensors of both devices meet.
        TypeError: (Within) a tensor of the device is made an array.
        NotImplementedError: (Within) an operation changes the shape of such a tensor in place.
    """
    with ExitStack() as stack:
        # Out of numbers, PyTorch would make tensors of the device that have no content.
        for make in (torch.tensor, torch.as_tensor):
            stack.enter_context(mock.patch.object(torch, make.__name__, partial(_made, make)))
        for module in (torch, torch.amp):
            stack.enter_context(mock.patch.object(module, 'autocast', _Autocast))
        for name, own in _TYPES.items():  # What models and MMEngine ask for with isinstance.
            stack.enter_context(mock.patch.object(torch.cuda, name, own))
        for name, names in _INDEX_TYPES.items():
            known = getattr(instance_data, name).__args__
            stack.enter_context(
                mock.patch.object(instance_data, name, Union[(*known, *(_TYPES[one] for one in names))])
            )
        stack.enter_context(_Dispatch())
        yield PLACE


def device_context(name: str) -> AbstractContextManager[torch.device]:
    """Returns :func:`pretended_gpu` for :data:`PRETENDED`, else a context that gives the device of this name."""
    return pretended_gpu() if name == PRETENDED else nullcontext(torch.device(name))


def _made(
    make: Callable[..., Tensor], data: Any, dtype: torch.dtype | None = None, device: Any = None, **more
) -> Tensor:
    """Makes a tensor on the processor, and moves it where it should be."""
    if device is None:
        device = data.device if isinstance(data, Tensor) else torch.empty(0).device
    # Numbers in a list may be the device's, too.
    return make(tree_map(_content, data), dtype=dtype, device='cpu', **more).to(device)


class _GPUTensor(Tensor):
    """A tensor that says it lies on the pretended GPU; ``content`` is where it is indeed."""

    content: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, content: Tensor) -> _GPUTensor:
        return Tensor._make_wrapper_subclass(
            cls,
            content.size(),
            strides=content.stride(),
            storage_offset=content.storage_offset(),
            dtype=content.dtype,
            layout=content.layout,
            device=PLACE,
            requires_grad=content.requires_grad,
        )

    def __init__(self, content: Tensor) -> None:
        self.content = content

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Sequence = (), kwargs: Mapping | None = None) -> Any:
        return _compute(func, args, kwargs or {})

    def __repr__(self) -> str:
        return f'{type(self).__name__}({self.content})'

    def new_tensor(self, data: Any, dtype: torch.dtype | None = None, device: Any = None, **settings: Any) -> Tensor:
        dtype, device = dtype or self.dtype, PLACE if device is None else device
        return _made(self.content.new_tensor, data, dtype, device, **settings)

    def __getitem__(self, index: Any) -> Tensor:
        return super().__getitem__(_with_content(index))

    def __setitem__(self, index: Any, value: Any) -> None:
        super().__setitem__(_with_content(index), value)

    def t_(self) -> Tensor:
        return self.t()  # The shape of this one cannot change; what comes back is mostly what is used.

    def tolist(self) -> Any:
        return self.content.tolist()

    def numpy(self, **settings: Any) -> np.ndarray:
        raise TypeError("can't convert a tensor of the GPU to numpy; use Tensor.cpu() first.")

    def __array__(self, *args: Any, **settings: Any) -> np.ndarray:
        return self.numpy()


class _Autocast(torch.autocast):
    """Takes the device, for which PyTorch has no mixed precision; it changes nothing there."""

    def __init__(self, device_type: str, *args: Any, **settings: Any) -> None:
        super().__init__('cpu' if device_type == PLACE.type else device_type, *args, **settings)


class _OfType(type):
    """The types of tensors as ``isinstance`` asks for them."""

    dtype: torch.dtype

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _GPUTensor) and instance.dtype == cls.dtype


_TYPES = {
    f'{name}Tensor': _OfType(name, (), dict(dtype=dtype))
    for name, dtype in dict(
        Half=torch.float16,
        BFloat16=torch.bfloat16,
        Float=torch.float32,
        Double=torch.float64,
        Bool=torch.bool,
        Byte=torch.uint8,
        Int=torch.int32,
        Long=torch.int64,
    ).items()
}
_INDEX_TYPES = dict(
    BoolTypeTensor=['BoolTensor'], LongTypeTensor=['LongTensor'], IndexType=['BoolTensor', 'LongTensor']
)
"""MMEngine's names of the types of indices, which it has put together when it was imported."""


class _Dispatch(TorchDispatchMode):
    """Sees the operations that have no tensor of the device among their arguments, too."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Sequence = (), kwargs: Mapping | None = None) -> Any:
        return _compute(func, args, kwargs or {})


def _compute(func: Any, args: Sequence, kwargs: Mapping) -> Any:
    """Computes an operation on the processor; the results lie where a GPU's would."""
    tensors = [one for one in tree_flatten((args, kwargs))[0] if isinstance(one, Tensor)]
    if any(one.device == PLACE and not isinstance(one, _GPUTensor) for one in tensors):
        raise NotImplementedError(
            f'{func}: PyTorch made a tensor without content, which the pretended GPU must prevent.'
        )
    if func not in _COPIES:
        _require_one_device(func, args, tensors)
    device = kwargs.get('device')
    there = any(isinstance(one, _GPUTensor) for one in tensors) if device is None else torch.device(device) == PLACE
    own_args, own_kwargs = tree_map(_content, (args, kwargs))
    result = func(*own_args, **own_kwargs)
    returns = func._schema.returns
    if returns and all(one.alias_info is not None and one.alias_info.is_write for one in returns):
        return _written(func, args, kwargs)
    return tree_map(lambda one: _GPUTensor(one) if isinstance(one, Tensor) else one, result) if there else result


def _with_content(index: Any) -> Any:
    """Makes tensors of the lists in an index, as PyTorch does, but not on the device, where they would be empty."""
    if isinstance(index, tuple):
        return tuple(map(_with_content, index))
    if not isinstance(index, (list, range)):
        return index
    return torch.as_tensor(list(index), device='cpu') if len(index) else torch.zeros(0, dtype=torch.int64, device='cpu')


def _content(value: Any) -> Any:
    if isinstance(value, _GPUTensor):
        return value.content
    return torch.device('cpu') if isinstance(value, torch.device) and value == PLACE else value


def _require_one_device(func: Any, args: Sequence, tensors: Sequence[Tensor]) -> None:
    if func in _INDEXING:
        indexed = args[0]
        if not isinstance(indexed, _GPUTensor) and any(isinstance(one, _GPUTensor) for one in tensors):
            raise RuntimeError(f'{func}: indices and values should be on the processor, as the indexed tensor is.')
        tensors = [indexed, *(one for one in args[2:3] if isinstance(one, Tensor))]
    if any(isinstance(one, _GPUTensor) for one in tensors):
        for one in tensors:
            if not isinstance(one, _GPUTensor) and one.dim():
                raise RuntimeError(
                    f'{func}: expected all tensors on the same device, but found two, the GPU and the CPU.'
                )


def _written(func: Any, args: Sequence, kwargs: Mapping) -> Any:
    """Returns what an operation has written into: an operation in place returns its argument itself."""
    names = [one.name for one in func._schema.arguments if one.alias_info is not None and one.alias_info.is_write]
    given = dict(zip((one.name for one in func._schema.arguments), args, strict=False)) | dict(kwargs)
    written = [given[name] for name in names]
    for one in written:
        if isinstance(one, _GPUTensor) and one.shape != one.content.shape:
            raise NotImplementedError(f'{func} changes the shape in place, which the pretended GPU cannot.')
    return written[0] if len(written) == 1 else tuple(written)
