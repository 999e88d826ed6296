"""The last stage of GoogLeNet behind the region operation of Fast and Faster R-CNN.

Shape legend: R regions.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from det_inception.models.backbones.base import NetworkPart
from det_inception.models.backbones.googlenet import (
    INCEPTION,
    STAGES,
    VARIANTS,
    GoogLeNet,
    build_inception,
    inception_channels,
)
from det_inception.registry import MODELS

MODULES = STAGES[-1][1]


@MODELS.register_module()
class GoogLeNetSharedHead(NetworkPart):
    """Inception 5a and 5b on the features of regions: MMDetection's ``shared_head``.

    The region operation takes the place of the max-pool before 5a, as it does in Fast R-CNN (Girshick, arXiv
    1504.08083): regions of 7 x 7 come out as they would of a crop of 224 x 224. It stands apart from the box head
    because its weights are the backbone's.

    Args:
        variant: As for :class:`~det_inception.models.GoogLeNet`.
        width: Likewise.
        norm_eval: Likewise.
        modules: Likewise.
        init_cfg: Likewise; the two modules are taken out of the weights.
    """

    def __init__(
        self,
        variant: str = 'paper',
        width: float = 1.0,
        norm_eval: bool = False,
        modules: str = 'reduced',
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if variant not in VARIANTS:
            raise ValueError(f'GoogLeNet has no variant {variant!r}; choose one of {", ".join(VARIANTS)}')
        self.variant, self.width, self.norm_eval, self.kind = variant, width, norm_eval, modules
        with torch.device('meta'):
            before = GoogLeNet(variant, out_indices=(3,), width=width, modules=modules)
        channels = self.in_channels = before.out_channels[-1]
        for name in MODULES:
            widths = INCEPTION[name.removeprefix('inception')].scaled(width)
            setattr(self, name, build_inception(modules, channels, widths, VARIANTS[variant]))
            channels = inception_channels(modules, channels, widths)

    def forward(self, features: Tensor) -> Tensor:
        """Returns (R, 1024, 7, 7) for features of 4e (R, 832, 7, 7)."""
        features = features.contiguous(memory_format=torch.channels_last)  # As the backbone has them.
        return self.inception5b(self.inception5a(features))

    def load_pretrained(self, source: str | Path) -> None:
        """Takes the last modules of a whole GoogLeNet, see its ``load_pretrained``."""
        network = GoogLeNet(self.variant, width=self.width, modules=self.kind)
        network.load_pretrained(source)
        self._take(network)

    def init_random(self) -> None:
        """Draws weights as GoogLeNet does."""
        network = GoogLeNet(self.variant, width=self.width, modules=self.kind)
        network.init_random()
        self._take(network)

    def _take(self, network: GoogLeNet) -> None:
        for name in MODULES:
            getattr(self, name).load_state_dict(getattr(network, name).state_dict())

    def _example(self) -> Tensor:
        return torch.zeros(1, self.in_channels, 7, 7)
