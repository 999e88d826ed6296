"""Scores a submission file by the official rules of the ILSVRC detection challenge.

    python tools/eval_detections.py --predictions demo.val.pred.det.txt.xz \
        --ground-truth ILSVRC2015_det_validation_ground_truth.mat \
        --blacklist ILSVRC2014_det_validation_blacklist.txt --image-list det_lists/val.txt
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from det_inception.cli import common as cli
from det_inception.evaluation.report import PICTURES, from_submission, image_files, require_writable, write_report
from det_inception.ilsvrc import (
    DET_CLASSES,
    AnnotationTable,
    DetectionScore,
    DetectionTable,
    evaluate,
    format_table,
    read_blacklist,
    read_class_names,
    read_detections,
    read_ground_truth,
    read_image_list,
)
from det_inception.utils.errors import InputError
from det_inception.utils.files import write_text


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Score a submission file by the official rules of the ILSVRC detection challenge.'
    )
    parser.add_argument(
        '--predictions',
        type=Path,
        required=True,
        help='submission file, plain or compressed (.gz, .bz2, .xz)',
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
        '--classes',
        type=Path,
        help='class names, one a line in the order of their ids (default: the 200)',
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
        '--report-pictures',
        type=int,
        default=PICTURES,
        metavar='N',
        help='pictures in each of its galleries (default: 12)',
    )
    return parser.parse_args()


def read_checked_blacklist(args: argparse.Namespace, ground_truth: AnnotationTable) -> np.ndarray | None:
    """The blacklist in the numbering of the ground truth; (B, 2)."""
    if args.blacklist is None:
        return None
    pairs = read_blacklist(args.blacklist, ground_truth.class_names)
    if args.blacklist_image_list is not None:
        if not ground_truth.image_names:
            raise InputError(f'{args.ground_truth}: has no image names; give --image-list as well.')
        own_index = dict(zip(ground_truth.image_names, ground_truth.image_ids.tolist()))
        other_list = read_image_list(args.blacklist_image_list)
        other_name = {index: name for name, index in other_list.items()}
        unknown = sorted({index for index in pairs[:, 0].tolist() if index not in other_name})
        if not unknown:
            named = [(other_name[index], class_id) for index, class_id in pairs.tolist()]
            pairs = np.array(
                [(own_index[name], class_id) for name, class_id in named if name in own_index], dtype=np.int64
            ).reshape(-1, 2)
    else:
        unknown = np.setdiff1d(pairs[:, 0], ground_truth.image_ids).tolist()
    if unknown:
        # A blacklist in another numbering would silently strike out the wrong objects.
        raise InputError(
            f'{args.blacklist}: image index {unknown[0]} is not in the image list; give the list that numbers the '
            'blacklist as --blacklist-image-list.'
        )
    return pairs


def summary(score: DetectionScore, detections: DetectionTable, ground_truth: AnnotationTable) -> dict[str, object]:
    """The result as JSON knows it; a class without objects that was detected has the AP null."""

    def number(value: float) -> float | None:
        return None if np.isnan(value) else float(value)

    return {
        'mean_ap': number(score.mean_ap),
        'median_ap': number(score.median_ap),
        'mean_ap_with_objects': number(score.mean_ap_with_objects),
        'num_images': len(ground_truth.image_ids),
        'num_objects': int(score.num_objects.sum()),
        'num_detections': len(detections),
        'classes': [
            {
                'id': label + 1,
                'name': name,
                'ap': number(score.ap[label]),
                'num_objects': int(score.num_objects[label]),
                'num_detections': int(score.num_detections[label]),
            }
            for label, name in enumerate(score.class_names)
        ],
    }


def report(
    args: argparse.Namespace, found: DetectionTable, truth: AnnotationTable, blacklist: np.ndarray | None
) -> Path:
    """Writes the report and returns its page."""
    files = None if args.images is None else image_files(args.images)
    reason = 'Left out: a submission file names no images; --images FOLDER says where they are.'
    if files is not None:
        if not truth.image_names:
            raise InputError(f'{args.ground_truth}: has no image names to find images by; give --image-list as well.')
        if not any(name in files for name in truth.image_names):
            raise InputError(
                f'{args.images}: holds none of the {len(truth.image_names)} evaluated images, such as '
                f'{truth.image_names[0]}; name the folder of these images.'
            )
    return write_report(
        from_submission(found, truth, blacklist, files),
        args.report,
        title=args.predictions.name,
        facts=[('ground truth', args.ground_truth.name)],
        pictures=args.report_pictures,
        no_pictures=reason,
    )


def main() -> None:
    args = parse_args()
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


if __name__ == '__main__':
    cli.run(main)
