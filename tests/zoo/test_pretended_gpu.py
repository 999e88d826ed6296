"""The pretended GPU computes as the processor does, and refuses what a GPU would; the project's detectors run there."""

import numpy as np
import pytest
import torch
from mmdet.models import FCOSHead
from mmengine.structures import InstanceData
from torch import nn
from torchvision.ops import nms, roi_align

from det_inception.config.loading import load_config
from det_inception.zoo.configs import without_weights
from det_inception.zoo.pretended_gpu import PLACE, PRETENDED, pretended_gpu
from det_inception.zoo.trial import run

VALUES = torch.arange(12.0).reshape(3, 4) - 5


def written(values):
    values = values.clone()
    values[1] = 7
    values[:, [0, 2]] += 1
    values.mul_(2).clamp_(max=9)
    return values


COMPUTATIONS = dict(
    arithmetic=lambda x: (x + 1) * x.new_tensor([1.0, 2, 3, 4]) / torch.tensor(2.0),
    written=written,
    picked=lambda x: x[:, [3, 1]] + x[range(3), 0][:, None] + x[torch.tensor([2, 0, 1])][:, 1:3] + x[:, []].sum(),
    masked=lambda x: x[x > 0],
    numbers=lambda x: torch.tensor([x[0, 0], x[1, 1] * 2], device=x.device) + x.sum().item() + len(x.tolist()),
    made=lambda x: torch.cat([torch.ones(2, 4, device=x.device), torch.zeros_like(x), x.new_full((1, 4), 3), x]),
    parts=lambda x: x.split([1, 2])[1].unbind(1)[2],
    regions=lambda x: roi_align(x[None, None], x.new_tensor([[0, 0, 0, 3, 2]]), 2),
    suppressed=lambda x: nms(x.abs().cumsum(1), x[:, 0], 0.5),
    instances=lambda x: InstanceData(boxes=x)[x[:, 0] > -4][torch.zeros(1, device=x.device).long()].boxes,
    turned=lambda x: (x > 0).nonzero().t_(),
    typed=lambda x: x * isinstance(x, (torch.FloatTensor, torch.cuda.FloatTensor)),
)


@pytest.mark.parametrize('compute', COMPUTATIONS.values(), ids=COMPUTATIONS)
def test_computes_as_the_processor(compute):
    expected = compute(VALUES)
    with pretended_gpu() as place:
        found = compute(VALUES.to(place))
        assert found.device == place and found.dtype == expected.dtype
        assert torch.equal(found.cpu(), expected)


def test_gradients_are_the_processor_s():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2))
    images = torch.rand(2, 3, 8, 8)
    network(images).square().sum().backward()
    expected = [one.grad.clone() for one in network.parameters()]
    network.zero_grad()
    with pretended_gpu() as place:
        network.to(place)
        network(images.to(place)).square().sum().backward()
        for one, other in zip(network.parameters(), expected, strict=True):
            assert one.device == one.grad.device == place and torch.equal(one.grad.cpu(), other)


REFUSED = dict(
    two_devices=(lambda x: x + VALUES, RuntimeError, 'found two, the GPU and the CPU'),
    written_across=(lambda x: VALUES.clone().add_(x), RuntimeError, 'found two'),
    a_list_of_both=(lambda x: torch.cat([x, VALUES]), RuntimeError, 'found two'),
    weights_elsewhere=(nn.Linear(4, 2), RuntimeError, 'found two'),
    values_put=(lambda x: x.index_put_((torch.tensor([0]),), VALUES[:1]), RuntimeError, 'found two'),
    index_of_the_gpu=(lambda x: VALUES[x[:, 0] > 0], RuntimeError, 'should be on the processor'),
    to_numpy=(lambda x: x.numpy(), TypeError, 'use Tensor.cpu'),
    to_array=(np.asarray, TypeError, 'use Tensor.cpu'),
    without_content=(lambda x: x + torch.Tensor.new_tensor(x, [1.0]), NotImplementedError, 'without content'),
    another_shape=(lambda x: x.unsqueeze_(0), NotImplementedError, 'changes the shape in place'),
)


@pytest.mark.parametrize(('compute', 'error', 'message'), REFUSED.values(), ids=REFUSED)
def test_refuses_as_a_gpu(compute, error, message):
    with pretended_gpu() as place, pytest.raises(error, match=message):
        compute(VALUES.to(place))


def test_what_passes_between_the_devices():
    with pretended_gpu() as place:
        there = VALUES.to(place)
        assert torch.equal((there + torch.tensor(1.0)).cpu(), VALUES + 1)  # A number may lie anywhere.
        assert torch.equal(there.clone().copy_(VALUES * 2).cpu(), VALUES * 2)
        assert torch.equal(torch.empty(3, 4).copy_(there), VALUES)
        with torch.autocast(there.device.type, torch.bfloat16):
            assert (there @ there.T).device == place
        with place:
            assert torch.tensor([2]).device == torch.zeros(1).device == torch.as_tensor([1]).device == place
    assert torch.tensor([1.0]).device.type == 'cpu'  # As ever behind it.
    assert torch.zeros(1, device=PLACE).is_meta and torch.autocast.__module__.startswith('torch')


def settings(name):
    """A detector's, without weights; its images are not normalized by those."""
    model = without_weights(load_config(name, options=dict(classes=['cat', 'dog'])).model.to_dict())
    model['data_preprocessor'].update(mean=[0, 0, 0], std=[1, 1, 1], bgr_to_rgb=False)
    return model


@pytest.mark.parametrize(
    'name', ['rcnn_mini', 'fast-rcnn_voc2007', 'faster-rcnn_voc2007', 'retinanet_voc', 'yolox_voc']
)
def test_the_project_s_detectors_run(name):
    result = run(settings(f'googlenet_{name}'), PRETENDED)
    assert result['steps'] == ['build', 'loss', 'backward', 'predict'], result


def test_a_tensor_that_stays_behind_is_found(monkeypatch):
    forward = FCOSHead.forward_single
    model = settings('googlenet_fcos_voc')
    assert 'error' not in run(model, PRETENDED)
    monkeypatch.setattr(
        FCOSHead, 'forward_single', lambda head, x, *more: forward(head, x + torch.zeros(1, 1, 1, 1), *more)
    )
    assert 'error' not in run(model)
    assert 'found two, the GPU and the CPU' in run(model, PRETENDED)['error']
