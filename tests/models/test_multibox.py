"""MultiBox: the loss against a slow plain one and finite differences, the heads, the detector, its priors."""

import copy
import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData

from det_inception.engine import MultiBoxPriorsHook
from det_inception.engine.hooks.multibox_priors import dataset_boxes
from det_inception.evaluation import ProposalRecallMetric
from det_inception.models import MultiBox, MultiBoxGlobalHead, MultiBoxGridHead
from det_inception.models.heads.multibox_loss import multibox_loss
from det_inception.proposals.multibox import write_priors
from det_inception.registry import MODELS
from det_inception.utils.errors import InputError

SIZE = 64
HEADS = {
    'grid': dict(type='MultiBoxGridHead', in_channels=(64, 104, 128), channels=16, sizes_per_cell=2),
    'global': dict(
        type='MultiBoxGlobalHead', num_boxes=6, in_channels=128, channels=16, grid=2, hidden=64, dropout=0.0
    ),
}


def detector(head='grid', priors=True, **settings) -> MultiBox:
    torch.manual_seed(0)
    model = MODELS.build(
        ConfigDict(
            type='MultiBox',
            data_preprocessor=dict(type='DetDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3, bgr_to_rgb=True),
            backbone=dict(type='GoogLeNet', variant='batch_norm', width=0.125, out_indices=(2, 3, 4)),
            bbox_head=dict(HEADS[head], **settings),
            test_cfg=dict(nms_pre=1000, nms=dict(type='nms', iou_threshold=0.7), max_per_img=50),
        )
    )
    model.init_weights()
    if priors:
        model.bbox_head.set_priors(model.bbox_head.make_priors(random_boxes(200).numpy()))
    return model


def random_boxes(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(count, 2, 2, generator=generator).sort(1).values
    corners[:, 1] = (corners[:, 1] + 0.1).clamp(max=1)
    return corners.flatten(1)


def batch(counts=(3, 1), ori_shape=(90, 120), size=SIZE):
    inputs, samples = [], []
    for number, count in enumerate(counts):
        sample = DetDataSample(metainfo=dict(img_shape=(size, size), ori_shape=ori_shape, img_path=f'{number}.jpg'))
        boxes = random_boxes(count, seed=number + 1) * size
        sample.gt_instances = InstanceData(bboxes=boxes, labels=torch.arange(count))
        samples.append(sample)
        generator = torch.Generator().manual_seed(number)
        inputs.append(torch.randint(0, 255, (3, size, size), generator=generator, dtype=torch.uint8))
    return dict(inputs=inputs, data_samples=samples)


def losses_of(model, data):
    return model(**model.data_preprocessor(copy.deepcopy(data), training=True), mode='loss')


# --------------------------------------------------------------------------------------------------------- loss


def plain_loss(boxes, logits, objects, alpha, scales):
    """F of one image: the least over all ways to give every object a prediction of its own."""
    count, wanted = len(boxes), len(objects)
    least = math.inf
    for chosen in itertools.permutations(range(count), wanted):
        location = sum(
            0.5 * sum(((boxes[i][axis] - objects[j][axis]) / scales[i][axis]) ** 2 for axis in range(4))
            for j, i in enumerate(chosen)
        )
        confidence = sum(
            -math.log(1 / (1 + math.exp(-logits[i]))) if i in chosen else -math.log(1 - 1 / (1 + math.exp(-logits[i])))
            for i in range(count)
        )
        least = min(least, alpha * location + confidence)
    return least


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 3), st.integers(3, 6), st.floats(0.1, 50), st.integers(0, 10**6), st.booleans())
def test_loss_is_the_plain_one(wanted, count, alpha, seed, scaled):
    generator = torch.Generator().manual_seed(seed)
    boxes = torch.rand(2, count, 4, generator=generator, dtype=torch.float64)
    logits = 3 * torch.randn(2, count, generator=generator, dtype=torch.float64)
    objects = [torch.rand(number, 4, generator=generator, dtype=torch.float64) for number in (wanted, 1)]
    scales = torch.rand(count, 4, generator=generator, dtype=torch.float64) + 0.1 if scaled else None
    location, confidence, matched = multibox_loss(boxes, logits, objects, alpha=alpha, scales=scales)
    units = (torch.ones(count, 4) if scales is None else scales).tolist()
    expected = sum(
        plain_loss(boxes[image].tolist(), logits[image].tolist(), objects[image].tolist(), alpha, units)
        for image in range(2)
    )
    assert float(location + confidence) == pytest.approx(expected)
    assert matched == wanted + 1


