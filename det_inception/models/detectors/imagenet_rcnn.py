"""R-CNN whose region classifier is an ImageNet classifier as it is: boxes without any training on boxes.

Shape legend: R regions, C = 1000 classes of ImageNet, K classes of the detector (the 200 of DET, or the 1000), L of
them that occur in an image, F channels of the backbone's last stage, G cells along each side of a grid over the image.

Two looks at every image. The first runs the network over the whole image, at several sizes: its last map, averaged
inside a region, classifies the region roughly and at hardly any cost, and read cell by cell it says where the evidence
for a class lies (class activation maps: Zhou et al., arXiv 1512.04150). The second is R-CNN's: the most promising
regions are warped and classified. How the two are brought together is in :mod:`det_inception.proposals.evidence`; how
that was chosen, in docs/photo.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from mmdet.structures import DetDataSample, SampleList
from mmdet.structures.bbox import bbox2roi
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor, nn
from torchvision.ops import nms

from det_inception.ilsvrc import DET_CLASSES
from det_inception.ilsvrc.imagenet import DET_OF_LEAF, IMAGENET_CLASSES
from det_inception.models.data_preprocessors.normalization import fit_normalization
from det_inception.models.detectors.rcnn import RCNN, region_proposals
from det_inception.proposals.evidence import coverage, fit, pick, rescore
from det_inception.registry import MODELS
from det_inception.utils.boxes import pairwise_ioa, pairwise_iou
from det_inception.utils.errors import InputError

STRIDE = 32
"""Pixels between two cells of the backbone's last map."""
CLASS_SETS = {'det': DET_CLASSES, 'imagenet': IMAGENET_CLASSES}


@MODELS.register_module()
class ImageNetHead(BaseModule):
    """The classifier's last layer: average pool and 1000 logits; knows no background and no boxes.

    Args:
        in_channels: F.
    """

    with_reg = False

    def __init__(self, in_channels: int = 1024) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.fc = nn.Linear(in_channels, len(IMAGENET_CLASSES))

    def forward(self, features: Tensor) -> tuple[Tensor, None]:
        """Returns the logits (R, C) of features (R, F, h, w), and None for box deltas."""
        return self.fc(features.mean(dim=(2, 3))), None


