"""Top-1 and top-5: against a plain sort, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from det_inception.evaluation import ImageNetMetric
from det_inception.utils.errors import InputError


def sample(scores, label):
    return dict(
        pred_score=torch.as_tensor(scores, dtype=torch.float32), gt_label=torch.tensor([label]), img_path='a.jpg'
    )


def evaluate(samples, classes=None, **options):
    metric = ImageNetMetric(**options)
    metric.dataset_meta = {} if classes is None else dict(classes=classes)
    for start in range(0, len(samples), 3):
        metric.process({}, samples[start : start + 3])
    return metric.evaluate(len(samples))


def test_it_is_what_a_plain_sort_finds():
    rng = np.random.default_rng(0)
    scores = np.round(rng.random((200, 12)), 1)  # many are equal
    labels = rng.integers(0, 12, 200)
    found = evaluate([sample(row, label) for row, label in zip(scores, labels)], topk=(1, 3, 5))
    for k in (1, 3, 5):
        best = [sorted(range(12), key=lambda label, row=row: -row[label])[:k] for row in scores]
        hits = np.mean([label in guesses for label, guesses in zip(labels, best)])
        assert found[f'imagenet/top{k}_accuracy'] == pytest.approx(hits)
        assert found[f'imagenet/top{k}_error'] == pytest.approx(1 - hits)


def test_a_network_that_answers_the_same_for_all_has_not_guessed_right():
    found = evaluate([sample(np.full(10, 0.1), label) for label in range(10)])
    assert found['imagenet/top1_accuracy'] == pytest.approx(0.1)
    assert found['imagenet/top5_accuracy'] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ('samples', 'classes', 'message'),
    [
        ([sample([0.2] * 4, 1)], None, 'tells 4 classes apart has no top-5 error; give --cfg-options'),
        ([sample([0.2] * 6, 6)], None, 'a.jpg: has the label 6, and the network knows 0 to 5'),
        ([sample([0.2] * 6, -1)], None, 'has the label -1'),
        ([sample([0.2] * 6, 1)], 'abcde', 'tells 6 classes apart and the data have 5'),
        ([sample([0.2] * 5 + [float('nan')], 1)], None, 'its scores are not finite'),
        ([dict(pred_score=torch.ones(6))], None, 'has no gt_label'),
    ],
)
def test_refusals(samples, classes, message):
    with pytest.raises(InputError, match=message):
        evaluate(samples, classes)


def test_top_1_alone_does_with_few_classes():
    assert evaluate([sample([0.9, 0.1], 0), sample([0.9, 0.1], 1)], topk=1) == {
        'imagenet/top1_accuracy': 0.5,
        'imagenet/top1_error': 0.5,
    }
    with pytest.raises(ValueError, match='at least 1'):
        ImageNetMetric(topk=())
    with pytest.raises(InputError, match='no image'):
        ImageNetMetric().compute_metrics([])
