"""From scores of boxes to detections: score threshold, non-maximum suppression (NMS) of each class, limits.

All detectors of this project end here, so that every NMS works in each of them by config alone::

    --cfg-options model.test_cfg.rcnn.nms.type=soft_nms model.test_cfg.rcnn.nms.method=gaussian

Shape legend: R regions of one image, K classes, N pairs of a box and a class, D detections. Boxes are x1, y1, x2, y2 in
pixels, continuous coordinates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import mmcv.ops
import torch
from mmdet.models.roi_heads.bbox_heads import BBoxHead
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor

from det_inception.models.layers.box_voting import VOTE, nms_with_box_voting, vote_on_edges
from det_inception.utils.errors import InputError


def postprocess(
    bbox_head: BBoxHead,
    rois: Tensor,
    logits: Tensor,
    deltas: Tensor | None,
    data_sample: DetDataSample,
    test_cfg: Mapping,
    rescale: bool = True,
) -> InstanceData:
    """Turns predictions of an image's regions into detections: scores, box regression, :func:`select_detections`.

    Args:
        bbox_head: For its scores and its box coder.
        rois: (R, 5).
        logits: (R, K + 1), background last.
        deltas: (R, 4 K) or None.
        data_sample: For the image's size. With ``test_cfg.keep_region_scores`` it receives ``region_scores``: boxes,
            logits and deltas as they came in.
        test_cfg: ``test_cfg.rcnn`` of a detector.
        rescale: Whether to give boxes in the pixels of the file.
    """
    if test_cfg.get('keep_region_scores'):
        data_sample.region_scores = InstanceData(boxes=rois[:, 1:], logits=logits)
        if deltas is not None:
            data_sample.region_scores.deltas = deltas
    # Without a Resize in the pipeline there is no scale to undo.
    rescale = rescale and 'scale_factor' in data_sample.metainfo
    (decoded,) = bbox_head.predict_by_feat((rois,), (logits,), (deltas,), [data_sample.metainfo], rescale=rescale)
    return select_detections(decoded.bboxes, decoded.scores[:, :-1], test_cfg)


def select_detections(boxes: Tensor, scores: Tensor, test_cfg: Mapping) -> InstanceData:
    """Selects an image's detections.

    Args:
        boxes: (R, 4), or (R, 4 K) with one box a class.
        scores: (R, K), without the background.
        test_cfg: ``score_thr``, ``nms`` (see :func:`nms_per_class`), ``max_per_img`` (-1: all) and, if it is there,
            ``max_per_class`` of an image.

    Returns:
        ``bboxes`` (D, 4), ``scores`` (D,) and ``labels`` (D,), best first.
    """
    region, labels = (scores > test_cfg['score_thr']).nonzero(as_tuple=True)
    scores = scores[region, labels]
    boxes = boxes[region] if boxes.shape[1] == 4 else boxes.unflatten(1, (-1, 4))[region, labels]
    found, keep = nms_per_class(boxes, scores, labels, test_cfg['nms'])
    limit = test_cfg['max_per_img'] if test_cfg['max_per_img'] > 0 else None
    result = InstanceData(bboxes=found[:limit, :4], scores=found[:limit, 4], labels=labels[keep][:limit])
    return topk_per_class(result, test_cfg.get('max_per_class', -1))


def topk_per_class(result: InstanceData, limit: int) -> InstanceData:
    """Keeps an image's ``limit`` highest-scoring detections of each class (R-CNN: 100); -1 keeps all."""
    if limit < 0 or len(result) <= limit:
        return result
    order = torch.argsort(result.scores, descending=True, stable=True)
    result = result[order]
    keep = torch.cat([(result.labels == label).nonzero().squeeze(1)[:limit] for label in result.labels.unique()])
    return result[keep.sort().values]


# ------------------------------------------------------------------------------------------------------------- NMS


def _nms_match(boxes: Tensor, scores: Tensor, iou_threshold: float) -> tuple[Tensor, Tensor]:
    """MMCV's NMS that also tells which boxes each box suppressed; here the best box of each group is kept."""
    dets = torch.cat([boxes, scores[:, None]], 1)
    keep = torch.stack([group[0] for group in mmcv.ops.nms_match(dets, iou_threshold)])
    return dets[keep], keep


def _nms_then_voting(boxes: Tensor, scores: Tensor, iou_threshold: float, vote: float = VOTE) -> tuple[Tensor, Tensor]:
    """NMS; then all boxes that overlap a picked one by more than ``vote`` vote on its edges."""
    dets, keep = mmcv.ops.nms(boxes, scores, iou_threshold)
    edges = vote_on_edges(boxes.cpu().numpy(), scores.cpu().numpy(), keep.cpu().numpy(), vote)
    return torch.cat([torch.from_numpy(edges).to(boxes), dets[:, 4:]], 1), keep


