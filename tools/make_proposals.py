"""Makes, merges, imports and exports proposal stores."""

import argparse
import ast
import signal
import sys
from typing import Any

from det_inception.cli import common as cli
from det_inception.proposals import (
    PROPOSAL_METHODS,
    ProposalError,
    ProposalMethod,
    ProposalStore,
    build_method,
    list_images,
    make_proposals,
    merge_stores,
    with_options,
)
from det_inception.proposals.interchange import export_by_suffix, import_by_suffix
from det_inception.proposals.methods import DEFAULT_METHOD
from det_inception.proposals.selective_search import MODES

EPILOG = """
examples:
  %(prog)s data/VOC2007 --out voc2007.h5
  %(prog)s annotations/instances_val2017.json --image-root data/coco/val2017 --out coco.h5
  %(prog)s data/ILSVRC --split val --mode ilsvrc2014 --out val-3.h5 --shard 3/64
  %(prog)s data/ILSVRC --split val --out mix.h5 \\
      --method mix --config configs/googlenet_multibox.py --checkpoint multibox.pth
  %(prog)s data/VOC2007 --method edge_boxes:EdgeBoxes --method-options alpha=0.65 --out edges.h5
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
        '--mode', choices=MODES, help='of selective search; default: fast, and ilsvrc2014 for the mix, as in 2014'
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
        '--amp', action='store_true', default=None, help='MultiBox in mixed precision; on a processor, bfloat16'
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


def chosen_method(options: argparse.Namespace) -> ProposalMethod:
    """Builds the method that the options describe; each option is an argument of the method or of one of its parts."""
    settings = settings_of(options)
    named = dict(
        mode=options.mode,
        width=options.width,
        min_size=options.min_size,
        number=options.multibox_boxes,
        device=options.device,
        amp=options.amp,
        batch_size=options.batch_size,
    )
    if options.method is not None:
        named.update(config=options.config, checkpoint=options.checkpoint)
    elif options.checkpoint is not None:
        raise ProposalError('--checkpoint is of a MultiBox; give --method multibox or mixed with it.')
    named = {name: value for name, value in named.items() if value is not None}
    return build_method(with_options(settings, named | method_options(options.method_options)))


def settings_of(options: argparse.Namespace) -> dict:
    """Returns the dict of the method, before the other options change it."""
    if options.method is None:
        return DEFAULT_METHOD if options.config is None else settings_of_detector(options.config)
    wanted = options.method.replace('_', '').lower().removesuffix('ed')
    name = next((name for name in PROPOSAL_METHODS if name.lower().removesuffix('ed') == wanted), options.method)
    if name in ('MultiBox', 'Mixed') and not (options.config and options.checkpoint):
        raise ProposalError(f'--method {options.method} needs a trained MultiBox; give its --config and --checkpoint.')
    if name == 'Mixed':
        return dict(type=name, first=dict(type='MultiBox'), second=dict(type='SelectiveSearch', mode='ilsvrc2014'))
    return dict(type=name)


def settings_of_detector(config: str) -> dict:
    """Returns the dict of the method with which a detector is tested."""
    from det_inception.config.loading import datasets_of, read_config

    for dataset in datasets_of(read_config(config), 'test_dataloader'):
        for step in dataset.pipeline:
            if step['type'] == 'LoadRegionProposals':
                return step.get('method') or DEFAULT_METHOD
    raise ProposalError(
        f'{config}: the test pipeline has no LoadRegionProposals; name the config of an R-CNN or Fast R-CNN, or, of a '
        'MultiBox, give --method multibox or mixed and --checkpoint.'
    )


def method_options(words: list[str]) -> dict[str, Any]:
    """Reads KEY=VALUE, where a value is a Python literal or else a text."""
    options = {}
    for word in words:
        name, sign, value = word.partition('=')
        if not sign:
            raise ProposalError(f'--method-options {word}: is not KEY=VALUE, such as mode=fast.')
        try:
            options[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            options[name] = value
    return options


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
