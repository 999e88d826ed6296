"""GoogLeNet's classifier as a box head (Szegedy et al., arXiv 1409.4842, table 1).

Shape legend: R regions, C channels of the last feature map, K classes.
"""

from __future__ import annotations

import torch
from mmdet.models.roi_heads.bbox_heads import BBoxHead
from torch import Tensor, nn

from det_inception.registry import MODELS


@MODELS.register_module()
class RegionClassifierHead(BBoxHead):
    """The layers after inception 5b: average pool, dropout, one linear layer for classes and one for boxes.

    It is MMDetection's :class:`BBoxHead` with dropout and with a global average pool, so crops may have any size.

    Args:
        num_classes: K, without the background, which comes last.
        in_channels: C.
        dropout: Share of the pooled features that is dropped in training; the paper: 0.4.
        with_reg: Also predict box regression for each class. The 2014 entry had none; R-CNN had it.
        **kwargs: As for :class:`BBoxHead`.
    """

    def __init__(
        self, num_classes: int, in_channels: int = 1024, dropout: float = 0.4, with_reg: bool = False, **kwargs
    ) -> None:
        super().__init__(
            with_avg_pool=True, with_reg=with_reg, in_channels=in_channels, num_classes=num_classes, **kwargs
        )
        self.avg_pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor | None]:
        """Returns class logits (R, K + 1) and box deltas (R, 4 K), or None, for features (R, C, h, w)."""
        pooled = self.dropout(self.avg_pool(features).flatten(1))  # (R, C)
        return self.fc_cls(pooled), self.fc_reg(pooled) if self.with_reg else None

    def to_scores(self, logits: Tensor) -> Tensor:
        """Returns the softmax scores (R, K + 1) of logits."""
        return logits.softmax(-1)

    def to_logits(self, scores: Tensor) -> Tensor:
        """Returns logits (R, K + 1) that have these scores."""
        return scores.clamp(min=torch.finfo(scores.dtype).tiny).log()

    def loss(self, cls_score: Tensor, *args, **kwargs) -> dict[str, Tensor]:
        """Returns MMDetection's losses; that of the classes is 0, not missing, where all regions are ignored."""
        losses = super().loss(cls_score, *args, **kwargs)
        losses.setdefault('loss_cls', cls_score.sum() * 0)
        return losses
