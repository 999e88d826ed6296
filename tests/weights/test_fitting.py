"""Arrays of a file in the shapes of a network, whole or not at all."""

import pytest
import torch

from det_inception.models import BNInception
from det_inception.weights.files import CheckpointError
from det_inception.weights.fitting import fit_arrays, without_prefix

WANTED = {
    'conv.weight': torch.zeros(2, 3, 2, 2),
    'conv.bias': torch.zeros(2),
    'norm.num_batches_tracked': torch.tensor(5),
}


def fit(given):
    return fit_arrays(WANTED, given, 'a.pth', lambda what: CheckpointError(f'a.pth: no ({what})'))


def test_shapes_that_can_only_be_meant_so_fit():
    weight, bias = torch.rand(2, 3, 2, 2), torch.rand(2)
    for one, other in (
        (weight, bias),
        (weight.reshape(2, 12), bias.reshape(1, 1, 1, 2)),
        (weight.double(), bias[None]),
    ):
        found = fit({'conv.weight': one, 'conv.bias': other, 'more': bias})
        assert found.keys() == WANTED.keys() and found['norm.num_batches_tracked'] == 5
        assert torch.equal(found['conv.weight'], weight) and torch.equal(found['conv.bias'], bias)


@pytest.mark.parametrize(
    ('change', 'said'),
    [
        ({'conv.bias': None}, r'no \(conv.bias: missing\)'),
        ({'conv.weight': torch.zeros(3, 2, 2, 2)}, r'no \(conv.weight: 3x2x2x2 instead of 2x3x2x2\)'),
        ({'conv.weight': torch.zeros(2, 2, 3, 2)}, "conv.weight: 2x2x3x2 is TensorFlow's order"),
        ({'conv.bias': torch.zeros(2, 1, 1, 1)}, 'conv.bias: 2x1x1x1 instead of 2'),
        ({'conv.bias': torch.tensor([0, torch.inf])}, 'a.pth: holds values in conv.bias that are not finite'),
    ],
)
def test_what_does_not_fit_is_named(change, said):
    given = {'conv.weight': torch.zeros(2, 3, 2, 2), 'conv.bias': torch.zeros(2)} | change
    with pytest.raises(CheckpointError, match=said):
        fit({key: value for key, value in given.items() if value is not None})


def test_a_prefix_is_taken_off_only_where_it_is_sure():
    twice = {'a.x': 1, 'b.x': 2}
    assert without_prefix(twice, 'x') == (None, twice)
    assert without_prefix({'model.a.x': 1, 'y': 2}, 'z', 'x') == ('x', {'x': 1, 'y': 2})
    assert without_prefix({'max': 1}, 'x') == (None, {'max': 1})


def test_bn_inceptions_own_weights_inside_something_else_say_their_variant(tmp_path):
    network = BNInception('caffe', out_indices=(0,))
    torch.save({f'module.{key}': value for key, value in network.state_dict().items()}, tmp_path / 'own.pth')
    assert BNInception.config_from_pretrained({}, str(tmp_path / 'own.pth')).settings == dict(variant='caffe')
    again = BNInception('caffe', out_indices=(0,))
    again.load_pretrained(tmp_path / 'own.pth')
    assert torch.equal(again.conv1.conv.weight, network.conv1.conv.weight)
    torch.save({'something.weight': torch.zeros(2)}, tmp_path / 'other.pth')
    with pytest.raises(CheckpointError, match=r"variant 'paper' \(.*\); name its weights, or set"):
        BNInception('paper').load_pretrained(tmp_path / 'other.pth')
