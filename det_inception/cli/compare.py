"""Says how sure the scores of tests are, and whether one run is better than another."""

from __future__ import annotations

import argparse

from det_inception.utils.errors import InputError

EPILOG = """
Every report holds its run in results.npz:
  det-inception test CONFIG one.pth --report reports/one
  det-inception test CONFIG two.pth --report reports/two
  det-inception compare reports/one reports/two

The images of a test are a sample. We resample them with replacement and score each resample; how much these scores
differ is the margin: 19 times of 20, other images would give a score within "±". Both runs are scored on the same
resamples, so a difference can be certain although the runs' own margins overlap. What another seed of the training
would change, no test can tell.
"""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('reports', nargs='+', help='folders of reports; the others are compared with the first')
    parser.add_argument('--classes', action='store_true', help='also compare the AP of each class')
    parser.add_argument(
        '--resamples', type=int, default=400, metavar='N', help='times to resample (default: %(default)s)'
    )
    args = parser.parse_args()
    if args.resamples < 1:
        parser.error('--resamples is at least 1')
    if len(set(args.reports)) < len(args.reports):
        parser.error('a report is named twice')
    return args


def main() -> None:
    args = parse_args()
    from det_inception.evaluation.analysis.resampling import require_comparable
    from det_inception.evaluation.report import bootstrap, comparison_text, read_report

    runs = {report: read_report(report) for report in args.reports}
    for report in args.reports[1:]:
        try:
            require_comparable(runs[args.reports[0]], runs[report])
        except InputError as error:
            raise InputError(f'{args.reports[0]} and {report}: {error}') from None
    resampled = {name: bootstrap(results, resamples=args.resamples) for name, results in runs.items()}
    print(comparison_text(resampled, args.classes))
