"""Mixed precision on a processor: MMEngine's own wrapper exists for accelerators alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper
from torch import nn

from det_inception.registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class CPUAmpOptimWrapper(OptimWrapper):
    """Runs the forward pass in bfloat16 on the processor; weights, gradients and the update stay float32.

    bfloat16 has float32's range, so the loss needs no scaling.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Wraps the forward pass, as MMEngine asks of an optimizer wrapper."""
        with super().optim_context(model), torch.autocast('cpu', dtype=torch.bfloat16):
            yield
