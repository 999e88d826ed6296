"""The recall of a class-agnostic detector's boxes."""

import numpy as np
import pytest
import torch

from det_inception.evaluation import ProposalRecallMetric
from det_inception.utils.errors import InputError


def sample(truth, boxes, scores):
    return dict(
        img_path='a.jpg',
        gt_instances=dict(bboxes=torch.tensor(truth).reshape(-1, 4)),
        pred_instances=dict(bboxes=torch.tensor(boxes).reshape(-1, 4), scores=torch.tensor(scores)),
    )


SAMPLES = [
    # The second best box covers the first object by 0.8; the best covers the second by 0.6, the third by 0.
    sample(
        [[0.0, 0, 10, 10], [20, 0, 30, 10], [50, 50, 60, 60]],
        [[0.0, 0, 10, 8], [20, 0, 30, 6], [90, 90, 99, 99]],
        [0.5, 0.9, 0.1],
    ),
    sample([], [[0.0, 0, 5, 5]], [0.3]),  # an image without objects counts for nothing
    sample([[0.0, 0, 10, 10]], [[0.0, 0, 10, 10]], [0.2]),
]


def evaluate(metric, batches):
    for batch in batches:
        metric.process(None, batch)
    return metric.evaluate(size=sum(map(len, batches)))


def test_recall_by_hand():
    result = evaluate(ProposalRecallMetric(limits=(1, 2)), [SAMPLES[:2], SAMPLES[2:]])
    # Overlaps with the best box: 0, 0.6, 0, 1; with the best two: 0.8, 0.6, 0, 1.
    expected = {
        'AR_1': (3 / 10 + 1) / 4,
        'recall50_1': 2 / 4,
        'recall70_1': 1 / 4,
        'AR_2': (7 / 10 + 3 / 10 + 1) / 4,
        'recall50_2': 3 / 4,
        'recall70_2': 2 / 4,
    }
    assert result == pytest.approx({f'proposals/{name}': value for name, value in expected.items()})


def test_no_boxes_is_a_recall_of_zero():
    result = evaluate(ProposalRecallMetric(), [[sample([[0.0, 0, 10, 10]], [], [])]])
    assert set(result.values()) == {0.0}


def test_what_cannot_be_measured():
    with pytest.raises(InputError, match='none of the 1 images has an object'):
        evaluate(ProposalRecallMetric(), [SAMPLES[1:2]])
    with pytest.raises(InputError, match=r'a\.jpg: no gt_instances to look for; add LoadAnnotations'):
        ProposalRecallMetric().process(None, [dict(img_path='a.jpg', pred_instances={})])
    with pytest.raises(InputError, match=r'a\.jpg: .* not finite'):
        ProposalRecallMetric().process(None, [sample([[0.0, 0, 1, 1]], [[0, 0, np.nan, 1]], [1.0])])
    with pytest.raises(ValueError, match='limits'):
        ProposalRecallMetric(limits=(0,))
