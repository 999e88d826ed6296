"""Regions go through a network in chunks, so that memory does not grow with their number."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from mmengine.logging import print_log
from torch import Tensor

RegionPredictions = tuple[Tensor, Tensor | None]
"""Class scores or logits (R, K + 1) and box deltas (R, 4 K), or None without box regression."""


def predict_in_chunks(judge: Callable[[Tensor], RegionPredictions], rois: Tensor, size: int) -> RegionPredictions:
    """Judges regions chunk by chunk; where memory runs out, in chunks of half the size from there on.

    Args:
        judge: Gives scores and deltas of some rois (R', 5).
        rois: (R, 5).
        size: Regions of a chunk.

    Returns:
        Scores and deltas of all regions, in float32.

    Raises:
        torch.OutOfMemoryError: A single region is too much.
    """
    answers: list[RegionPredictions] = []
    start = 0
    while start < len(rois) or not answers:
        try:
            scores, deltas = judge(rois[start : start + size])
        except RuntimeError as error:
            if not _out_of_memory(error) or size == 1:
                raise
            size = (min(size, len(rois) - start) + 1) // 2
        else:
            answers.append((scores.float(), None if deltas is None else deltas.float()))
            start += size
            continue
        # Outside the handler: there the error still holds what filled the memory.
        if rois.is_cuda:
            torch.cuda.empty_cache()
        print_log(
            f'Memory ran out; going on with chunks of {size} regions. Set model.test_cfg.rcnn.chunk_size={size} to '
            'begin with that.',
            'current',
            logging.WARNING,
        )
    scores = torch.cat([scores for scores, _ in answers])
    return scores, None if answers[0][1] is None else torch.cat([deltas for _, deltas in answers])


def _out_of_memory(error: RuntimeError) -> bool:
    # On a processor PyTorch raises a plain RuntimeError of its allocator.
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
