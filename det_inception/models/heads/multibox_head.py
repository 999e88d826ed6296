"""What the heads of MultiBox share: a class-agnostic box with a confidence that it holds an object.

Shape legend: B images in a batch, K boxes predicted in each, G objects of an image. Boxes are x1, y1, x2, y2 as
fractions of the image's width and height.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from mmdet.structures import SampleList
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor, nn

from det_inception.models.heads.multibox_loss import multibox_loss
from det_inception.models.layers.postprocess import nms_per_class
from det_inception.proposals.multibox import read_priors
from det_inception.utils.errors import InputError

UNITS = ('image', 'prior')
MATCH_BY = ('prediction', 'prior')


class MultiBoxHead(BaseModule):
    """Base of both heads: priors, loss and the boxes of an image.

    A box is its prior plus an offset that the network predicts. The priors are a buffer, so that a checkpoint holds
    them; they come from the training set, by :class:`~det_inception.models.MultiBoxPriorsHook` when training starts, or
    from a file of ``tools/multibox_priors.py``.

    Args:
        num_priors: Rows of the buffer.
        prior_values: Columns of the buffer: 4 for boxes, 2 for sizes.
        alpha: Weight of the location loss, and of location in matching to predictions. In the first paper 0.3, with
            coordinates as fractions of the image; in units of the priors the same number would let a confident box far
            away be matched.
        unit: What coordinates are measured in, in the loss and in what the network predicts: ``'image'``, its width and
            height (the papers), or ``'prior'``, those of the box's prior, so that a small box is located as closely,
            for its size, as a large one.
        match_by: Objects are matched to predictions, at the least loss (``'prediction'``), or to the nearest priors
            (``'prior'``, the first paper's "prior matching").
        initial_confidence: Confidence of every box before training.
        priors: File with priors; None: from the training set.
        train_cfg: Unused; :class:`SingleStageDetector` hands it on.
        test_cfg: As for :class:`~det_inception.models.MultiBox`.
        init_cfg: As in MMEngine.
    """

    def __init__(
        self,
        num_priors: int,
        prior_values: int,
        match_by: str,
        initial_confidence: float,
        alpha: float = 20.0,
        unit: str = 'prior',
        priors: str | None = None,
        train_cfg: dict | None = None,
        test_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if unit not in UNITS or match_by not in MATCH_BY:
            raise ValueError(f'unit is one of {UNITS} and match_by one of {MATCH_BY}, not {unit!r} and {match_by!r}')
        if not alpha > 0:
            raise ValueError(f'alpha weighs the location loss and is above 0, not {alpha}')
        self.alpha, self.unit, self.match_by, self.test_cfg = alpha, unit, match_by, test_cfg
        self.initial_logit = math.log(initial_confidence / (1 - initial_confidence))
        self.register_buffer('priors', torch.full((num_priors, prior_values), math.nan))
        self.priors: Tensor
        if priors is not None:
            self.set_priors(read_priors(priors), str(priors))

    def init_weights(self) -> None:
        """Draws small weights: the first boxes are the priors, all with the initial confidence."""
        super().init_weights()
        for location, confidence in self.output_layers():
            for layer in (location, confidence):
                nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(location.bias)
            nn.init.constant_(confidence.bias, self.initial_logit)

    @abstractmethod
    def output_layers(self) -> list[tuple[nn.Module, nn.Module]]:
        """Returns the last layers: for each map the one of the offsets and the one of the confidences."""

    # ------------------------------------------------------------------------------------------------------- priors

    @property
    def has_priors(self) -> bool:
        """Whether the priors are known."""
        return bool(torch.isfinite(self.priors).all())

    @abstractmethod
    def make_priors(self, boxes: np.ndarray) -> np.ndarray:
        """Returns the priors that suit a training set.

        Args:
            boxes: (N, 4), all its objects, as fractions of their images.
        """

    @abstractmethod
    def prior_boxes(self, features: Sequence[Tensor]) -> Tensor:
        """Returns the boxes (K, 4) that the offsets are added to, for features of this size."""

    def set_priors(self, priors: np.ndarray, source: str = 'the priors') -> None:
        """Takes over priors.

        Args:
            priors: As :meth:`make_priors` returns them.
            source: Where they come from, for messages.

        Raises:
            InputError: They are of another number or kind.
        """
        if priors.shape != tuple(self.priors.shape):
            kinds = {2: 'sizes', 4: 'boxes'}
            raise InputError(
                f'{source}: {len(priors)} {kinds[priors.shape[1]]} do not suit a {type(self).__name__} of '
                f'{len(self.priors)} {kinds[self.priors.shape[1]]}; make the priors with this config, or correct the '
                'numbers in its model.bbox_head.'
            )
        self.priors.copy_(torch.from_numpy(priors))

    def _require_priors(self) -> None:
        if not self.has_priors:
            raise InputError(
                f'the {type(self).__name__} has no priors: the checkpoint holds none, or the training began without; '
                "add dict(type='MultiBoxPriorsHook') to the config's custom_hooks and train again."
            )

    # ------------------------------------------------------------------------------------------ training, inference

    @abstractmethod
    def forward(self, features: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Returns offsets (B, K, 4) and logits of the confidences (B, K)."""

    def loss(self, features: Sequence[Tensor], samples: SampleList) -> dict[str, Tensor]:
        """Returns the losses of location and confidence, both per object of the batch."""
        boxes, logits, priors = self._predict(features, samples)
        objects = [relative(sample.gt_instances.bboxes, sample.metainfo['img_shape']) for sample in samples]
        ignored = [
            relative(sample.ignored_instances.bboxes, sample.metainfo['img_shape'])
            if 'ignored_instances' in sample
            else boxes.new_zeros(0, 4)
            for sample in samples
        ]
        location, confidence, matched = multibox_loss(
            boxes,
            logits,
            objects,
            alpha=self.alpha,
            scales=self._scales(priors),
            match_boxes=priors if self.match_by == 'prior' else None,
            ignored=ignored,
        )
        # The papers leave open what the sum over a batch is divided by; by its objects, crowded images weigh more and
        # both terms keep their balance.
        count = max(matched, 1)
        return dict(loss_location=location / count, loss_confidence=confidence / count)

    def predict(self, features: Sequence[Tensor], samples: SampleList, rescale: bool = True) -> list[InstanceData]:
        """Returns the best boxes of each image with their confidences, in its original pixels if ``rescale``."""
        boxes, logits, _ = self._predict(features, samples)
        results = []
        for sample, image_boxes, image_logits in zip(samples, boxes, logits):
            height, width = sample.metainfo['ori_shape' if rescale else 'img_shape'][:2]
            results.append(self._best(image_boxes, image_logits, height, width))
        return results

    def _predict(self, features: Sequence[Tensor], samples: SampleList) -> tuple[Tensor, Tensor, Tensor]:
        """Returns boxes (B, K, 4), logits (B, K) and their prior boxes (K, 4), in float32."""
        self._require_priors()
        for sample in samples:
            shape, padded = sample.metainfo['img_shape'][:2], sample.metainfo.get('batch_input_shape')
            if padded is not None and tuple(padded) != tuple(shape):
                raise InputError(
                    f'{sample.metainfo.get("img_path", "an image")}: MultiBox takes images of one size, and this is '
                    f"{shape[1]} x {shape[0]} in a batch of {padded[1]} x {padded[0]}; put dict(type='Resize', "
                    'scale=(448, 448), keep_ratio=False) into the pipeline.'
                )
        offsets, logits = self(features)
        priors = self.prior_boxes(features)
        return priors + offsets.float() * self._scales(priors), logits.float(), priors

    def _scales(self, priors: Tensor) -> Tensor:
        """Returns the unit of each box's coordinates (K, 4), as a fraction of the image."""
        if self.unit == 'image':
            return torch.ones_like(priors)
        return (priors[:, 2:] - priors[:, :2]).repeat(1, 2)

    def _best(self, boxes: Tensor, logits: Tensor, height: int, width: int) -> InstanceData:
        boxes = boxes.clamp(0, 1) * boxes.new_tensor([width, height, width, height])
        # Of a box outside the image, or inside out, nothing is left.
        candidates = torch.nonzero((boxes[:, 2:] - boxes[:, :2] >= 1).all(1)).squeeze(1)
        best = logits[candidates].topk(min(self.test_cfg['nms_pre'], len(candidates))).indices
        candidates = candidates[best]
        boxes, scores = boxes[candidates], logits[candidates].sigmoid()
        labels = torch.zeros_like(candidates)
        if len(boxes):
            found, keep = nms_per_class(boxes, scores, labels, self.test_cfg['nms'])
            boxes, scores, labels = found[:, :4], found[:, 4], labels[keep]
        limit = self.test_cfg['max_per_img']
        return InstanceData(bboxes=boxes[:limit], scores=scores[:limit], labels=labels[:limit])


def relative(boxes: Tensor, shape: Sequence[int]) -> Tensor:
    """Returns boxes (G, 4) in pixels of an image of ``shape`` (height, width) as fractions of it."""
    boxes = getattr(boxes, 'tensor', boxes)
    height, width = shape[:2]
    return boxes.float() / boxes.new_tensor([width, height, width, height]).float()


def conv_unit(in_channels: int, out_channels: int, kernel: int) -> nn.Sequential:
    """Convolution, group norm, ReLU: the Caffe weights' features reach into the hundreds, and batches are small."""
    groups = math.gcd(32, out_channels)
    convolution = nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.GroupNorm(groups, out_channels), nn.ReLU(inplace=True))
