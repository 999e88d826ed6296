"""A copy of the network whose batch norms are part of the convolutions."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from det_inception.inference.acceleration.eager_engine import EagerEngine
from det_inception.models.backbones.base import NetworkPart


class FusedEngine(EagerEngine):
    """Runs a fused copy of the network by PyTorch."""

    def prepare(self, network: nn.Module) -> nn.Module:
        """Fuses it."""
        return fuse(network)


def fuse(network: nn.Module) -> nn.Module:
    """Makes batch norms part of convolutions, in place; see :meth:`NetworkPart.fuse`."""
    for part in [part for part in network.modules() if isinstance(part, NetworkPart)]:
        part.fuse()
    return network


class FusedBackbone(nn.Module):
    """A fused copy of a backbone, in a precision of its own, that returns float32 maps."""

    def __init__(self, backbone: nn.Module, precision: str) -> None:
        super().__init__()
        self.dtype = getattr(torch, precision)
        self.network = fuse(copy.deepcopy(backbone)).eval().requires_grad_(False)
        self.network.to(dtype=self.dtype, memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        with torch.autocast(images.device.type, enabled=False):
            return tuple(feature.float() for feature in self.network(images.to(self.dtype)))
