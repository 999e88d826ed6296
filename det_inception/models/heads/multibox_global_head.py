"""MultiBox's first head (Erhan et al., arXiv 1312.2249): one fixed set of boxes for the whole image.

Shape legend: B images in a batch, K boxes predicted in each.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from det_inception.models.heads.multibox_head import MultiBoxHead, conv_unit
from det_inception.proposals.multibox import box_priors
from det_inception.registry import MODELS


@MODELS.register_module()
class MultiBoxGlobalHead(MultiBoxHead):
    """One set of K boxes for the whole image, from fully connected layers (arXiv 1312.2249).

    The paper's layers are AlexNet's; behind GoogLeNet stand here a 1x1 convolution, a hidden layer and the output.
    The priors are the centers of the training set's boxes.

    Args:
        num_boxes: K; 100 or 200 in the first paper, 800 in its authors' later public model.
        in_channels: Channels of the last feature map.
        channels: Of the 1x1 convolution.
        grid: Rows and columns of the pooled feature map; GoogLeNet's for 224 x 224 is 7 x 7.
        hidden: Width of the hidden layer.
        dropout: Share of the hidden layer that is dropped in training.
        match_by: See :class:`MultiBoxHead`, as for all others.
    """

    def __init__(
        self,
        num_boxes: int = 200,
        in_channels: int = 1024,
        channels: int = 128,
        grid: int = 7,
        hidden: int = 1024,
        dropout: float = 0.4,
        match_by: str = 'prior',
        initial_confidence: float = 0.05,
        **kwargs,
    ) -> None:
        super().__init__(num_boxes, 4, match_by, initial_confidence, **kwargs)
        self.in_channels = in_channels
        self.reduce = conv_unit(in_channels, channels, 1)
        self.pool = nn.AdaptiveAvgPool2d(grid)
        self.hidden = nn.Linear(channels * grid * grid, hidden)
        self.dropout = nn.Dropout(dropout)
        self.location, self.confidence = nn.Linear(hidden, 4 * num_boxes), nn.Linear(hidden, num_boxes)

    def output_layers(self) -> list[tuple[nn.Module, nn.Module]]:
        return [(self.location, self.confidence)]

    def make_priors(self, boxes: np.ndarray) -> np.ndarray:
        """Returns the centers (K, 4) of the clusters of boxes."""
        return box_priors(boxes, len(self.priors))

    def prior_boxes(self, features: Sequence[Tensor]) -> Tensor:
        """Returns the priors (K, 4), whatever the features."""
        return self.priors

    def forward(self, features: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Returns offsets (B, K, 4) and logits (B, K) from the last of the features."""
        pooled = self.pool(self.reduce(features[-1])).flatten(1)
        hidden = self.dropout(torch.relu(self.hidden(pooled)))
        return self.location(hidden).unflatten(1, (-1, 4)), self.confidence(hidden)
