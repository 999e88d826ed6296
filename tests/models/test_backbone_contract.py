"""The contract of every backbone: what it says of itself, and how MMEngine initializes it."""

import pytest
import torch
from mmengine.model import BaseModule, initialize

from det_inception.models import BNInception, GoogLeNet
from det_inception.models.backbones.base import Backbone
from det_inception.registry import MODELS
from det_inception.utils.errors import InputError

BACKBONES = [
    dict(type='GoogLeNet', width=0.125),
    dict(type='BNInception'),
    dict(type='TimmBackbone', model_name='resnet18'),
    dict(type='InceptionResNetV1', out_indices=(1, 3)),
    dict(type='VGG16'),
    dict(type='AlexNet', out_indices=(1, 2)),
    dict(type='NIN', out_indices=(2, 3)),
]


@pytest.mark.parametrize('config', BACKBONES, ids=lambda config: config['type'])
def test_it_declares_itself(config):
    if config['type'] == 'TimmBackbone':
        pytest.importorskip('timm', reason='the extra "backbones" is not installed')
    network = MODELS.build(dict(dict(out_indices=(2, 4)), **config)).eval()
    assert isinstance(network, Backbone) and isinstance(network, BaseModule) and network.normalization is None
    assert {*network.default_normalization} == {'mean', 'std', 'bgr_to_rgb'}
    assert all({*stage} == {'name', 'channels', 'stride', 'first_center'} for stage in network.feature_info)
    with torch.no_grad():
        found = network(torch.zeros(1, 3, 128, 128))
    assert tuple(feature.shape[1] for feature in found) == network.out_channels
    for feature, index in zip(found, network.out_indices, strict=True):
        assert abs(128 / feature.shape[-1] / network.feature_info[index]['stride'] - 1) < 0.5
        assert feature.is_contiguous(memory_format=torch.channels_last)  # Twice as fast on a processor.
    assert network.description


def test_mmengines_registry_loads_a_file_whole_or_refuses_it(tmp_path):
    source = GoogLeNet('batch_norm', width=0.125)
    torch.save(source.state_dict(), tmp_path / 'a.pth')
    target = GoogLeNet('batch_norm', width=0.125)
    initialize(target, dict(type='PretrainedWeights', checkpoint=str(tmp_path / 'a.pth')))
    assert all(torch.equal(value, target.state_dict()[key]) for key, value in source.state_dict().items())
    for other in (GoogLeNet('paper', width=0.125), BNInception()):
        other.init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'a.pth'))
        with pytest.raises(InputError, match=r'a\.pth: .*variant') as caught:
            other.init_weights()
        assert '\n' not in str(caught.value)
