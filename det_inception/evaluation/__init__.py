"""Metrics, registered with MMDetection; the arithmetic is in :mod:`det_inception.ilsvrc`."""

from det_inception.evaluation.ilsvrc_metric import ILSVRCDetMetric
from det_inception.evaluation.report_metric import ReportMetric
from det_inception.evaluation.voc_metric import VOCBoxMetric

__all__ = ['ILSVRCDetMetric', 'ReportMetric', 'VOCBoxMetric']
