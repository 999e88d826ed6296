"""Reduces a training checkpoint to what is needed to use it."""

import argparse
import os

from det_inception.cli.common import require_output


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Reduces a checkpoint of training to weights, classes and normalization, to use or to share: '
        'the optimizer, the log, the config with its paths and auxiliary classifiers are left out. Of several '
        'checkpoints, of trainings that began with the same weights, it is the mean of the weights.',
        epilog='Example: det-inception publish work_dirs/googlenet_rcnn_mini/epoch_16.pth mini.pth',
    )
    parser.add_argument('sources', nargs='+', metavar='SOURCE', help='checkpoint that det-inception train wrote')
    parser.add_argument('target', help='file to write')
    parser.add_argument('--half', action='store_true', help='store float16: half the size')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    require_output(args.target, 'TARGET')
    if len(args.sources) > 1 and os.path.exists(args.target):
        # Whoever forgets the target names a checkpoint in its place.
        from det_inception.utils.errors import InputError

        raise InputError(f'{args.target}: is there already; name a new file behind the checkpoints or remove it.')
    from det_inception.weights.export import publish

    size = publish(args.sources, args.target, args.half)
    print(f'{args.target}: {size / 1e6:.1f} MB')
