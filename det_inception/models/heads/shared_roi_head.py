"""What Fast and Faster R-CNN do with a region: RoIAlign, and the last stage of GoogLeNet behind it.

Shape legend: R regions, C channels of the map, K classes.
"""

from __future__ import annotations

import torch
from mmcv.ops import RoIAlign
from mmdet.models.roi_heads import StandardRoIHead
from torch import Tensor, nn

from det_inception.models.backbones.freezing import Freezable
from det_inception.models.backbones.googlenet import INCEPTION, STAGES, VARIANTS, GoogLeNet, Inception
from det_inception.models.layers.chunks import predict_in_chunks
from det_inception.models.layers.region_align import region_align
from det_inception.models.layers.region_classifier import RegionClassifier
from det_inception.registry import MODELS

MODULES = STAGES[-1][1]


@MODELS.register_module()
class GoogLeNetSharedHead(Freezable):
    """Inception 5a and 5b on the features of regions: MMDetection's ``shared_head``.

    The region operation takes the place of the max-pool before 5a, as it does in Fast R-CNN (Girshick, arXiv
    1504.08083): regions of 7 x 7 come out as they would of a crop of 224 x 224. It stands apart from the box head
    because its weights are the backbone's.

    Args:
        variant: As for :class:`~det_inception.models.GoogLeNet`.
        width: Likewise.
        norm_eval: Likewise.
        init_cfg: Likewise; the two modules are taken out of the weights.
    """

    def __init__(
        self, variant: str = 'paper', width: float = 1.0, norm_eval: bool = False, init_cfg: dict | None = None
    ) -> None:
        super().__init__(init_cfg)
        if variant not in VARIANTS:
            raise ValueError(f'GoogLeNet has no variant {variant!r}; choose one of {", ".join(VARIANTS)}')
        self.variant, self.width, self.norm_eval = variant, width, norm_eval
        channels = INCEPTION['4e'].scaled(width).out
        for name in MODULES:
            widths = INCEPTION[name.removeprefix('inception')].scaled(width)
            setattr(self, name, Inception(channels, widths, VARIANTS[variant]))
            channels = widths.out

    def forward(self, features: Tensor) -> Tensor:
        """Returns (R, 1024, 7, 7) for features of 4e (R, 832, 7, 7)."""
        features = features.contiguous(memory_format=torch.channels_last)  # As the backbone has them.
        return self.inception5b(self.inception5a(features))

    def init_weights(self) -> None:
        """Takes the weights of a whole GoogLeNet, read or drawn, for its last modules."""
        network = GoogLeNet(self.variant, width=self.width, init_cfg=self.init_cfg)
        network.init_weights()
        for name in MODULES:
            getattr(self, name).load_state_dict(getattr(network, name).state_dict())
        self._is_init = True


@MODELS.register_module()
class SharedRoIHead(RegionClassifier, StandardRoIHead):
    """MMDetection's head of two-stage detectors for one map, whose regions go through the network in chunks.

    Three things differ. Regions are cut out in float32 also in mixed precision: a corner at 600 pixels has a neighbor
    at 604 in bfloat16. At test time a map's regions are judged ``test_cfg.chunk_size`` (128) at a time, on a processor
    with our own RoIAlign. And regions are cut out where the map's cells look.

    Args:
        first_center: The pixel at which the map's first cell looks, as
            :attr:`~det_inception.models.GoogLeNet.feature_info` has it; None: the middle of the stride, as RoIAlign
            takes it, which GoogLeNet's unpadded pools move on.
        kwargs: As for MMDetection's head.
    """

    def __init__(self, *, first_center: float | None = None, **kwargs) -> None:
        super().__init__(**kwargs)
        self.first_center = first_center

    @property
    def crop_shape(self) -> tuple[int, int, int]:
        """Shape (C, P, P) of a cut-out region."""
        return (self.bbox_roi_extractor.out_channels, *self.bbox_roi_extractor.roi_layers[0].output_size)

    @property
    def features(self) -> nn.Module:
        """The last stage."""
        return self.shared_head

    def _bbox_forward(self, x: tuple[Tensor], rois: Tensor) -> dict[str, Tensor | None]:
        (features,) = x
        features, rois = features.float(), self._on_map(rois.float())
        if torch.is_grad_enabled():
            logits, deltas = self.judge(self.bbox_roi_extractor((features,), rois))
        else:
            size = (self.test_cfg or {}).get('chunk_size', 128)
            logits, deltas = predict_in_chunks(lambda chunk: self.judge(self._cut_out(features, chunk)), rois, size)
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
        if not ours or features.device.type != 'cpu' or layer.output_size[0] != layer.output_size[1]:
            return self.bbox_roi_extractor((features,), rois)
        return region_align(features, rois, layer.output_size[0], layer.spatial_scale, layer.sampling_ratio)
