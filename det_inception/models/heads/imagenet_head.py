"""The last layer of an ImageNet classifier as a box head.

Shape legend: R regions, F channels of the last feature map, C = 1000 classes of ImageNet.
"""

from __future__ import annotations

from mmengine.model import BaseModule
from torch import Tensor, nn

from det_inception.ilsvrc.imagenet import IMAGENET_CLASSES
from det_inception.registry import MODELS


@MODELS.register_module()
class ImageNetHead(BaseModule):
    """Average pool and 1000 logits; without background and box regression.

    Args:
        in_channels: F.
    """

    with_reg = False

    def __init__(self, in_channels: int = 1024) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.fc = nn.Linear(in_channels, len(IMAGENET_CLASSES))

    def forward(self, features: Tensor) -> tuple[Tensor, None]:
        """Returns the logits (R, C) of features (R, F, h, w), and None for box deltas."""
        return self.fc(features.mean(dim=(2, 3))), None
