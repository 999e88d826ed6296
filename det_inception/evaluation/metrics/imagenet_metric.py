"""ImageNet's top-1 and top-5 error as a metric of MMEngine.

Shape legend: K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric

from det_inception.evaluation.metrics.samples import to_array
from det_inception.registry import METRICS
from det_inception.utils.errors import InputError


@METRICS.register_module()
class ImageNetMetric(BaseMetric):
    """How often the true class is the best guess, and how often it is among the five best.

    Classes of equal score are taken in the order of the labels, so that a network that answers the same for all has
    not guessed right.

    Args:
        topk: Numbers of guesses that count.
        **kwargs: As for :class:`mmengine.evaluator.BaseMetric`; ``prefix`` replaces ``'imagenet'`` in the names.

    Results:
        ``imagenet/top1_accuracy``, ``imagenet/top1_error``, and so for each of ``topk``; shares of 1.
    """

    default_prefix = 'imagenet'

    def __init__(self, topk: int | Sequence[int] = (1, 5), **kwargs) -> None:
        super().__init__(**kwargs)
        self.topk = (topk,) if isinstance(topk, int) else tuple(topk)
        if not self.topk or min(self.topk) < 1:
            raise ValueError(f'topk are numbers of guesses of at least 1, not {topk}')

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Takes in ``pred_score`` (K,) and ``gt_label`` (1,) of a batch.

        Raises:
            InputError: There is no label, or it is none of the K; K is too small for ``topk``, or not the number of
                the data set's classes; or a score is not finite.
        """
        for sample in data_samples:
            name = sample.get('img_path', 'an image')
            if 'gt_label' not in sample:
                raise InputError(f'{name}: has no gt_label to compare with; test on a data set with labels.')
            scores = to_array(sample['pred_score'])
            label = int(sample['gt_label'])
            self._require_fit(name, len(scores), label)
            if not np.isfinite(scores).all():
                raise InputError(f'{name}: its scores are not finite; did the training diverge?')
            ahead = scores > scores[label]
            ahead[:label] |= scores[:label] == scores[label]
            self.results.append(int(ahead.sum()))

    def _require_fit(self, name: str, count: int, label: int) -> None:
        if max(self.topk) > count:
            raise InputError(
                f'a network that tells {count} classes apart has no top-{max(self.topk)} error; give '
                '--cfg-options test_evaluator.topk=[1] val_evaluator.topk=[1].'
            )
        classes = (self.dataset_meta or {}).get('classes')
        if classes is not None and len(classes) != count:
            raise InputError(
                f'the network tells {count} classes apart and the data have {len(classes)}; test it on the classes '
                'that it was trained for.'
            )
        if not 0 <= label < count:
            raise InputError(f'{name}: has the label {label}, and the network knows 0 to {count - 1}; correct it.')

    def compute_metrics(self, results: list[int]) -> dict[str, float]:
        """Computes the shares; MMEngine calls it in the main process only.

        Raises:
            InputError: There was no image.
        """
        if not results:
            raise InputError('ImageNetMetric: there was no image to test on; check the data set.')
        ranks = np.asarray(results)
        metrics = {}
        for k in self.topk:
            metrics[f'top{k}_accuracy'] = float((ranks < k).mean())
            metrics[f'top{k}_error'] = float((ranks >= k).mean())
        return metrics
