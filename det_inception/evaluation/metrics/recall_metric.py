"""Recall of a class-agnostic detector's boxes, as a metric of MMDetection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from det_inception.evaluation.metrics.samples import require_objects, to_array, to_boxes
from det_inception.proposals import best_overlaps, recall_of
from det_inception.registry import METRICS
from det_inception.utils.errors import InputError

AR_THRESHOLDS = np.arange(50, 100, 5) / 100


@METRICS.register_module()
class ProposalRecallMetric(BaseMetric):
    """Recall of the objects of all classes, at several limits on the number of boxes per image.

    The arithmetic is :func:`det_inception.proposals.recall`'s, on boxes in the image's original pixels: the test
    pipeline loads annotations after its ``Resize``. Objects flagged to be ignored do not count.

    Args:
        limits: Numbers of best boxes to look at.
        iou_thresholds: Overlaps that have a recall of their own among the results.
        **kwargs: As for :class:`mmengine.evaluator.BaseMetric`; ``prefix`` replaces ``'proposals'`` in the names.

    Results:
        For a limit of 200: ``proposals/AR_200``, the recall averaged over IoU 0.5, 0.55, ... 0.95 (COCO's), and
        ``proposals/recall50_200``, ``proposals/recall70_200`` at IoU 0.5 and 0.7.
    """

    default_prefix = 'proposals'

    def __init__(
        self, limits: Sequence[int] = (10, 50, 200), iou_thresholds: Sequence[float] = (0.5, 0.7), **kwargs
    ) -> None:
        super().__init__(**kwargs)
        if not limits or min(limits) < 1:
            raise ValueError(f'limits are numbers of boxes of at least 1, not {limits}')
        self.limits, self.iou_thresholds = tuple(limits), tuple(iou_thresholds)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Takes in ``gt_instances`` and ``pred_instances`` of a batch.

        Raises:
            InputError: A prediction is not finite.
        """
        for sample in data_samples:
            name = sample.get('img_path', sample.get('img_id'))
            require_objects(sample, name, 'look for')
            found, truth = sample['pred_instances'], to_boxes(sample['gt_instances']['bboxes'])
            order = np.argsort(-to_array(found['scores']), kind='stable')
            boxes = to_boxes(found['bboxes'])[order]
            if not np.isfinite(boxes).all():
                raise InputError(f'{name}: a box has a coordinate that is not finite; did the training diverge?')
            self.results.append((len(boxes), best_overlaps([boxes], [truth], self.limits)))

    def compute_metrics(self, results: list[tuple[int, np.ndarray]]) -> dict[str, float]:
        """Computes the recalls; MMEngine calls it in the main process only.

        Raises:
            InputError: There is no object to look for.
        """
        best = np.concatenate([np.zeros((0, len(self.limits))), *(overlap for _, overlap in results)])
        if not len(best):
            raise InputError(
                f'ProposalRecallMetric: none of the {len(results)} images has an object to look for; check the '
                'annotations.'
            )
        average = recall_of(best, AR_THRESHOLDS).mean(axis=0)
        recalls = recall_of(best, self.iou_thresholds)
        metrics = {}
        for column, limit in enumerate(self.limits):
            metrics[f'AR_{limit}'] = float(average[column])
            for row, threshold in enumerate(self.iou_thresholds):
                metrics[f'recall{round(100 * threshold)}_{limit}'] = float(recalls[row, column])
        mean = np.mean([count for count, _ in results])
        print_log(f'{len(best)} objects in {len(results)} images, {mean:.0f} boxes per image', 'current')
        return metrics
