"""Draws loss and mAP of training runs."""

import argparse

from det_inception.cli.common import require_output


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Draws the loss and the validation score of one or more training runs, from the logs in their '
        'work directories.',
        epilog='Example: det-inception curves work_dirs/googlenet_rcnn_voc --out curves.png',
    )
    parser.add_argument('work_dirs', nargs='+', metavar='WORK_DIR', help='work directories of det-inception train')
    parser.add_argument('--out', default='curves.png', metavar='FILE', help='picture to write (default: %(default)s)')
    parser.add_argument('--labels', nargs='+', metavar='NAME', help="names of the runs; default: their directories'")
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    require_output(args.out, '--out')
    from det_inception.evaluation.analysis.training_curves import plot_training

    plot_training(args.work_dirs, args.out, args.labels)
    print(args.out)
