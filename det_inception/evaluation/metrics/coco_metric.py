"""COCO's metric for data sets of one's own."""

from __future__ import annotations

import contextlib
import io
import logging
from collections import Counter
from collections.abc import Sequence
from unittest import mock

from mmdet.datasets.api_wrappers import COCOeval
from mmdet.evaluation import CocoMetric
from mmdet.evaluation.metrics import coco_metric
from mmengine.fileio import dump, load
from mmengine.logging import print_log

from det_inception.evaluation.metrics.samples import ClassScore
from det_inception.registry import METRICS
from det_inception.utils.errors import InputError

OFFICIAL_LIMIT = 100
"""Detections of a class that COCO counts in an image."""


@METRICS.register_module()
class COCOFormatMetric(CocoMetric):
    """MMDetection's :class:`CocoMetric`, whose result files carry the category ids of the data set.

    Without ``ann_file`` it takes the objects from the data set, and MMDetection's counts the categories from 0. Here
    they keep the ids of the annotation file, which ``metainfo['category_ids']`` of a ``COCOFormatDataset`` tells; of
    other formats they are numbered from 1, as is usual in COCO format.

    Of each class, COCO counts the best 100 detections in an image, so that a perfect detector of cells or of goods on
    shelves could not reach 1. Where an image has more objects of a class, or where ``proposal_nums`` lacks 100, as many
    are counted for mAP as for mAP_50 and the others: the last of ``proposal_nums``, or more if there are more objects.

    Args:
        proposal_nums: Three numbers of detections, ascending; see :class:`CocoMetric`.
        **kwargs: As for :class:`CocoMetric`.
    """

    class_scores: Sequence[ClassScore] = ()
    """Of the last evaluation: the mean over the overlaps, of the classes that have objects."""

    def __init__(self, *, proposal_nums: Sequence[int] = (100, 300, 1000), **kwargs) -> None:
        numbers = proposal_nums if isinstance(proposal_nums, (list, tuple)) else ()
        if len(numbers) != 3 or not all(isinstance(number, int) and number > 0 for number in numbers):
            raise InputError(
                f'proposal_nums is {proposal_nums!r}; give three numbers of detections, such as 100,300,1000.'
            )
        super().__init__(proposal_nums=sorted(numbers), **kwargs)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Returns COCO's numbers, without its limit where that would hide detections of objects."""
        evaluations: list[_EveryObjectCounts] = []

        def evaluation(*args, **kwargs) -> _EveryObjectCounts:
            evaluations.append(_EveryObjectCounts(*args, **kwargs))
            return evaluations[-1]

        with mock.patch.object(coco_metric, 'COCOeval', evaluation):
            metrics = super().compute_metrics(results)
        if evaluations and 'precision' in evaluations[-1].eval:
            self.class_scores = evaluations[-1].class_scores(self.dataset_meta['classes'], self.cat_ids)
        return metrics

    def gt_to_coco_json(self, gt_dicts: Sequence[dict], outfile_prefix: str) -> str:
        """Writes the objects in COCO format, with these ids, and returns the file's name."""
        path = super().gt_to_coco_json(gt_dicts, outfile_prefix)
        content, ids = load(path), self._category_ids()
        for category in content['categories']:
            category['id'] = ids[category['id']]
        for annotation in content.get('annotations', ()):
            annotation['category_id'] = ids[annotation['category_id']]
        dump(content, path)
        return path

    def _category_ids(self) -> list[int]:
        """Returns one id a class; a class that the file lacks gets the next one that is free."""
        classes = self.dataset_meta['classes']
        ids = list(self.dataset_meta.get('category_ids') or [None] * len(classes))
        free = max((number for number in ids if number is not None), default=0)
        for place, number in enumerate(ids):
            if number is None:
                free += 1
                ids[place] = free
        return ids


class _EveryObjectCounts(COCOeval):
    """An evaluation that counts enough detections for every object."""

    limit = OFFICIAL_LIMIT

    def evaluate(self) -> None:
        annotations = self.cocoGt.dataset.get('annotations', ())
        objects = Counter(
            (item['image_id'], item['category_id'] if self.params.useCats else None) for item in annotations
        )
        most = max(objects.values(), default=0)
        numbers = self.params.maxDets
        numbers[-1] = max(numbers[-1], most)
        if most > OFFICIAL_LIMIT or OFFICIAL_LIMIT not in numbers:
            self.limit = numbers[-1]
            print_log(
                f'mAP counts the best {self.limit} detections of a class in an image, COCO itself {OFFICIAL_LIMIT}; an '
                f'image has up to {most} objects of one. model.test_cfg.rcnn.max_per_class limits a detector as well.',
                'current',
                logging.WARNING,
            )
        super().evaluate()

    def class_scores(self, names: Sequence[str], ids: Sequence[int]) -> list[ClassScore]:
        """Returns the mean precision of each class that has objects; ``ids`` are the categories of the names."""
        counts = Counter(
            item['category_id'] for item in self.cocoGt.dataset.get('annotations', ()) if not item.get('iscrowd')
        )
        precision = self.eval['precision'][:, :, :, 0, -1].mean(axis=(0, 1))  # (class,), -1 without objects
        places = {category: place for place, category in enumerate(self.params.catIds)}
        return [
            ClassScore(name, counts[category], float(precision[places[category]]))
            for name, category in zip(names, ids)
            if precision[places[category]] > -1
        ]

    def summarize(self) -> None:
        text = io.StringIO()
        with contextlib.redirect_stdout(text):
            super().summarize()
        first, *others = text.getvalue().splitlines()
        if self.limit != OFFICIAL_LIMIT:
            precision = self.eval['precision'][:, :, :, 0, -1]  # (IoU, recall, class), objects of any size
            precision = precision[precision > -1]
            self.stats[0] = precision.mean() if precision.size else -1
            first = f'{first.partition("maxDets")[0]}maxDets={self.limit} ] = {self.stats[0]:0.3f}'
        print('\n'.join([first, *others]))
