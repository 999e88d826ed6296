"""A network that classifies regions which were cut out of an image or of its feature map.

Shape legend: R regions, C channels, S the side of a region, K classes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

import torch
from mmengine.logging import print_log
from torch import Tensor, nn


class RegionPredictions(NamedTuple):
    """What a network says of R regions.

    Attributes:
        scores: (R, K + 1), background last: class logits, or probabilities where the docstring says so.
        deltas: (R, 4 K), one box correction a class; None without box regression.
    """

    scores: Tensor
    deltas: Tensor | None


class RegionClassifier:
    """Mixin for a model with a network (:attr:`features`, then :attr:`bbox_head`) that an engine can replace.

    Attributes:
        bbox_head: Returns class logits and box deltas of features.
        engine: Computes the predictions instead of the network, except in training. None: the network does. See
            :func:`det_inception.inference.acceleration.accelerate`.
    """

    bbox_head: nn.Module
    engine: Callable[[Tensor], RegionPredictions] | None = None

    @property
    def features(self) -> nn.Module:
        """The network before the box head. If it returns several maps, the last one counts."""
        raise NotImplementedError

    @property
    def crop_shape(self) -> tuple[int, int, int]:
        """Shape (C, S, S) of a region."""
        raise NotImplementedError

    def classify_regions(self, regions: Tensor) -> RegionPredictions:
        """Returns logits and deltas of regions (R, C, S, S)."""
        if self.engine is not None and not self.training:
            return self.engine(regions)
        return run_network(self.features, self.bbox_head, regions)


def run_network(features: nn.Module, bbox_head: nn.Module, regions: Tensor) -> RegionPredictions:
    """Returns what :meth:`RegionClassifier.classify_regions` does, for the two parts of a network."""
    maps = features(regions)
    return RegionPredictions(*bbox_head(maps[-1] if isinstance(maps, tuple) else maps))


def predict_in_chunks(
    classify: Callable[[Tensor], tuple[Tensor, Tensor | None]], rois: Tensor, size: int
) -> RegionPredictions:
    """Classifies regions chunk by chunk, so that memory does not grow with their number.

    Where memory runs out, the rest is done in chunks of half the size.

    Args:
        classify: Returns scores and deltas of some rois (R', 5).
        rois: (R, 5).
        size: Regions of a chunk.

    Returns:
        Scores and deltas of all regions, in float32.

    Raises:
        torch.OutOfMemoryError: A single region is too much.
    """
    chunks: list[RegionPredictions] = []
    start = 0
    while start < len(rois) or not chunks:
        try:
            scores, deltas = classify(rois[start : start + size])
        except RuntimeError as error:
            if not _out_of_memory(error) or size == 1:
                raise
            size = (min(size, len(rois) - start) + 1) // 2
        else:
            chunks.append(RegionPredictions(scores.float(), None if deltas is None else deltas.float()))
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
    scores = torch.cat([chunk.scores for chunk in chunks])
    return RegionPredictions(
        scores, None if chunks[0].deltas is None else torch.cat([chunk.deltas for chunk in chunks])
    )


def _out_of_memory(error: RuntimeError) -> bool:
    # On a processor PyTorch raises a plain RuntimeError of its allocator.
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
