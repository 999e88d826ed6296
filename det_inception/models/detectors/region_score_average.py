"""A detector that reads region scores from files instead of running networks.

Shape legend: R regions of one image, K classes, N files.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from mmdet.models.detectors import BaseDetector
from mmdet.structures import DetDataSample, OptSampleList, SampleList
from mmdet.structures.bbox import bbox2roi
from mmengine.structures import InstanceData
from torch import Tensor

from det_inception.models.detectors.rcnn_ensemble import average_predictions, require_combination
from det_inception.models.layers.postprocess import postprocess, require_nms
from det_inception.models.layers.region_classifier import RegionPredictions
from det_inception.proposals.region_scores import ImageScores, RegionScores
from det_inception.registry import MODELS
from det_inception.utils.errors import InputError

_TOLERANCE = 0.01
"""Pixels by which the same proposal may differ from file to file."""


@MODELS.register_module()
class RegionScoreAverage(BaseDetector):
    """Averages the region scores of files, before one NMS: an ensemble of networks that ran elsewhere.

    Images are looked up by their ids; their pixels are not used.

    Args:
        files: N files that ``tools/test.py --save-region-scores`` wrote.
        bbox_head: As for :class:`~det_inception.models.RCNN`; for its box coder.
        combine: As for :class:`~det_inception.models.RCNNEnsemble`.
        test_cfg: Likewise.
        data_preprocessor: Batching.
        init_cfg: As in MMEngine.

    Raises:
        InputError: A file cannot be read, or the files are of other classes, regions or box regression.
    """

    def __init__(
        self,
        files: Sequence[str],
        bbox_head: dict,
        combine: str = 'scores',
        test_cfg: dict | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        require_combination(combine)
        super().__init__(data_preprocessor or dict(type='DetDataPreprocessor', pad_size_divisor=1), init_cfg)
        self.files = [RegionScores(path) for path in files]
        first = self.files[0]
        for file in self.files[1:]:
            for what, own, others in (
                ('classes', file.classes, first.classes),
                ('box regression', file.with_deltas, first.with_deltas),
            ):
                if own != others:
                    raise InputError(
                        f'{file.path}: has another {what} than {first.path}; average what belongs together.'
                    )
        self.bbox_head = MODELS.build(dict(bbox_head, num_classes=len(first.classes), with_reg=first.with_deltas))
        self.combine, self.test_cfg = combine, test_cfg
        if test_cfg is not None:
            require_nms(test_cfg['rcnn'].get('nms'))

    def predict(self, batch_inputs: Tensor, batch_data_samples: SampleList, rescale: bool = True) -> SampleList:
        """Puts ``pred_instances`` (bboxes, scores, labels) and the files' ``proposals`` into every sample."""
        results = []
        for sample in batch_data_samples:
            boxes, (scores, deltas) = self._average(sample)
            sample.proposals = InstanceData(bboxes=boxes)
            rois = bbox2roi([boxes])
            logits = self.bbox_head.to_logits(scores)
            results.append(postprocess(self.bbox_head, rois, logits, deltas, sample, self.test_cfg['rcnn'], rescale))
        return self.add_pred_to_datasample(batch_data_samples, results)

    def _average(self, sample: DetDataSample) -> tuple[Tensor, RegionPredictions]:
        name = str(sample.metainfo['img_id'])
        found = [file[name] for file in self.files]
        for file, scores in zip(self.files, found):
            if (scores.height, scores.width) != tuple(sample.metainfo['img_shape'][:2]):
                height, width = sample.metainfo['img_shape'][:2]
                raise InputError(
                    f'{file.path}: its scores of image {name} are of a size of {scores.width} x {scores.height}, and '
                    f'here it has {width} x {height}; use the config and the data that the file was made with.'
                )
            if not _same_regions(scores, found[0]):
                raise InputError(
                    f'{file.path}: has other regions of image {name} than {self.files[0].path}; all members must '
                    'classify the same proposals.'
                )
        device = next(self.bbox_head.parameters()).device
        predictions = [
            RegionPredictions(
                torch.from_numpy(scores.logits).to(device),
                None if scores.deltas is None else torch.from_numpy(scores.deltas).to(device),
            )
            for scores in found
        ]
        return torch.from_numpy(found[0].boxes).to(device), average_predictions(
            predictions, self.combine, self.bbox_head
        )

    # --------------------------------------------------------------------------------------- MMDetection's contract

    def loss(self, batch_inputs: Tensor, batch_data_samples: SampleList) -> dict:
        """Files are not trained."""
        raise InputError('files of region scores are not trained; train the networks that write them.')

    def extract_feat(self, batch_inputs: Tensor) -> tuple[Tensor, ...]:
        """Files have no features."""
        raise InputError('files of region scores have no features; ask the networks that wrote them.')

    def _forward(self, batch_inputs: Tensor, batch_data_samples: OptSampleList = None):
        """Returns averaged scores and deltas of all images, without any post-processing."""
        return [self._average(sample)[1] for sample in batch_data_samples]


def _same_regions(one: ImageScores, other: ImageScores) -> bool:
    return one.boxes.shape == other.boxes.shape and bool(np.all(np.abs(one.boxes - other.boxes) <= _TOLERANCE))
