"""Writes the region scores of a test to a file, as an MMEngine metric.

See :mod:`det_inception.proposals.region_scores`.
"""

from __future__ import annotations

import os
import secrets
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dist import all_gather_object
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from det_inception.evaluation.metrics.samples import class_names, to_array
from det_inception.proposals.region_scores import ImageScores, RegionScoresWriter, merge
from det_inception.registry import METRICS
from det_inception.utils.errors import InputError
from det_inception.utils.files import atomic_write


@METRICS.register_module()
class RegionScoresMetric(BaseMetric):
    """Writes what the network says of every proposal; yields no number.

    The detector must keep it (``test_cfg.rcnn.keep_region_scores``). Scores are written as they come; every process
    writes a part with a name of its own, in the folder of the file, which they must share, and the first joins them.

    Args:
        out_file: The file; it appears when the test is complete.
        **kwargs: As for :class:`mmengine.evaluator.BaseMetric`.

    Raises:
        InputError: The file cannot be written, or the detector keeps no region scores.
    """

    default_prefix = 'region_scores'

    def __init__(self, out_file: str | os.PathLike, **kwargs) -> None:
        super().__init__(**kwargs)
        self.out_file = Path(out_file)
        self.writer: RegionScoresWriter | None = None
        self.parts: list[Path] = []

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Writes the ``region_scores`` of a batch."""
        if self.writer is None:
            self.out_file.parent.mkdir(parents=True, exist_ok=True)
            classes = class_names(self.dataset_meta, 'RegionScoresMetric')
            name = f'.{self.out_file.stem}.{secrets.token_hex(8)}.part{self.out_file.suffix}'
            self.writer = RegionScoresWriter(self.out_file.with_name(name), classes)
            weakref.finalize(self, self.writer.path.unlink, missing_ok=True)  # Also when the test fails.
        for sample in data_samples:
            if 'region_scores' not in sample:
                raise InputError(
                    f'Image {sample["img_id"]}: the detector keeps no region scores; it must be an RCNN or an ensemble '
                    'of such, with test_cfg.rcnn.keep_region_scores.'
                )
            regions = sample['region_scores']
            height, width = sample['img_shape'][:2]
            boxes, logits, deltas = (
                to_array(regions[key], np.float32) if key in regions else None for key in ('boxes', 'logits', 'deltas')
            )
            self.writer.add(str(sample['img_id']), ImageScores(height, width, boxes, logits, deltas))
            self.results.append(str(sample['img_id']))

    def evaluate(self, size: int) -> dict:
        """Closes this process's part before the first process looks for all of them."""
        part = None
        if self.writer is not None:
            self.writer.close()
            part, self.writer = self.writer.path, None
        self.parts = [part for part in all_gather_object(part) if part is not None]
        return super().evaluate(size)

    def compute_metrics(self, results: list[str]) -> dict[str, float]:
        """Joins the parts; MMEngine calls it in the main process only."""
        with atomic_write(self.out_file) as unfinished:
            if len(self.parts) == 1:
                os.replace(self.parts[0], unfinished)
            else:
                merge(self.parts, unfinished)
        for part in self.parts:
            part.unlink(missing_ok=True)
        print_log(f'Region scores of {len(set(results))} images written to {self.out_file}', 'current')
        return {}
