"""Non-maximum suppression (NMS).

Shape legend: N boxes.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from det_inception.compat.operators.tensors import in_float


def nms(bboxes: Tensor, scores: Tensor, iou_threshold: float, offset: int = 0) -> Tensor:
    # MMCV's offset adds a pixel to every width and height, which equals moving the lower right corner.
    shifted = in_float(bboxes) + bboxes.new_tensor([0, 0, offset, offset], dtype=torch.float32)
    return torch.ops.torchvision.nms(shifted, in_float(scores).to(shifted.dtype), iou_threshold)


def softnms(
    boxes: Tensor,
    scores: Tensor,
    dets: Tensor,
    iou_threshold: float,
    sigma: float,
    min_score: float,
    method: int,
    offset: int,
) -> Tensor:
    """Soft-NMS (Bodla et al., arXiv 1704.04503, section 3); all tensors on the CPU.

    Each round takes the best box that is left, and lowers the scores of the others by their IoU with it: to 0 from the
    threshold on (method 0, naive), by 1 - IoU from the threshold on (1, linear), by exp(-IoU^2 / sigma) (2, gaussian).
    As in MMCV, boxes whose score falls below ``min_score`` go, but not the first one.

    Args:
        boxes: (N, 4).
        scores: (N,).
        dets: (N, 5); its first D rows are filled with boxes and their new scores, best first.

    Returns:
        int64 (D,), which boxes these are.
    """
    corners, left = boxes.detach().double().numpy(), np.arange(len(boxes))
    current, picked = scores.detach().double().numpy().copy(), []
    while len(left):
        best = left[current[left].argmax()]
        picked.append(best)
        left = left[left != best]
        iou = _iou_with(corners[best], corners[left], offset)
        if method == 2:
            current[left] *= np.exp(-(iou**2) / sigma)
        else:
            current[left] *= np.where(iou >= iou_threshold, 1 - iou if method == 1 else 0, 1)
        left = left[current[left] >= min_score]
    kept = torch.tensor(picked, dtype=torch.long)
    dets[: len(kept), :4], dets[: len(kept), 4] = boxes[kept], torch.from_numpy(current)[kept].to(dets.dtype)
    return kept


def nms_match(dets: Tensor, iou_threshold: float) -> list[list[int]]:
    """Groups boxes (N, 5), scores last: the best box of each group first, then those that it suppresses."""
    corners, scores = dets[:, :4].double().numpy(), dets[:, 4].double().numpy()
    left, groups = np.argsort(-scores, kind='stable'), []
    while len(left):
        best, rest = left[0], left[1:]
        close = _iou_with(corners[best], corners[rest], 0) >= iou_threshold
        groups.append([int(best), *map(int, rest[close])])
        left = rest[~close]
    return groups


def _iou_with(box: np.ndarray, others: np.ndarray, offset: int) -> np.ndarray:
    """IoU (N,) of a box (4,) with others (N, 4); widths and heights are x2 - x1 + offset."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    common = np.clip(high - low + offset, 0, None).prod(1)
    area, areas = (box[2:] - box[:2] + offset).prod(), (others[:, 2:] - others[:, :2] + offset).prod(1)
    return common / np.maximum(area + areas - common, 1e-12)
