"""Trains R-CNN's linear SVMs and box regression on features of a network, which stays as it is."""

import argparse

from det_inception.cli.common import add_config_options, add_speed_options
from det_inception.utils.errors import InputError


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Trains a linear SVM per class, with hard negatives, and ridge regression of boxes on the features '
        'of a network that stays as it is: a fine-tuned one, or one with ImageNet weights. Writes a checkpoint for '
        'det-inception test and det-inception detect.',
        epilog='Example: det-inception train-svm googlenet_rcnn_svm_voc --data-root my_data --out svm.pth',
    )
    parser.add_argument('config', help='config of an R-CNN; with_reg=True in its box head asks for box regression')
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help="R-CNN that det-inception train fine-tuned; default: the config's pretrained weights",
    )
    parser.add_argument('--data-root', metavar='DIR', help="folder of the data set, instead of the config's")
    parser.add_argument('--out', required=True, metavar='FILE', help='checkpoint to write')
    parser.add_argument('--weights', metavar='FILE', help="pretrained weights instead of the config's; none: random")
    parser.add_argument(
        '--features',
        metavar='DIR',
        help='keep the features in this folder, and take from it those that it has (2 KB a region); default: a '
        'temporary folder beside --out',
    )
    parser.add_argument('--svm-c', type=float, default=1e-3, metavar='C', help='C of the SVMs (default: %(default)s)')
    parser.add_argument(
        '--ridge', type=float, default=1000, metavar='LAMBDA', help='of the box regression (default: %(default)s)'
    )
    add_speed_options(parser)
    add_config_options(parser, 'settings that override the config, e.g. proposals.mode=fast proposals.max_num=300')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if args.checkpoint and args.weights:
        raise InputError(f'{args.weights}: the network is that of {args.checkpoint}; leave one of them out.')
    for option, value in (('--svm-c', args.svm_c), ('--ridge', args.ridge)):
        if not 0 < value < float('inf'):
            raise InputError(f'{option} is {value:g} and must be a number above 0.')
    from det_inception.config.loading import load_config
    from det_inception.config.options import read_options
    from det_inception.engine.svm.mining import SVMSettings
    from det_inception.engine.svm.train import train_svm
    from det_inception.inference.acceleration import accelerate

    cfg = load_config(
        args.config, options=read_options(args.cfg_options), data_root=args.data_root, weights=args.weights
    )
    summary = train_svm(
        cfg,
        args.out,
        checkpoint=args.checkpoint,
        features=args.features,
        prepare=None if args.engine is None else lambda model: accelerate(model, args.engine),
        amp=args.amp,
        settings=SVMSettings(c=args.svm_c),
        ridge=args.ridge,
        random=args.weights == 'none',
    )
    print('class, objects, negatives seen, negatives kept, pairs of the box regression')
    for row in summary:
        print(f'{row.name}, {row.objects}, {row.negatives}, {row.kept}, {row.pairs}')
    print(f'Written to {args.out}.')