@MODELS.register_module()
class ImageNetRCNN(RCNN):
    """Finds objects by classifying regions with an ImageNet classifier; there is nothing to train.

    ``test_cfg.rcnn``: ``proposals`` (how many, the best of each group that overlap by ``proposal_iou``), ``map_sides``
    (shorter sides at which the first look sees the image), ``regions`` (how many the second look warps), ``nms``,
    ``part`` and ``vote`` (see :func:`~det_inception.proposals.evidence.pick`), ``score_thr``, ``max_per_img``,
    ``chunk_size``.

    Args:
        class_set: ``'det'``: the 200 classes of DET, each the sum of its leaves; ``'imagenet'``: the 1000.
        init_cfg: ``dict(type='Pretrained', checkpoint=...)`` with any GoogLeNet that tells the 1000 classes apart.
        **kwargs: As for :class:`RCNN`.
    """

    def __init__(self, class_set: str = 'det', init_cfg: dict | None = None, **kwargs) -> None:
        super().__init__(init_cfg=init_cfg, **kwargs)
        if class_set not in CLASS_SETS:
            raise InputError(f'model.class_set is one of {", ".join(CLASS_SETS)}, not {class_set!r}.')
        self.classes = CLASS_SETS[class_set]
        leaves = DET_OF_LEAF if class_set == 'det' else np.arange(len(IMAGENET_CLASSES))
        # (C, K): which leaves make up a class.
        groups = torch.from_numpy(leaves[:, None] == np.arange(len(self.classes))).float()
        self.register_buffer('groups', groups, persistent=False)

    @property
    def fc(self) -> nn.Linear:
        """The linear layer, where :func:`det_inception.weights.pretrained.load_classifier` looks for it."""
        return self.bbox_head.fc

    def init_weights(self) -> None:
        """Loads backbone and classifier from the file of ``init_cfg``.

        Raises:
            InputError: It holds no classifier of 1000 classes.
        """
        if self.init_cfg is None:
            super().init_weights()
            return
        from det_inception.weights.pretrained import load_classifier, read_weights

        source = self.init_cfg['checkpoint']
        weights = read_weights(source)
        found = len(weights.classifier.get('fc.bias', ()))
        if found != len(IMAGENET_CLASSES):
            what = f'tells {found} classes apart' if found else 'holds no classifier'
            raise InputError(
                f'{source}: {what}, and the 1000 classes of ImageNet are needed; name the weights of an ImageNet '
                "classifier, such as torchvision's or Caffe's GoogLeNet."
            )
        load_classifier(self, weights)
        fit_normalization(self)
        self._is_init = True

    def loss(self, batch_inputs: Tensor, batch_data_samples: SampleList) -> dict[str, Tensor]:
        """Refuses: nothing here is trained on boxes."""
        raise InputError('an ImageNetRCNN is not trained; train a detector with configs/googlenet_rcnn_voc.py.')

    def predict(self, batch_inputs: Tensor, batch_data_samples: SampleList, rescale: bool = True) -> SampleList:
        """Puts ``pred_instances`` (bboxes, scores, labels) into every sample."""
        results = []
        for number, sample in enumerate(batch_data_samples):
            result = self._find(batch_inputs[number : number + 1], sample)
            if rescale and 'scale_factor' in sample.metainfo:
                result.bboxes = result.bboxes / result.bboxes.new_tensor(sample.metainfo['scale_factor']).repeat(2)
            results.append(result)
        return self.add_pred_to_datasample(batch_data_samples, results)

    def _find(self, inputs: Tensor, sample: DetDataSample) -> InstanceData:
        settings = self.test_cfg['rcnn']
        height, width = sample.metainfo['img_shape'][:2]
        boxes = self._candidates(sample)
        maps = [
            (scale, self._map(inputs[:, :, :height, :width], scale))
            for scale in map_scales(height, width, settings['map_sides'])
        ]
        with self._in_full():
            rough = self.fc(pooled(maps, boxes, self.region_warp.size, self.backbone.first_center)).softmax(dim=1)
            chosen = self._most_promising(rough, boxes, height * width)
        boxes, rough = boxes[chosen], rough[chosen]
        logits, _ = self.region_scores(inputs, bbox2roi([boxes]), [sample])
        with self._in_full():
            close = logits.softmax(dim=1)
            scores = (self._classes(rough) * self._classes(close)).sqrt()
            found = self._pick(boxes, scores, close, maps, height, width)
        return InstanceData(**{key: torch.from_numpy(value).to(boxes.device) for key, value in found.items()})

    def _in_full(self) -> torch.autocast:
        """Mixed precision is for the network; what is done with its outputs is done in float32."""
        return torch.autocast(self.groups.device.type, enabled=False)

    def _most_promising(self, rough: Tensor, boxes: Tensor, image_area: float) -> Tensor:
        """The positions of the regions that deserve the second look; of equal ones, the larger."""
        areas = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1) / image_area
        promise = (self._classes(rough) * areas.sqrt()[:, None]).amax(dim=1)
        return promise.argsort(descending=True, stable=True)[: self.test_cfg['rcnn']['regions']]

    def _candidates(self, sample: DetDataSample) -> Tensor:
        """The image as a whole and its best proposals, of which no two are nearly the same."""
        settings = self.test_cfg['rcnn']
        height, width = sample.metainfo['img_shape'][:2]
        proposals = region_proposals(sample).float()
        boxes = torch.cat([proposals.new_tensor([[0, 0, width, height]]), proposals])
        order = torch.linspace(1, 0, len(boxes), device=boxes.device)
        return boxes[nms(boxes, order, settings['proposal_iou'])[: settings['proposals'] + 1]]

    def _map(self, image: Tensor, scale: float) -> Tensor:
        """The last map (F, h, w) of the image at another size."""
        size = [max(STRIDE, round(side * scale)) for side in image.shape[-2:]]
        resized = nn.functional.interpolate(image, size=size, mode='bilinear', align_corners=False)
        return self.backbone(resized)[-1][0].float()

    def _classes(self, probabilities: Tensor) -> Tensor:
        """Adds up the leaves: (R, C) to (R, K)."""
        return probabilities @ self.groups

    def _pick(
        self,
        boxes: Tensor,
        scores: Tensor,
        close: Tensor,
        maps: Sequence[tuple[float, Tensor]],
        height: int,
        width: int,
    ) -> dict[str, np.ndarray]:
        """Holds down what does not fit the evidence, and picks the boxes of all classes, best first."""
        settings = self.test_cfg['rcnn']
        labels = (scores.amax(dim=0) > settings['score_thr']).nonzero().flatten()
        # Of a class's leaves, those that some region shows.
        shown = close.amax(dim=0)[:, None] * self.groups[:, labels]  # (C, L)
        weights = (shown / shown.sum(dim=0).clamp(min=1e-12)).T @ self.fc.weight  # (L, F)
        grid = torch.stack(
            [on_grid(features, scale, height, width, self.backbone.first_center) for scale, features in maps]
        ).mean(dim=0)
        evidence = torch.einsum('lf,fij->lij', weights, grid).cpu().numpy()
        regions, scores = boxes.cpu().numpy(), scores.cpu().numpy()
        covered = coverage(regions, width, height, GRID)
        iou, inside = pairwise_iou(regions, regions), pairwise_ioa(regions, regions)
        areas = (regions[:, 2:] - regions[:, :2]).prod(axis=1) / (height * width)
        found = dict(bboxes=[np.zeros((0, 4), np.float32)], scores=[np.zeros(0, np.float32)], labels=[np.zeros(0, int)])
        for label, place in zip(labels.tolist(), evidence):
            held = rescore(scores[:, label], fit(place, covered), areas)
            held[held <= settings['score_thr']] = 0
            picked, edges = pick(regions, held, iou, inside, settings['nms'], settings['part'], settings['vote'])
            found['bboxes'].append(edges)
            found['scores'].append(held[picked])
            found['labels'].append(np.full(len(picked), label))
        found = {key: np.concatenate(parts) for key, parts in found.items()}
        best = np.argsort(-found['scores'], kind='stable')[: settings['max_per_img']]
        return {key: values[best] for key, values in found.items()}


