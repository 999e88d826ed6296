"""Regions of a map: against torchvision's RoIAlign, MMDetection's head, and themselves in chunks and other engines."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmcv.ops import RoIAlign
from mmdet.models.roi_heads import StandardRoIHead
from mmengine.config import Config
from tiny_detectors import CHANNELS, WIDTH, shared_head_config
from torchvision.ops import roi_align

from det_inception.inference.acceleration import accelerate, make_engine
from det_inception.models.layers.region_align import differentiable_region_align, region_align
from det_inception.registry import MODELS

ROOT = Path(__file__).resolve().parents[2]


def some_rois(count: int, images: int, reach: float, generator: np.random.Generator) -> torch.Tensor:
    """Rois (R, 5), some of which leave the image or are empty."""
    corners = generator.uniform(-0.2 * reach, 1.2 * reach, (count, 2, 2))
    corners[: count // 8, 1] = corners[: count // 8, 0]
    number = generator.integers(0, images, (count, 1))
    return torch.tensor(np.concatenate([number, corners.min(1), corners.max(1)], 1), dtype=torch.float32)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    height=st.integers(1, 20),
    width=st.integers(1, 20),
    side=st.integers(1, 8),
    samples=st.integers(1, 3),
    stride=st.sampled_from([1, 4, 16]),
)
def test_the_same_numbers_as_torchvision(seed, height, width, side, samples, stride):
    generator = np.random.default_rng(seed)
    features = torch.tensor(generator.normal(size=(2, 5, height, width)), dtype=torch.float32)
    rois = some_rois(24, 2, stride * max(height, width), generator)
    expected = RoIAlign(side, 1 / stride, samples)(features, rois)
    found = region_align(features, rois, side, 1 / stride, samples)
    assert found.is_contiguous(memory_format=torch.channels_last) or 1 in found.shape
    torch.testing.assert_close(found, expected, atol=2e-4, rtol=0)  # Places are float32 there, float64 here.


def test_no_regions():
    assert region_align(torch.zeros(1, 5, 3, 3), torch.zeros(0, 5), 7, 1.0, 2).shape == (0, 5, 7, 7)


def head(kind: str, with_reg: bool = True, **more) -> StandardRoIHead:
    torch.manual_seed(0)
    selection = dict(score_thr=0.0, nms=dict(type='nms', iou_threshold=0.3), max_per_img=-1, chunk_size=10)
    settings = dict(shared_head_config(with_reg, test_cfg=selection, **more), type=kind)
    found = MODELS.build(settings).eval()
    for module in found.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
        elif isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.1, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    for layer in (found.bbox_head.fc_cls, found.bbox_head.fc_reg) if with_reg else (found.bbox_head.fc_cls,):
        torch.nn.init.normal_(layer.weight, std=0.1)
    return found


@pytest.fixture(scope='module')
def seen():
    """A map (2, C, 20, 30), and regions (27, 5) of the two images."""
    generator = np.random.default_rng(1)
    features = torch.tensor(generator.normal(size=(2, CHANNELS, 20, 30)), dtype=torch.float32).relu()
    return features, some_rois(27, 2, 400, generator)


def answers(model, features, rois):
    with torch.no_grad():
        results = model._bbox_forward((features,), rois)
    return results['cls_score'], results['bbox_pred']


@pytest.mark.parametrize('with_reg', [True, False])
def test_as_mmdetection_has_it(with_reg, seen):
    expected, found = (answers(head(kind, with_reg), *seen) for kind in ('StandardRoIHead', 'SharedRoIHead'))
    torch.testing.assert_close(found[0], expected[0], atol=1e-3, rtol=1e-3)
    assert expected[0].std() > 0.1
    if with_reg:
        torch.testing.assert_close(found[1], expected[1], atol=1e-3, rtol=1e-3)
    else:
        assert found[1] is None


def test_gradients_reach_the_map(seen):
    features = seen[0].clone().requires_grad_()
    results = head('SharedRoIHead').train()._bbox_forward((features,), seen[1])
    results['cls_score'].sum().backward()
    assert features.grad.abs().sum() > 0


def test_gradients_are_torchvisions(device):
    torch.manual_seed(3)
    features = torch.randn(3, 5, 13, 17)
    corners = torch.rand(40, 2) * 260 - 30
    sides = torch.rand(40, 2) * 200
    images = torch.randint(0, 3, (40, 1)).float()
    rois = torch.cat([images, corners, corners + sides], 1)
    weights = torch.randn(40, 5, 7, 7)
    cut, gradients = [], []
    for align in (
        lambda x: differentiable_region_align(x, rois, 7, 1 / 16, 2),
        lambda x: roi_align(x, rois, 7, 1 / 16, 2, aligned=True),
    ):
        x = features.clone().requires_grad_()
        cut.append(align(x))
        (cut[-1] * weights).sum().backward()
        gradients.append(x.grad)
    torch.testing.assert_close(*cut, atol=1e-5, rtol=0)
    torch.testing.assert_close(*gradients, atol=1e-4, rtol=0)


def test_no_region_has_no_gradient():
    features = torch.randn(1, 5, 13, 17, requires_grad=True)
    cut = differentiable_region_align(features, torch.zeros(0, 5), 7, 1 / 16, 2)
    cut.sum().backward()
    assert cut.shape == (0, 5, 7, 7) and not features.grad.any()


@pytest.mark.parametrize('learning', [False, True])
def test_mixed_precision_moves_no_corner(learning, seen):
    """In bfloat16, 600 and 602 are the same number."""
    features, rois = seen[0].bfloat16(), seen[1]
    model = head('SharedRoIHead')
    cut = []

    def classify(regions):
        cut.append(regions)
        return regions[:, :4, 0, 0], None

    model.classify_regions = classify
    with torch.autocast('cpu', dtype=torch.bfloat16), torch.set_grad_enabled(learning):
        model._bbox_forward((features,), rois)
    expected = RoIAlign(7, 1 / 16, 2)(features.float(), rois)
    torch.testing.assert_close(torch.cat(cut), expected, atol=2e-4, rtol=0)


@pytest.mark.parametrize('learning', [False, True])
def test_regions_are_where_the_cells_look(learning):
    """On a map that holds the places at which its cells look, a region's mean is its middle."""
    x, y = 16 * torch.arange(30.0) + 14.5, 16 * torch.arange(20.0) + 14.5
    features = torch.stack([x.expand(20, 30), y[:, None].expand(20, 30)])[None].repeat(1, CHANNELS // 2, 1, 1)
    rois = torch.tensor([[0, 50.0, 60, 130, 100], [0, 200, 31, 431, 300], [0, 33, 40, 49, 72]])
    before = rois.clone()
    model = head('SharedRoIHead', first_center=14.5)
    model.classify_regions = lambda regions: (regions[:, :2].mean((2, 3)), None)
    with torch.set_grad_enabled(learning):
        middles = model._bbox_forward((features,), rois)['cls_score']
    torch.testing.assert_close(middles, (rois[:, 1:3] + rois[:, 3:]) / 2, atol=1e-3, rtol=0)
    assert torch.equal(rois, before)


@pytest.mark.parametrize('name', ['fast', 'faster'])
def test_configs_know_where_the_cells_look(name):
    model = MODELS.build(Config.fromfile(ROOT / f'configs/googlenet_{name}-rcnn.py').model)
    (info,) = [info for info in model.backbone.feature_info if info['stride'] == 16]
    assert model.roi_head.first_center == info['first_center'] == 14.5
    if name == 'faster':
        anchors = model.rpn_head.prior_generator.grid_priors([(3, 4)], device='cpu')[0].view(3, 4, 15, 4)
        middles = (anchors[..., :2] + anchors[..., 2:]) / 2
        torch.testing.assert_close(middles[2, 3], torch.tensor([3 * 16 + 14.5, 2 * 16 + 14.5]).expand(15, 2))


@pytest.mark.parametrize(
    'engine, precision, tolerance', [('eager', 'float32', 1e-4), ('fused', 'float32', 1e-4), ('fused', 'bfloat16', 0.2)]
)
def test_engines(engine, precision, tolerance, seen):
    model = head('SharedRoIHead')
    expected = answers(model, *seen)
    model.engine = make_engine(model, engine, precision)
    for found, wanted in zip(answers(model, *seen), expected):
        assert (found - wanted).abs().max() < tolerance * max(1, wanted.abs().max())


def test_openvino(seen):
    pytest.importorskip('openvino')
    pytest.importorskip('onnxruntime')
    pytest.importorskip('onnxscript')
    model = head('SharedRoIHead')
    expected = answers(model, *seen)
    model.engine = make_engine(model, 'openvino', 'float32')
    for found, wanted in zip(answers(model, *seen), expected):
        torch.testing.assert_close(found, wanted, atol=1e-3, rtol=1e-3)


def test_a_whole_detector_is_accelerated():
    """The map too goes through a fused copy, and comes out the same."""
    torch.manual_seed(0)
    model = torch.nn.Module()
    model.backbone = MODELS.build(dict(type='GoogLeNet', variant='batch_norm', width=WIDTH, out_indices=(3,))).eval()
    model.roi_head = head('SharedRoIHead')
    images = torch.rand(1, 3, 96, 128)
    with torch.no_grad():
        (expected,) = model.backbone(images)
        assert accelerate(model, 'fused:float32').startswith('fused, float32')
        (found,) = model.backbone(images)
    assert model.roi_head.engine is not None
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
