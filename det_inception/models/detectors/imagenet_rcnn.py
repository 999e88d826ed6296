"""R-CNN whose region classifier is an ImageNet classifier as it is: boxes without any training on boxes.

Two looks at every image. The first runs the network over the whole image, at several sizes. Its last map, averaged
inside a region, classifies the region roughly, and costs hardly anything. Read cell by cell, the map says where the
evidence for a class lies (class activation maps: Zhou et al., arXiv 1512.04150). The second look is R-CNN's: the most
promising regions are warped and classified. :mod:`det_inception.models.layers.evidence` brings the two together;
docs/photo.md says how that was chosen.

Shape legend: R regions, C = 1000 classes of ImageNet, K classes of the detector (DET's 200, VOC's 20 or the 1000), L of
them in an image, F channels of the backbone's last stage, G cells along each side of a grid over the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmdet.structures import DetDataSample, SampleList
from mmdet.structures.bbox import bbox2roi
from mmengine.structures import InstanceData
from torch import Tensor, nn
from torchvision.ops import nms

from det_inception.ilsvrc import DET_CLASSES
from det_inception.ilsvrc.imagenet import DET_OF_LEAF, DET_OF_VOC, IMAGENET_CLASSES, VOC_OF_LEAF
from det_inception.models.classifiers.googlenet_classifier import load_classifier
from det_inception.models.detectors.rcnn import RCNN, region_proposals
from det_inception.models.layers.class_maps import GRID, area_shares, image_maps, pool_boxes, sample_grid
from det_inception.models.layers.evidence import cam_iou, coverage, rescore
from det_inception.models.layers.postprocess import select_detections
from det_inception.registry import MODELS
from det_inception.utils.errors import InputError
from det_inception.weights.initializer import PretrainedModule

CLASS_SETS = {
    'det': (DET_CLASSES, DET_OF_LEAF),
    'imagenet': (IMAGENET_CLASSES, np.arange(len(IMAGENET_CLASSES))),
    'voc': (tuple(DET_OF_VOC), VOC_OF_LEAF),
}
"""The names of the K classes, and int (C,): which of them each of the 1000 belongs to, -1 for none."""


@MODELS.register_module()
class ImageNetRCNN(PretrainedModule, RCNN):
    """Finds objects by classifying regions with an ImageNet classifier; there is nothing to train.

    ``test_cfg.rcnn``: ``proposals`` (how many, the best of each group that overlap by ``proposal_iou``), ``map_sides``
    (shorter sides at which the first look sees the image), ``regions`` (how many the second look warps; 0: the first
    look decides alone), ``evidence`` (whether boxes are compared with class activation maps), ``nms`` (see
    :func:`~det_inception.models.layers.postprocess.nms_per_class`), ``score_thr``, ``max_per_img``, ``chunk_size``.

    Args:
        class_set: ``'det'``: the 200 classes of DET, each the sum of its leaves; ``'imagenet'``: the 1000; ``'voc'``:
            Pascal VOC's 20, which are among DET's.
        init_cfg: ``dict(type='Pretrained', checkpoint=...)`` with any GoogLeNet that tells the 1000 classes apart.
        **kwargs: As for :class:`RCNN`.
    """

    def __init__(self, class_set: str = 'det', init_cfg: dict | None = None, **kwargs) -> None:
        super().__init__(init_cfg=init_cfg, **kwargs)
        if class_set not in CLASS_SETS:
            raise InputError(f'model.class_set is one of {", ".join(CLASS_SETS)}, not {class_set!r}.')
        self.classes, leaves = CLASS_SETS[class_set]
        # (C, K): which leaves make up a class.
        groups = torch.from_numpy(leaves[:, None] == np.arange(len(self.classes))).float()
        self.register_buffer('groups', groups, persistent=False)

    @property
    def fc(self) -> nn.Linear:
        """The linear layer, where :func:`load_classifier` looks for it."""
        return self.bbox_head.fc

    def load_pretrained(self, source: str | Path) -> None:
        """Loads backbone and classifier.

        Raises:
            InputError: The file holds no classifier of 1000 classes.
        """
        weights = self.backbone.read_weights(source)
        found = len(weights.classifier.get('fc.bias', ()))
        if found != len(IMAGENET_CLASSES):
            what = f'tells {found} classes apart' if found else 'holds no classifier'
            raise InputError(
                f'{source}: {what}, and the 1000 classes of ImageNet are needed; name the weights of an ImageNet '
                "classifier, such as torchvision's or Caffe's GoogLeNet."
            )
        load_classifier(self, weights)

    def loss(self, batch_inputs: Tensor, batch_data_samples: SampleList) -> dict[str, Tensor]:
        """Refuses: nothing here is trained on boxes."""
        raise InputError('an ImageNetRCNN is not trained; train a detector with configs/googlenet_rcnn_voc.py.')

    def predict(self, batch_inputs: Tensor, batch_data_samples: SampleList, rescale: bool = True) -> SampleList:
        """Puts ``pred_instances`` (bboxes, scores, labels) into every sample."""
        results = []
        for number, sample in enumerate(batch_data_samples):
            result = self._detect(batch_inputs[number : number + 1], sample)
            if rescale and 'scale_factor' in sample.metainfo:
                result.bboxes = result.bboxes / result.bboxes.new_tensor(sample.metainfo['scale_factor']).repeat(2)
            results.append(result)
        return self.add_pred_to_datasample(batch_data_samples, results)

    def _detect(self, inputs: Tensor, sample: DetDataSample) -> InstanceData:
        settings = self.test_cfg['rcnn']
        height, width = sample.metainfo['img_shape'][:2]
        boxes = self._candidates(sample)
        maps = image_maps(self.backbone, inputs[:, :, :height, :width], settings['map_sides'])
        with self._in_float32():
            pooled = pool_boxes(maps, boxes, self.region_warp.size, self.backbone.first_center)
            leaves = self.fc(pooled).softmax(dim=1)
            scores = self._sum_leaves(leaves)
            chosen = self._most_promising(scores, area_shares(boxes, height, width))
        boxes, leaves, scores = boxes[chosen], leaves[chosen], scores[chosen]
        if settings['regions']:
            logits, _ = self.region_scores(inputs, bbox2roi([boxes]), [sample])
            with self._in_float32():
                leaves = logits.softmax(dim=1)
                scores = (scores * self._sum_leaves(leaves)).sqrt()
        with self._in_float32():
            scores = self._compare_with_maps(boxes, scores, leaves, maps, height, width)
            return select_detections(boxes, scores, settings)

    def _in_float32(self) -> torch.autocast:
        """Mixed precision is for the network; the work on its outputs is done in float32."""
        return torch.autocast(self.groups.device.type, enabled=False)

    def _candidates(self, sample: DetDataSample) -> Tensor:
        """Returns the image as a whole and its best proposals, of which no two are nearly the same."""
        settings = self.test_cfg['rcnn']
        height, width = sample.metainfo['img_shape'][:2]
        proposals = region_proposals(sample).float()
        boxes = torch.cat([proposals.new_tensor([[0, 0, width, height]]), proposals])
        order = torch.linspace(1, 0, len(boxes), device=boxes.device)
        return boxes[nms(boxes, order, settings['proposal_iou'])[: settings['proposals'] + 1]]

    def _most_promising(self, scores: Tensor, shares: Tensor) -> Tensor:
        """Returns the positions of the regions that deserve the second look, of equal ones the larger; or of all."""
        promise = (scores * shares.sqrt()[:, None]).amax(dim=1)
        return promise.argsort(descending=True, stable=True)[: self.test_cfg['rcnn']['regions'] or None]

    def _sum_leaves(self, probabilities: Tensor) -> Tensor:
        """Adds up the leaves of each class: (R, C) to (R, K)."""
        return probabilities @ self.groups

    def _compare_with_maps(
        self,
        boxes: Tensor,
        scores: Tensor,
        leaves: Tensor,
        maps: Sequence[tuple[float, Tensor]],
        height: int,
        width: int,
    ) -> Tensor:
        """Lowers the scores (R, K) of small regions, and of those that do not fit the map of a class."""
        areas = area_shares(boxes, height, width)
        if not self.test_cfg['rcnn'].get('evidence', True):
            return scores * areas.sqrt()[:, None]
        labels = (scores.amax(dim=0) > self.test_cfg['rcnn']['score_thr']).nonzero().flatten()  # (L,)
        # Of a class's leaves, those that some region shows.
        shown = leaves.amax(dim=0)[:, None] * self.groups[:, labels]  # (C, L)
        weights = (shown / shown.sum(dim=0).clamp(min=1e-12)).T @ self.fc.weight  # (L, F)
        center = self.backbone.first_center
        grids = [sample_grid(features, scale, height, width, center) for scale, features in maps]
        evidence = torch.einsum('lf,fij->lij', weights, torch.stack(grids).mean(dim=0)).cpu().numpy()  # (L, G, G)
        regions, shares, before = (values.cpu().numpy() for values in (boxes, areas, scores))
        covered = coverage(regions, width, height, GRID)
        after = np.zeros_like(before)
        for label, class_map in zip(labels.tolist(), evidence):
            after[:, label] = rescore(before[:, label], cam_iou(class_map, covered), shares)
        return torch.from_numpy(after).to(scores.device)
