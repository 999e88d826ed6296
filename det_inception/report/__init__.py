"""The HTML report of a test run: score, curves, kinds of errors, sizes, proposals and pictures.

Needs neither PyTorch nor MMDetection. ``write_report(from_submission(...), folder, ...)`` makes one of a submission
file; :class:`det_inception.evaluation.ReportMetric` makes one of a test. Every report holds its run, and runs can be
compared: ``compare(draw(read_run(one)), draw(read_run(other)))``.
"""

from det_inception.report.comparison import comparison_text
from det_inception.report.errors import KINDS, ErrorAnalysis, analyse_errors
from det_inception.report.resampling import DrawnRun, Spread, compare, draw
from det_inception.report.results import RULES, Found, Objects, RunResults, from_submission
from det_inception.report.run_file import read_run, write_run
from det_inception.report.scoring import Score, score_run
from det_inception.report.sizes import SizeScore, score_by_size
from det_inception.report.write import PICTURES, RUN_FILE, image_files, require_writable, write_report

__all__ = [
    'KINDS',
    'PICTURES',
    'RULES',
    'RUN_FILE',
    'DrawnRun',
    'ErrorAnalysis',
    'Found',
    'Objects',
    'RunResults',
    'Score',
    'SizeScore',
    'Spread',
    'analyse_errors',
    'compare',
    'comparison_text',
    'draw',
    'from_submission',
    'image_files',
    'read_run',
    'require_writable',
    'score_by_size',
    'score_run',
    'write_report',
    'write_run',
]
