"""Scores a submission file by the official rules of the ILSVRC detection challenge."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from det_inception.cli.common import require_output
from det_inception.utils.errors import InputError

EPILOG = """
example:
  %(prog)s --predictions demo.val.pred.det.txt.xz \
      --ground-truth ILSVRC2015_det_validation_ground_truth.mat \
      --blacklist ILSVRC2014_det_validation_blacklist.txt --image-list det_lists/val.txt
"""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        '--predictions', type=Path, required=True, help='submission file, plain or compressed (.gz, .bz2, .xz)'
    )
    parser.add_argument(
        '--ground-truth',
        type=Path,
        required=True,
        help="folder of XML files, tar archive of them, or the development kit's .mat file",
    )
    parser.add_argument('--blacklist', type=Path, help='lines "<image index> <WordNet id>"')
    parser.add_argument(
        '--image-list',
        type=Path,
        help='lines "<image name> <index>": the images to score and their numbers in the submission (default: all '
        'images; XML files are numbered by name)',
    )
    parser.add_argument(
        '--blacklist-image-list',
        type=Path,
        help='the image list that numbers the blacklist, if it is another one (for val2: val.txt)',
    )
    parser.add_argument(
        '--classes', type=Path, help='class names, one a line in the order of their ids (default: the 200)'
    )
    parser.add_argument('--json', type=Path, help='where to write the score and the AP of every class')
    parser.add_argument('--report', type=Path, metavar='DIR', help='write an HTML report to this folder (index.html)')
    parser.add_argument(
        '--images',
        type=Path,
        metavar='FOLDER',
        help='folder of the images, or of some of them, for the pictures of the report',
    )
    parser.add_argument(
        '--report-pictures', type=int, default=12, metavar='N', help='pictures in each of its galleries (default: 12)'
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    require_output(args.json, '--json')
    from det_inception.evaluation.report import require_writable
    from det_inception.evaluation.submission import read_checked_blacklist, report, summary
    from det_inception.ilsvrc import (
        DET_CLASSES,
        evaluate,
        format_table,
        read_class_names,
        read_detections,
        read_ground_truth,
        read_image_list,
    )
    from det_inception.utils.files import write_text

    if args.report is not None:
        require_writable(args.report)
    elif args.images is not None:
        raise InputError('--images is for the pictures of a report; give --report DIR as well.')
    classes = DET_CLASSES if args.classes is None else read_class_names(args.classes)
    image_list = None if args.image_list is None else read_image_list(args.image_list)
    detections = read_detections(args.predictions, len(classes))
    ground_truth = read_ground_truth(args.ground_truth, image_list, classes)
    blacklist = read_checked_blacklist(args, ground_truth)
    try:
        score = evaluate(detections, ground_truth, blacklist)
    except InputError as error:
        raise InputError(f'{args.predictions} against {args.ground_truth}: {error}') from None
    if args.json is not None:
        write_text(args.json, [json.dumps(summary(score, detections, ground_truth), indent=2), '\n'])

    page = None if args.report is None else report(args, detections, ground_truth, blacklist)

    reversed_boxes = int((detections.boxes[:, 2:] < detections.boxes[:, :2]).any(axis=1).sum())
    if reversed_boxes:
        print(
            f'warning: {args.predictions}: {reversed_boxes} boxes have xmax < xmin or ymax < ymin; the official '
            'rules take them as they are, and so nearly all of them are false positives.',
            file=sys.stderr,
        )
    blacklisted = 'no blacklist' if blacklist is None else f'{len(blacklist)} blacklisted pairs'
    print(
        f'{len(detections)} detections, {len(ground_truth.image_ids)} images, '
        f'{len(ground_truth.class_ids)} objects, {blacklisted}\n{format_table(score)}'
    )
    if page is not None:
        print(f'Report: {page}')
