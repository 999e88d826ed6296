"""Published in half precision: half the size, the weights' first three digits, and no number that becomes infinite."""

import pytest
import torch

from det_inception.utils.errors import InputError
from det_inception.weights.checkpoints import read_checkpoint
from det_inception.weights.export import publish


def training_checkpoint(path, weight):
    state = {
        'backbone.conv.weight': weight,
        'data_preprocessor.mean': torch.tensor([123.675]),
        'count': torch.tensor(3),
    }
    torch.save(dict(state_dict=state, meta=dict(iter=7, dataset_meta=dict(classes=('cat',)))), path)
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
