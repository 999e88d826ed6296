"""Pascal VOC's average precision for MMDetection, on continuous boxes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from multiprocessing.pool import ThreadPool

import numpy as np
from mmdet.evaluation.functional import mean_ap
from mmdet.evaluation.metrics import VOCMetric

from det_inception.evaluation.metrics.samples import ClassScore, warn_of_nothing
from det_inception.registry import METRICS
from det_inception.utils.errors import InputError


@METRICS.register_module()
class VOCBoxMetric(VOCMetric):
    """MMDetection's ``VOCMetric`` (area under the curve, one match per object, difficult objects aside).

    ``VOCMetric`` computes with inclusive pixel indices, width = x2 - x1 + 1; the project's boxes are continuous, so
    their last pixel is x2 - 1. Without this step every overlap of a small box comes out too high.

    Args:
        iou_thrs: Overlaps at which AP is computed; the result names them AP50, AP75, ...; ``mAP`` is their mean.
        **kwargs: As for ``VOCMetric``.
    """

    default_prefix = 'voc'
    class_scores: Sequence[ClassScore] = ()
    """Of the last evaluation: the mean over the overlaps, of the classes that have objects."""

    def __init__(self, iou_thrs: float | list[float] = 0.5, eval_mode: str = 'area', **kwargs) -> None:
        super().__init__(iou_thrs=iou_thrs, eval_mode=eval_mode, **kwargs)

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keeps an image's objects and detections, with inclusive boxes."""
        super().process(data_batch, data_samples)
        for truth, detections in self.results[-len(data_samples) :]:
            for boxes in (truth['bboxes'], truth['bboxes_ignore'], *detections):
                boxes[:, 2:4] -= 1

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Computes AP of each overlap and their mean.

        Raises:
            InputError: There is no object to score against.
        """
        if not any(len(truth['labels']) for truth, _ in results):
            raise InputError(
                f'VOCBoxMetric: none of the {len(results)} images has an object to score against; check the '
                'annotations.'
            )
        if not any(len(boxes) for _, detections in results for boxes in detections):
            warn_of_nothing('VOCBoxMetric', len(results))
        tables: list[list[dict]] = []
        with _threads_for_processes(), _class_results(tables):
            metrics = super().compute_metrics(results)
        self.class_scores = [
            ClassScore(name, int(parts[0]['num_gts']), float(np.mean([part['ap'] for part in parts])))
            for name, *parts in zip(self.dataset_meta['classes'], *tables)
            if parts[0]['num_gts']
        ]
        return {name: float(value) for name, value in metrics.items()}


@contextlib.contextmanager
def _class_results(tables: list[list[dict]]) -> Iterator[None]:
    """Keeps what ``eval_map`` finds of each class, a table for each overlap; ``VOCMetric`` prints it and drops it."""
    original = mean_ap.print_map_summary

    def keep(mean: float, results: list[dict], *args, **kwargs) -> None:
        tables.append(results)
        original(mean, results, *args, **kwargs)

    mean_ap.print_map_summary = keep
    try:
        yield
    finally:
        mean_ap.print_map_summary = original


@contextlib.contextmanager
def _threads_for_processes() -> Iterator[None]:
    """Lets ``eval_map`` match images in threads.

    It forks a pool of processes for every class, and now and then, in a process that has threads already, the end of
    such a pool waits for ever. The work is small.
    """
    original, mean_ap.Pool = mean_ap.Pool, ThreadPool
    try:
        yield
    finally:
        mean_ap.Pool = original
