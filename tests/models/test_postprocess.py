"""From scores to detections: every NMS by config in every detector, against slow plain loops."""

import math

import numpy as np
import pytest
import torch
from mmdet.models.layers import multiclass_nms
from mmdet.structures.bbox import bbox_overlaps
from mmengine.structures import InstanceData
from tiny_detectors import DETECTORS, batch, build

from det_inception.models.layers.postprocess import NMS_TYPES, nms_per_class, require_nms, select_detections
from det_inception.utils.errors import InputError


def plain_iou(a, b):
    across = max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
    return across / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - across)


def plain_nms(boxes, scores, labels, lower, min_score):
    """Class by class: take the best, lower all others by ``lower(iou)``, drop those below ``min_score``."""
    found = []
    for label in sorted(set(labels)):
        left = {number: scores[number] for number in range(len(boxes)) if labels[number] == label}
        while left:
            best = max(left, key=left.get)
            found.append((label, left.pop(best), *boxes[best]))
            left = {number: score * lower(plain_iou(boxes[best], boxes[number])) for number, score in left.items()}
            left = {number: score for number, score in left.items() if score >= min_score}
    return np.array(sorted(found))


def rows(found: InstanceData) -> np.ndarray:
    """Detections (D, 6) in an order of their own: label, score, box."""
    table = torch.cat([found.labels[:, None].double(), found.scores[:, None].double(), found.bboxes.double()], 1)
    return np.array(sorted(table.tolist()))


PLAIN = {
    'nms': ({}, lambda iou: iou <= 0.3, 1e-12),
    'nms_match': ({}, lambda iou: iou < 0.3, 1e-12),
    'soft_nms': ({}, lambda iou: 1 - iou if iou >= 0.3 else 1, 0.001),
    'soft_nms, gaussian': (
        {'model.test_cfg.rcnn.nms.method': 'gaussian', 'model.test_cfg.rcnn.nms.sigma': 0.4},
        lambda iou: math.exp(-(iou**2) / 0.4),
        0.001,
    ),
    'soft_nms, naive': (
        {'model.test_cfg.rcnn.nms.method': 'naive', 'model.test_cfg.rcnn.nms.min_score': 0.01},
        lambda iou: iou < 0.3,
        0.01,
    ),
}


@pytest.fixture(scope='module')
def unsuppressed():
    """Every detector's detections without NMS."""
    options = {'model.test_cfg.rcnn.nms': None, 'model.test_cfg.rcnn.max_per_class': -1}
    found = {}
    for name, config in DETECTORS.items():
        with torch.no_grad():
            (sample,) = build(config(), options).eval().test_step(batch(1))
        found[name] = sample.pred_instances
    return found


@pytest.mark.parametrize('kind', PLAIN)
@pytest.mark.parametrize('name', DETECTORS)
def test_every_nms_by_config_in_every_detector(name, kind, unsuppressed):
    settings, lower, min_score = PLAIN[kind]
    options = {'model.test_cfg.rcnn.nms.type': kind.split(',')[0], 'model.test_cfg.rcnn.max_per_class': -1, **settings}
    with torch.no_grad():
        (sample,) = build(DETECTORS[name](), options).eval().test_step(batch(1))
    everything = unsuppressed[name]
    expected = plain_nms(
        everything.bboxes.tolist(), everything.scores.tolist(), everything.labels.tolist(), lower, min_score
    )
    found = rows(sample.pred_instances)
    assert len(found) and not np.array_equal(found, rows(everything))
    np.testing.assert_allclose(found, expected, atol=1e-4)


