"""Splits a data set for training and validation."""

from __future__ import annotations

import argparse
from pathlib import Path

from det_inception.cli.common import FORMAT_HELP

DESCRIPTION = """
Splits a data set into parts that are balanced: every class is spread over them as the images are. The lists
(or COCO files) are written beside the one that is split, named after the parts.
"""
EPILOG = """
examples:
  a data set in one part, in any layout of docs/data.md:
    %(prog)s my_data
  a list of images in Pascal VOC's, ILSVRC's or YOLO's folders, 80 %% for training:
    %(prog)s my_voc/ImageSets/Main/trainval.txt --parts train=80 val=20
  a file in COCO's format:
    %(prog)s my_coco/annotations/all.json --parts train=80 val=20
  the training part of a YOLO data set; split.yaml then names the lists of the parts:
    %(prog)s my_yolo/data.yaml --parts train=80 val=20
  ILSVRC DET: R-CNN's val1 and val2, val2 being the published list:
    %(prog)s data/ILSVRC/ImageSets/DET/val.txt --rcnn-val2 ilsvrc13_val2.txt \\
        --blacklist ILSVRC2014_det_validation_blacklist.txt
"""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'source', type=Path, help='folder of a data set, list of images (.txt), COCO file (.json) or YOLO file (.yaml)'
    )
    parser.add_argument(
        '--parts',
        nargs='+',
        type=part,
        default=[('train', 80.0), ('val', 20.0)],
        metavar='NAME=SHARE',
        help='names of the parts and their shares of the images (default: train=80 val=20)',
    )
    parser.add_argument('--seed', type=int, default=0, help='another seed gives another split (default: 0)')
    parser.add_argument(
        '--annotations', type=Path, metavar='DIR', help='folder of the XML files; default: that of the data set'
    )
    parser.add_argument(
        '--image-root', type=Path, metavar='DIR', help='folder of the images; default: that of the data set'
    )
    parser.add_argument('--format', metavar='NAME', help=FORMAT_HELP)
    parser.add_argument('--rcnn-val2', type=Path, metavar='FILE', help="the published list of R-CNN's val2")
    parser.add_argument('--blacklist', type=Path, metavar='FILE', help='the official blacklist, for --rcnn-val2')
    parser.add_argument('--force', action='store_true', help='write over lists that are there')
    args = parser.parse_args()
    if args.rcnn_val2 is not None and args.blacklist is None:
        parser.error('--rcnn-val2 needs --blacklist, whose images are in neither half')
    if len({name for name, _ in args.parts}) < len(args.parts) or len(args.parts) < 2:
        parser.error('--parts needs two or more different names')
    return args


def part(text: str) -> tuple[str, float]:
    name, _, share = text.partition('=')
    try:
        value = float(share)
    except ValueError:
        value = 0
    if not name or Path(name).name != name or not 0 < value < float('inf'):
        raise argparse.ArgumentTypeError(f'{text!r} is not NAME=SHARE, such as train=80')
    return name, value


def main() -> None:
    args = parse_args()
    from det_inception.validation.splitting import divide, divide_like_rcnn, write_parts

    if args.rcnn_val2 is not None:
        files = divide_like_rcnn(args.source, args.rcnn_val2, args.blacklist)
        said = ', '.join(f'{path.stem}: {len(content.splitlines())} images' for path, content in files.items()) + '.'
    else:
        division = divide(args.source, dict(args.parts), args.seed, args.annotations, args.image_root, args.format)
        files, said = division.files, division.table()
    write_parts(files, args.force)
    print(*files, said, sep='\n')
