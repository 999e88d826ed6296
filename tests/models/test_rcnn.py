"""The detector: sampling, losses, chunks, the limit of detections, and its errors."""

import copy

import pytest
import torch
from mmengine.structures import InstanceData
from tiny_detectors import CLASSES, batch, rcnn_config

from det_inception.models import RCNN
from det_inception.models.layers.postprocess import topk_per_class
from det_inception.registry import MODELS


def detector(**kwargs) -> RCNN:
    torch.manual_seed(0)
    model = MODELS.build(rcnn_config(**kwargs))
    model.init_weights()
    return model


def test_regions_are_sampled_as_in_rcnn():
    model = detector()
    for sample in batch()['data_samples']:
        drawn = model._sample(sample)
        assert len(drawn.pos_priors) == 8 and len(drawn.neg_priors) == 24  # a quarter positive
        # The ground truth is among the candidates, positives overlap it by half, background does not.
        overlaps = torch.stack([iou(drawn.priors, truth) for truth in sample.gt_instances.bboxes]).amax(0)
        assert torch.all(overlaps[:8] >= 0.5) and torch.all(overlaps[8:] < 0.5)


def iou(boxes, box):
    inner = (torch.minimum(boxes[:, 2:], box[2:]) - torch.maximum(boxes[:, :2], box[:2])).clamp(min=0).prod(1)
    return inner / ((boxes[:, 2:] - boxes[:, :2]).prod(1) + (box[2:] - box[:2]).prod() - inner)


@pytest.mark.parametrize('with_reg', [False, True])
def test_losses_and_gradients(with_reg):
    model = detector(with_reg=with_reg)
    data = model.data_preprocessor(batch(), training=True)
    losses = model(**data, mode='loss')
    assert ('loss_bbox' in losses) == with_reg
    total, _ = model.parse_losses(losses)
    total.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name


def test_it_learns_two_images_by_heart():
    model = detector()
    optimizer = torch.optim.AdamW(model.parameters(), 0.005)
    data = batch()
    model.train()
    for _ in range(60):
        total, _ = model.parse_losses(model(**model.data_preprocessor(copy.deepcopy(data), training=True), mode='loss'))
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    model.eval()
    for result in model.test_step(copy.deepcopy(data)):
        found = result.pred_instances
        best = found[found.scores.argsort()[-1:]]
        truth = result.gt_instances
        match = iou(truth.bboxes, best.bboxes[0])
        assert best.scores[0] > 0.5 and match.max() > 0.5 and truth.labels[match.argmax()] == best.labels[0]


def test_chunks_change_nothing():
    model = detector().eval()
    results = []
    for size in (1, 7, 1000):
        model.test_cfg['rcnn']['chunk_size'] = size
        with torch.no_grad():
            results.append(model.test_step(batch())[0].pred_instances)
    for other in results[1:]:
        torch.testing.assert_close(other.scores, results[0].scores, atol=1e-5, rtol=1e-4)
        assert torch.equal(other.labels, results[0].labels)


def test_an_image_in_a_batch_gives_what_it_gives_alone():
    model = detector().eval()
    data = batch()
    with torch.no_grad():
        together = model.test_step(copy.deepcopy(data))[1].pred_instances
        alone = model.test_step(dict(inputs=data['inputs'][1:], data_samples=data['data_samples'][1:]))[
            0
        ].pred_instances
    torch.testing.assert_close(together.scores, alone.scores, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize('with_reg', [False, True])
def test_detections_are_inside_the_image_and_suppressed(with_reg):
    model = detector(with_reg=with_reg).eval()
    with torch.no_grad():
        result = model.test_step(batch())[1]
    found, (height, width) = result.pred_instances, result.img_shape
    assert len(found)
    assert found.bboxes.min() >= 0 and found.bboxes[:, 2].max() <= width and found.bboxes[:, 3].max() <= height
    for label in range(CLASSES):
        boxes = found.bboxes[found.labels == label]
        for number, box in enumerate(boxes):
            assert torch.all(iou(boxes[number + 1 :], box) <= 0.3)


def test_the_best_of_each_class_are_kept():
    found = InstanceData(
        bboxes=torch.arange(24.0).reshape(6, 4),
        scores=torch.tensor([0.1, 0.9, 0.5, 0.7, 0.3, 0.2]),
        labels=torch.tensor([0, 0, 0, 1, 1, 2]),
    )
    kept = topk_per_class(found, 1)
    assert kept.scores.tolist() == pytest.approx([0.9, 0.7, 0.2])
    assert kept.labels.tolist() == [0, 1, 2]
    assert len(topk_per_class(found, -1)) == 6


def test_without_proposals_it_says_what_to_add():
    model = detector()
    data = batch(1)
    del data['data_samples'][0].proposals
    with pytest.raises(ValueError, match='LoadRegionProposals'):
        model.test_step(data)


def test_an_image_without_objects_gives_background_only():
    model = detector()
    data = batch(1)
    data['data_samples'][0].gt_instances = InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0).long())
    losses = model(**model.data_preprocessor(data, training=True), mode='loss')
    assert torch.isfinite(losses['loss_cls']) and losses['loss_bbox'] == 0


def test_weights_with_another_normalization_are_refused():
    model = MODELS.build(rcnn_config())
    model.backbone.normalization = dict(mean=[104.0, 117, 123], std=[1.0, 1, 1], bgr_to_rgb=False)
    with pytest.raises(ValueError, match="the backbone's weights need images in .* without mean"):
        model.init_weights()
    model.backbone.normalization = dict(mean=[127.5] * 3, std=[127.5] * 3, bgr_to_rgb=True)
    model.init_weights()
