"""MultiBox as a detector (Erhan et al., arXiv 1312.2249; Szegedy et al., arXiv 1412.1441): boxes without classes.

Shape legend: B images in a batch, K boxes predicted in each.
"""

from __future__ import annotations

import torch
from mmdet.models.detectors import SingleStageDetector
from torch import Tensor

from det_inception.models.data_preprocessors.normalization import fit_normalization
from det_inception.models.layers.consistency import require_channels
from det_inception.registry import MODELS


@MODELS.register_module()
class MultiBox(SingleStageDetector):
    """MMDetection's single-stage detector with a MultiBox head, on resized images.

    Every image of a batch fills its tensor: the pipeline resizes to one size, whatever the aspect ratio, as the papers
    do. All objects are of one class; their labels are ignored, and predictions have the label 0.

    Args:
        backbone: A :class:`~det_inception.models.GoogLeNet` with the stages that the head wants as ``out_indices``.
        bbox_head: A :class:`~det_inception.models.MultiBoxGlobalHead` or
            :class:`~det_inception.models.MultiBoxGridHead`.
        neck: Any of MMDetection's, or None.
        train_cfg: None; what there is to choose is the head's.
        test_cfg: ``nms_pre`` (so many best boxes enter), ``nms`` and ``max_per_img``.
        data_preprocessor: Normalization; a :class:`~det_inception.models.BackboneDataPreprocessor` takes ``mean`` and
            ``std`` from the backbone's weights.
        init_cfg: As in MMEngine.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.backbone.to(memory_format=torch.channels_last)
        if not self.with_neck:
            require_channels(self.backbone, self.bbox_head)
        fit_normalization(self)

    def init_weights(self) -> None:
        """Initializes the parts, and normalizes images as the backbone's weights need it."""
        super().init_weights()
        fit_normalization(self)

    @torch.no_grad()
    def prior_boxes(self, width: int, height: int) -> Tensor:
        """Returns the prior (K, 4) of every box that the network predicts for images of a size."""
        device = self.bbox_head.priors.device
        return self.bbox_head.prior_boxes(self.extract_feat(torch.zeros(1, 3, height, width, device=device)))

    def extract_feat(self, batch_inputs: Tensor) -> tuple[Tensor, ...]:
        """Returns the features of images (B, 3, H, W)."""
        return super().extract_feat(batch_inputs.contiguous(memory_format=torch.channels_last))
