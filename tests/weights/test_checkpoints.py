"""Reading checkpoints safely, and loading them whole or not at all."""

import os

import pytest
import torch
from torch import nn

from det_inception.weights.checkpoints import (
    checkpoint_classes,
    load_detector,
    read_checkpoint,
    require_overlap,
)
from det_inception.weights.files import CheckpointError


class Net(nn.Module):
    def __init__(self, classes=3):
        super().__init__()
        self.backbone = nn.Linear(4, 5)
        self.bbox_head = nn.ModuleDict({'fc_cls': nn.Linear(5, classes)})


def save(path, **content):
    torch.save(content, path)
    return path


def test_loads_every_layer(tmp_path):
    source, target = Net(), Net()
    path = save(tmp_path / 'a.pth', state_dict=source.state_dict(), meta=dict(dataset_meta=dict(classes=['x', 'y'])))
    content = load_detector(target, path)
    assert all(torch.equal(weight, source.state_dict()[name]) for name, weight in target.state_dict().items())
    assert checkpoint_classes(content) == ('x', 'y')


def test_loads_into_a_wrapped_model(tmp_path):
    source = Net()
    path = save(tmp_path / 'a.pth', state_dict=source.state_dict())
    target = nn.DataParallel(Net())
    content = load_detector(target, path)
    assert torch.equal(target.module.backbone.weight.cpu(), source.backbone.weight)
    assert checkpoint_classes(content) is None


def without(state_dict, name):
    return {key: value for key, value in state_dict.items() if key != name}


@pytest.mark.parametrize(
    'given, said',
    [
        (lambda net: {'layer1.weight': torch.ones(1)}, "none of its 1 entries belongs to the config's Net"),
        (lambda net: {}, 'none of its 0 entries'),
        (lambda net: without(net.state_dict(), 'backbone.bias'), r'lacks 1 and has 0 .*\(first: backbone\.bias\)'),
        (lambda net: {**net.state_dict(), 'extra': torch.ones(1)}, r'lacks 0 and has 1 .*\(first: extra\)'),
        (lambda net: Net(classes=7).state_dict(), r'\(7, 5\) in .* \(3, 5\) .* \(another number of classes\)'),
    ],
)
def test_what_does_not_fit_changes_nothing(given, said, tmp_path):
    net = Net()
    before = {name: weight.clone() for name, weight in net.state_dict().items()}
    path = save(tmp_path / 'other.pth', state_dict=given(net))
    with pytest.raises(CheckpointError, match=said) as caught:
        load_detector(net, path)
    assert str(caught.value).startswith(f'{path}: ') and '\n' not in str(caught.value)
    assert all(torch.equal(weight, before[name]) for name, weight in net.state_dict().items())


def test_overlap(tmp_path):
    net = Net()
    require_overlap(net, 'a.pth', dict(state_dict={'backbone.weight': torch.ones(9, 9)}))
    with pytest.raises(CheckpointError, match='checkpoint of another kind'):
        require_overlap(net, 'a.pth', dict(state_dict={'weight': torch.ones(9, 9)}))


class Harmful:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_code_is_not_run(tmp_path):
    target = tmp_path / 'made by the checkpoint'
    path = save(tmp_path / 'a.pth', state_dict={}, extra=Harmful(target))
    with pytest.raises(CheckpointError, match=r'holds \w+\.mkdir, which could run code'):
        read_checkpoint(path)
    assert not target.exists()
    # MMEngine would run this one when it resumes.
    path = save(tmp_path / 'b.pth', state_dict={}, meta=dict(config=f'import os; os.mkdir({str(target)!r})'))
    with pytest.raises(CheckpointError, match='could run code'):
        read_checkpoint(path)
    assert not target.exists()


@pytest.mark.parametrize(
    'content, said',
    [
        (b'', 'is empty'),
        (b'no checkpoint', 'damaged or'),
        (b'PK\3\4no archive', 'damaged or'),
        ([1, 2], 'holds no "state_dict"'),
        ({'weight': torch.ones(1)}, 'holds no "state_dict"'),
        ({'state_dict': {'weight': 'heavy'}}, 'holds no "state_dict"'),
        ({'state_dict': {}, 'meta': 'text'}, 'could run code'),
    ],
)
def test_no_checkpoints(content, said, tmp_path):
    path = tmp_path / 'a.pth'
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    with pytest.raises(CheckpointError, match=said) as caught:
        read_checkpoint(path)
    assert str(caught.value).startswith(f'{path}: ') and '\n' not in str(caught.value)


def test_missing_and_truncated(tmp_path):
    with pytest.raises(CheckpointError, match='no such checkpoint'):
        read_checkpoint(tmp_path / 'none.pth')
    with pytest.raises(CheckpointError, match='no such checkpoint'):
        read_checkpoint(tmp_path)
    path = save(tmp_path / 'a.pth', state_dict=Net().state_dict())
    whole = path.read_bytes()
    for share in (0.1, 0.5, 0.95):
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(CheckpointError, match='download or write it again'):
            read_checkpoint(path)
