"""The fused copy of the network through ``torch.compile``."""

from __future__ import annotations

import torch

from det_inception.inference.acceleration.fused_engine import FusedEngine
from det_inception.models.layers.region_classifier import RegionClassifier


class CompileEngine(FusedEngine):
    """Runs compiled code, for any number of regions; the first call compiles, which takes a minute or so."""

    def __init__(self, model: RegionClassifier, precision: str) -> None:
        super().__init__(model, precision)
        self.network = torch.compile(self.network, dynamic=True)
