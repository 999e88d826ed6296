"""Metrics of a test, registered with MMDetection, and its report.

The arithmetic is in :mod:`det_inception.evaluation.analysis`, :mod:`det_inception.ilsvrc` and
:mod:`det_inception.proposals`.
"""

import det_inception.compat  # noqa: F401  (first: MMDetection cannot be imported without it)
from det_inception.evaluation.metrics.coco_metric import COCOFormatMetric
from det_inception.evaluation.metrics.ilsvrc_metric import ILSVRCDetMetric
from det_inception.evaluation.metrics.imagenet_metric import ImageNetMetric
from det_inception.evaluation.metrics.recall_metric import ProposalRecallMetric
from det_inception.evaluation.metrics.region_scores_metric import RegionScoresMetric
from det_inception.evaluation.metrics.report_metric import ReportMetric
from det_inception.evaluation.metrics.voc_metric import VOCBoxMetric

__all__ = [
    'COCOFormatMetric',
    'ILSVRCDetMetric',
    'ImageNetMetric',
    'ProposalRecallMetric',
    'RegionScoresMetric',
    'ReportMetric',
    'VOCBoxMetric',
]
