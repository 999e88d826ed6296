"""Faults of MMDetection 3.3 and MMCV 2.1, each amended when its module is imported, and only where it has it."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils.data import BatchSampler

from det_inception.compat.namespaces import Namespace
from det_inception.compat.transformers_names import get_extended_attention_mask, restore_transformers_names
from det_inception.compat.when_imported import before_import, when_imported

if TYPE_CHECKING:
    from mmengine.structures import InstanceData


def amend_mmdetection() -> None:
    """Sees to it that MMDetection is amended, whenever somebody imports it."""
    for module in ('mmdet.structures', 'mmdet.models'):  # The first that import MMPretrain and Transformers.
        before_import(module, restore_transformers_names)
    for module, amend in AMENDMENTS.items():
        when_imported(module, amend)


def amend_ssd(ssd_head: ModuleType) -> None:
    """Lets SSD predict: every head is asked for its ``loss_cls``, and SSD's has none."""
    head = ssd_head.SSDHead
    if 'loss_cls' not in head.__init__.__code__.co_names and not hasattr(head, 'loss_cls'):
        head.loss_cls = None


def amend_numpy_names(module: ModuleType) -> None:
    """Gives a module names that NumPy has not in some versions: ``float`` (1.24 on), ``long`` (1.24 to 1.26)."""
    missing = {name: kind for name, kind in (('float', float), ('long', int)) if not hasattr(np, name)}
    if missing:
        module.np = Namespace(np, **missing)


def amend_mask_pasting(fcn_mask_head: ModuleType) -> None:
    """Leaves a mask out whose box lies wholly beside the image: MMDetection takes its columns backwards on a processor.

    Heads that do not clip their boxes, such as QueryInst's, predict such ones.
    """
    paste = fcn_mask_head._do_paste_mask

    def paste_inside(
        masks: torch.Tensor, boxes: torch.Tensor, img_h: int, img_w: int, skip_empty: bool = True
    ) -> tuple[torch.Tensor, tuple]:
        if skip_empty:
            first = (boxes[:, :2].min(0).values.floor() - 1).clamp(min=0)
            last = torch.minimum(boxes[:, 2:].max(0).values.ceil() + 1, boxes.new_tensor([img_w, img_h]))
            if (last < first).any():
                return masks.new_zeros((len(masks), 0, 0)), (slice(0, 0), slice(0, 0))
        return paste(masks, boxes, img_h, img_w, skip_empty=skip_empty)

    try:
        paste(torch.zeros(1, 1, 2, 2), torch.tensor([[5.0, 5.0, 6.0, 6.0]]), 2, 2)
    except RuntimeError:
        fcn_mask_head._do_paste_mask = paste_inside


def amend_aspect_ratio_batches(batch_sampler: ModuleType) -> None:
    """Lets batches of one orientation begin anew after an iteration that was left early, as a resumed training does.

    What such an iteration leaves behind is a full group of images. It is never emptied again, so that the rest of the
    training saw no landscape image, without a word.
    """

    def started_anew(iterate: Callable[[BatchSampler], Iterator]) -> Callable[[BatchSampler], Iterator]:
        @functools.wraps(iterate)
        def iterate_anew(self: BatchSampler) -> Iterator:
            for name in ('_aspect_ratio_buckets', '_buckets'):
                if hasattr(self, name):
                    setattr(self, name, [[] for _ in getattr(self, name)])
            return iterate(self)

        return iterate_anew

    for name in ('AspectRatioBatchSampler', 'TrackAspectRatioBatchSampler', 'MultiDataAspectRatioBatchSampler'):
        kind = vars(batch_sampler).get(name)
        # Behind the yield, where an early end never comes.
        if kind is not None and 'del bucket[:]' in inspect.getsource(kind.__iter__):
            kind.__iter__ = started_anew(kind.__iter__)


def amend_text_masks(bert: ModuleType) -> None:
    """Lets Grounding DINO's tokens see those of their own phrase: BERT of Transformers 5 takes no mask (N, T, T)."""
    if getattr(bert.HFBertModel, 'get_extended_attention_mask', None) is not get_extended_attention_mask:
        return
    encode = bert.BertEncoder.forward

    def encode_by_phrase(self: torch.nn.Module, x: dict) -> dict:
        mask = x['attention_mask']
        if mask.dim() != 3:
            return encode(self, x)
        found = encode(self, dict(x, attention_mask=get_extended_attention_mask(self.model, mask)))
        return dict(found, masks=mask)

    bert.BertEncoder.forward = encode_by_phrase


