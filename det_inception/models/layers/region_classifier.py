"""What judges regions that were cut out, whether of an image or of a map."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from det_inception.models.layers.chunks import RegionPredictions


class RegionClassifier:
    """A network of two parts, what comes before the box head and the box head, for which an engine may stand in.

    Attributes:
        bbox_head: Gives class logits and box deltas of features.
        engine: What computes logits and deltas of regions instead of the network, outside training; None: it does. See
            :func:`det_inception.inference.acceleration.engines.accelerate`.
    """

    bbox_head: nn.Module
    engine: Callable[[Tensor], RegionPredictions] | None = None

    @property
    def features(self) -> nn.Module:
        """What comes before the box head; of several maps, the last counts."""
        raise NotImplementedError

    @property
    def crop_shape(self) -> tuple[int, int, int]:
        """Shape (C, S, S) of a region."""
        raise NotImplementedError

    def judge(self, regions: Tensor) -> RegionPredictions:
        """Returns class logits (R, K + 1) and box deltas (R, 4 K), or None, of cut-out regions (R, C, S, S)."""
        if self.engine is not None and not self.training:
            return self.engine(regions)
        return run(self.features, self.bbox_head, regions)


def run(features: nn.Module, bbox_head: nn.Module, regions: Tensor) -> RegionPredictions:
    """Returns what :meth:`RegionClassifier.judge` does, from a network in two parts."""
    maps = features(regions)
    return bbox_head(maps[-1] if isinstance(maps, tuple) else maps)
