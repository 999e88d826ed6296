"""Several networks that classify the same regions: in 2014, six GoogLeNets (arXiv 1409.4842, section 8).

The paper leaves open how the six were combined. Here it is the mean of their softmax or of their logits.

Shape legend: B images in a batch, R regions of one image, K classes, N members, S the side of a crop.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmdet.structures import DetDataSample, SampleList
from mmengine.structures import InstanceData
from torch import Tensor, nn

from det_inception.models.detectors.rcnn import RCNN, RegionDetector
from det_inception.models.heads.region_classifier_head import RegionClassifierHead
from det_inception.models.layers.postprocess import postprocess, require_nms
from det_inception.models.layers.preselect import FirstLook, require_preselect
from det_inception.models.layers.region_classifier import RegionPredictions
from det_inception.registry import MODELS
from det_inception.utils.errors import InputError

COMBINATIONS = ('scores', 'logits')


@MODELS.register_module()
class RCNNEnsemble(RegionDetector):
    """Averages R-CNNs region by region, before one NMS.

    Regions are warped once, from the image as it is. Every member then normalizes the crops as its weights need it.
    This gives the same crops as warping its own normalized image, since warping is linear and the outside is the mean.
    Members may differ in variant, width and normalization; not in classes, crops and box regression.

    Args:
        members: Configs of N :class:`RCNN`, each with its ``data_preprocessor``.
        combine: ``'scores'``: the mean of the members' scores; ``'logits'``: the scores of their mean logits. Box
            deltas are averaged either way.
        mirror: Also classify the mirrored crops, and average over both.
        test_cfg: Post-processing, as for :class:`RCNN`; None: the first member's.
        data_preprocessor: Batching; must not normalize. None: MMDetection's, without padding.
        init_cfg: As in MMEngine.
    """

    def __init__(
        self,
        members: Sequence[dict],
        combine: str = 'scores',
        mirror: bool = False,
        test_cfg: dict | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        require_combination(combine)
        super().__init__(data_preprocessor or dict(type='DetDataPreprocessor', pad_size_divisor=1), init_cfg)
        require_members(members, self.data_preprocessor)
        self.members: Sequence[RCNN] = nn.ModuleList(MODELS.build(member) for member in members)
        self.combine, self.mirror = combine, mirror
        self.test_cfg = test_cfg or self.members[0].test_cfg
        if self.test_cfg is not None:
            require_nms(self.test_cfg['rcnn'].get('nms'))
            require_preselect(self.test_cfg['rcnn'])
        self._require_alike()

    def _require_alike(self) -> None:
        first = self.members[0]
        for number, member in enumerate(self.members, start=1):
            if not isinstance(member, RCNN):
                raise InputError(f'member {number} of the ensemble is a {type(member).__name__} and should be an RCNN.')
            for what, own, others in (
                ('box head', type(member.bbox_head).__name__, type(first.bbox_head).__name__),
                ('number of classes', member.bbox_head.num_classes, first.bbox_head.num_classes),
                ('box regression', member.bbox_head.with_reg, first.bbox_head.with_reg),
                ('crops', member.region_warp.extra_repr(), first.region_warp.extra_repr()),
            ):
                if own != others:
                    raise InputError(
                        f'member {number} of the ensemble has another {what} ({own}) than the first ({others}); '
                        'average networks that answer the same question.'
                    )

    # ------------------------------------------------------------------------------------------------- inference

    def _detections(
        self, rois: Tensor, predictions: RegionPredictions, data_sample: DetDataSample, rescale: bool
    ) -> InstanceData:
        head = self.members[0].bbox_head
        logits = head.to_logits(predictions.scores)
        return postprocess(head, rois, logits, predictions.deltas, data_sample, self.test_cfg['rcnn'], rescale)

    def _classify(self, inputs: Tensor, rois: Tensor, data_samples: SampleList) -> RegionPredictions:
        """Returns scores, not logits, and deltas: means of members and views."""
        shapes = [sample.metainfo['img_shape'][:2] for sample in data_samples]
        # A fourth channel of ones comes out of the warp as the part of each crop that lies inside the image.
        with torch.no_grad():
            images = torch.cat([inputs.float(), inputs.new_ones(inputs[:, :1].shape, dtype=torch.float32)], 1)
            crops = self.members[0].region_warp(images, rois, shapes)
        predictions = []
        for member in self.members:
            normalized = normalize_crops(crops, member.data_preprocessor)
            predictions.append(member.classify_regions(normalized))
            if self.mirror:
                logits, deltas = member.classify_regions(normalized.flip(3))
                predictions.append(RegionPredictions(logits, None if deltas is None else mirrored_deltas(deltas)))
        return average_predictions(predictions, self.combine, self.members[0].bbox_head)

    def first_look(self, image: Tensor, boxes: Tensor, sides: Sequence[float]) -> FirstLook:
        """Returns the means of the members' scores and maps."""
        with_ones = torch.cat([image.float(), image.new_ones(image[:, :1].shape, dtype=torch.float32)], 1)
        images = (normalize_crops(with_ones, member.data_preprocessor) for member in self.members)
        looks = [member.first_look(one, boxes, sides) for member, one in zip(self.members, images)]
        return FirstLook(*(torch.stack(values).mean(0) for values in zip(*looks)))

    # --------------------------------------------------------------------------------------- MMDetection's contract

    def loss(self, batch_inputs: Tensor, batch_data_samples: SampleList) -> dict:
        """An ensemble is not trained as one."""
        raise InputError(
            'an ensemble is not trained as one; train its members, e.g. with det-inception train-ensemble.'
        )

    def extract_feat(self, batch_inputs: Tensor) -> list[tuple[Tensor, ...]]:
        """Returns every member's features of crops (R, 3, S, S), normalized for it."""
        return [member.backbone(batch_inputs) for member in self.members]


