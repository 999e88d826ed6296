"""MultiBox: a network that predicts class-agnostic boxes, each with a confidence that it holds an object.

From: Erhan et al., "Scalable object detection using deep neural networks", arXiv 1312.2249 (one fixed set of K boxes:
:class:`MultiBoxGlobalHead`); Szegedy et al., "Scalable, high-quality object detection", arXiv 1412.1441 (boxes around
the cells of grids of several resolutions: :class:`MultiBoxGridHead`). Loss:
:mod:`det_inception.models.heads.multibox_loss`.

Shape legend: B images in a batch, K boxes predicted in each, L grids, S sizes of a grid's cell, G objects of an image.
Boxes are x1, y1, x2, y2, inside the heads as fractions of the image's width and height.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from mmcv.ops import batched_nms
from mmdet.models.detectors import SingleStageDetector
from mmdet.structures import SampleList
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor, nn

from det_inception.models.data_preprocessors.normalization import fit_normalization
from det_inception.models.heads.multibox_loss import multibox_loss
from det_inception.models.layers.consistency import require_channels
from det_inception.proposals.multibox import box_priors, grid_boxes, read_priors, size_priors
from det_inception.registry import MODELS
from det_inception.utils.errors import InputError

UNITS = ('image', 'prior')
MATCH_BY = ('prediction', 'prior')


@MODELS.register_module()
class MultiBox(SingleStageDetector):
    """MMDetection's single-stage detector with a MultiBox head, on resized images.

    Every image of a batch fills its tensor: the pipeline resizes to one size, whatever the aspect ratio, as the papers
    do. All objects are of one class; their labels are ignored, and predictions have the label 0.

    Args:
        backbone: A :class:`~det_inception.models.GoogLeNet` with the stages that the head wants as ``out_indices``.
        bbox_head: A :class:`MultiBoxGlobalHead` or :class:`MultiBoxGridHead`.
        neck: Any of MMDetection's, or None.
        train_cfg: None; what there is to choose is the head's.
        test_cfg: ``nms_pre`` (so many best boxes enter), ``nms`` and ``max_per_img``.
        data_preprocessor: Normalization; a :class:`~det_inception.models.BackboneDataPreprocessor` takes ``mean`` and
            ``std`` from the backbone's weights.
        init_cfg: As in MMEngine.
    """

    def __init__(
        self,
        backbone: dict,
        bbox_head: dict,
        neck: dict | None = None,
        train_cfg: dict | None = None,
        test_cfg: dict | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(backbone, neck, bbox_head, train_cfg, test_cfg, data_preprocessor, init_cfg)
        self.backbone.to(memory_format=torch.channels_last)
        if neck is None:
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


class MultiBoxHead(BaseModule):
    """What both heads share: priors, loss and the boxes of an image.

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
        test_cfg: See :class:`MultiBox`.
        init_cfg: As in MMEngine.
    """

    def __init__(
        self,
        num_priors: int,
        prior_values: int,
        alpha: float,
        unit: str,
        match_by: str,
        initial_confidence: float,
        priors: str | None,
        train_cfg: dict | None,
        test_cfg: dict | None,
        init_cfg: dict | None,
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
            found, keep = batched_nms(boxes, scores, labels, self.test_cfg['nms'])
            boxes, scores, labels = found[:, :4], found[:, 4], labels[keep]
        limit = self.test_cfg['max_per_img']
        return InstanceData(bboxes=boxes[:limit], scores=scores[:limit], labels=labels[:limit])


def relative(boxes: Tensor, shape: Sequence[int]) -> Tensor:
    """Returns boxes (G, 4) in pixels of an image of ``shape`` (height, width) as fractions of it."""
    boxes = getattr(boxes, 'tensor', boxes)
    height, width = shape[:2]
    return boxes.float() / boxes.new_tensor([width, height, width, height]).float()


@MODELS.register_module()
class MultiBoxGlobalHead(MultiBoxHead):
    """One set of K boxes for the whole image, from fully connected layers (arXiv 1312.2249).

    The paper's layers are AlexNet's; behind GoogLeNet stand here a 1x1 convolution, a hidden layer and the output.
    The priors are the centers of the training set's boxes.

    Args:
        num_boxes: K; 100 or 200 in the first paper, 800 in its authors' later public model.
        in_channels: Channels of the last feature map.
        channels: Of the 1x1 convolution.
        grid: Rows and columns of the pooled feature map; GoogLeNet's for 224 x 224 is 7 x 7.
        hidden: Width of the hidden layer.
        dropout: Share of the hidden layer that is dropped in training.
        alpha: See :class:`MultiBoxHead`, as for all others.
    """

    def __init__(
        self,
        num_boxes: int = 200,
        in_channels: int = 1024,
        channels: int = 128,
        grid: int = 7,
        hidden: int = 1024,
        dropout: float = 0.4,
        alpha: float = 20.0,
        unit: str = 'prior',
        match_by: str = 'prior',
        initial_confidence: float = 0.05,
        priors: str | None = None,
        train_cfg: dict | None = None,
        test_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(num_boxes, 4, alpha, unit, match_by, initial_confidence, priors, train_cfg, test_cfg, init_cfg)
        self.in_channels = in_channels
        self.reduce = conv_unit(in_channels, channels, 1)
        self.pool = nn.AdaptiveAvgPool2d(grid)
        self.hidden = nn.Linear(channels * grid * grid, hidden)
        self.dropout = nn.Dropout(dropout)
        self.location, self.confidence = nn.Linear(hidden, 4 * num_boxes), nn.Linear(hidden, num_boxes)

    def init_weights(self) -> None:
        """Starts from the priors, all with the initial confidence."""
        super().init_weights()
        _start_from_priors(self.location, self.confidence, self.initial_logit)

    def make_priors(self, boxes: np.ndarray) -> np.ndarray:
        """Returns the centers (K, 4) of the clusters of boxes."""
        return box_priors(boxes, len(self.priors))

    def prior_boxes(self, features: Sequence[Tensor]) -> Tensor:
        """Returns the priors (K, 4), whatever the features."""
        return self.priors

    def forward(self, features: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Returns offsets (B, K, 4) and logits (B, K) from the last of the features."""
        pooled = self.pool(self.reduce(features[-1])).flatten(1)
        hidden = self.dropout(torch.relu(self.hidden(pooled)))
        return self.location(hidden).unflatten(1, (-1, 4)), self.confidence(hidden)


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
        alpha: See :class:`MultiBoxHead`, as for all others.
    """

    def __init__(
        self,
        in_channels: Sequence[int] = (480, 832, 1024),
        channels: int = 128,
        sizes_per_cell: int = 4,
        alpha: float = 20.0,
        unit: str = 'prior',
        match_by: str = 'prediction',
        initial_confidence: float = 0.01,
        priors: str | None = None,
        train_cfg: dict | None = None,
        test_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        count = len(in_channels) * sizes_per_cell
        super().__init__(count, 2, alpha, unit, match_by, initial_confidence, priors, train_cfg, test_cfg, init_cfg)
        self.in_channels, self.sizes_per_cell = tuple(in_channels), sizes_per_cell
        self.towers = nn.ModuleList(
            nn.Sequential(conv_unit(width, channels, 1), conv_unit(channels, channels, 3)) for width in in_channels
        )
        self.locations = nn.ModuleList(nn.Conv2d(channels, 4 * sizes_per_cell, 1) for _ in in_channels)
        self.confidences = nn.ModuleList(nn.Conv2d(channels, sizes_per_cell, 1) for _ in in_channels)

    def init_weights(self) -> None:
        """Starts from the priors, all with the initial confidence."""
        super().init_weights()
        for location, confidence in zip(self.locations, self.confidences):
            _start_from_priors(location, confidence, self.initial_logit)

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


def conv_unit(in_channels: int, out_channels: int, kernel: int) -> nn.Sequential:
    """Convolution, group norm, ReLU: the Caffe weights' features reach into the hundreds, and batches are small."""
    groups = math.gcd(32, out_channels)
    convolution = nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.GroupNorm(groups, out_channels), nn.ReLU(inplace=True))


def _start_from_priors(location: nn.Module, confidence: nn.Module, logit: float) -> None:
    for layer in (location, confidence):
        nn.init.normal_(layer.weight, std=0.01)
    nn.init.zeros_(location.bias)
    nn.init.constant_(confidence.bias, logit)
