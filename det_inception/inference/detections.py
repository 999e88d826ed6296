"""The boxes that a detector found in one image.

Shape legend: D detections.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from mmengine.structures import InstanceData


@dataclass(frozen=True)
class Detections:
    """Boxes with scores and classes, best first.

    Attributes:
        boxes: float32 (D, 4): x1, y1, x2, y2 in the image's pixels, continuous coordinates.
        scores: float32 (D,), 0 to 1.
        labels: int64 (D,): positions in ``classes``.
        classes: Names of the detector's classes.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]

    @classmethod
    def from_instances(cls, found: InstanceData, classes: tuple[str, ...]) -> Detections:
        """Takes over MMDetection's ``pred_instances``, in any order and on any device."""
        order = torch.argsort(found.scores, descending=True, stable=True)
        return cls(
            boxes=found.bboxes[order].float().cpu().numpy(),
            scores=found.scores[order].float().cpu().numpy(),
            labels=found.labels[order].cpu().numpy(),
            classes=classes,
        )

    def __len__(self) -> int:
        return len(self.scores)

    def above(self, score: float, limit: int | None = None) -> Detections:
        """Returns the detections of at least this score, at most ``limit`` of them."""
        keep = np.flatnonzero(self.scores >= score)[:limit]
        return Detections(self.boxes[keep], self.scores[keep], self.labels[keep], self.classes)

    def as_dicts(self) -> list[dict]:
        """Returns plain values, ready for JSON: ``label`` (the class's name), ``score`` and ``box``."""
        return [
            dict(label=self.classes[label], score=round(float(score), 4), box=[round(float(v), 1) for v in box])
            for box, score, label in zip(self.boxes, self.scores, self.labels)
        ]
