"""The 2014 mix of proposals: the best of MultiBox before those of selective search, duplicates removed.

From: Szegedy et al., "Going deeper with convolutions", arXiv 1409.4842, section 8: 200 proposals of MultiBox are added
to those of selective search with doubled superpixels. The paper does not say what a duplicate is. Here, as within
selective search's mode ``'ilsvrc2014'``, it is a box that overlaps a better one by more than 0.85.

Shape legend: M and N proposals of an image. Boxes are x1, y1, x2, y2 in continuous pixel coordinates.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from det_inception.proposals.methods import ProposalMethod, propose_batch
from det_inception.utils.boxes import pairwise_iou

MAX_OVERLAP = 0.85


def mix(first: np.ndarray, second: np.ndarray, max_overlap: float = MAX_OVERLAP) -> np.ndarray:
    """Puts two lists of proposals together.

    Args:
        first: (M, 4), best first; all are kept.
        second: (N, 4), best first; a box that overlaps one of the first by more than ``max_overlap`` is dropped.
        max_overlap: Intersection over union.

    Returns:
        float32 (at most M + N, 4): the first, then what is left of the second. MultiBox comes first because its
        confidences are learned, while selective search's order is half random.
    """
    first, second = np.asarray(first, np.float32).reshape(-1, 4), np.asarray(second, np.float32).reshape(-1, 4)
    if len(first):
        second = second[~(pairwise_iou(second, first) > max_overlap).any(axis=1)]
    return np.concatenate([first, second])


@dataclass(frozen=True)
class Mixed:
    """Two proposal methods as one.

    Attributes:
        first: The method whose proposals come first and are all kept.
        second: The other.
        max_overlap: See :func:`mix`.
    """

    first: ProposalMethod
    second: ProposalMethod
    max_overlap: float = MAX_OVERLAP

    def __call__(self, image: np.ndarray) -> tuple[np.ndarray, None]:
        return self.batch([image])[0]

    @property
    def batch_size(self) -> int:
        """How many images at a time suit the first method."""
        return getattr(self.first, 'batch_size', 1)

    def batch(self, images: Sequence[np.ndarray]) -> list[tuple[np.ndarray, None]]:
        """Proposes boxes in several images."""
        found = zip(propose_batch(self.first, images), propose_batch(self.second, images))
        return [(mix(first, second, self.max_overlap), None) for (first, _), (second, _) in found]

    @property
    def parameters(self) -> dict[str, Any]:
        """All that the boxes depend on."""
        return dict(
            method='mixed',
            first=self.first.parameters,
            second=self.second.parameters,
            max_overlap=self.max_overlap,
        )
