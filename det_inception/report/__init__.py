"""The HTML report of a test run: score, curves, kinds of errors, sizes, proposals and pictures.

Needs neither PyTorch nor MMDetection. ``write_report(from_submission(...), folder, ...)`` makes one of a submission
file; :class:`det_inception.evaluation.ReportMetric` makes one of a test.
"""

from det_inception.report.errors import KINDS, ErrorAnalysis, analyse_errors
from det_inception.report.results import RULES, Found, Objects, RunResults, from_submission
from det_inception.report.scoring import Score, score_run
from det_inception.report.sizes import SizeScore, score_by_size
from det_inception.report.write import PICTURES, image_files, require_writable, write_report

__all__ = [
    'KINDS',
    'PICTURES',
    'RULES',
    'ErrorAnalysis',
    'Found',
    'Objects',
    'RunResults',
    'Score',
    'SizeScore',
    'analyse_errors',
    'from_submission',
    'image_files',
    'require_writable',
    'score_by_size',
    'score_run',
    'write_report',
]
