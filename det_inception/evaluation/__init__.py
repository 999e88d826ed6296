"""Metrics and pictures of a test, registered with MMDetection; the arithmetic is in :mod:`det_inception.ilsvrc` and
:mod:`det_inception.proposals`."""

from det_inception.evaluation.drawing import DrawDetectionsHook
from det_inception.evaluation.ilsvrc_metric import ILSVRCDetMetric
from det_inception.evaluation.imagenet_metric import ImageNetMetric
from det_inception.evaluation.recall_metric import ProposalRecallMetric
from det_inception.evaluation.region_scores_metric import RegionScoresMetric
from det_inception.evaluation.report_metric import ReportMetric
from det_inception.evaluation.voc_metric import VOCBoxMetric

__all__ = [
    'DrawDetectionsHook',
    'ILSVRCDetMetric',
    'ImageNetMetric',
    'ProposalRecallMetric',
    'RegionScoresMetric',
    'ReportMetric',
    'VOCBoxMetric',
]