def require_combination(combine: str) -> None:
    """Refuses what is none of :data:`COMBINATIONS`."""
    if combine not in COMBINATIONS:
        raise InputError(f'an ensemble combines {" or ".join(COMBINATIONS)}, not {combine!r}; correct "combine".')


def require_members(members: Sequence[dict], preprocessor: nn.Module) -> None:
    """Refuses an ensemble without members, or one that normalizes what its members normalize for themselves."""
    if not members:
        raise InputError('an ensemble needs members; give at least one.')
    if getattr(preprocessor, '_enable_normalize', False):
        raise InputError("an ensemble's members normalize for themselves; take mean and std out of its preprocessor.")


def average_predictions(
    predictions: Sequence[RegionPredictions], combine: str, head: RegionClassifierHead
) -> RegionPredictions:
    """Averages what several networks, or one on several views, say of the same regions.

    Args:
        predictions: Logits (R, K + 1) and deltas (R, 4 K), or None, of each.
        combine: One of :data:`COMBINATIONS`.
        head: Says what scores logits have.

    Returns:
        Scores (R, K + 1) and deltas, in float32.
    """
    logits = torch.stack([one.scores.float() for one in predictions])
    scores = head.to_scores(logits).mean(0) if combine == 'scores' else head.to_scores(logits.mean(0))
    if predictions[0].deltas is None:
        return RegionPredictions(scores, None)
    return RegionPredictions(scores, torch.stack([one.deltas.float() for one in predictions]).mean(0))


def normalize_crops(crops: Tensor, preprocessor: nn.Module) -> Tensor:
    """Normalizes crops of an image that was not, as if it had been before it was warped.

    Args:
        crops: (R, 4, S, S): three channels of color, 0 to 255, and the part of each pixel that is inside the image.
        preprocessor: A ``DetDataPreprocessor``, for mean, std and order of channels.

    Returns:
        (R, 3, S, S), in channels-last memory layout; zero outside the image.
    """
    color, inside = crops[:, :3], crops[:, 3:]
    if preprocessor._channel_conversion:
        color = color.flip(1)
    if not preprocessor._enable_normalize:
        return color.contiguous(memory_format=torch.channels_last)
    mean, std = (getattr(preprocessor, name).view(1, 3, 1, 1) for name in ('mean', 'std'))
    return ((color - mean * inside) / std).contiguous(memory_format=torch.channels_last)


def mirrored_deltas(deltas: Tensor) -> Tensor:
    """Deltas (R, 4 K) of mirrored crops, as deltas of the crops themselves: the shift to the right changes sign."""
    return deltas * deltas.new_tensor([-1, 1, 1, 1]).repeat(deltas.shape[1] // 4)