def _nms_with_box_voting(boxes: Tensor, scores: Tensor, **settings: float) -> tuple[Tensor, Tensor]:
    picked, edges = nms_with_box_voting(boxes.cpu().numpy(), scores.cpu().numpy(), **settings)
    keep = torch.from_numpy(picked).to(boxes.device)
    return torch.cat([torch.from_numpy(edges).to(boxes), scores[keep, None]], 1), keep


NMS_TYPES: dict[str, tuple[Callable[..., tuple[Tensor, Tensor]], tuple[str, ...]]] = {
    'nms': (mmcv.ops.nms, ('iou_threshold', 'offset', 'score_threshold', 'max_num', 'split_thr')),
    'soft_nms': (mmcv.ops.soft_nms, ('iou_threshold', 'sigma', 'min_score', 'method', 'offset')),
    'nms_match': (_nms_match, ('iou_threshold',)),
    'box_voting': (_nms_then_voting, ('iou_threshold', 'vote')),
    'nms_with_box_voting': (_nms_with_box_voting, ('iou_threshold', 'part', 'vote')),
}
"""What computes each type from boxes (N, 4) and scores (N,) of one class, and the settings that it takes."""
SOFT_NMS_METHODS = ('naive', 'linear', 'gaussian')


def nms_per_class(boxes: Tensor, scores: Tensor, labels: Tensor, nms: Mapping | None) -> tuple[Tensor, Tensor]:
    """Suppresses boxes that overlap a better one of their class.

    Args:
        boxes: float (N, 4).
        scores: float (N,).
        labels: int64 (N,).
        nms: ``type``, one of :data:`NMS_TYPES`, and its settings; ``class_agnostic=True`` makes no difference between
            classes. None: nothing is suppressed.

    Returns:
        float (D, 5), boxes with their scores, best first, and int64 (D,), their positions in ``boxes``. Soft-NMS
        lowers scores, box voting moves boxes.

    Raises:
        InputError: See :func:`require_nms`.
    """
    require_nms(nms)
    if nms is None or not len(boxes):
        return mmcv.ops.batched_nms(boxes, scores, labels, None)
    operator, own = NMS_TYPES[nms.get('type', 'nms')]
    settings = {key: value for key, value in nms.items() if key in own}
    if nms.get('class_agnostic', False):
        labels = torch.zeros_like(labels)
    if operator is mmcv.ops.nms:  # All classes in one call; boxes of different classes are moved apart.
        return mmcv.ops.batched_nms(boxes, scores, labels, dict(settings, type=operator))
    found, positions = [boxes.new_zeros((0, 5))], [labels.new_zeros(0)]
    for label in labels.unique():
        own_class = (labels == label).nonzero().squeeze(1)
        dets, keep = operator(boxes[own_class], scores[own_class], **settings)
        found.append(dets)
        positions.append(own_class[keep])
    dets, keep = torch.cat(found), torch.cat(positions)
    order = dets[:, 4].argsort(descending=True, stable=True)
    return dets[order], keep[order]


def require_nms(nms: Mapping | None) -> None:
    """Refuses settings of NMS that :func:`nms_per_class` cannot follow.

    Settings of another type are no fault, and are not used: they remain when a command line changes ``nms.type`` alone.

    Raises:
        InputError: The type is unknown, or a setting belongs to no type.
    """
    if nms is None:
        return
    example = "dict(type='soft_nms', iou_threshold=0.3)"
    if not isinstance(nms, Mapping):
        raise InputError(f'test_cfg.rcnn.nms is {nms!r}, which is no NMS; write for example {example}.')
    kind = nms.get('type', 'nms')
    if kind not in NMS_TYPES:
        raise InputError(f'there is no NMS of type {kind!r}; choose {", ".join(NMS_TYPES)}.')
    known = {'type', 'class_agnostic'}.union(*(settings for _, settings in NMS_TYPES.values()))
    if foreign := [key for key in nms if key not in known]:
        raise InputError(f'NMS has no setting {foreign[0]!r}; {kind} knows {", ".join(NMS_TYPES[kind][1])}.')
    if kind == 'soft_nms' and nms.get('method', 'linear') not in SOFT_NMS_METHODS:
        raise InputError(f'soft_nms has no method {nms["method"]!r}; choose {", ".join(SOFT_NMS_METHODS)}.')