GRID = 32
"""Cells along each side of the grid on which evidence and boxes are compared."""
LONGEST = 1200
"""No side of the image is made longer than this for the first look."""


def map_scales(height: int, width: int, sides: Sequence[int]) -> list[float]:
    """Returns by how much an image is scaled so that its shorter side has each length, the longer within limits."""
    return [min(side / min(height, width), LONGEST / max(height, width)) for side in sides]


def pooled(maps: Sequence[tuple[float, Tensor]], boxes: Tensor, size: float, first_center: float) -> Tensor:
    """Averages maps inside boxes, each on the map on which the box has about the size that the classifier is used to.

    Args:
        maps: Scale of the image, and features (F, h, w) of it.
        boxes: float (R, 4), in pixels of the unscaled image.
        size: The side of a crop, in pixels.
        first_center: Where a map's first cell looks, in pixels of the scaled image.

    Returns:
        float32 (R, F): means over the cells that look into the box, of at least one.
    """
    means = boxes.new_zeros((len(boxes), len(maps[0][1])))
    side = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1).clamp(min=1).sqrt()
    scales = boxes.new_tensor([scale for scale, _ in maps])
    level = (side[:, None] * scales / size).log().abs().argmin(dim=1)
    for number, (scale, features) in enumerate(maps):
        chosen = (level == number).nonzero().flatten()
        height, width = features.shape[1:]
        # Sums of all cells above and left of a corner; double, because they are subtracted.
        sums = nn.functional.pad(features.double().cumsum(1).cumsum(2), (1, 0, 1, 0))
        edges = ((boxes[chosen] * scale - first_center) / STRIDE + 0.5).round().long()
        left, top = edges[:, 0].clamp(0, width - 1), edges[:, 1].clamp(0, height - 1)
        right = torch.maximum(edges[:, 2].clamp(max=width), left + 1)
        bottom = torch.maximum(edges[:, 3].clamp(max=height), top + 1)
        inside = sums[:, bottom, right] - sums[:, top, right] - sums[:, bottom, left] + sums[:, top, left]
        means[chosen] = (inside / ((right - left) * (bottom - top))).T.to(means.dtype)
    return means


def on_grid(features: Tensor, scale: float, height: int, width: int, first_center: float) -> Tensor:
    """Reads a map (F, h, w) of an image of this height and width at the centers of a G x G grid: (F, G, G).

    Cell j of the map stands for the pixel ``32 j + first_center`` of the scaled image, see
    :class:`~det_inception.models.GoogLeNet`.
    """
    centers = (torch.arange(GRID, device=features.device) + 0.5) / GRID
    # In cells, and then as grid_sample counts: from -1 at the first cell's far edge to 1 at the last's.
    x, y = (
        (((centers * side * scale - first_center) / STRIDE + 0.5) / cells) * 2 - 1
        for side, cells in ((width, features.shape[2]), (height, features.shape[1]))
    )
    grid = torch.stack(torch.meshgrid(x, y, indexing='xy'), dim=-1)[None].to(features.dtype)
    return nn.functional.grid_sample(features[None], grid, padding_mode='border', align_corners=False)[0]
