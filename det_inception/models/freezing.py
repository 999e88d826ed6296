"""Keeps parts of a network as they are while the rest of it learns."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn


def freeze(modules: Iterable[nn.Module]) -> None:
    """Fixes weights and batch-norm statistics."""
    for module in modules:
        module.eval()
        module.requires_grad_(False)


def keep_in_eval(network: nn.Module, frozen: Iterable[nn.Module], norm_eval: bool) -> None:
    """Puts back what ``train()`` has changed: frozen parts keep their statistics, and all batch norms if so wished.

    Args:
        network: In training mode.
        frozen: The parts of it that do not learn.
        norm_eval: Whether no batch norm of the network learns its statistics.
    """
    for module in frozen:
        module.eval()
    if norm_eval:
        for module in network.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()
