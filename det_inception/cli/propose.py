"""Makes, merges, imports and exports proposal stores."""

from __future__ import annotations

import argparse
import signal
import sys

from det_inception.cli.common import FORMAT_HELP

EPILOG = """
examples:
  %(prog)s data/VOC2007 --out voc2007.h5
  %(prog)s annotations/instances_val2017.json --image-root data/coco/val2017 --out coco.h5
  %(prog)s data/ILSVRC --split val --mode ilsvrc2014 --out val-3.h5 --shard 3/64
  %(prog)s data/ILSVRC --split val --out mix.h5 \\
      --method mixed --config configs/googlenet_multibox.py --checkpoint multibox.pth
  %(prog)s data/VOC2007 --method edge_boxes:EdgeBoxes --method-options alpha=0.65 --out edges.h5
  %(prog)s --merge val-*.h5 --out val.h5
  %(prog)s data/VOC2007 --import voc_2007_test.mat --split test --out voc2007_test.h5
  %(prog)s --export voc2007.h5 --image-root data/VOC2007/JPEGImages --out voc2007.pkl

A run that was interrupted or killed goes on where it was when the same command is given again.
"""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Makes the proposals of a data set, a folder or a list of images and keeps them in a store (HDF5).',
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'images',
        nargs='?',
        metavar='IMAGES',
        help='a data set in any layout of docs/data.md, a folder, a COCO file (.json), an image, or a list with one '
        'path a line',
    )
    parser.add_argument('--out', required=True, metavar='STORE', help='the store to be')
    parser.add_argument('--image-root', metavar='FOLDER', help='where the images of a COCO file or a list lie')
    parser.add_argument('--split', help='only these images: the name of a part of the data set, or a list')
    parser.add_argument('--format', metavar='NAME', help=FORMAT_HELP)
    parser.add_argument(
        '--method',
        help='selective_search, multibox, mixed (the best of MultiBox and selective search, without duplicates), or '
        'another as package.module:Class; default: that of the detector in --config, else selective_search',
    )
    parser.add_argument(
        '--method-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help="arguments of the method's class, such as mode=fast; second.width=300 is of a part of a mix",
    )
    parser.add_argument(
        '--mode',
        choices=('fast', 'quality', 'ilsvrc2014', 'iccv2011'),
        help='of selective search; default: fast, and ilsvrc2014 for the mix, as in 2014',
    )
    parser.add_argument('--width', type=int, help='images are resized to this width first; default: 500')
    parser.add_argument(
        '--min-size', type=int, help='drops boxes with a shorter side, in pixels after resizing; default: 20'
    )
    parser.add_argument('--max-boxes', type=int, metavar='N', help='keeps the best N of each image; default: all')
    parser.add_argument(
        '--config', metavar='CONFIG', help='of the MultiBox; without --method, of a detector, whose method is taken'
    )
    parser.add_argument('--checkpoint', metavar='FILE', help='of the MultiBox')
    parser.add_argument('--multibox-boxes', type=int, metavar='N', help='the best N of MultiBox; default: 200')
    parser.add_argument('--device', help='for MultiBox: cpu, cuda, ...; default: cpu')
    parser.add_argument(
        '--amp', action='store_true', default=None, help='MultiBox in mixed precision; bfloat16 on a CPU'
    )
    parser.add_argument('--batch-size', type=int, metavar='N', help='images at a time through MultiBox; default: 1')
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


def method_of_detector(config: str) -> dict:
    """Returns the dict of the method with which a detector is tested."""
    from det_inception.config.loading import datasets_of, read_config
    from det_inception.proposals import ProposalError
    from det_inception.proposals.methods import DEFAULT_METHOD

    for dataset in datasets_of(read_config(config), 'test_dataloader'):
        for step in dataset.pipeline:
            if step['type'] == 'LoadRegionProposals':
                return step.get('method') or DEFAULT_METHOD
    raise ProposalError(
        f'{config}: the test pipeline has no LoadRegionProposals; name the config of an R-CNN or Fast R-CNN, or, of a '
        'MultiBox, give --method multibox or mixed and --checkpoint.'
    )


def run(options: argparse.Namespace) -> None:
    """Does what the options ask for."""
    from det_inception.proposals import ProposalStore, list_images, make_proposals, merge_stores
    from det_inception.proposals.interchange import export_by_suffix, import_by_suffix

    source = options.images, options.image_root, options.split, options.format
    if options.merge:
        merge_stores(options.merge, options.out)
    elif options.export:
        with ProposalStore(options.export) as store:
            export_by_suffix(store, options.image_root, options.out)
        print(f'{options.out}: proposals of {len(store)} images.')
        return
    elif options.import_from:
        import_by_suffix(options.import_from, list_images(*source), options.out)
    else:
        from det_inception.proposals.command_line import chosen_method

        images = list_images(*source)
        method = chosen_method(options, method_of_detector)
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
    options = parse_args()
    # A scheduler that ends a job is answered like Ctrl-C: what is ready is written.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        run(options)
    except KeyboardInterrupt:
        print(f'\nGive the same command again to go on with {options.out}.', file=sys.stderr)
        raise
