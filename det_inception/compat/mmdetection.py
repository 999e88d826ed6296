"""MMDetection 3.3's own faults, amended where the installed version has them. Importing this imports MMDetection.

The rooms that use MMDetection import this. A program with MMDetection alone may do so too:
``import det_inception.compat.mmdetection``.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch.utils.data import BatchSampler

from det_inception.compat.deferred import deferred_imports
from det_inception.compat.namespaces import Namespace
from det_inception.compat.transformers_names import get_extended_attention_mask, restore_transformers_names

# Three of MMDetection's parts want them, which few models use; they make a third of the time that its import takes.
_LARGE = {
    'albumentations': ['Compose'],
    'sklearn': [],
    'sklearn.mixture': [],
    'sklearn.gaussian_process': ['GaussianProcessRegressor'],
    'sklearn.gaussian_process.kernels': ['RBF'],
}

restore_transformers_names()  # MMDetection imports them when it is imported.
with deferred_imports(_LARGE):
    from mmdet.datasets import samplers
    from mmdet.datasets.transforms import text_transformers
    from mmdet.evaluation.functional import ytviseval
    from mmdet.models.dense_heads import SSDHead
    from mmdet.models.language_models import bert
    from mmdet.models.roi_heads.mask_heads import fcn_mask_head
    from mmdet.models.utils import vlfuse_helper


def amend_ssd() -> None:
    """Lets SSD predict: every head is asked for its ``loss_cls``, and SSD's has none."""
    if 'loss_cls' not in SSDHead.__init__.__code__.co_names and not hasattr(SSDHead, 'loss_cls'):
        SSDHead.loss_cls = None


def amend_numpy_names() -> None:
    """Gives two modules names that NumPy has not in some versions: ``float`` (1.24 on), ``long`` (1.24 to 1.26)."""
    for module, name, kind in ((ytviseval, 'float', float), (text_transformers, 'long', int)):
        if isinstance(module.np, type(np)) and not hasattr(np, name):
            module.np = Namespace(np, **{name: kind})


def amend_mask_pasting() -> None:
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


def amend_aspect_ratio_batches() -> None:
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

    for kind in (
        samplers.AspectRatioBatchSampler,
        samplers.TrackAspectRatioBatchSampler,
        samplers.MultiDataAspectRatioBatchSampler,
    ):
        if 'del bucket[:]' in inspect.getsource(kind.__iter__):  # Behind the yield, where an early end never comes.
            kind.__iter__ = started_anew(kind.__iter__)


def amend_text_masks() -> None:
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


def amend_text_attention() -> None:
    """Lets GLIP attend to texts: Transformers calls GLIP's own attention, and 5 passes arguments of other names."""
    if not hasattr(vlfuse_helper.HFBertAttention, 'forward'):
        return  # Transformers is not installed.
    if 'head_mask' in inspect.signature(vlfuse_helper.HFBertAttention.forward).parameters:
        return

    def attend(self: torch.nn.Module, hidden_states: torch.Tensor, *args: object, **kwargs: object) -> tuple:
        found, *more = self.self(hidden_states, *args, **kwargs)
        return self.output(found, hidden_states), *more

    vlfuse_helper.BertAttention.forward = attend


amend_ssd()
amend_text_masks()
amend_text_attention()
amend_aspect_ratio_batches()
amend_mask_pasting()
amend_numpy_names()
