"""The HTML report of a test as an MMEngine metric; the arithmetic is in :mod:`det_inception.evaluation.report`.

Shapes: N detections, M objects and R proposals of an image.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from det_inception.evaluation.metrics import samples
from det_inception.evaluation.report import (
    PICTURES,
    RULES,
    Annotations,
    EvalResults,
    Predictions,
    require_writable,
    write_report,
)
from det_inception.ilsvrc import read_blacklist, read_image_list
from det_inception.registry import METRICS
from det_inception.utils.boxes import pairwise_iou
from det_inception.utils.errors import InputError
from det_inception.utils.files import relative_names


@METRICS.register_module()
class ReportMetric(BaseMetric):
    """Writes a report of the test: ``index.html`` in a folder.

    It yields no number of its own. List it after the metric of the config, or let ``tools/test.py --report`` do so. The
    test pipeline must load annotations. It keeps each image's detections and objects and, where samples have
    ``proposals``, the IoU that the best one reaches with each object.

    Args:
        out_dir: Folder of the report.
        rules: ``'ilsvrc'``, ``'voc'``, ``'voc2007'`` or ``'coco'``: by which AP is computed. By those of ILSVRC
            objects flagged to be ignored count like all others.
        title: What was tested; None: the classes' number.
        facts: Lines under the title, pairs of a word and its value.
        pictures: Images per gallery, at most; 0: no galleries.
        blacklist: As for ``ILSVRCDetMetric``.
        image_list: Likewise.
        **kwargs: As for :class:`mmengine.evaluator.BaseMetric`.

    Raises:
        InputError: At once, if the folder cannot be written to; while it runs, if a sample has no annotations or a
            label is out of range; at the end, if there is no object that counts or a detection is not finite.
    """

    default_prefix = 'report'

    def __init__(
        self,
        out_dir: str | os.PathLike,
        rules: str = 'voc',
        title: str | None = None,
        facts: Sequence[tuple[str, str]] = (),
        pictures: int = PICTURES,
        blacklist: str | os.PathLike | None = None,
        image_list: str | os.PathLike | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if rules not in RULES:
            raise InputError(f'ReportMetric: rules is one of {", ".join(RULES)}, not {rules!r}; correct the config.')
        require_writable(out_dir)
        self.out_dir, self.rules, self.title, self.facts = Path(out_dir), rules, title, facts
        self.pictures, self.blacklist = pictures, blacklist
        self.image_indices = None if image_list is None else read_image_list(image_list)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Takes in a batch of predictions with their ground truth; see ``ILSVRCDetMetric.process``."""
        samples.require_annotated(self.dataset_meta, 'there is nothing to report; leave --report out.')
        for sample in data_samples:
            name = sample.get('img_id', sample.get('img_path'))
            samples.require_objects(sample, name, 'report on')
            parts = [sample['gt_instances']]
            ignored = [np.zeros(len(parts[0]['labels']), bool)]
            if 'ignored_instances' in sample:
                parts.append(sample['ignored_instances'])
                ignored.append(np.full(len(parts[1]['labels']), self.rules != 'ilsvrc'))
            predictions = sample['pred_instances']
            truth = np.concatenate([samples.to_boxes(part['bboxes']) for part in parts])
            proposal_iou, count = _proposal_iou(sample, truth)
            self.results.append(
                {
                    'name': name,
                    'path': sample.get('img_path'),
                    'boxes': samples.to_boxes(predictions['bboxes']).astype(np.float32),
                    'scores': samples.to_array(predictions['scores']),
                    'labels': self._labels(predictions['labels'], name),
                    'gt_boxes': truth,
                    'gt_labels': np.concatenate([self._labels(part['labels'], name) for part in parts]),
                    'gt_ignored': np.concatenate(ignored),
                    'proposal_iou': proposal_iou,
                    'proposals': count,
                }
            )

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Writes the report; there are no numbers. MMEngine calls it in the main process only."""
        self.write(self.collect(results))
        return {}

    def collect(self, results: list[dict]) -> EvalResults:
        """Returns what all images have given as one run.

        Raises:
            InputError: See the class.
        """
        # The order in which processes deliver must not decide ties; that of the other metric does.
        results = sorted(results, key=lambda result: _sort_key(result['name'], self.image_indices or {}))
        if not results:
            raise InputError('ReportMetric: no image was tested; is the data set empty, or filtered away?')
        objects_of, found_of = ([len(result[key]) for result in results] for key in ('gt_labels', 'labels'))
        images = np.arange(len(results))
        has_proposals = all(result['proposal_iou'] is not None for result in results)
        paths = [None if result['path'] is None else Path(result['path']) for result in results]
        names = iter(relative_names([path for path in paths if path is not None]))
        return EvalResults(
            class_names=self._classes,
            image_names=tuple(
                str(result['name']) if path is None else next(names) for result, path in zip(results, paths)
            ),
            predictions=Predictions(
                np.repeat(images, found_of),
                *(np.concatenate([result[key] for result in results]) for key in ('labels', 'scores')),
                np.concatenate([result['boxes'] for result in results]).astype(np.float64),
            ),
            annotations=Annotations(
                np.repeat(images, objects_of),
                *(
                    np.concatenate([result[f'gt_{key}'] for result in results])
                    for key in ('labels', 'boxes', 'ignored')
                ),
                np.concatenate([result['proposal_iou'] for result in results]) if has_proposals else None,
            ),
            rules=self.rules,
            image_paths=tuple(path if path is not None and path.is_file() else None for path in paths),
            blacklist=self._blacklisted([result['name'] for result in results]),
            proposals_per_image=float(np.mean([result['proposals'] for result in results])) if has_proposals else None,
        )

    def write(self, run: EvalResults) -> None:
        """Writes the report of a run."""
        page = write_report(
            run,
            self.out_dir,
            title=self.title or f'{len(self._classes)} classes',
            facts=self.facts,
            pictures=self.pictures,
            no_pictures='Left out: the images are not where the data set says.',
        )
        print_log(f'Report: {page}', logger='current')

    @property
    def _classes(self) -> tuple[str, ...]:
        return samples.class_names(self.dataset_meta, 'ReportMetric')

    def _labels(self, labels: Any, name: str | int) -> np.ndarray:
        return samples.to_labels(labels, len(self._classes), name)

    def _blacklisted(self, names: Sequence[str | int]) -> np.ndarray:
        """The pairs of the blacklist as positions among the images and labels; int64 (B, 2)."""
        if self.blacklist is None:
            return np.zeros((0, 2), np.int64)
        position = {_index(name, self.image_indices or {}): number for number, name in enumerate(names)}
        pairs = read_blacklist(self.blacklist, self._classes).tolist()
        known = [(position[index], class_id - 1) for index, class_id in pairs if index in position]
        return np.array(known, np.int64).reshape(-1, 2)


def _index(name: str | int, image_indices: Mapping[str, int]) -> int | None:
    """The index of an image in lists and blacklists, if it has one."""
    return name if isinstance(name, int) else image_indices.get(Path(name).name)


def _sort_key(name: str | int, image_indices: Mapping[str, int]) -> tuple[bool, str | int]:
    index = _index(name, image_indices)
    return (True, name) if index is None else (False, index)


def _proposal_iou(sample: dict, truth: np.ndarray) -> tuple[np.ndarray | None, int]:
    """Each object's best overlap with a proposal, float64 (M,), and the number of proposals; None if there are none."""
    if 'proposals' not in sample or sample.get('flip'):  # Those of a mirrored view are in its coordinates.
        return None, 0
    proposals = samples.to_boxes(sample['proposals']['bboxes'])
    # Proposals are in the coordinates of the network's input, objects and detections in those of the file.
    width_factor, height_factor = sample.get('scale_factor', (1, 1))
    proposals /= [width_factor, height_factor, width_factor, height_factor]
    if not len(proposals):
        return np.zeros(len(truth)), 0
    return pairwise_iou(truth, proposals).max(axis=1), len(proposals)
