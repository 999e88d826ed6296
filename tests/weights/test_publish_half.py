"""Published in half precision: half the size, three digits, and no number that becomes infinite; means of several."""

import sys

import pytest
import torch

from det_inception.cli.publish import main
from det_inception.utils.errors import InputError
from det_inception.weights.checkpoints import read_checkpoint
from det_inception.weights.export import publish


def training_checkpoint(path, weight, classes=('cat',)):
    state = {
        'backbone.conv.weight': weight,
        'data_preprocessor.mean': torch.tensor([123.675]),
        'count': torch.tensor(3),
    }
    torch.save(dict(state_dict=state, meta=dict(iter=7, dataset_meta=dict(classes=classes))), path)
    return path


def test_weights_are_half_as_large_and_close(tmp_path):
    weight = torch.randn(300, 300)
    source = training_checkpoint(tmp_path / 'a.pth', weight)
    whole, half = publish(source, tmp_path / 'whole.pth'), publish(source, tmp_path / 'half.pth', half=True)
    assert half < 0.6 * whole
    state = read_checkpoint(tmp_path / 'half.pth')['state_dict']
    assert state['backbone.conv.weight'].dtype == torch.float16 and state['count'].dtype == torch.int64
    torch.testing.assert_close(state['backbone.conv.weight'].float(), weight, rtol=1e-3, atol=1e-6)
    assert state['data_preprocessor.mean'].item() == pytest.approx(123.675, abs=1e-5)


def test_a_weight_beyond_float16_is_refused(tmp_path):
    source = training_checkpoint(tmp_path / 'a.pth', torch.tensor([1.0, 70000.0]))
    with pytest.raises(InputError, match='backbone.conv.weight holds values too large for float16'):
        publish(source, tmp_path / 'half.pth', half=True)
    assert not (tmp_path / 'half.pth').exists()


def test_several_are_averaged(tmp_path):
    sources = [training_checkpoint(tmp_path / f'{n}.pth', torch.tensor([n, 2.0 * n])) for n in (1.0, 2.0, 6.0)]
    publish(sources, tmp_path / 'mean.pth')
    mean = read_checkpoint(tmp_path / 'mean.pth')
    torch.testing.assert_close(mean['state_dict']['backbone.conv.weight'], torch.tensor([3.0, 6.0]))
    assert mean['state_dict']['count'] == 3 and mean['meta']['dataset_meta']['classes'] == ('cat',)


@pytest.mark.parametrize(
    'weight, classes, why',
    [
        (torch.ones(3), ('cat',), 'is of another network than .*a.pth'),
        (torch.ones(2), ('dog',), 'has other classes than .*a.pth'),
        (
            torch.tensor([1.0, float('nan')]),
            ('cat',),
            'b.pth: holds values in .* that are not finite',
        ),
    ],
)
def test_others_are_not_averaged(tmp_path, weight, classes, why):
    first = training_checkpoint(tmp_path / 'a.pth', torch.ones(2))
    other = training_checkpoint(tmp_path / 'b.pth', weight, classes)
    with pytest.raises(InputError, match=why):
        publish([first, other], tmp_path / 'mean.pth')
    assert not (tmp_path / 'mean.pth').exists()


def test_a_forgotten_target_costs_no_checkpoint(tmp_path, monkeypatch):
    one, two, three = (training_checkpoint(tmp_path / f'{n}.pth', torch.ones(2)) for n in range(3))
    before = three.read_bytes()
    monkeypatch.setattr(sys, 'argv', ['det-inception publish', str(one), str(two), str(three)])
    with pytest.raises(InputError, match='2.pth: is there already; name a new file behind the checkpoints'):
        main()
    assert three.read_bytes() == before
