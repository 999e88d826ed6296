"""Stands in for mmcv's compiled operators, under the name ``mmcv._ext``.

Covered are NMS, soft-NMS, RoIAlign, RoIPool and the sigmoid focal loss, computed by torchvision, PyTorch and NumPy, on
CPU and GPU. The real module, where it is installed, goes before.

Shape legend: N boxes or samples, R regions, K classes.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import operator
import sys
import types
from collections.abc import Callable

import numpy as np
import torch
import torchvision  # noqa: F401  (registers torch.ops.torchvision)
from torch import Tensor

OPERATORS = 'mmcv._ext'


def _float(tensor: Tensor) -> Tensor:
    """torchvision's CPU kernels know no 16-bit numbers; they are computed in float32 there."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def _nms(bboxes: Tensor, scores: Tensor, iou_threshold: float, offset: int = 0) -> Tensor:
    # MMCV's offset adds a pixel to every width and height, which equals moving the lower right corner.
    shifted = _float(bboxes) + bboxes.new_tensor([0, 0, offset, offset], dtype=torch.float32)
    return torch.ops.torchvision.nms(shifted, _float(scores).to(shifted.dtype), iou_threshold)


def _softnms(
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


def _nms_match(dets: Tensor, iou_threshold: float) -> list[list[int]]:
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


def _roi_align_forward(
    input: Tensor, rois: Tensor, output: Tensor, argmax_y: Tensor, argmax_x: Tensor, **settings
) -> None:
    size, sampling = _align_settings(**settings)
    values = _float(input)
    output.copy_(torch.ops.torchvision.roi_align(values, rois.to(values.dtype), *size, *sampling))


def _roi_align_backward(
    grad_output: Tensor, rois: Tensor, argmax_y: Tensor, argmax_x: Tensor, grad_input: Tensor, **settings
) -> None:
    size, sampling = _align_settings(**settings)
    grad, shape = _float(grad_output), grad_input.shape
    grad_input.copy_(torch.ops.torchvision._roi_align_backward(grad, rois.to(grad.dtype), *size, *shape, *sampling))


def _align_settings(
    aligned_height: int, aligned_width: int, spatial_scale: float, sampling_ratio: int, pool_mode: int, aligned: bool
) -> tuple[tuple[float, int, int], tuple[int, bool]]:
    """Returns MMCV's settings in torchvision's order: those before the map's shape, and those behind it."""
    if pool_mode != 1:
        raise NotImplementedError(
            "RoIAlign with pool_mode='max' needs the compiled mmcv, which is not installed; use pool_mode='avg'."
        )
    return (spatial_scale, aligned_height, aligned_width), (sampling_ratio, aligned)


_pool_settings = operator.itemgetter('spatial_scale', 'pooled_height', 'pooled_width')


def _roi_pool_forward(input: Tensor, rois: Tensor, output: Tensor, argmax: Tensor, **settings) -> None:
    values = _float(input)
    result, where = torch.ops.torchvision.roi_pool(values, rois.to(values.dtype), *_pool_settings(settings))
    output.copy_(result)
    argmax.copy_(where)


def _roi_pool_backward(grad_output: Tensor, rois: Tensor, argmax: Tensor, grad_input: Tensor, **settings) -> None:
    grad, size = _float(grad_output), _pool_settings(settings)
    result = torch.ops.torchvision._roi_pool_backward(grad, rois.to(grad.dtype), argmax, *size, *grad_input.shape)
    grad_input.copy_(result)


def _focal_terms(input: Tensor, target: Tensor, weight: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Returns the probability of the true answer's side and its factor, both (N, K); ``target`` K is background."""
    hot = torch.nn.functional.one_hot(target.long(), input.size(1) + 1)[:, : input.size(1)].bool()
    factor = torch.where(hot, alpha, 1.0 - alpha)
    if weight.numel():
        factor = factor * weight.to(factor)[target.long().clamp(max=weight.numel() - 1)][:, None]
    return hot, factor.to(input.dtype)


def _sigmoid_focal_loss_forward(
    input: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float, alpha: float
) -> None:
    hot, factor = _focal_terms(input, target, weight, alpha)
    logit = torch.where(hot, input, -input)
    output.copy_(-factor * torch.sigmoid(-logit) ** gamma * torch.nn.functional.logsigmoid(logit))


def _sigmoid_focal_loss_backward(
    input: Tensor, target: Tensor, weight: Tensor, grad_input: Tensor, gamma: float, alpha: float
) -> None:
    hot, factor = _focal_terms(input, target, weight, alpha)
    logit = torch.where(hot, input, -input)
    p, log_p = torch.sigmoid(logit), torch.nn.functional.logsigmoid(logit)
    grad = factor * (1 - p) ** gamma * (gamma * p * log_p + p - 1)
    grad_input.copy_(torch.where(hot, grad, -grad))


_COVERED: dict[str, Callable] = {
    'nms': _nms,
    'softnms': _softnms,
    'nms_match': _nms_match,
    'roi_align_forward': _roi_align_forward,
    'roi_align_backward': _roi_align_backward,
    'roi_pool_forward': _roi_pool_forward,
    'roi_pool_backward': _roi_pool_backward,
    'sigmoid_focal_loss_forward': _sigmoid_focal_loss_forward,
    'sigmoid_focal_loss_backward': _sigmoid_focal_loss_backward,
}


class _Operators(types.ModuleType):
    """Stands in for ``mmcv._ext``: MMCV checks at import that every operator's name exists, and calls it later."""

    def __getattr__(self, name: str) -> Callable:
        if name.startswith('__'):
            raise AttributeError(name)

        def missing(*args, **kwargs):
            raise NotImplementedError(
                f"mmcv's compiled operator {name!r} is not covered by det_inception's stand-in; "
                'install the full mmcv (which needs a compiler) or choose a model that does not use it.'
            )

        return missing


def install_operators() -> bool:
    """Registers the stand-in for ``mmcv._ext`` unless the compiled module is there.

    Returns:
        True if the stand-in is in use.
    """
    present = sys.modules.get(OPERATORS)
    if present is not None:
        return isinstance(present, _Operators)
    if importlib.util.find_spec(OPERATORS) is not None:
        return False
    module = _Operators(OPERATORS, doc=__doc__)
    module.__dict__.update(_COVERED)
    # MMEngine looks for the module with find_spec, which refuses a module whose __spec__ is None.
    module.__spec__ = importlib.machinery.ModuleSpec(OPERATORS, loader=None)
    sys.modules[OPERATORS] = module
    import mmcv

    mmcv._ext = module
    return True
