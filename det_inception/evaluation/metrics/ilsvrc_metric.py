"""The official ILSVRC detection score as an MMEngine metric.

Shapes: N detections and M objects in an image, C classes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from det_inception.evaluation.metrics import samples
from det_inception.ilsvrc import (
    DET_CLASSES,
    AnnotationTable,
    DetectionTable,
    evaluate,
    format_table,
    read_blacklist,
    read_image_list,
    write_detections,
)
from det_inception.ilsvrc.ground_truth import class_ids_by_name
from det_inception.registry import METRICS
from det_inception.utils.errors import InputError
from det_inception.utils.files import write_text


@METRICS.register_module()
class ILSVRCDetMetric(BaseMetric):
    """Average precision by the rules of the ILSVRC detection challenge, for any set of classes.

    The arithmetic is :func:`det_inception.ilsvrc.evaluate`'s. It is that of the official evaluator, with its
    inclusive boxes: a box that covers the columns 3 to 12 has xmin = 3, xmax = 12. MMDetection's boxes are
    continuous: the same box has x1 = 3, x2 = 13, and that is what ``ILSVRCDetDataset`` makes of the XML. So predictions
    **and** objects are converted by ``(x1, y1, x2 - 1, y2 - 1)``, which is exact: widths, overlaps and thresholds come
    out as on the original files. (A data set that keeps ``x2 = xmax``, as MMDetection's ``VOCDataset`` does after its
    shift to 0-based ends, gives objects that are one pixel too small on each axis.)

    Objects are read from ``gt_instances``, so the test pipeline must load annotations after resizing, as MMDetection's
    do. Objects flagged to be ignored count like all others; the challenge has no difficult objects.

    Args:
        submission_file: Where to write the detections as a submission file (compressed if it ends in ``.gz``
            or ``.xz``). Class ids are positions in ``dataset_meta['classes']`` plus 1; if these are the
            challenge's 200 in another order, the official ids.
        image_list: The file that numbers the images, such as ``val.txt``; a text as ``img_id`` is looked up in it, and
            the evaluated images may be a part of it. Without it, whole numbers as ``img_id`` are the indices themselves
            (``ILSVRCDetDataset`` takes them from such a list); other images are numbered from 1 in the order of their
            ids, and this numbering is written beside the submission as ``<name>.images.txt``.
        blacklist: The official blacklist, or one like it; its indices are those of the images.
        **kwargs: As for :class:`mmengine.evaluator.BaseMetric`; ``prefix`` replaces ``'ilsvrc'`` in the names.

    Results:
        With a ``submission_file`` and images none of which is annotated, as in the challenge's test set, only
        ``ilsvrc/detections``, their number. Else
        ``ilsvrc/mAP``: mean AP over the classes that have objects (equal to the official score if all have);
        ``ilsvrc/median_AP``: median over the same classes. A table with the AP of each class goes to the log.

    Raises:
        InputError: While it runs, naming the image: if a confidence or a coordinate is not finite, a label is
            out of range, or an image is not in the image list. At the end: if there was no image or no
            object, or an image came twice. Having no detection at all is a score of 0, with a warning.

    Example:
        >>> val_evaluator = dict(type='ILSVRCDetMetric', submission_file='work_dirs/val2.det.txt')
    """

    default_prefix = 'ilsvrc'
    class_scores: Sequence[samples.ClassScore] = ()
    """Of the last evaluation: the classes that have objects."""

    def __init__(
        self,
        submission_file: str | os.PathLike | None = None,
        image_list: str | os.PathLike | None = None,
        blacklist: str | os.PathLike | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.submission_file = None if submission_file is None else Path(submission_file)
        self.image_indices = None if image_list is None else read_image_list(image_list)
        self._known_indices = frozenset((self.image_indices or {}).values())
        self.blacklist = blacklist
        self._blacklisted: np.ndarray | None = None

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Takes in a batch of predictions with their ground truth.

        Args:
            data_batch: Unused.
            data_samples: Dictionaries of ``DetDataSample``, with ``img_id``, ``gt_instances`` (``bboxes`` (M, 4),
                ``labels`` (M,)) and ``pred_instances`` (``bboxes`` (N, 4), ``labels`` and ``scores`` (N,)).

        Raises:
            InputError: See the class.
        """
        if self.submission_file is None:
            samples.require_annotated(
                self.dataset_meta, 'there is no score; set test_evaluator.submission_file=FILE to write a submission.'
            )
        if self.blacklist is not None and self._blacklisted is None:
            # Read here rather than at the end, so that a wrong file does not cost a whole evaluation.
            self._blacklisted = read_blacklist(self.blacklist, self._classes)
        for sample in data_samples:
            name = sample.get('img_id', sample.get('img_path'))
            self._index(name)  # an unknown image is an error at once, not after a long evaluation
            samples.require_objects(sample, name, 'score against')
            found, truth = sample['pred_instances'], [sample['gt_instances']]
            if 'ignored_instances' in sample:
                truth.append(sample['ignored_instances'])
            scores = samples.to_array(found['scores'])
            if not np.isfinite(scores).all():
                raise InputError(f'Image {name}: a predicted confidence is not finite; did the training diverge?')
            self.results.append(
                {
                    'name': name,
                    'boxes': _to_inclusive(found['bboxes'], name),
                    'scores': scores,
                    'labels': self._labels(found, name),
                    'gt_boxes': np.concatenate([_to_inclusive(part['bboxes'], name) for part in truth]),
                    'gt_labels': np.concatenate([self._labels(part, name) for part in truth]),
                }
            )

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Scores all images, as the class says; MMEngine calls it in the main process only."""
        if not results:
            raise InputError('ILSVRCDetMetric: no image was evaluated; is the data set empty, or filtered away?')
        # The order in which processes deliver must not decide ties.
        results = sorted(results, key=lambda result: _sort_key(result['name']))
        names = [result['name'] for result in results]
        twice = [name for name, following in pairwise(names) if name == following]
        if twice:
            raise InputError(f'ILSVRCDetMetric: image {twice[0]} was evaluated twice; img_id must be distinct.')
        listed = [self._index(name) for name in names]
        numbered_here = None in listed
        indices = np.arange(1, len(names) + 1) if numbered_here else np.array(listed)

        detections = DetectionTable(
            image_ids=np.repeat(indices, [len(result['labels']) for result in results]),
            class_ids=np.concatenate([result['labels'] for result in results]) + 1,
            scores=np.concatenate([result['scores'] for result in results]),
            boxes=np.concatenate([result['boxes'] for result in results]),
        )
        ground_truth = AnnotationTable(
            image_ids=indices,
            object_image_ids=np.repeat(indices, [len(result['gt_labels']) for result in results]),
            class_ids=np.concatenate([result['gt_labels'] for result in results]) + 1,
            boxes=np.concatenate([result['gt_boxes'] for result in results]),
            class_names=self._classes,
        )
        if self.submission_file is not None:
            self._write_submission(detections)
            if numbered_here:
                images = self.submission_file.with_name(f'{self.submission_file.name}.images.txt')
                write_text(images, (f'{name} {index}\n' for index, name in enumerate(names, start=1)))
            if not len(ground_truth.class_ids):
                print_log(
                    f"None of the {len(names)} images is annotated, as those of the challenge's test set are not: the "
                    'submission is written, and there is no score.',
                    'current',
                )
                return {'detections': float(len(detections))}
        score = evaluate(detections, ground_truth, self._blacklisted)
        present = score.num_objects > 0
        if not present.any():
            raise InputError('ILSVRCDetMetric: the blacklist leaves no object to score against.')
        if not len(detections):
            samples.warn_of_nothing('ILSVRCDetMetric', len(names))
        self.class_scores = [
            samples.ClassScore(self._classes[label], int(score.num_objects[label]), float(score.ap[label]))
            for label in np.flatnonzero(present)
        ]
        print_log(f'{len(names)} images, {len(detections)} detections\n{format_table(score)}', logger='current')
        return {'mAP': score.mean_ap_with_objects, 'median_AP': float(np.median(score.ap[present]))}

    @property
    def _classes(self) -> tuple[str, ...]:
        return samples.class_names(self.dataset_meta, 'ILSVRCDetMetric')

    def _labels(self, instances: Any, name: str | int) -> np.ndarray:
        return samples.to_labels(instances['labels'], len(self._classes), name)

    def _index(self, name: str | int) -> int | None:
        """The index of an image, or None where images are to be numbered in order."""
        if isinstance(name, int) and name >= 1:
            known = self.image_indices is None or name in self._known_indices
            index = name if known else None
        else:
            index = None if self.image_indices is None else self.image_indices.get(Path(str(name)).name)
        if index is None and self.image_indices is not None:
            raise InputError(f'Image {name}: not in the image list; give the list of these images.')
        if index is None and self.blacklist is not None:
            raise InputError(f'Image {name}: a blacklist names images by index; give ILSVRCDetMetric an image_list.')
        return index

    def _write_submission(self, detections: DetectionTable) -> None:
        class_ids = np.array(_submission_class_ids(self._classes))[detections.class_ids - 1]
        write_detections(self.submission_file, replace(detections, class_ids=class_ids))
        print_log(f'{len(detections)} detections written to {self.submission_file}', logger='current')


def _to_inclusive(bboxes: Any, name: str | int) -> np.ndarray:
    """Continuous boxes (N, 4) to inclusive ones, float64; float64 keeps the subtraction exact."""
    boxes = samples.to_boxes(bboxes)
    if not np.isfinite(boxes).all():
        raise InputError(f'Image {name}: a box has a coordinate that is not finite; did the training diverge?')
    boxes[:, 2:] -= 1
    return boxes


def _sort_key(name: str | int) -> tuple[bool, str | int]:
    return isinstance(name, str), name


def _submission_class_ids(classes: Sequence[str]) -> list[int]:
    """The class id to write for each label."""
    official = class_ids_by_name(DET_CLASSES)
    class_ids = [official.get(name, 0) for name in classes]
    if sorted(class_ids) == list(range(1, len(DET_CLASSES) + 1)):
        return class_ids
    return list(range(1, len(classes) + 1))
