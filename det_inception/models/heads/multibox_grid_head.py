"""MultiBox's second head (Szegedy et al., arXiv 1412.1441): boxes around the cells of grids of several resolutions.

Shape legend: B images in a batch, K boxes predicted in each, L grids, S sizes of a grid's cell.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from det_inception.models.heads.multibox_head import MultiBoxHead, conv_unit
from det_inception.proposals.multibox import grid_boxes, size_priors
from det_inception.registry import MODELS


@MODELS.register_module()
class MultiBoxGridHead(MultiBoxHead):
    """Boxes of S sizes around each cell of L grids, from convolutions (arXiv 1412.1441).

    The paper predicts from grids of 8 x 8 down to 1 x 1 on top of the network. Here a grid is a feature map of
    GoogLeNet, so that there are enough cells for small objects, and the input may have any size. The priors are sizes:
    the typical ones of the training set, the smallest for the finest grid and so on.

    Args:
        in_channels: Channels of each feature map, from the finest to the coarsest.
        channels: Of the convolutions in between.
        sizes_per_cell: S; the paper has 11.
        match_by: See :class:`MultiBoxHead`, as for all others.
    """

    def __init__(
        self,
        in_channels: Sequence[int] = (480, 832, 1024),
        channels: int = 128,
        sizes_per_cell: int = 4,
        match_by: str = 'prediction',
        initial_confidence: float = 0.01,
        **kwargs,
    ) -> None:
        count = len(in_channels) * sizes_per_cell
        super().__init__(count, 2, match_by, initial_confidence, **kwargs)
        self.in_channels, self.sizes_per_cell = tuple(in_channels), sizes_per_cell
        self.towers = nn.ModuleList(
            nn.Sequential(conv_unit(width, channels, 1), conv_unit(channels, channels, 3)) for width in in_channels
        )
        self.locations = nn.ModuleList(nn.Conv2d(channels, 4 * sizes_per_cell, 1) for _ in in_channels)
        self.confidences = nn.ModuleList(nn.Conv2d(channels, sizes_per_cell, 1) for _ in in_channels)

    def output_layers(self) -> list[tuple[nn.Module, nn.Module]]:
        return list(zip(self.locations, self.confidences))

    def make_priors(self, boxes: np.ndarray) -> np.ndarray:
        """Returns the typical sizes (L S, 2) of boxes, from small to large."""
        return size_priors(boxes, len(self.priors))

    def prior_boxes(self, features: Sequence[Tensor]) -> Tensor:
        """Returns the boxes (K, 4) of all cells, grid by grid, row by row."""
        sizes = self.priors.cpu().double().numpy().reshape(len(self.towers), self.sizes_per_cell, 2)
        boxes = [grid_boxes(size, *feature.shape[2:]) for size, feature in zip(sizes, features)]
        return torch.from_numpy(np.concatenate(boxes)).to(self.priors)

    def forward(self, features: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Returns offsets (B, K, 4) and logits (B, K), in the order of :meth:`prior_boxes`."""
        offsets, logits = [], []
        for feature, tower, location, confidence in zip(features, self.towers, self.locations, self.confidences):
            hidden = tower(feature)
            # Channels last, so that the boxes of a cell lie together.
            offsets.append(location(hidden).permute(0, 2, 3, 1).reshape(len(hidden), -1, 4))
            logits.append(confidence(hidden).permute(0, 2, 3, 1).reshape(len(hidden), -1))
        return torch.cat(offsets, 1), torch.cat(logits, 1)
