"""R-CNN's linear SVMs as a box head (Girshick et al., arXiv 1311.2524, section 2.3).

Shape legend: R regions, C channels of the last feature map, K classes.
"""

from __future__ import annotations

import torch
from mmdet.utils import InstanceList
from torch import Tensor, nn

from det_inception.models.heads.region_classifier_head import RegionClassifierHead
from det_inception.registry import MODELS
from det_inception.utils.errors import InputError


@MODELS.register_module()
class SVMHead(RegionClassifierHead):
    """One linear SVM per class in the place of the softmax, and the box regression of the config.

    ``tools/train_svm.py`` computes the weights. The score of a class is the sigmoid of its margin, so 0.5 is on the
    plane that separates the class from everything else. The order of the scores, and with it NMS and mAP, is that of
    the margins.

    Args:
        num_classes: K.
        in_channels: C.
        **kwargs: As for :class:`RegionClassifierHead`.
    """

    def __init__(self, num_classes: int, in_channels: int = 1024, **kwargs) -> None:
        super().__init__(num_classes, in_channels, **kwargs)
        self.fc_cls = nn.Linear(in_channels, num_classes)  # No row for the background.

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor | None]:
        """Returns margins (R, K + 1), that of the background 0, and box deltas (R, 4 K), or None."""
        margins, deltas = super().forward(features)
        return nn.functional.pad(margins, (0, 1)), deltas

    def to_scores(self, logits: Tensor) -> Tensor:
        """Returns the sigmoid of margins (R, K + 1)."""
        return logits.sigmoid()

    def to_logits(self, scores: Tensor) -> Tensor:
        """Returns the margins (R, K + 1) of scores."""
        return scores.logit(torch.finfo(scores.dtype).eps)

    def predict_by_feat(
        self,
        rois: tuple[Tensor],
        cls_scores: tuple[Tensor],
        bbox_preds: tuple[Tensor | None],
        batch_img_metas: list[dict],
        rescale: bool = False,
    ) -> InstanceList:
        """Does what MMDetection's does, without NMS, with this head's scores instead of a softmax."""
        results = super().predict_by_feat(rois, cls_scores, bbox_preds, batch_img_metas, rescale=rescale)
        for result, margins in zip(results, cls_scores):
            result.scores = self.to_scores(margins)
        return results

    def loss(self, *args, **kwargs) -> dict[str, Tensor]:
        """Refuses: SVMs are not trained step by step."""
        raise InputError('SVMs are not trained step by step; train them with det-inception train-svm.')


class PooledFeatures(nn.Module):
    """A box head whose logits are the features (R, C) that the linear layers of the other heads see."""

    with_reg = False

    def __init__(self) -> None:
        super().__init__()
        self.avg_pool = nn.AdaptiveAvgPool2d(1)

    def forward(self, features: Tensor) -> tuple[Tensor, None]:
        """Returns the pooled features (R, C) of maps (R, C, h, w)."""
        return self.avg_pool(features).flatten(1), None
