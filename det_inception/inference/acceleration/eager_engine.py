"""The network as it was trained, as a copy in a precision of its own.

Shape legend: R regions, C their channels, S their side, K classes.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from det_inception.models.layers.region_classifier import RegionClassifier, RegionPredictions, run_network


class RegionNetwork(nn.Module):
    """The network of a :class:`RegionClassifier` in one piece: a copy that shares nothing with the detector."""

    def __init__(self, model: RegionClassifier) -> None:
        super().__init__()
        self.features, self.bbox_head = copy.deepcopy(model.features), copy.deepcopy(model.bbox_head)
        self.eval().requires_grad_(False)

    def forward(self, regions: Tensor) -> RegionPredictions:
        return run_network(self.features, self.bbox_head, regions)


class EagerEngine:
    """Runs the network by PyTorch.

    Args:
        model: Its weights are copied.
        precision: ``'float32'``, ``'bfloat16'`` or ``'float16'``.
    """

    def __init__(self, model: RegionClassifier, precision: str) -> None:
        self.dtype = getattr(torch, precision)
        network = self.prepare(RegionNetwork(model))
        self.network = network.to(dtype=self.dtype, memory_format=torch.channels_last)

    def prepare(self, network: nn.Module) -> nn.Module:
        """Changes the network, still in float32, in place."""
        return network

    @torch.no_grad()
    def __call__(self, regions: Tensor) -> RegionPredictions:
        """Returns logits (R, K + 1) and deltas (R, 4 K), or None, in float32, of regions (R, C, S, S)."""
        # The copy has its precision already; mixed precision on top would convert back and forth.
        with torch.autocast(regions.device.type, enabled=False):
            logits, deltas = self.network(regions.to(dtype=self.dtype, memory_format=torch.channels_last))
        return RegionPredictions(logits.float(), None if deltas is None else deltas.float())
