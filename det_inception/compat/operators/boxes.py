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
    corners = _columns(boxes.detach(), offset)
    current, alive, picked = scores.detach().double().numpy().copy(), np.ones(len(boxes), bool), []
    final = current.copy()
    while len(picked) < len(boxes):
        best = current.argmax()
        if picked and not current[best] >= min_score:  # Scores fall, so none of those that are left comes back.
            break
        picked.append(best)
        final[best], current[best], alive[best] = current[best], -np.inf, False
        iou = _iou_with(corners[:, best], corners)
        if method == 2:
            factor = np.exp(-(iou**2) / sigma)
        else:
            factor = np.where(iou >= iou_threshold, 1 - iou if method == 1 else 0, 1)
        np.multiply(current, factor, out=current, where=alive)
    kept = torch.tensor(picked, dtype=torch.long, device=boxes.device)
    dets[: len(kept), :4], dets[: len(kept), 4] = boxes[kept], torch.from_numpy(final)[kept].to(dets.dtype)
    return kept


def nms_match(dets: Tensor, iou_threshold: float) -> list[list[int]]:
    """Groups boxes (N, 5), scores last: the best box of each group first, then those that it suppresses."""
    left = np.argsort(-dets[:, 4].double().numpy(), kind='stable')
    corners, groups = _columns(dets[:, :4], 0)[:, left], []
    while len(left):
        close = _iou_with(corners[:, 0], corners[:, 1:]) >= iou_threshold
        best, rest = left[0], left[1:]
        groups.append([int(best), *rest[close].tolist()])
        left, corners = rest[~close], corners[:, 1:][:, ~close]
    return groups


def _columns(boxes: Tensor, offset: int) -> np.ndarray:
    """Returns float64 (5, N): x1, y1, x2 and y2 beyond the last pixel, and area; a row is read at once."""
    x1, y1, x2, y2 = boxes.double().numpy().T
    x2, y2 = x2 + offset, y2 + offset
    return np.stack([x1, y1, x2, y2, (x2 - x1) * (y2 - y1)])


def _iou_with(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """IoU (N,) of a box (5,) with others (5, N), see :func:`_columns`."""
    width = np.minimum(box[2], others[2]) - np.maximum(box[0], others[0])
    height = np.minimum(box[3], others[3]) - np.maximum(box[1], others[1])
    common = np.maximum(width, 0) * np.maximum(height, 0)
    return common / np.maximum(box[4] + others[4] - common, 1e-12)
