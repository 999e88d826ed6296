"""Keeps parts of a network as they are while the rest of it learns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmengine.model import BaseModule
from torch import nn

if TYPE_CHECKING:
    from typing_extensions import Self


class Freezable(BaseModule):
    """A network whose first parts, or batch-norm statistics, may stay as they are in training.

    Attributes:
        norm_eval: Batch norm uses, and keeps, its stored statistics in training too.
    """

    norm_eval: bool

    def _frozen_modules(self) -> list[nn.Module]:
        """The parts that do not learn."""
        return []

    def _freeze(self) -> None:
        """Fixes the weights and the batch-norm statistics of those parts; for the end of ``__init__``."""
        for module in self._frozen_modules():
            module.eval()
            module.requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        """Sets training mode; frozen parts, and with ``norm_eval`` all batch norms, stay in evaluation mode."""
        super().train(mode)
        if mode:
            for module in self._frozen_modules():
                module.eval()
            if self.norm_eval:
                for module in self.modules():
                    if isinstance(module, nn.modules.batchnorm._BatchNorm):
                        module.eval()
        return self
