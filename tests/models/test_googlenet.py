"""The backbone: its shapes, its variants, what training may change, and its place in MMDetection's own detectors."""

from __future__ import annotations

from pathlib import Path

import mmdet
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.testing import demo_mm_inputs
from mmdet.utils import register_all_modules
from mmengine.config import Config
from torch import nn

from det_inception.models import GoogLeNetClassifier
from det_inception.models.backbones.googlenet import STAGES, VARIANTS, GoogLeNet, LocalResponseNorm, scale_channels

ALL = (0, 1, 2, 3, 4)


def small(**options) -> GoogLeNet:
    torch.manual_seed(0)
    network = GoogLeNet(**dict(dict(width=0.25, out_indices=ALL), **options))
    network.init_weights()
    return network


def stage_sizes(size: int, variant: str) -> list[int]:
    """Height or width of the five stages: pooling in Caffe's ceil mode halves and rounds down (3x3) or up (2x2)."""
    if variant == 'tf_slim':  # TensorFlow's padding always rounds up.
        return [-(-size // 2**number) for number in range(1, 6)]
    conv1 = (size + 1) // 2
    sizes = [conv1, conv1 // 2, conv1 // 4, conv1 // 8]
    return [*sizes, sizes[-1] // 2 if VARIANTS[variant].last_pool == 3 else (sizes[-1] + 1) // 2]


# ------------------------------------------------------------------------------------------------------------ shapes


@pytest.mark.parametrize('variant', VARIANTS)
@pytest.mark.parametrize('size', [(224, 224), (97, 131), (31, 33)])
def test_features_have_the_channels_and_sizes_that_feature_info_states(variant, size):
    network = small(variant=variant).eval()
    with torch.no_grad():
        features = network(torch.randn(2, 3, *size))
    heights, widths = stage_sizes(size[0], variant), stage_sizes(size[1], variant)
    for feature, info, height, width in zip(features, network.feature_info, heights, widths):
        assert feature.shape == (2, info['channels'], height, width), info['name']


def test_full_width_has_the_channels_and_strides_of_the_paper():
    network = GoogLeNet(out_indices=ALL)
    names = ['conv1', 'conv2', 'inception3b', 'inception4e', 'inception5b']
    assert [info['name'] for info in network.feature_info] == names
    assert network.out_channels == (64, 192, 480, 832, 1024)
    assert [info['stride'] for info in network.feature_info] == [2, 4, 8, 16, 32]


def test_the_classifier_has_the_6998552_parameters_of_the_paper():
    classifier = GoogLeNetClassifier(num_classes=1000, backbone=dict(type='GoogLeNet'))
    assert sum(parameter.numel() for parameter in classifier.parameters()) == 6_998_552


@pytest.mark.parametrize('out_indices', [(0,), (4,), (1, 3), (1, 2, 3, 4), (3, 1)])
def test_out_indices_choose_stages_and_their_order(out_indices):
    images = torch.randn(1, 3, 64, 64)
    every = small().eval()
    some = small(out_indices=out_indices).eval()
    weights = every.state_dict()
    built = some.state_dict().keys()  # Stages behind the last one that is wanted are not built.
    behind = {name for _, names in STAGES[max(out_indices) + 1 :] for name in names}
    assert built == {key for key in weights if key.split('.')[0] not in behind}
    some.load_state_dict({key: weights[key] for key in built})
    with torch.no_grad():
        stages, features = every(images), some(images)
    assert some.out_channels == tuple(stages[index].size(1) for index in out_indices)
    for index, feature in zip(out_indices, features, strict=True):
        assert torch.equal(feature, stages[index])


@pytest.mark.parametrize(
    ('channels', 'width', 'expected'),
    [
        (64, 1, 64),
        (528, 1, 528),
        (64, 0.5, 32),
        (192, 0.3, 56),  # 57.6: to the nearest multiple of 8
        (16, 0.25, 8),  # 4, but 8 at least
    ],
)
def test_width_scales_channels_to_multiples_of_8(channels, width, expected):
    assert scale_channels(channels, width) == expected


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(variant='v3'), "no variant 'v3'"),
        (dict(out_indices=()), 'out_indices'),
        (dict(out_indices=(5,)), 'out_indices'),
        (dict(frozen_stages=5), 'frozen_stages'),
        (dict(width=0), 'width'),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        GoogLeNet(**options)


# -------------------------------------------------------------------------------------------------------------- LRN


@pytest.mark.parametrize('channels', [1, 3, 5, 64])
def test_lrn_equals_that_of_torch_in_value_and_gradient(channels):
    torch.manual_seed(1)
    inputs = [(torch.randn(2, channels, 5, 7, dtype=torch.float64) * 200).requires_grad_() for _ in range(2)]
    inputs[1].data.copy_(inputs[0].data)
    ours = LocalResponseNorm()(inputs[0])
    torchs = nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0)(inputs[1])
    weight = torch.randn_like(ours)
    (ours * weight).sum().backward()
    (torchs * weight).sum().backward()
    torch.testing.assert_close(ours, torchs)
    torch.testing.assert_close(inputs[0].grad, inputs[1].grad)


def test_lrn_does_not_overflow_in_half_precision():
    images = torch.full((1, 8, 2, 2), 1000.0)
    expected = LocalResponseNorm()(images)
    torch.testing.assert_close(LocalResponseNorm()(images.half()).float(), expected, rtol=5e-3, atol=0)


# --------------------------------------------------------------------------------------------------------- training


@pytest.mark.parametrize('variant', VARIANTS)
def test_random_weights_keep_the_signal_alive_through_5b(variant):
    torch.manual_seed(0)
    network = GoogLeNet(variant=variant, out_indices=ALL)
    network.init_weights()
    # What the public weights of each kind are fed: pixels less their mean, or values of about one.
    images = torch.randint(0, 256, (2, 3, 128, 128)) - 115.0 if variant == 'paper' else torch.randn(2, 3, 128, 128)
    with torch.no_grad():
        for feature, info in zip(network(images), network.feature_info):
            assert 0.1 < feature.std() < 100, info['name']
            assert 0.2 < (feature > 0).float().mean() < 0.8, info['name']


@pytest.mark.parametrize('variant', VARIANTS)
@pytest.mark.parametrize('frozen_stages', [-1, 1, 4])
def test_frozen_stages_alone_stay_as_they_are_through_a_training_step(variant, frozen_stages):
    network = small(variant=variant, frozen_stages=frozen_stages).train()
    frozen = tuple(f'{name}.' for _, names in STAGES[: frozen_stages + 1] for name in names)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    for name, parameter in network.named_parameters():
        assert parameter.requires_grad != name.startswith(frozen), name

    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    loss = sum(feature.square().mean() for feature in network(torch.randn(2, 3, 64, 64)))
    if learning:
        loss.backward()
        torch.optim.SGD(learning, lr=0.1).step()
    else:
        assert not loss.requires_grad

    changed = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    assert not {name for name in changed if name.startswith(frozen)}
    for name in before:
        if not name.startswith(frozen) and name.endswith(('conv.weight', 'running_mean', 'num_batches_tracked')):
            assert name in changed, name


def test_norm_eval_keeps_statistics_and_trains_parameters():
    network = small(variant='batch_norm', norm_eval=True).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    sum(feature.square().mean() for feature in network(torch.randn(2, 3, 64, 64))).backward()
    torch.optim.SGD(network.parameters(), lr=0.1).step()
    after = network.state_dict()
    for name in before:
        if name.endswith(('running_mean', 'running_var', 'num_batches_tracked')):
            assert torch.equal(before[name], after[name]), name
    assert not torch.equal(before['conv1.norm.weight'], after['conv1.norm.weight'])


def test_frozen_batch_norms_stay_frozen_after_evaluation_and_back():
    network = small(variant='batch_norm', frozen_stages=1)
    network.train().eval()
    network.train()
    assert not network.conv1.norm.training
    assert network.inception3a.conv_1x1.norm.training


@pytest.mark.parametrize('variant', VARIANTS)
@pytest.mark.parametrize('frozen_stages', [-1, 2])
def test_a_gradient_reaches_every_unfrozen_parameter(variant, frozen_stages):
    network = small(variant=variant, frozen_stages=frozen_stages, out_indices=(4,)).train()
    (features,) = network(torch.randn(4, 3, 64, 64))
    (features * torch.randn_like(features)).sum().backward()
    frozen = tuple(f'{name}.' for _, names in STAGES[: frozen_stages + 1] for name in names)
    for name, parameter in network.named_parameters():
        if name.startswith(frozen):
            assert parameter.grad is None, name
        else:
            assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


# ----------------------------------------------------------------------------------- in MMDetection's own detectors


@pytest.mark.parametrize(
    'config', ['faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py', 'retinanet/retinanet_r50_fpn_1x_coco.py']
)
def test_mmdetections_own_detectors_run_on_it(config):
    register_all_modules()
    torch.manual_seed(0)
    folder = Path(mmdet.__file__).parent / '.mim' / 'configs'
    cfg = Config.fromfile(folder / config)
    backbone = dict(_delete_=True, type='GoogLeNet', variant='batch_norm', out_indices=(1, 2, 3, 4))
    cfg.merge_from_dict(dict(model=dict(backbone=backbone, neck=dict(in_channels=[192, 480, 832, 1024]))))
    model = MODELS.build(cfg.model)
    model.init_weights()

    batch = demo_mm_inputs(1, [[3, 128, 128]], num_classes=80)
    losses = model(**model.data_preprocessor(batch, training=True), mode='loss')
    loss, _ = model.parse_losses(losses)
    loss.backward()
    assert loss.isfinite()
    for name, parameter in model.backbone.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name

    model.eval()
    with torch.no_grad():
        results = model(**model.data_preprocessor(batch, training=False), mode='predict')
    boxes = results[0].pred_instances.bboxes
    assert boxes.ndim == 2 and boxes.size(1) == 4 and boxes.isfinite().all()


@pytest.mark.parametrize('variant', ['batch_norm', 'torchvision'])
def test_where_the_first_cell_looks(variant):
    """The middle of what moves a cell: equal positive weights and mean pools spread its gradient evenly around it."""
    network = GoogLeNet(variant=variant, width=0.125, out_indices=(0, 1, 2, 3, 4)).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.constant_(module.weight, 1 / module.weight[0].numel())
        for name, child in module.named_children():
            if isinstance(child, torch.nn.MaxPool2d):
                mean = torch.nn.AvgPool2d(child.kernel_size, child.stride, child.padding, child.ceil_mode)
                setattr(module, name, mean)
    images = torch.ones(1, 3, 640, 640, requires_grad=True)
    for features, info in zip(network(images), network.feature_info):
        (seen,) = torch.autograd.grad(features[0, 0, 9, 9], images, retain_graph=True)
        weight = seen[0].sum(0)
        middle = float((weight.sum(0) * (torch.arange(640) + 0.5)).sum() / weight.sum())
        assert middle == pytest.approx(9 * info['stride'] + info['first_center'], abs=0.5)
    last = {'batch_norm': 30.5, 'torchvision': 22.5}[variant]
    assert network.first_center == last
    assert [info['first_center'] for info in network.feature_info] == [0.5, 2.5, 6.5, 14.5, last]
