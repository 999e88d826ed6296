"""R-CNN as a MMDetection detector (Girshick et al., arXiv 1311.2524; GoogLeNet's section 8, arXiv 1409.4842).

R-CNN is Fast R-CNN with the network moved behind the region operation. Assigner, sampler, box coder and NMS are
MMDetection's. Only the order differs: every region is warped first, and then goes through the whole network.

Shape legend: B images in a batch, R regions of all of them, K classes, S the side of a crop.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from mmdet.models.detectors import BaseDetector
from mmdet.models.task_modules.samplers import SamplingResult
from mmdet.structures import DetDataSample, SampleList
from mmdet.structures.bbox import bbox2roi, get_box_tensor
from mmengine.structures import InstanceData
from torch import Tensor, nn

from det_inception.models.data_preprocessors.normalization import fit_normalization
from det_inception.models.layers.consistency import require_channels
from det_inception.models.layers.postprocess import postprocess, require_nms
from det_inception.models.layers.preselect import FirstLook, first_look, most_promising, require_preselect
from det_inception.models.layers.region_classifier import RegionClassifier, RegionPredictions, predict_in_chunks
from det_inception.registry import MODELS, TASK_UTILS
from det_inception.utils.errors import InputError


class RegionDetector(BaseDetector):
    """What one network and an ensemble of such share: all proposals of an image are classified, chunk by chunk."""

    def predict(self, batch_inputs: Tensor, batch_data_samples: SampleList, rescale: bool = True) -> SampleList:
        """Classifies the proposals and puts ``pred_instances`` (bboxes, scores, labels) into every sample.

        All of them, or the most promising ones if ``test_cfg.rcnn.preselect`` says how many.
        """
        results = []
        for number, data_sample in enumerate(batch_data_samples):
            image = batch_inputs[number : number + 1]
            rois = bbox2roi([self.preselect(image, region_proposals(data_sample), data_sample)])
            predictions = self.region_scores(image, rois, [data_sample])
            results.append(self._detections(rois, predictions, data_sample, rescale))
        return self.add_pred_to_datasample(batch_data_samples, results)

    def region_scores(self, inputs: Tensor, rois: Tensor, data_samples: SampleList) -> RegionPredictions:
        """Returns class logits (R, K + 1) and box deltas (R, 4 K), or None, computed chunk by chunk, in float32."""
        chunk_size = self.test_cfg['rcnn'].get('chunk_size', 128)
        return predict_in_chunks(lambda chunk: self._classify(inputs, chunk, data_samples), rois, chunk_size)

    def preselect(self, image: Tensor, boxes: Tensor, data_sample: DetDataSample) -> Tensor:
        """Returns those of the boxes (R, 4) of an image (1, 3, H, W) that are looked at closely."""
        height, width = data_sample.metainfo['img_shape'][:2]
        image = image[:, :, :height, :width]
        look = partial(self.first_look, image, boxes)
        return most_promising(boxes, look, (height, width), self.test_cfg['rcnn'])

    def first_look(self, image: Tensor, boxes: Tensor, sides: Sequence[float]) -> FirstLook:
        """Returns what one look at the image (1, 3, H, W), at shorter sides of these lengths, says of boxes (R, 4)."""
        raise NotImplementedError

    def _detections(
        self, rois: Tensor, predictions: RegionPredictions, data_sample: DetDataSample, rescale: bool
    ) -> InstanceData:
        return postprocess(self.bbox_head, rois, *predictions, data_sample, self.test_cfg['rcnn'], rescale)

    def _forward(self, batch_inputs: Tensor, batch_data_samples: SampleList | None = None) -> RegionPredictions:
        """Returns what :meth:`region_scores` does for all proposals of the batch, without any post-processing."""
        rois = bbox2roi([region_proposals(data_sample) for data_sample in batch_data_samples])
        return self.region_scores(batch_inputs, rois, batch_data_samples)


@MODELS.register_module()
class RCNN(RegionClassifier, RegionDetector):
    """Regions with convolutional features: classifies warped crops of external proposals.

    Every data sample has ``proposals`` (see :class:`det_inception.datasets.LoadRegionProposals`). In training they are
    assigned to the ground truth and sampled. At test time they are classified, in chunks of
    ``test_cfg.rcnn.chunk_size`` crops, so that memory does not grow with their number.

    Args:
        backbone: The network; its last output goes to the head.
        bbox_head: A :class:`~det_inception.models.RegionClassifierHead`.
        region_warp: A :class:`~det_inception.models.RegionWarp`.
        train_cfg: ``rcnn``: ``assigner``, ``sampler``, ``pos_weight``.
        test_cfg: ``rcnn``: ``score_thr``, ``nms`` (see :func:`~det_inception.models.layers.postprocess.nms_per_class`),
            ``max_per_img`` (-1: no limit), ``max_per_class`` (of an image), ``chunk_size``, ``keep_region_scores``,
            ``preselect`` (see :mod:`~det_inception.models.layers.preselect`).
        data_preprocessor: Normalization and batching; a :class:`~det_inception.models.BackboneDataPreprocessor` takes
            ``mean`` and ``std`` from the backbone's weights.
        init_cfg: As in MMEngine.
    """

    def __init__(
        self,
        backbone: dict,
        bbox_head: dict,
        region_warp: dict,
        train_cfg: dict | None = None,
        test_cfg: dict | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.backbone = MODELS.build(backbone).to(memory_format=torch.channels_last)
        self.region_warp = MODELS.build(region_warp)
        self.bbox_head = MODELS.build(bbox_head)
        require_channels(self.backbone, self.bbox_head)
        fit_normalization(self)
        self.train_cfg, self.test_cfg = train_cfg, test_cfg
        if test_cfg is not None:
            require_nms(test_cfg['rcnn'].get('nms'))
            require_preselect(test_cfg['rcnn'])
        if train_cfg is not None:
            self.bbox_assigner = TASK_UTILS.build(train_cfg['rcnn']['assigner'])
            self.bbox_sampler = TASK_UTILS.build(train_cfg['rcnn']['sampler'], default_args=dict(context=self))

    def init_weights(self) -> None:
        """Initializes the parts, and normalizes images as the backbone's weights need it."""
        super().init_weights()
        fit_normalization(self)

    # ------------------------------------------------------------------------------------------------- training

    def loss(self, batch_inputs: Tensor, batch_data_samples: SampleList) -> dict[str, Tensor]:
        """Samples regions of every image and returns the losses of the head."""
        samples = [self._sample(data_sample) for data_sample in batch_data_samples]
        rois = bbox2roi([sample.bboxes for sample in samples])
        cls_score, bbox_pred = self._classify(batch_inputs, rois, batch_data_samples)
        return self.bbox_head.loss_and_target(cls_score, bbox_pred, rois, samples, self.train_cfg['rcnn'])['loss_bbox']

    def _sample(self, data_sample) -> SamplingResult:
        """Assigns an image's proposals to its ground truth and draws the regions of this step."""
        proposals = InstanceData(priors=region_proposals(data_sample))
        ground_truth = data_sample.gt_instances
        ignored = data_sample.get('ignored_instances')
        assigned = self.bbox_assigner.assign(proposals, ground_truth, ignored)
        return self.bbox_sampler.sample(assigned, proposals, ground_truth)

    # ------------------------------------------------------------------------------------------------- inference

    def _classify(self, inputs: Tensor, rois: Tensor, data_samples: SampleList) -> RegionPredictions:
        with torch.no_grad():
            crops = self.region_warp(inputs, rois, [sample.metainfo['img_shape'][:2] for sample in data_samples])
        return self.classify_regions(crops)

    def first_look(self, image: Tensor, boxes: Tensor, sides: Sequence[float]) -> FirstLook:
        def classify(features: Tensor) -> Tensor:
            return self.bbox_head(features[:, :, None, None])[0].float()

        warp = self.region_warp
        return first_look(self.backbone, classify, image, warp.windows(boxes), sides, warp.size)

    @property
    def crop_shape(self) -> tuple[int, int, int]:
        """Shape (3, S, S) of a crop."""
        return (3, self.region_warp.size, self.region_warp.size)

    @property
    def features(self) -> nn.Module:
        """The backbone."""
        return self.backbone

    # --------------------------------------------------------------------------------------- MMDetection's contract

    def extract_feat(self, batch_inputs: Tensor) -> tuple[Tensor, ...]:
        """Returns the backbone's features of crops (R, 3, S, S); whole images have none in R-CNN."""
        return self.backbone(batch_inputs)


def region_proposals(data_sample) -> Tensor:
    """Returns an image's proposals, (R, 4), cut to the image."""
    proposals = data_sample.get('proposals')
    if proposals is None:
        raise InputError(
            f'{data_sample.metainfo.get("img_path", "an image")} comes without proposals; '
            "put dict(type='LoadRegionProposals') into the data set's pipeline, before PackDetInputs."
        )
    boxes = get_box_tensor(proposals.bboxes)
    height, width = data_sample.metainfo['img_shape'][:2]
    return torch.minimum(boxes.clamp(min=0), boxes.new_tensor([width, height, width, height]))