def test_loss_by_hand():
    boxes = torch.tensor([[[0.0, 0, 1, 1], [0, 0, 0.5, 0.5]]])
    logits = torch.tensor([[0.0, math.log(3)]])  # confidences 1/2, 3/4
    objects = [torch.tensor([[0.0, 0, 0.5, 0.7]])]
    location, confidence, _ = multibox_loss(boxes, logits, objects, alpha=0.3)
    assert location == pytest.approx(0.3 / 2 * 0.2**2)
    assert confidence == pytest.approx(-math.log(0.75) - math.log(1 - 0.5))
    # Matched by location to other boxes, here in reverse order, the object goes with the first prediction.
    location, confidence, _ = multibox_loss(boxes, logits, objects, alpha=0.3, match_boxes=boxes[0].flip(0))
    assert location == pytest.approx(0.3 / 2 * (0.5**2 + 0.3**2))
    assert confidence == pytest.approx(-math.log(0.5) - math.log(1 - 0.75))


def test_gradient_is_that_of_finite_differences():
    generator = torch.Generator().manual_seed(0)
    boxes = torch.rand(2, 5, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    logits = torch.randn(2, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    objects = [torch.rand(number, 4, generator=generator, dtype=torch.float64) for number in (3, 0)]
    assert torch.autograd.gradcheck(
        lambda boxes, logits: sum(multibox_loss(boxes, logits, objects, alpha=7)[:2]), (boxes, logits)
    )


def test_order_of_objects_plays_no_part():
    boxes, logits, objects = random_boxes(40).unsqueeze(0), torch.randn(1, 40), random_boxes(9, seed=5)
    results = [
        multibox_loss(boxes, logits, [objects[order]], alpha=10)
        for order in (torch.arange(9), torch.arange(9).flip(0), torch.randperm(9))
    ]
    for location, confidence, _ in results[1:]:
        torch.testing.assert_close((location, confidence), results[0][:2])


def test_more_objects_than_boxes():
    _, _, matched = multibox_loss(random_boxes(3)[None], torch.zeros(1, 3), [random_boxes(5, seed=1)], alpha=1)
    assert matched == 3


def test_ignored_objects_count_neither_way():
    boxes = torch.tensor([[[0.0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1], [0.5, 0, 1, 0.5]]])
    logits, objects = torch.zeros(1, 3), [boxes[0, :1]]
    _, confidence, _ = multibox_loss(boxes, logits, objects, alpha=1, ignored=[boxes[0, 1:2]])
    assert confidence == pytest.approx(2 * math.log(2))
    # A matched box counts all the same.
    _, confidence, _ = multibox_loss(boxes, logits, objects, alpha=1, ignored=[boxes[0, :1]])
    assert confidence == pytest.approx(3 * math.log(2))


@pytest.mark.parametrize('head', HEADS)
def test_images_without_objects_teach_confidences_only(head):
    model = detector(head)
    losses = losses_of(model, batch((0, 0)))
    assert losses['loss_location'] == 0 and losses['loss_confidence'] > 0
    model.parse_losses(losses)[0].backward()
    for name, parameter in model.bbox_head.named_parameters():
        if 'location' in name:
            assert not parameter.grad.any(), name
        elif 'confidence' in name:
            assert parameter.grad.any(), name
    model.eval()  # batch norm would tie the images to each other
    with torch.no_grad():
        with_objects, both = losses_of(model, batch((3,))), losses_of(model, batch((3, 0)))
    torch.testing.assert_close(both['loss_location'], with_objects['loss_location'])
    assert both['loss_confidence'] > with_objects['loss_confidence']


# -------------------------------------------------------------------------------------------------------- heads


@pytest.mark.parametrize('unit', ['image', 'prior'])
@pytest.mark.parametrize('match_by', ['prediction', 'prior'])
@pytest.mark.parametrize('head', HEADS)
def test_losses_and_gradients(head, match_by, unit):
    model = detector(head, match_by=match_by, unit=unit)
    losses = losses_of(model, batch())
    assert set(losses) == {'loss_location', 'loss_confidence'}
    model.parse_losses(losses)[0].backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name


@pytest.mark.parametrize('head', HEADS)
def test_training_starts_from_the_priors(head):
    model = detector(head, initial_confidence=0.02).eval()
    data = batch((1,))
    with torch.no_grad():
        features = model.extract_feat(model.data_preprocessor(data)['inputs'])
        boxes, logits, priors = model.bbox_head._predict(features, data['data_samples'])
    assert (boxes[0] - priors).abs().max() < 0.1
    assert logits.sigmoid().mean() == pytest.approx(0.02, rel=0.3)
    torch.testing.assert_close(model.prior_boxes(SIZE, SIZE), priors)


def test_grids_are_in_the_order_of_their_boxes():
    """A change in one cell of a feature map changes the boxes whose priors lie around that cell, and no others."""
    head = MultiBoxGridHead((8, 8), channels=8, sizes_per_cell=2)
    head.init_weights()
    head.set_priors(np.full((4, 2), 0.01))
    for tower in head.towers:
        tower[1] = torch.nn.Conv2d(8, 8, 1)  # neither neighbors nor a norm over the map
        tower[0] = torch.nn.Identity()
    features = [torch.randn(1, 8, 5, 7), torch.randn(1, 8, 2, 3)]
    changed = [feature.clone() for feature in features]
    changed[0][:, :, 3, 2] += 1
    changed[1][:, :, 0, 2] += 1
    with torch.no_grad():
        offsets, logits = (after - before for after, before in zip(head(changed), head(features)))
    priors = head.prior_boxes(features)
    moved = offsets[0].abs().sum(1).nonzero().flatten()
    assert moved.tolist() == logits[0].nonzero().flatten().tolist()
    centers = (priors[moved, :2] + priors[moved, 2:]) / 2
    expected = [[2.5 / 7, 3.5 / 5]] * 2 + [[2.5 / 3, 0.5 / 2]] * 2
    torch.testing.assert_close(centers, torch.tensor(expected))


def test_alpha_weighs_location():
    first, second = (losses_of(detector(alpha=alpha, match_by='prior'), batch()) for alpha in (1, 5))
    torch.testing.assert_close(second['loss_location'], 5 * first['loss_location'])
    torch.testing.assert_close(second['loss_confidence'], first['loss_confidence'])


@pytest.mark.parametrize('setting', [dict(unit='pixel'), dict(match_by='luck'), dict(alpha=0)])
def test_settings_that_make_no_sense(setting):
    with pytest.raises(ValueError, match=next(iter(setting))):
        MultiBoxGlobalHead(**setting)


# ----------------------------------------------------------------------------------------------------- detector


@pytest.mark.parametrize('head', HEADS)
def test_boxes_come_in_the_image_s_own_pixels(head):
    model = detector(head).eval()
    with torch.no_grad():
        results = model.test_step(batch())
    for result in results:
        found = result.pred_instances
        height, width = result.ori_shape
        assert 0 < len(found) <= 50 and not found.labels.any()
        assert found.bboxes.min() >= 0 and found.bboxes[:, 2].max() <= width and found.bboxes[:, 3].max() <= height
        assert found.bboxes[:, 2].max() > SIZE
        assert (found.bboxes[:, 2:] - found.bboxes[:, :2]).min() >= 1
        assert (found.scores.diff() <= 0).all() and found.scores.max() <= 1


def test_rescaling_is_left_out_on_request():
    model = detector().eval()
    data = model.data_preprocessor(batch((1,)))
    with torch.no_grad():
        rescaled = model.predict(data['inputs'], copy.deepcopy(data['data_samples']))[0].pred_instances
        plain = model.predict(data['inputs'], data['data_samples'], rescale=False)[0].pred_instances
    best = plain.bboxes[0] * torch.tensor([120, 90, 120, 90]) / SIZE
    torch.testing.assert_close(rescaled.bboxes[0], best)


def test_an_image_in_a_batch_gives_what_it_gives_alone():
    model, data = detector().eval(), batch()
    with torch.no_grad():
        together = model.test_step(copy.deepcopy(data))[1].pred_instances
        alone = model.test_step(dict(inputs=data['inputs'][1:], data_samples=data['data_samples'][1:]))[
            0
        ].pred_instances
    torch.testing.assert_close(together.scores, alone.scores, atol=1e-5, rtol=1e-4)


def test_images_of_different_sizes_are_refused():
    data = batch((1, 1))
    data['inputs'][1] = data['inputs'][1][:, :, :40]
    data['data_samples'][1].set_metainfo(dict(img_shape=(SIZE, 40)))
    with pytest.raises(InputError, match=r"1\.jpg: .* 40 x 64 in a batch of 64 x 64; put dict\(type='Resize'"):
        losses_of(detector(), data)


@pytest.mark.parametrize('head', HEADS)
def test_without_priors_it_says_what_to_add(head):
    model = detector(head, priors=False)
    for call in (lambda: losses_of(model, batch()), lambda: model.test_step(batch())):
        with pytest.raises(InputError, match='has no priors.*MultiBoxPriorsHook'):
            call()


def test_it_learns_eight_images_by_heart():
    """Bright rectangles on noise; the small network finds each of them."""
    torch.manual_seed(0)
    model, data = detector(alpha=20.0), batch((2,) * 8, ori_shape=(SIZE, SIZE))
    for image, sample in zip(data['inputs'], data['data_samples']):
        for box in sample.gt_instances.bboxes.round().int().tolist():
            image[:, box[1] : box[3], box[0] : box[2]] = 255
    prepared = model.data_preprocessor(data, training=True)
    optimizer = torch.optim.AdamW(model.parameters(), 0.003)
    model.train()
    for _ in range(90):
        total, _ = model.parse_losses(model(**copy.copy(prepared), mode='loss'))
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    metric = ProposalRecallMetric(limits=(10,))
    model.backbone.norm_eval = False
    with torch.no_grad():
        results = model(**prepared, mode='predict')  # in training mode: batch norm's averages lag behind
    metric.process(None, [result.to_dict() for result in results])
    assert metric.evaluate(size=8)['proposals/recall50_10'] == 1


# ------------------------------------------------------------------------------------------------------- priors


class Images:
    """A data set of two images, one without objects that count."""

    def __init__(self, count=30):
        boxes = (random_boxes(count) * torch.tensor([200, 100, 200, 100])).tolist()
        self.entries = [
            dict(height=100, width=200, instances=[dict(bbox=box, ignore_flag=0) for box in boxes]),
            dict(height=50, width=50, instances=[dict(bbox=[0, 0, 50, 50], ignore_flag=1)]),
        ]

    def __len__(self):
        return len(self.entries)

    def get_data_info(self, index):
        return self.entries[index]


class Runner:
    def __init__(self, model, dataset):
        self.model = model
        self.train_dataloader = type('Loader', (), dict(dataset=dataset))


def test_boxes_of_a_data_set():
    np.testing.assert_allclose(dataset_boxes(Images()), random_boxes(30).numpy(), rtol=1e-5)


@pytest.mark.parametrize('head', HEADS)
def test_priors_come_with_the_training_and_stay_in_the_checkpoint(head):
    model = detector(head, priors=False)
    MultiBoxPriorsHook().before_train(Runner(model, Images()))
    expected = model.bbox_head.make_priors(random_boxes(30).numpy())
    np.testing.assert_allclose(model.bbox_head.priors, expected, rtol=1e-5)
    MultiBoxPriorsHook().before_train(Runner(model, Images(20)))  # known priors are kept
    np.testing.assert_allclose(model.bbox_head.priors, expected, rtol=1e-5)
    other = detector(head, priors=False)
    other.load_state_dict(model.state_dict())
    assert other.bbox_head.has_priors and torch.equal(other.bbox_head.priors, model.bbox_head.priors)
    other.train()
    losses_of(other, batch())


def test_priors_from_a_file(tmp_path):
    path = tmp_path / 'priors.json'
    priors = detector('global').bbox_head.priors.numpy()
    write_priors(path, priors)
    head = MODELS.build(dict(HEADS['global'], priors=str(path)))
    np.testing.assert_allclose(head.priors, priors, atol=1e-6)
    with pytest.raises(InputError, match=r'priors\.json: 6 boxes do not suit a MultiBoxGridHead of 6 sizes'):
        MODELS.build(dict(HEADS['grid'], priors=str(path)))
    with pytest.raises(InputError, match='6 boxes do not suit a MultiBoxGlobalHead of 9 boxes'):
        MODELS.build(dict(HEADS['global'], num_boxes=9, priors=str(path)))


def test_priors_that_cannot_be_made():
    with pytest.raises(InputError, match='6 priors cannot be made of 5 different boxes'):
        MultiBoxPriorsHook().before_train(Runner(detector(priors=False), Images(5)))
    with pytest.raises(InputError, match='take the hook out of custom_hooks'):
        MultiBoxPriorsHook().before_train(Runner(torch.nn.Linear(1, 1), Images()))
