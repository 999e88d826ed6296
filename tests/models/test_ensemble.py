"""The ensemble: equal to its members' mean, whatever their variant; refuses members that do not belong together."""

import copy

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from det_inception.config.loading import load_config
from det_inception.models import RCNNEnsemble, RegionWarp
from det_inception.models.detectors.rcnn_ensemble import mirrored_deltas, normalize_crops
from det_inception.registry import MODELS
from det_inception.utils.errors import InputError

NORMALIZATIONS = [
    dict(mean=[104.0, 117.0, 123.0], std=[1.0] * 3, bgr_to_rgb=False),  # Caffe
    dict(mean=[127.5] * 3, std=[127.5] * 3, bgr_to_rgb=True),  # torchvision
    dict(mean=[123.7, 116.3, 103.5], std=[58.4, 57.1, 57.4], bgr_to_rgb=True),
]
CLASSES = 3


def member(number, with_reg=True, classes=CLASSES, size=32):
    cfg = load_config('configs/googlenet_rcnn_mini.py', options=dict(classes=tuple('abcdefg'[:classes])))
    model = copy.deepcopy(cfg.model)
    model.region_warp.update(size=size, context=3)
    model.backbone.update(width=0.125, variant=('batch_norm', 'torchvision', 'paper')[number % 3])
    model.bbox_head.update(in_channels=128, with_reg=with_reg)
    model.data_preprocessor.update(NORMALIZATIONS[number % 3])
    return model


def awake(model):
    """Gives a network weights under which its answers differ from crop to crop, as those of a trained one do."""
    torch.manual_seed(0)
    for part in model.members:
        for module in part.backbone.modules():
            if isinstance(module, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(module.weight, nonlinearity='relu')
        # The scale of colors is the normalization's: 1 or 100.
        torch.nn.init.normal_(part.bbox_head.fc_cls.weight, std=0.003 * float(part.data_preprocessor.std.mean()))
        torch.nn.init.normal_(part.bbox_head.fc_reg.weight, std=0.002 * float(part.data_preprocessor.std.mean()))
    return model.eval()


@pytest.fixture(scope='module')
def ensemble():
    return awake(RCNNEnsemble([member(number) for number in range(3)]))


@pytest.fixture(scope='module')
def batch():
    """An image of 50 x 70 with boxes inside, over its border and outside."""
    image = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 50, 70), np.uint8))
    boxes = torch.tensor([[5.0, 5, 30, 40], [0, 0, 70, 50], [50, 30, 70, 50], [10.5, 2.25, 18, 49], [60, 0, 69, 9]])
    sample = DetDataSample(
        gt_instances=InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long)),
        proposals=InstanceData(bboxes=boxes, scores=torch.ones(5)),
    )
    sample.set_metainfo(dict(img_shape=(50, 70), ori_shape=(50, 70)))
    return dict(inputs=[image], data_samples=[sample])


def alone(part, batch):
    """Softmax scores and deltas of a member by itself, from its own normalized image."""
    data = part.data_preprocessor(copy.deepcopy(batch), False)
    with torch.no_grad():
        logits, deltas = part._forward(data['inputs'], data['data_samples'])
    return logits, deltas


