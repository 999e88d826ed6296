"""What a submission file scores by the official rules of ILSVRC DET: its blacklist, its summary, its report."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from det_inception.evaluation.report import from_submission, image_files, write_report
from det_inception.ilsvrc import AnnotationTable, DetectionScore, DetectionTable, read_blacklist, read_image_list
from det_inception.utils.errors import InputError


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
