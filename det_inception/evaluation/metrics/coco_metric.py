"""COCO's metric for data sets of one's own."""

from __future__ import annotations

from collections.abc import Sequence

from mmdet.evaluation import CocoMetric
from mmengine.fileio import dump, load

from det_inception.registry import METRICS


@METRICS.register_module()
class COCOFormatMetric(CocoMetric):
    """MMDetection's :class:`CocoMetric`, whose result files carry the category ids of the data set.

    Without ``ann_file`` it takes the objects from the data set, and MMDetection's counts the categories from 0. Here
    they keep the ids of the annotation file, which ``metainfo['category_ids']`` of a ``COCOFormatDataset`` tells; of
    other formats they are numbered from 1, as is usual in COCO format. Arguments are :class:`CocoMetric`'s.
    """

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
