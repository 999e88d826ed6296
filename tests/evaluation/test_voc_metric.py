"""Pascal VOC's AP on continuous boxes."""

import logging
import os

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from det_inception.evaluation import VOCBoxMetric
from det_inception.utils.errors import InputError


def instances(boxes, labels, scores=None):
    data = InstanceData(bboxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4))
    data.labels = torch.tensor(labels, dtype=torch.long)
    if scores is not None:
        data.scores = torch.tensor(scores, dtype=torch.float32)
    return data


def sample(truth, found, ignored=()):
    """Each a list of (box, label), with a score for the found ones."""
    data = DetDataSample()
    data.gt_instances = instances([box for box, _ in truth], [label for _, label in truth])
    data.ignored_instances = instances([box for box, _ in ignored], [label for _, label in ignored])
    data.pred_instances = instances([b for b, *_ in found], [n for _, n, _ in found], [score for *_, score in found])
    return data.to_dict()


def evaluate(samples, classes=('a', 'b'), **options):
    metric = VOCBoxMetric(**options)
    metric.dataset_meta = dict(classes=classes)
    for item in samples:
        metric.process({}, [item])
    return metric.evaluate(len(samples))


BOX = [10, 10, 20, 20]


def test_perfect_and_wrong_detections():
    samples = [
        sample([(BOX, 0)], [(BOX, 0, 0.9)]),
        # Of the two objects of b, the better detection is wrong: precision 1/2 at a recall of 1/2.
        sample([(BOX, 1), ([50, 50, 70, 70], 1)], [([0, 0, 5, 5], 1, 0.8), (BOX, 1, 0.7)]),
    ]
    result = evaluate(samples)
    assert result['voc/mAP'] == pytest.approx((1 + 0.25) / 2, abs=1e-3)
    assert result['voc/AP50'] == pytest.approx(0.625, abs=1e-3)
    assert all(type(value) is float for value in result.values())


def test_the_score_of_each_class():
    metric = VOCBoxMetric(iou_thrs=[0.5, 0.9])
    metric.dataset_meta = dict(classes=('a', 'b', 'none'))
    # The box of b has an IoU of 0.8: right at 0.5, wrong at 0.9.
    metric.process({}, [sample([(BOX, 0), (BOX, 1)], [(BOX, 0, 0.9), ([10, 10, 20, 18], 1, 0.8)])])
    result = metric.evaluate(1)
    assert metric.class_scores == [('a', 1, 1.0), ('b', 1, 0.5)] and result['voc/mAP'] == 0.75


def test_overlaps_are_those_of_continuous_boxes():
    """[0, 0, 2, 2] on [0, 0, 2, 4] overlap by exactly a half; with a pixel added to each side it would be 9/15."""
    samples = [sample([([0, 0, 2, 4], 0)], [([0, 0, 2, 2], 0, 0.9)])]
    assert evaluate(samples, ('a',), iou_thrs=0.5)['voc/mAP'] == 1
    assert evaluate(samples, ('a',), iou_thrs=0.55)['voc/mAP'] == 0


def test_difficult_objects_count_neither_way():
    other = [50, 50, 70, 70]
    found = [(other, 0, 0.9), (BOX, 0, 0.8)]
    assert evaluate([sample([(BOX, 0)], found, ignored=[(other, 0)])], ('a',))['voc/mAP'] == 1
    assert evaluate([sample([(BOX, 0)], found)], ('a',))['voc/mAP'] == pytest.approx(0.5, abs=1e-3)


def test_nothing_detected_is_zero_with_a_warning(monkeypatch):
    said = []
    monkeypatch.setattr(
        'det_inception.evaluation.metrics.samples.print_log', lambda text, logger, level: said.append((level, text))
    )
    assert evaluate([sample([(BOX, 0)], [])])['voc/mAP'] == 0
    assert said[0][0] == logging.WARNING and 'detected nothing' in said[0][1]


def test_no_object_is_an_error():
    with pytest.raises(InputError, match='none of the 1 images has an object to score against'):
        evaluate([sample([], [(BOX, 0, 0.9)], ignored=[(BOX, 0)])])


def test_the_detector_s_boxes_stay_as_they_are():
    item = sample([(BOX, 0)], [(BOX, 0, 0.9)])
    evaluate([item])
    assert item['pred_instances']['bboxes'].tolist() == [BOX]
    assert item['gt_instances']['bboxes'].tolist() == [BOX]


def test_no_process_is_forked(monkeypatch):
    """MMDetection's pool of forked processes hangs now and then in a process that has threads."""
    monkeypatch.setattr(os, 'fork', lambda: pytest.fail('a process was forked'))
    result = evaluate([sample([(BOX, 0)], [(BOX, 0, 0.9)])] * 3)
    assert result['voc/AP50'] == 1
