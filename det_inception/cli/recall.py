"""Measures how much of a data set's ground truth the proposals of stores cover."""

import argparse
from pathlib import Path

from det_inception.cli.common import FORMAT_HELP, require_output

EPILOG = """
example:
  %(prog)s data/VOC2007 --split test --stores fast=fast.h5 quality=quality.h5 --plot recall.png
"""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Prints, and draws, the recall of proposals over the IoU threshold and over their number.',
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'data', metavar='DATA', help='ground truth: a data set in any layout of docs/data.md, or a COCO file'
    )
    parser.add_argument(
        '--stores', nargs='+', required=True, metavar='[NAME=]STORE', help='proposal stores, one for each method'
    )
    parser.add_argument('--image-root', metavar='FOLDER', help='where the images of a COCO file lie')
    parser.add_argument('--split', help='only these images: the name of a part of the data set, or a list')
    parser.add_argument('--format', metavar='NAME', help=FORMAT_HELP)
    parser.add_argument(
        '--limits',
        nargs='+',
        type=int,
        default=[10, 100, 200, 1000, 2000],
        metavar='N',
        help='numbers of proposals to look at; default: 10 100 200 1000 2000, and all',
    )
    parser.add_argument(
        '--iou',
        nargs='+',
        type=float,
        default=[0.5, 0.7, 0.9],
        metavar='IOU',
        help='thresholds of the table; default: 0.5 0.7 0.9',
    )
    parser.add_argument('--plot', metavar='FILE', help='draws the curves into this file: .png, .pdf or .svg')
    parser.add_argument('--only-stored', action='store_true', help='leaves out images that a store does not hold')
    return parser.parse_args()


def main() -> None:
    options = parse_args()
    require_output(options.plot, '--plot')
    from det_inception.proposals import ProposalError, ProposalStore, read_ground_truth
    from det_inception.proposals.recall_curves import measure_recall, plot_limits, plot_recall, recall_table
    from det_inception.utils.errors import counted

    truth = read_ground_truth(options.data, options.image_root, options.split, options.format)
    measured = {}
    for argument in options.stores:
        name, _, path = argument.rpartition('=') if not Path(argument).exists() else (Path(argument).stem, '', argument)
        if name in measured:
            raise ProposalError(f'Two stores would be called {name}; name them: --stores one={path} other=...')
        with ProposalStore(path) as store:
            most = max((store.count(key) for key in store), default=0)
            limits = options.limits + (plot_limits(most) if options.plot else [])
            measured[name] = measure_recall(store, truth, limits, only_stored=options.only_stored)
        found = measured[name]
        left_out = f'; not in the store: {counted(found.missing, "image")}' if found.missing else ''
        print(f'{name}: {counted(len(found.best), "box", "boxes")} in {counted(found.images, "image")}{left_out}.')
    if truth.left_out:
        print(f'Difficult, crowd or empty, and not counted: {counted(truth.left_out, "box", "boxes")}.')
    print()
    print(recall_table(measured, options.limits, options.iou))
    if options.plot:
        data = Path(options.data).absolute()
        # A COCO file alone is called after nothing in particular.
        title = data.name if data.is_dir() else f'{data.parent.name}/{data.name}'
        plot_recall(measured, options.plot, title=title)
        print(f'\nDrawn in {options.plot}.')
