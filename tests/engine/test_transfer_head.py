"""Training that starts from a detector of other classes."""

import torch
from mmengine.runner import Runner
from torch import nn

from det_inception.engine import TransferHeadHook
from det_inception.engine.hooks.transfer_head import transfer_rows


def test_known_classes_keep_their_rows_and_new_ones_are_the_mean():
    weights = torch.tensor([[1.0, 2], [3, 6], [9, 9]])  # dog, cat, background
    moved = transfer_rows(weights, ['dog', 'cat'], ['owl', 'cat', 'cow'], 1)
    assert moved.tolist() == [[2, 4], [3, 6], [2, 4], [9, 9]]


def test_box_regression_has_four_rows_a_class():
    weights = torch.arange(16.0).view(8, 2)
    moved = transfer_rows(weights, ['dog', 'cat'], ['cat', 'owl'], 4)
    assert torch.equal(moved[:4], weights[4:]) and torch.equal(moved[4:], (weights[:4] + weights[4:]) / 2)


def test_a_bias_has_rows_too():
    assert transfer_rows(torch.tensor([1.0, 3, 7]), ['dog', 'cat'], ['owl'], 1).tolist() == [2, 7]


def test_half_precision_stays():
    assert transfer_rows(torch.ones(3, 2).half(), ['a', 'b'], ['c'], 1).dtype == torch.float16


def test_layers_of_other_classes_are_left():
    assert transfer_rows(torch.zeros(7, 2), ['dog', 'cat'], ['owl'], 1) is None
    assert transfer_rows(torch.zeros(6, 2), ['dog', 'cat'], ['owl'], 4) is None


class Head(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.fc_cls, self.fc_reg = nn.Linear(3, classes + 1), nn.Linear(3, 4 * classes)


def hooked(classes, checkpoint, resume=False):
    """What the hook makes of a checkpoint, in a runner that trains a head for these classes."""
    model = nn.Module()
    model.bbox_head = Head(len(classes))
    runner = Runner.__new__(Runner)
    runner.model, runner._resume = model, resume
    dataset = type('Dataset', (), dict(metainfo=dict(classes=classes)))()
    runner._train_loop = type('Loop', (), dict(dataloader=type('Loader', (), dict(dataset=dataset))()))()
    TransferHeadHook().after_load_checkpoint(runner, checkpoint)
    return model, checkpoint['state_dict']


def of_a_detector(classes):
    head = Head(len(classes))
    state = {f'bbox_head.{key}': value for key, value in head.state_dict().items()}
    return dict(meta=dict(dataset_meta=dict(classes=classes)), state_dict=state)


def test_the_head_fits_the_model_and_knows_its_classes():
    checkpoint = of_a_detector(('dog', 'cat', 'cow'))
    before = {key: value.clone() for key, value in checkpoint['state_dict'].items()}
    model, state = hooked(('cat', 'owl'), checkpoint)
    model.load_state_dict(state)
    assert torch.equal(model.bbox_head.fc_cls.weight[0], before['bbox_head.fc_cls.weight'][1])
    assert torch.equal(model.bbox_head.fc_cls.weight[2], before['bbox_head.fc_cls.weight'][3])
    torch.testing.assert_close(model.bbox_head.fc_reg.bias[4:], before['bbox_head.fc_reg.bias'].view(3, 4).mean(0))


def test_a_resumed_training_and_the_same_classes_change_nothing():
    for classes, resume in ((('cat', 'owl'), True), (('dog', 'cat'), False)):
        checkpoint = of_a_detector(('dog', 'cat'))
        before = dict(checkpoint['state_dict'])
        _, state = hooked(classes, checkpoint, resume)
        assert all(state[key] is before[key] for key in before)


def test_another_kind_of_head_stays_as_it_was_drawn():
    checkpoint = of_a_detector(('dog', 'cat'))
    checkpoint['state_dict']['bbox_head.fc_reg.weight'] = torch.zeros(4, 3)  # Class-agnostic.
    checkpoint['state_dict']['bbox_head.fc_reg.bias'] = torch.zeros(4)
    model, state = hooked(('owl',), checkpoint)
    assert torch.equal(state['bbox_head.fc_reg.weight'], model.bbox_head.fc_reg.weight)