@pytest.mark.parametrize('combine', ['scores', 'logits'])
def test_it_is_the_mean_of_its_members(ensemble, batch, combine):
    ensemble.combine = combine
    data = ensemble.data_preprocessor(copy.deepcopy(batch), False)
    with torch.no_grad():
        scores, deltas = ensemble._forward(data['inputs'], data['data_samples'])
    logits = torch.stack([alone(part, batch)[0] for part in ensemble.members])
    assert logits.std(dim=(0, 1)).min() > 0.05 and logits.softmax(-1).max() < 0.99  # Neither flat nor certain.
    expected = logits.softmax(-1).mean(0) if combine == 'scores' else logits.mean(0).softmax(-1)
    ensemble.combine = 'scores'
    assert scores.shape == (5, CLASSES + 1)
    torch.testing.assert_close(scores, expected, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(
        deltas, torch.stack([alone(part, batch)[1] for part in ensemble.members]).mean(0), atol=1e-4, rtol=1e-3
    )


@pytest.mark.parametrize('normalization', NORMALIZATIONS)
def test_crops_normalized_later_equal_crops_of_the_normalized_image(batch, normalization):
    preprocessor = MODELS.build(dict(type='DetDataPreprocessor', pad_size_divisor=1, **normalization))
    warp = RegionWarp(24, 4)
    rois = torch.cat([torch.zeros(5, 1), batch['data_samples'][0].proposals.bboxes], 1)
    before = warp(preprocessor(copy.deepcopy(batch), False)['inputs'], rois, [(50, 70)])
    raw = batch['inputs'][0][None].float()
    crops = warp(torch.cat([raw, torch.ones_like(raw[:, :1])], 1), rois, [(50, 70)])
    torch.testing.assert_close(normalize_crops(crops, preprocessor), before, atol=1e-4, rtol=1e-5)


def test_one_member_detects_what_it_detects_alone(batch):
    single = awake(RCNNEnsemble([member(0)]))
    with torch.no_grad():
        (found,) = single.test_step(copy.deepcopy(batch))
        (expected,) = single.members[0].test_step(copy.deepcopy(batch))
    assert len(expected.pred_instances) > 3
    torch.testing.assert_close(found.pred_instances.bboxes, expected.pred_instances.bboxes, atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(found.pred_instances.scores, expected.pred_instances.scores, atol=1e-4, rtol=1e-3)
    assert found.pred_instances.labels.tolist() == expected.pred_instances.labels.tolist()


def test_mirrored_crops_make_no_difference_to_a_mirrored_image(batch):
    """With mirroring, an image and its mirror image get mirrored detections."""
    both = awake(RCNNEnsemble([member(1)], mirror=True))
    other = copy.deepcopy(batch)
    other['inputs'] = [batch['inputs'][0].flip(2)]
    boxes = batch['data_samples'][0].proposals.bboxes
    other['data_samples'][0].proposals.bboxes = torch.stack(
        [70 - boxes[:, 2], boxes[:, 1], 70 - boxes[:, 0], boxes[:, 3]], 1
    )
    with torch.no_grad():
        answers = []
        for item in (batch, other):
            data = both.data_preprocessor(copy.deepcopy(item), False)
            answers.append(both._forward(data['inputs'], data['data_samples']))
    torch.testing.assert_close(answers[0][0], answers[1][0], atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(answers[0][1], mirrored_deltas(answers[1][1]), atol=1e-4, rtol=1e-3)
    alone = RCNNEnsemble([member(1)]).eval()
    alone.load_state_dict(both.state_dict())
    with torch.no_grad():
        data = alone.data_preprocessor(copy.deepcopy(batch), False)
        assert not torch.allclose(alone._forward(data['inputs'], data['data_samples'])[0], answers[0][0], atol=1e-3)


@pytest.mark.parametrize(
    'members, said',
    [
        ([member(0), member(1, classes=2)], r'member 2 of the ensemble has another number of classes \(2\)'),
        ([member(0), member(1, with_reg=False)], 'another box regression'),
        ([member(0), member(1, size=48)], 'another crops'),
        ([], 'needs members'),
    ],
)
def test_members_that_do_not_belong_together(members, said):
    with pytest.raises(InputError, match=said):
        RCNNEnsemble(members)


def test_wrong_settings():
    with pytest.raises(InputError, match="scores or logits, not 'votes'"):
        RCNNEnsemble([member(0)], combine='votes')
    with pytest.raises(InputError, match='normalize for themselves'):
        RCNNEnsemble([member(0)], data_preprocessor=dict(type='DetDataPreprocessor', mean=[0] * 3, std=[1] * 3))


def test_an_ensemble_is_not_trained(ensemble, batch):
    with pytest.raises(InputError, match='train its members'):
        ensemble.loss(torch.zeros(1, 3, 50, 70), batch['data_samples'])
