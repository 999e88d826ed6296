"""Makes, merges, imports and exports proposal stores."""

import argparse
import signal
import sys

from det_inception.cli import common as cli
from det_inception.inference.multibox_proposals import MultiBoxProposer
from det_inception.proposals import (
    METHODS,
    Mix,
    ProposalError,
    ProposalStore,
    list_images,
    make_proposals,
    merge_stores,
)
from det_inception.proposals.interchange import export_by_suffix, import_by_suffix
from det_inception.proposals.make import MODE_NAMES, Method

WITH_MULTIBOX = ('multibox', 'mix')
EPILOG = """
examples:
  %(prog)s data/VOC2007 --out voc2007.h5
  %(prog)s annotations/instances_val2017.json --image-root data/coco/val2017 --out coco.h5
  %(prog)s data/ILSVRC --split val --mode ilsvrc2014 --out val-3.h5 --shard 3/64
  %(prog)s data/ILSVRC --split val --out mix.h5 \\
      --method mix --config configs/googlenet_multibox.py --checkpoint multibox.pth
  %(prog)s --merge val-*.h5 --out val.h5
  %(prog)s data/VOC2007 --import voc_2007_test.mat --split test --out voc2007_test.h5
  %(prog)s --export voc2007.h5 --image-root data/VOC2007/JPEGImages --out voc2007.pkl

A run that was interrupted or killed goes on where it was when the same command is given again.
"""


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Makes the proposals of a data set, a folder or a list of images and keeps them in a store (HDF5).',
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'images',
        nargs='?',
        metavar='IMAGES',
        help='a folder, a Pascal VOC or ILSVRC DET root, a COCO file (.json), or a text file with one path a line',
    )
    parser.add_argument('--out', required=True, metavar='STORE', help='the store to be')
    parser.add_argument('--image-root', metavar='FOLDER', help='where the images of a COCO file or a list lie')
    parser.add_argument('--split', help='only these images: the name of a list in ImageSets, or a file')
    parser.add_argument(
        '--method',
        choices=[*METHODS, *WITH_MULTIBOX],
        default='selective_search',
        help='mix: the best of MultiBox and selective search, without duplicates; default: %(default)s',
    )
    parser.add_argument(
        '--mode', choices=MODE_NAMES, help='of selective search; default: fast, and ilsvrc2014 for the mix, as in 2014'
    )
    parser.add_argument(
        '--width', type=int, default=500, help='images are resized to this width first; default: %(default)s'
    )
    parser.add_argument(
        '--min-size',
        type=int,
        default=20,
        help='drops boxes with a shorter side, in pixels after resizing; default: %(default)s',
    )
    parser.add_argument('--max-boxes', type=int, metavar='N', help='keeps the best N of each image; default: all')
    parser.add_argument('--config', metavar='CONFIG', help='of the MultiBox')
    parser.add_argument('--checkpoint', metavar='FILE', help='of the MultiBox')
    parser.add_argument(
        '--multibox-boxes', type=int, default=200, metavar='N', help='the best N of MultiBox; default: %(default)s'
    )
    parser.add_argument('--device', default='cpu', help='for MultiBox: cpu, cuda, ...; default: %(default)s')
    parser.add_argument('--amp', action='store_true', help='MultiBox in mixed precision; on a processor, bfloat16')
    parser.add_argument(
        '--batch-size', type=int, default=1, metavar='N', help='images at a time through MultiBox; default: %(default)s'
    )
    parser.add_argument('--workers', type=int, metavar='N', help='number of processes; default: one a core')
    parser.add_argument(
        '--shard', type=shard, metavar='I/N', help='makes the I-th of N parts, I from 1 to N; merge them afterwards'
    )
    parser.add_argument('--merge', nargs='+', metavar='STORE', help='puts these stores together; makes nothing')
    parser.add_argument(
        '--import',
        dest='import_from',
        metavar='FILE',
        help="takes the proposals of IMAGES from MMDetection's (.pkl) or R-CNN's (.mat) file",
    )
    parser.add_argument(
        '--export', metavar='STORE', help="writes this store as MMDetection's (.pkl) or R-CNN's (.mat) file, --out"
    )
    options = parser.parse_args()
    tasks = [options.merge, options.export, options.images]
    if sum(task is not None for task in tasks) != 1:
        parser.error('give IMAGES, or --merge, or --export: exactly one of them')
    if options.import_from and not options.images:
        parser.error('--import takes the IMAGES that the proposals are for')
    return options


def shard(text: str) -> tuple[int, int]:
    try:
        number, total = map(int, text.split('/'))
    except ValueError:
        raise argparse.ArgumentTypeError(f'{text!r} is not I/N, such as 3/64') from None
    if not 1 <= number <= total:
        raise argparse.ArgumentTypeError(f'{text!r}: I counts from 1 to N')
    return number, total


def chosen_method(options: argparse.Namespace) -> Method:
    if options.method == 'multibox':
        return multibox(options)
    mode = options.mode or ('ilsvrc2014' if options.method == 'mix' else 'fast')
    search = METHODS['selective_search'](mode=mode, width=options.width, min_size=options.min_size)
    if options.method == 'mix':
        return Mix(multibox(options), search)
    if options.config or options.checkpoint:
        raise ProposalError('--config and --checkpoint are of a MultiBox; give --method multibox or mix with them.')
    return search


def multibox(options: argparse.Namespace) -> Method:
    if not (options.config and options.checkpoint):
        raise ProposalError(f'--method {options.method} needs a trained MultiBox; give its --config and --checkpoint.')
    return MultiBoxProposer(
        options.config, options.checkpoint, options.multibox_boxes, options.device, options.amp, options.batch_size
    )


def run(options: argparse.Namespace) -> None:
    if options.merge:
        merge_stores(options.merge, options.out)
    elif options.export:
        with ProposalStore(options.export) as store:
            export_by_suffix(store, options.image_root, options.out)
        print(f'{options.out}: proposals of {len(store)} images.')
        return
    elif options.import_from:
        import_by_suffix(
            options.import_from, list_images(options.images, options.image_root, options.split), options.out
        )
    else:
        images = list_images(options.images, options.image_root, options.split)
        method = chosen_method(options)
        summary = make_proposals(
            images, options.out, method, max_boxes=options.max_boxes, workers=options.workers, shard=options.shard
        )
        print(f'Made the proposals of {summary.made} images; {summary.known} were there already.')
        if summary.unreadable:
            print(f'Skipped {len(summary.unreadable)} images, listed in {summary.unreadable_list}:')
            for key, why in list(summary.unreadable.items())[:10]:
                print(f'  {key}: {why}')
    with ProposalStore(options.out) as store:
        print(f'{options.out}: {store.number_of_proposals} proposals of {len(store)} images.')


def main() -> None:
    options = parse_arguments()
    # A scheduler that ends a job is answered like Ctrl-C: what is ready is written.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        run(options)
    except KeyboardInterrupt:
        print(f'\nGive the same command again to go on with {options.out}.', file=sys.stderr)
        raise


if __name__ == '__main__':
    cli.run(main)
