"""The HTML report of a test run: score, curves, confidence, confusions, errors, sizes, proposals and example images.

Needs neither PyTorch nor MMDetection. ``write_report(from_submission(...), folder, ...)`` makes one of a submission
file; :class:`det_inception.evaluation.ReportMetric` makes one of a test. Every report holds its run, and runs can be
compared: ``compare(bootstrap(read_run(one)), bootstrap(read_run(other)))``.
"""

from det_inception.evaluation.analysis.comparison import comparison_text
from det_inception.evaluation.analysis.confidence import analyze_confidence
from det_inception.evaluation.analysis.confusion import confusion_matrix
from det_inception.evaluation.analysis.errors import KINDS, analyze_errors
from det_inception.evaluation.analysis.resampling import bootstrap, compare
from det_inception.evaluation.analysis.results import RULES, Annotations, EvalResults, Predictions, from_submission
from det_inception.evaluation.analysis.run_file import RUN_FILE, read_report, read_run, write_run
from det_inception.evaluation.analysis.scoring import score_run
from det_inception.evaluation.analysis.sizes import score_by_size
from det_inception.evaluation.report.write import PICTURES, image_files, require_writable, write_report

__all__ = [
    'KINDS',
    'PICTURES',
    'RULES',
    'RUN_FILE',
    'Annotations',
    'EvalResults',
    'Predictions',
    'analyze_confidence',
    'analyze_errors',
    'bootstrap',
    'compare',
    'comparison_text',
    'confusion_matrix',
    'from_submission',
    'image_files',
    'read_report',
    'read_run',
    'require_writable',
    'score_by_size',
    'score_run',
    'write_report',
    'write_run',
]