def some_boxes(count, classes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(count, classes, 4, generator=generator) * 40
    boxes = torch.cat([corners[..., :2], corners[..., :2] + corners[..., 2:] + 5], 2).flatten(1)
    return boxes, torch.rand(count, classes + 1, generator=generator).softmax(1)


@pytest.mark.parametrize('own_boxes', [True, False])
@pytest.mark.parametrize('limit', [-1, 7])
def test_selection_is_that_of_mmdetection(own_boxes, limit):
    boxes, scores = some_boxes(50, 4)
    boxes = boxes if own_boxes else boxes[:, :4]
    nms = dict(type='nms', iou_threshold=0.4)
    dets, labels = multiclass_nms(boxes, scores, 0.2, nms, limit)
    found = select_detections(boxes, scores[:, :-1], dict(score_thr=0.2, nms=nms, max_per_img=limit))
    assert torch.equal(found.bboxes, dets[:, :4]) and torch.equal(found.scores, dets[:, 4])
    assert torch.equal(found.labels, labels) and len(labels) > 5


@pytest.mark.parametrize('kind', NMS_TYPES)
def test_classes_do_not_disturb_each_other(kind):
    boxes, scores = some_boxes(30, 1)
    boxes, scores, labels = boxes.repeat(2, 1), torch.cat([scores[:, 0], 1 - scores[:, 0]]), torch.arange(60) // 30
    settings = dict(type=kind, iou_threshold=0.3)
    dets, keep = nms_per_class(boxes, scores, labels, settings)
    assert (dets[1:, 4] <= dets[:-1, 4]).all() and dets.shape == (len(keep), 5)
    for label in (0, 1):
        own = labels == label
        alone, _ = nms_per_class(boxes[own], scores[own], labels[own], settings)
        torch.testing.assert_close(dets[labels[keep] == label], alone)
    # Without classes, fewer are left.
    agnostic, _ = nms_per_class(boxes, scores, labels, dict(settings, class_agnostic=True))
    together, _ = nms_per_class(boxes, scores, labels * 0, settings)
    torch.testing.assert_close(agnostic, together)
    assert kind == 'soft_nms' or len(agnostic) < len(dets)


@pytest.mark.parametrize('kind', [*NMS_TYPES, None])
def test_no_boxes(kind):
    settings = None if kind is None else dict(type=kind, iou_threshold=0.3)
    found = select_detections(
        torch.zeros(3, 4), torch.zeros(3, 2), dict(score_thr=0.5, nms=settings, max_per_img=10, max_per_class=5)
    )
    assert len(found) == 0 and found.bboxes.shape == (0, 4) and found.labels.dtype == torch.long


@pytest.mark.parametrize(
    ('nms', 'said'),
    [
        (
            dict(type='sofft_nms'),
            "there is no NMS of type 'sofft_nms'; choose nms, soft_nms, nms_match, box_voting, nms_",
        ),
        (dict(type='soft_nms', method='cubic'), "soft_nms has no method 'cubic'; choose naive, linear, gaussian"),
        (dict(type='nms', iou=0.3), "NMS has no setting 'iou'; nms knows iou_threshold, offset"),
        (0.3, r"test_cfg\.rcnn\.nms is 0\.3, which is no NMS; write for example dict\(type='soft_nms'"),
    ],
)
def test_wrong_settings(nms, said):
    with pytest.raises(InputError, match=said):
        require_nms(nms)
    for config in DETECTORS.values():  # When the detector is built, not after an epoch of training.
        settings = config()
        settings.test_cfg.rcnn.nms = nms
        with pytest.raises(InputError, match=said):
            build(settings)


def test_boxes_vote_on_edges_as_a_loop_has_it():
    boxes, scores = some_boxes(60, 1, seed=3)
    scores, boxes = scores[:, 0], boxes * torch.tensor([1.0, 1, 0.8, 0.8]) + torch.tensor([0.0, 0, 9, 9])
    boxes[7] = torch.tensor([200.0, 5, 200, 5])  # Nothing overlaps an empty box, not even itself.
    plain, kept = nms_per_class(boxes, scores, torch.zeros(60, dtype=torch.long), dict(type='nms', iou_threshold=0.3))
    voting = dict(type='box_voting', iou_threshold=0.3, vote=0.5)
    found, keep = nms_per_class(boxes, scores, torch.zeros(60, dtype=torch.long), voting)
    assert torch.equal(keep, kept) and torch.equal(found[:, 4], plain[:, 4])
    for place, position in enumerate(keep):
        overlaps = [bbox_overlaps(boxes[position][None], box[None]).item() for box in boxes]
        voters = [number for number, overlap in enumerate(overlaps) if overlap > 0.5]
        assert voters or position == 7
        if voters:
            edges = sum(scores[number] * boxes[number] for number in voters) / sum(scores[number] for number in voters)
        torch.testing.assert_close(found[place, :4], edges if voters else boxes[position])
    assert not torch.allclose(found[:, :4], plain[:, :4])


def test_settings_that_another_type_left_over():
    require_nms(dict(type='soft_nms', iou_threshold=0.3, part=0.8, vote=0.4))
    boxes, scores = some_boxes(5, 1)
    labels = torch.zeros(5, dtype=torch.long)
    for kind in NMS_TYPES:
        nms_per_class(boxes, scores[:, 0], labels, dict(type=kind, iou_threshold=0.3, part=0.8, vote=0.4, sigma=0.5))