def amend_text_attention(vlfuse_helper: ModuleType) -> None:
    """Lets GLIP attend to texts: Transformers calls GLIP's own attention, and 5 passes arguments of other names."""
    if not hasattr(vlfuse_helper.HFBertAttention, 'forward'):
        return  # Transformers is not installed.
    if 'head_mask' in inspect.signature(vlfuse_helper.HFBertAttention.forward).parameters:
        return

    def attend(self: torch.nn.Module, hidden_states: torch.Tensor, *args: object, **kwargs: object) -> tuple:
        found, *more = self.self(hidden_states, *args, **kwargs)
        return self.output(found, hidden_states), *more

    vlfuse_helper.BertAttention.forward = attend


def amend_point_assigner(point_assigner: ModuleType) -> None:
    """Lets RepPoints train on a GPU: its assigner numbers points on the processor, and picks by a mask of the GPU."""
    kind = point_assigner.PointAssigner
    if 'torch.arange(points.shape[0])' not in inspect.getsource(kind.assign):
        return
    assign = kind.assign

    @functools.wraps(assign)
    def assign_there(
        self: object, pred_instances: InstanceData, gt_instances: InstanceData, *args: object, **kwargs: object
    ) -> object:
        with pred_instances.priors.device:
            return assign(self, pred_instances, gt_instances, *args, **kwargs)

    kind.assign = assign_there


def amend_batched_nms(nms: ModuleType) -> None:
    """Lets the NMS of 10,000 boxes and more take scores of 16 bits, which mixed precision gives, for boxes of 32."""
    batched_nms = nms.batched_nms
    if 'scores.new_zeros(scores.size())' not in inspect.getsource(batched_nms):
        return

    @functools.wraps(batched_nms)
    def nms_of_one_type(
        boxes: torch.Tensor, scores: torch.Tensor, *args: object, **kwargs: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return batched_nms(boxes, scores.to(torch.promote_types(boxes.dtype, scores.dtype)), *args, **kwargs)

    _replace('batched_nms', nms_of_one_type, nms, 'mmcv.ops')


def amend_rescaling(geometric: ModuleType) -> None:
    """Leaves an elongated image one pixel of its shorter side, where rounding leaves none."""
    rescale_size = geometric.rescale_size
    if min(rescale_size((3000, 1), (800, 480))) > 0:
        return

    @functools.wraps(rescale_size)
    def at_least_a_pixel(old_size: tuple, scale: object, return_scale: bool = False) -> tuple:
        (width, height), factor = rescale_size(old_size, scale, return_scale=True)
        size = max(width, 1), max(height, 1)
        return (size, factor) if return_scale else size

    _replace('rescale_size', at_least_a_pixel, geometric, 'mmcv.image', 'mmcv')


def _replace(name: str, function: Callable, module: ModuleType, *packages: str) -> None:
    """Puts a function in the place of a module's own, and in packages that have imported that already, or will."""
    before = getattr(module, name)
    for place in (module, *map(sys.modules.get, packages)):
        if getattr(place, name, None) is before:
            setattr(place, name, function)


AMENDMENTS: dict[str, Callable[[ModuleType], None]] = {
    'mmcv.image.geometric': amend_rescaling,
    'mmcv.ops.nms': amend_batched_nms,
    'mmdet.datasets.samplers.batch_sampler': amend_aspect_ratio_batches,
    'mmdet.datasets.transforms.text_transformers': amend_numpy_names,
    'mmdet.evaluation.functional.ytviseval': amend_numpy_names,
    'mmdet.models.dense_heads.ssd_head': amend_ssd,
    'mmdet.models.language_models.bert': amend_text_masks,
    'mmdet.models.roi_heads.mask_heads.fcn_mask_head': amend_mask_pasting,
    'mmdet.models.task_modules.assigners.point_assigner': amend_point_assigner,
    'mmdet.models.utils.vlfuse_helper': amend_text_attention,
}
"""To each module with a fault what amends it."""
