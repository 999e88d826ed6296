"""Says how sure the scores of tests are, and whether one run is better than another."""

from __future__ import annotations

import argparse

from det_inception.utils.errors import InputError

EPILOG = """
Every report holds its run in results.npz:
  tools/test.py CONFIG one.pth --report reports/one
  tools/test.py CONFIG two.pth --report reports/two
  tools/compare_runs.py reports/one reports/two

The images of a test are a sample. As many are drawn from them, with repetition, again and again, and each draw is
scored; how much these scores differ says how sure the score is: 19 times of 20, other images would give one within
"±". A difference is taken on equal draws, so it can be sure where the runs' own margins overlap. What another seed of
the training would change, no test can tell.
"""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('reports', nargs='+', help='folders of reports; the others are compared with the first')
    parser.add_argument('--classes', action='store_true', help='also compare the AP of each class')
    parser.add_argument('--draws', type=int, default=400, metavar='N', help='how often to draw (default: %(default)s)')
    args = parser.parse_args()
    if args.draws < 1:
        parser.error('--draws is at least 1')
    if len(set(args.reports)) < len(args.reports):
        parser.error('a report is named twice')
    return args


def main() -> None:
    args = parse_args()
    from det_inception.evaluation.analysis.resampling import require_comparable
    from det_inception.evaluation.report import comparison_text, draw, read_report

    runs = {report: read_report(report) for report in args.reports}
    for report in args.reports[1:]:
        try:
            require_comparable(runs[args.reports[0]], runs[report])
        except InputError as error:
            raise InputError(f'{args.reports[0]} and {report}: {error}') from None
    print(comparison_text({name: draw(results, draws=args.draws) for name, results in runs.items()}, args.classes))
