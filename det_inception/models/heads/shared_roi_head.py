"""The region head of Fast and Faster R-CNN (Girshick, arXiv 1504.08083; Ren et al., arXiv 1506.01497).

Shape legend: R regions, C channels of the map, P the side of a cut-out region.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from mmcv.ops import RoIAlign
from mmdet.models.roi_heads import StandardRoIHead
from mmengine.structures import InstanceData
from torch import Tensor, nn

from det_inception.models.layers.postprocess import require_nms, select_detections
from det_inception.models.layers.region_align import differentiable_region_align, region_align
from det_inception.models.layers.region_classifier import RegionClassifier, predict_in_chunks
from det_inception.registry import MODELS


@MODELS.register_module()
class SharedRoIHead(RegionClassifier, StandardRoIHead):
    """MMDetection's head of two-stage detectors, for one map and with regions in chunks.

    Five things differ:

    * Regions are cut out in float32 also in mixed precision. In bfloat16, a corner at 600 pixels has its next neighbor
      at 604.
    * At test time a map's regions are classified ``test_cfg.chunk_size`` (128) at a time.
    * On a processor, regions are cut out by our own RoIAlign.
    * Regions are cut out where the map's cells look.
    * Detections are selected as in :class:`~det_inception.models.RCNN`: every NMS, and ``test_cfg.max_per_class``.

    Args:
        first_center: The pixel at which the map's first cell looks, as
            :attr:`~det_inception.models.GoogLeNet.feature_info` has it; None: the middle of the stride, as RoIAlign
            takes it, which GoogLeNet's unpadded pools move on.
        kwargs: As for MMDetection's head.
    """

    def __init__(self, *, first_center: float | None = None, **kwargs) -> None:
        super().__init__(**kwargs)
        self.first_center = first_center
        if self.test_cfg is not None:
            require_nms(self.test_cfg.get('nms'))

    @property
    def crop_shape(self) -> tuple[int, int, int]:
        """Shape (C, P, P) of a cut-out region."""
        return (self.bbox_roi_extractor.out_channels, *self.bbox_roi_extractor.roi_layers[0].output_size)

    @property
    def features(self) -> nn.Module:
        """The last stage."""
        return self.shared_head

    def predict_bbox(
        self,
        x: tuple[Tensor],
        batch_img_metas: list[dict],
        rpn_results_list: list[InstanceData],
        rcnn_test_cfg: Mapping,
        rescale: bool = False,
    ) -> list[InstanceData]:
        """Returns each image's detections; its proposals are in ``rpn_results_list``."""
        decoded = super().predict_bbox(x, batch_img_metas, rpn_results_list, None, rescale)
        return [select_detections(one.bboxes, one.scores[:, :-1], rcnn_test_cfg) for one in decoded]

    def _bbox_forward(self, x: tuple[Tensor], rois: Tensor) -> dict[str, Tensor | None]:
        (features,) = x
        features, rois = features.float(), self._on_map(rois.float())
        if torch.is_grad_enabled():
            logits, deltas = self.classify_regions(self._cut_out(features, rois))
        else:
            size = (self.test_cfg or {}).get('chunk_size', 128)
            logits, deltas = predict_in_chunks(
                lambda chunk: self.classify_regions(self._cut_out(features, chunk)), rois, size
            )
        return dict(cls_score=logits, bbox_pred=deltas)

    def _on_map(self, rois: Tensor) -> Tensor:
        """Returns the rois (R, 5), moved to where RoIAlign finds them if the map's first cell looks elsewhere."""
        if self.first_center is None:
            return rois
        shift = self.bbox_roi_extractor.featmap_strides[0] / 2 - self.first_center
        return rois + rois.new_tensor([0, *[shift] * 4])

    def _cut_out(self, features: Tensor, rois: Tensor) -> Tensor:
        layer = self.bbox_roi_extractor.roi_layers[0]
        ours = isinstance(layer, RoIAlign) and layer.pool_mode == 'avg' and layer.aligned and layer.sampling_ratio > 0
        trained = torch.is_grad_enabled()
        if not ours or layer.output_size[0] != layer.output_size[1] or not (trained or features.device.type == 'cpu'):
            return self.bbox_roi_extractor((features,), rois)
        align = differentiable_region_align if trained else region_align
        return align(features, rois, layer.output_size[0], layer.spatial_scale, layer.sampling_ratio)
