"""Batch norms as part of the convolutions before them: fewer operations for the same outputs.

Which batch norm follows which convolution is observed while the network runs once. So it does not matter how the
network is written, and nothing is fused that only looks like a pair: a convolution whose output something else uses
too, one that runs twice, or one that changes its weights before it uses them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import torch
from mmengine.logging import print_log
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.overrides import TorchFunctionMode


class FuseResult(NamedTuple):
    """What became of a network's batch norms.

    Attributes:
        fused: How many are part of a convolution now.
        left: The names of those that stay.
    """

    fused: int
    left: tuple[str, ...]


def fuse_batch_norms(network: nn.Module, example: Tensor) -> FuseResult:
    """Fuses batch norms, in place; the network is then good for inference only, in evaluation mode.

    Args:
        network: Changed in place.
        example: An input on which the network runs all that it ever runs.

    Returns:
        How many were fused, and what stays; batch norms that did not run are none of both.
    """
    network.eval()
    names = {norm: name for name, norm in network.named_modules() if _is_norm(norm)}
    if not names:
        return FuseResult(0, ())
    watch = _Watch(network)
    try:
        with torch.no_grad(), watch:
            watch.returned(network(example))
    except Exception as error:
        print_log(f'{type(network).__name__}: its batch norms stay, since it does not run ({error}).', 'current')
        return FuseResult(0, tuple(names.values()))
    pairs = watch.pairs()
    for norm, conv in pairs.items():
        fused = fuse_conv_bn_eval(conv, norm)
        conv.weight, conv.bias = fused.weight, fused.bias
        parent, _, own = names[norm].rpartition('.')
        # timm's batch norms also drop and activate.
        rest = [getattr(norm, part) for part in ('drop', 'act') if isinstance(getattr(norm, part, None), nn.Module)]
        setattr(network.get_submodule(parent), own, nn.Sequential(*rest) if rest else nn.Identity())
    left = tuple(names[norm] for norm in watch.norms if norm not in pairs)
    if left:
        print_log(
            f'{type(network).__name__}: {len(pairs)} batch norms are part of convolutions now and {len(left)} stay, '
            f'which follow no convolution of their own (the first: {left[0]}).',
            'current',
        )
    return FuseResult(len(pairs), left)


def _is_norm(module: nn.Module) -> bool:
    return isinstance(module, nn.BatchNorm2d) and module.running_mean is not None


class _Watch(TorchFunctionMode):
    """Follows the outputs of convolutions, and the inputs of batch norms, through a run of the network."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self._convs = {id(module.weight): module for module in network.modules() if isinstance(module, nn.Conv2d)}
        self._norms = {id(module.running_mean): module for module in network.modules() if _is_norm(module)}
        self._runs: dict[nn.Module, int] = {}
        self._uses: dict[int, int] = {}
        self._outputs: dict[int, nn.Module] = {}  # of convolutions, by the tensor's identity
        self._kept: list[Tensor] = []  # so that no other tensor gets the identity of one that is gone
        self.norms: dict[nn.Module, Tensor] = {}
        """Each batch norm that ran, and its input."""

    def pairs(self) -> dict[nn.Module, nn.Conv2d]:
        """Returns the batch norms that can be fused, each with its convolution."""
        found = {}
        for norm, values in self.norms.items():
            conv = self._outputs.get(id(values))
            if conv is not None and self._uses[id(values)] == self._runs[conv] == self._runs[norm] == 1:
                found[norm] = conv
        return found

    def returned(self, result: object) -> None:
        """Counts what the network returns as used: there a convolution's own output may be wanted."""
        self._use(_tensors([result]))

    def _use(self, tensors: Iterable[Tensor]) -> None:
        for tensor in tensors:
            self._uses[id(tensor)] = self._uses.get(id(tensor), 0) + 1

    def __torch_function__(self, func: Callable, types: tuple, args: tuple = (), kwargs: dict | None = None):
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        made = list(_tensors([result]))
        if not made:  # It only asked for a shape or the like.
            return result
        given = list(_tensors([args, kwargs]))
        self._kept += made
        self._use(given)
        if func in (torch.conv2d, nn.functional.conv2d):
            for conv in filter(None, (self._convs.get(id(tensor)) for tensor in given)):
                self._runs[conv] = self._runs.get(conv, 0) + 1
                self._outputs[id(result)] = conv
        elif func is nn.functional.batch_norm:
            for norm in filter(None, (self._norms.get(id(tensor)) for tensor in given)):
                self._runs[norm] = self._runs.get(norm, 0) + 1
                self.norms[norm] = given[0]
        return result


def _tensors(values: object) -> Iterator[Tensor]:
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, dict):
        yield from _tensors(list(values.values()))
    elif isinstance(values, (list, tuple)):
        yield from itertools.chain.from_iterable(map(_tensors, values))
