"""Says what is in a data set and everything that is wrong with it, before a training finds out."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

from det_inception.cli.common import add_config_options, add_data_options, data_options, require_output

EPILOG = """
examples:
  %(prog)s my_data                                                in any layout of docs/data.md
  %(prog)s instances_val2017.json --image-root val2017
  %(prog)s --config configs/googlenet_rcnn_voc.py --data-root my_data --proposals my_data.h5

Exit status: 0 if a training would run through, 1 if it would stop, 2 if there is nothing to check.
"""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Says what is in a data set and everything that is wrong with it, with a suggestion for each.',
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'data', nargs='?', metavar='DATA_ROOT', help='folder of the data set, or the file that describes it'
    )
    parser.add_argument('--config', help='check exactly what this config trains and tests on, instead of DATA_ROOT')
    add_data_options(parser)
    add_config_options(parser, 'with --config: settings that override those of the config')
    parser.add_argument(
        '--split', nargs='+', metavar='NAME', help='check only these parts: train, val, test, or the name of a list'
    )
    parser.add_argument('--image-root', metavar='DIR', help='folder of the images of COCO files, if not the usual one')
    parser.add_argument(
        '--proposals', nargs='+', metavar='STORE', help="stores that hold the images' proposals, looked in in turn"
    )
    parser.add_argument('--json', metavar='FILE', help='write all of it to this file')
    parser.add_argument('--no-images', action='store_true', help='do not read the images')
    parser.add_argument(
        '--workers', type=int, metavar='N', help='number of threads that read images; default: a core each'
    )
    parser.add_argument(
        '--max-shown', type=int, default=10, metavar='N', help='problems shown of each kind; default: %(default)s'
    )
    args = parser.parse_args()
    if (args.data is None) == (args.config is None):
        parser.error('give DATA_ROOT or --config, one of them')
    if args.config is None and (args.data_root or args.cfg_options):
        parser.error('--data-root and --cfg-options belong to --config')
    if args.config is not None and args.image_root:
        parser.error('--image-root belongs to DATA_ROOT; the config names its own')
    for name, value, least in (('--workers', args.workers, 1), ('--max-shown', args.max_shown, 0)):
        if value is not None and value < least:
            parser.error(f'{name} is at least {least}')
    return args


def main() -> int:
    args = parse_args()
    require_output(args.json, '--json')
    import cv2

    from det_inception.config.data import config_classes, is_class_agnostic
    from det_inception.config.data_parts import config_splits
    from det_inception.config.loading import read_config
    from det_inception.config.options import read_options
    from det_inception.utils.files import write_text
    from det_inception.validation import check_data, find_splits, missing_parts, select_splits
    from det_inception.validation.problems import ERROR
    from det_inception.validation.text import as_json, problem_list, summary

    if args.config is not None:
        options = read_options(args.cfg_options) | data_options(args)
        cfg = read_config(args.config, options=options, data_root=args.data_root)
        splits, passed_over = config_splits(cfg)
        classes_of_first = config_classes(cfg) is None and not is_class_agnostic(cfg)
    else:
        splits, passed_over = find_splits(args.data, args.image_root, args.format)
        classes_of_first = True
    all_parts = len(splits)
    if args.split:
        splits = select_splits(splits, args.split)
    classes_of_first &= not splits[0].test_mode
    if args.proposals:
        splits = [replace(split, stores=tuple(map(Path, args.proposals))) for split in splits]
    cv2.setNumThreads(1)  # Each image has a thread of its own.
    result = check_data(
        splits,
        classes_of_first=classes_of_first,
        images=not args.no_images,
        whole=len(splits) == all_parts,
        workers=args.workers,
    )
    if args.config is None and not args.split and Path(args.data).is_dir():
        if (missing := missing_parts(splits, args.val_share)) is not None:
            result.problems.add('list', ERROR, '', args.data, missing)
    print(summary(result, passed_over), end='\n\n')
    print(problem_list(result, args.max_shown))
    if args.json:
        write_text(args.json, json.dumps(as_json(result, passed_over), indent=1) + '\n')
        print(f'All of it: {args.json}')
    return int(result.problems.count(ERROR) > 0)
