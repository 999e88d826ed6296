"""Writes the HTML report of a test run once more, from the numbers that another report keeps."""

import argparse


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__ + ' The test itself writes one with --report; this makes another without testing again, '
        'with the images of another folder, a title, or more pictures.',
        epilog='Example: det-inception report reports/one --images my_voc/JPEGImages --out-dir page',
    )
    parser.add_argument('run', metavar='REPORT', help='folder of a report, or its file results.npz')
    parser.add_argument(
        '--out-dir', default='report', metavar='DIR', help='for the page, index.html (default: %(default)s)'
    )
    parser.add_argument('--images', metavar='FOLDER', help='folder of the tested images, or of some of them')
    parser.add_argument('--title', help="what was tested; default: the name of REPORT's folder")
    parser.add_argument(
        '--pictures', type=int, default=12, metavar='N', help='pictures in each gallery (default: %(default)s)'
    )
    parser.add_argument(
        '--confidence',
        type=float,
        metavar='SCORE',
        help='count the confusions among detections of this score or more (default: where F1 is highest)',
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    from det_inception.evaluation.report.rewrite import rewrite_report

    page = rewrite_report(args.run, args.out_dir, args.title, args.images, args.pictures, args.confidence)
    print(f'report: {page}')
