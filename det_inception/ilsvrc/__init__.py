"""The ILSVRC detection challenge in plain NumPy: classes, files and the official score.

Needs neither PyTorch nor MMDetection. A score takes one line:
``evaluate(read_detections(...), read_ground_truth(...), read_blacklist(...))``; ``tools/eval_detections.py`` does this
from the command line.
"""

from det_inception.formats.ilsvrc_lists import BAD_IMAGES, read_train_lists
from det_inception.formats.synsets import DET_CLASSES, DET_SYNSETS, DET_WNIDS
from det_inception.ilsvrc.crops import CROPS, RULES, crop_plan, describe_rule, require_rule
from det_inception.ilsvrc.ground_truth import read_blacklist, read_class_names, read_ground_truth, read_image_list
from det_inception.ilsvrc.scoring import (
    AnnotationTable,
    DetectionScore,
    DetectionTable,
    evaluate,
    format_table,
    object_thresholds,
)
from det_inception.ilsvrc.splits import balanced_split, imbalance, limit_objects, rcnn_val_split
from det_inception.ilsvrc.submission import read_detections, write_detections

__all__ = [
    'BAD_IMAGES',
    'CROPS',
    'DET_CLASSES',
    'DET_SYNSETS',
    'DET_WNIDS',
    'RULES',
    'AnnotationTable',
    'DetectionScore',
    'DetectionTable',
    'balanced_split',
    'crop_plan',
    'describe_rule',
    'evaluate',
    'format_table',
    'imbalance',
    'limit_objects',
    'object_thresholds',
    'rcnn_val_split',
    'read_blacklist',
    'read_class_names',
    'read_detections',
    'read_ground_truth',
    'read_image_list',
    'read_train_lists',
    'require_rule',
    'write_detections',
]
