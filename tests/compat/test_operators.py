"""The stand-ins for mmcv's operators against the papers' formulas, written out point by point.

Gradients are checked by finite differences; every operator is called as MMCV calls it, through ``mmcv.ops``.
"""

import functools
import math

import numpy as np
import pytest
import torch
from mmcv.ops import (
    CARAFE,
    DeformConv2d,
    DeformRoIPool,
    MaskedConv2d,
    ModulatedDeformConv2d,
    ModulatedDeformRoIPoolPack,
    MultiScaleDeformableAttention,
    RoIAlign,
    SyncBatchNorm,
    deform_conv2d,
    deform_roi_pool,
    modulated_deform_conv2d,
    roi_align,
    softmax_focal_loss,
)
from mmcv.ops.multi_scale_deform_attn import MultiScaleDeformableAttnFunction
from torch.nn.functional import conv2d, cross_entropy, pad

REAL = torch.float64
# Finite differences along random directions, instead of along every axis. A GPU adds up in an order of its own.
gradcheck = functools.partial(torch.autograd.gradcheck, fast_mode=True, nondet_tol=1e-9)


@pytest.fixture(autouse=True)
def seed(device):
    torch.manual_seed(0)


def value_at(plane, y, x, reach):
    """Bilinear value of a plane (H, W) at a point.

    Beyond the border the plane is 0 for convolutions (``reach`` 0); region operators keep its border's value for up to
    one pixel (``reach`` 1).
    """
    height, width = plane.shape
    if reach:
        if not (-1 <= y <= height and -1 <= x <= width):
            return 0.0
        y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    total = 0.0
    for row in (math.floor(y), math.floor(y) + 1):
        for column in (math.floor(x), math.floor(x) + 1):
            if 0 <= row < height and 0 <= column < width:
                total += plane[row, column].item() * max(0, 1 - abs(y - row)) * max(0, 1 - abs(x - column))
    return total


# ---------------------------------------------------------------------------------------- deformable convolutions


def plain_deform_conv(image, offset, mask, weight, bias, stride, padding, dilation, groups, deform_groups):
    """Equation 2 of arXiv 1703.06211 and equation 1 of arXiv 1811.11168."""
    images, channels, _, _ = image.shape
    out, per_group, kh, kw = weight.shape
    size = [(image.shape[2 + d] + 2 * padding - dilation * (weight.shape[2 + d] - 1) - 1) // stride + 1 for d in (0, 1)]
    result = torch.zeros(images, out, *size, dtype=image.dtype)
    for b, o, h, w in np.ndindex(*result.shape):
        total = 0.0 if bias is None else bias[o].item()
        for c, i, j in np.ndindex(per_group, kh, kw):
            source = o // (out // groups) * per_group + c
            tap = source // (channels // deform_groups) * kh * kw + i * kw + j
            y = h * stride - padding + i * dilation + offset[b, 2 * tap, h, w].item()
            x = w * stride - padding + j * dilation + offset[b, 2 * tap + 1, h, w].item()
            weighted = 1.0 if mask is None else mask[b, tap, h, w].item()
            total += weight[o, c, i, j].item() * weighted * value_at(image[b, source], y, x, 0)
        result[b, o, h, w] = total
    return result


@pytest.mark.parametrize(
    ('stride', 'padding', 'dilation', 'groups', 'deform_groups'),
    [(1, 1, 1, 1, 1), (2, 1, 1, 2, 1), (1, 2, 2, 1, 2), (2, 0, 1, 2, 2)],
)
def test_deformable_convolutions_equal_the_formula(stride, padding, dilation, groups, deform_groups):
    image, weight = torch.randn(2, 4, 5, 4, dtype=REAL), torch.randn(2, 4 // groups, 3, 3, dtype=REAL)
    size = conv2d(image, weight, None, stride, padding, dilation, groups).shape[2:]
    offset = 1.5 * torch.randn(2, deform_groups * 18, *size, dtype=REAL)
    mask, bias = torch.rand(2, deform_groups * 9, *size, dtype=REAL), torch.randn(2, dtype=REAL)
    settings = (stride, padding, dilation, groups, deform_groups)
    plain = plain_deform_conv(image, offset, None, weight, None, *settings)
    torch.testing.assert_close(deform_conv2d(image, offset, weight, *settings), plain)
    modulated = plain_deform_conv(image, offset, mask, weight, bias, *settings)
    torch.testing.assert_close(modulated_deform_conv2d(image, offset, mask, weight, bias, *settings), modulated)
    # Without offsets it is a convolution.
    torch.testing.assert_close(
        deform_conv2d(image, torch.zeros_like(offset), weight, *settings),
        conv2d(image, weight, None, stride, padding, dilation, groups),
    )


def test_gradients_of_deformable_convolutions():
    image, weight = torch.randn(2, 2, 4, 4, dtype=REAL), torch.randn(3, 2, 3, 3, dtype=REAL)
    offset, mask = torch.randn(2, 18, 4, 4, dtype=REAL), torch.rand(2, 9, 4, 4, dtype=REAL)
    bias = torch.randn(3, dtype=REAL)
    leaves = [tensor.requires_grad_() for tensor in (image, offset, weight)]
    assert gradcheck(lambda i, o, w: deform_conv2d(i, o, w, 1, 1), leaves)
    leaves = [tensor.requires_grad_() for tensor in (image, offset, mask, weight, bias)]
    assert gradcheck(lambda i, o, m, w, b: modulated_deform_conv2d(i, o, m, w, b, 1, 1), leaves)
    assert gradcheck(lambda i, o, m, w: modulated_deform_conv2d(i, o, m, w, None, 1, 1), leaves[:4])


def test_offsets_of_another_size_are_read_one_after_the_other():
    """DyHead takes the offsets of one level for the next smaller one; MMCV reads their first numbers."""
    image, weight = torch.randn(2, 2, 4, 4, dtype=REAL), torch.randn(3, 2, 3, 3, dtype=REAL)
    offset, mask = torch.randn(2, 18, 4, 4, dtype=REAL), torch.rand(2, 9, 4, 4, dtype=REAL)
    small = [tensor.flatten(1)[:, : tensor.shape[1] * 4].view(2, -1, 2, 2) for tensor in (offset, mask)]
    expected = modulated_deform_conv2d(image, *small, weight, None, 2, 1)
    torch.testing.assert_close(modulated_deform_conv2d(image, offset, mask, weight, None, 2, 1), expected)
    leaves = [tensor.requires_grad_() for tensor in (offset, mask)]
    assert gradcheck(lambda o, m: modulated_deform_conv2d(image, o, m, weight, None, 2, 1), leaves)
    with pytest.raises(ValueError, match='needs 288 offsets or masks per image and gets 72'):
        modulated_deform_conv2d(image, small[0].detach(), small[1].detach(), weight, None, 1, 1)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_layers_in_half_precision(device, dtype):
    image = torch.randn(1, 4, 6, 6)
    # MMCV makes weights on the processor.
    plain, modulated = (one(4, 4, 3, padding=1).to(device) for one in (DeformConv2d, ModulatedDeformConv2d))
    offset, mask = torch.randn(1, 18, 6, 6), torch.rand(1, 9, 6, 6)
    for layer, more in ((plain, (offset,)), (modulated, (offset, mask))):
        whole = layer(image, *more)
        half = layer.to(dtype)(image.to(dtype), *(tensor.to(dtype) for tensor in more))
        assert half.dtype == dtype
        torch.testing.assert_close(half.float(), whole, atol=0.1, rtol=0.05)
        half.sum().backward()
        assert layer.weight.grad.dtype == dtype and layer.weight.grad.abs().sum() > 0


# -------------------------------------------------------------------------------------------------------- regions


ROIS = [[0, 0.5, 1.2, 6.3, 7.1], [1, 2, 0, 7.5, 4], [0, -3, -4, 2, 12], [1, 3, 3, 3, 3]]


@pytest.fixture
def rois(device):
    return torch.tensor(ROIS, dtype=REAL)


def plain_regions(image, offset, reduce, size, scale, ratio, gamma=0.0, aligned=True):
    """Section 3 of arXiv 1703.06870; with offsets, equation 5 of arXiv 1703.06211."""
    result = torch.zeros(len(ROIS), image.shape[1], size, size, dtype=image.dtype)
    for r, c, i, j in np.ndindex(*result.shape):
        x1, y1, x2, y2 = (edge * scale - 0.5 * aligned for edge in ROIS[r][1:])
        width, height = (x2 - x1, y2 - y1) if aligned else (max(x2 - x1, 1), max(y2 - y1, 1))
        rows, columns = (ratio or math.ceil(extent / size) for extent in (height, width))
        if offset is not None:
            x1, y1 = x1 + gamma * width * offset[r, 0, i, j].item(), y1 + gamma * height * offset[r, 1, i, j].item()
        values = [
            value_at(
                image[ROIS[r][0], c],
                y1 + (i + (a + 0.5) / rows) * height / size,
                x1 + (j + (b + 0.5) / columns) * width / size,
                1,
            )
            for a in range(rows)
            for b in range(columns)
        ]
        result[r, c, i, j] = reduce(values) if values else torch.finfo(torch.float32).min if reduce is max else 0
    return result


@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('ratio', [0, 2])
def test_roi_align_with_the_maximum(rois, ratio, aligned):
    image = torch.rand(2, 2, 9, 8, dtype=REAL)
    expected = plain_regions(image, None, max, 3, 0.9, ratio, aligned=aligned)
    torch.testing.assert_close(roi_align(image, rois, 3, 0.9, ratio, 'max', aligned), expected)
    image.requires_grad_()
    assert gradcheck(lambda x: roi_align(x, rois[:3], 3, 0.9, ratio, 'max', aligned), (image,))


def test_roi_align_with_the_maximum_in_half_precision_and_without_regions():
    layer, image = RoIAlign(2, 1.0, 2, pool_mode='max'), torch.full((1, 3, 20, 20), 2.5, dtype=torch.float16)
    crops = layer(image, torch.tensor([[0, 3, 3, 15, 11]], dtype=torch.float16))
    assert crops.dtype == torch.float16 and torch.all(crops == 2.5)
    assert layer(image, torch.zeros(0, 5, dtype=torch.float16)).shape == (0, 3, 2, 2)
    assert layer(image.bfloat16(), torch.zeros(1, 5, dtype=torch.bfloat16)).isfinite().all()


@pytest.mark.parametrize('ratio', [0, 2])
def test_deformable_roi_pooling(rois, ratio):
    image, offset = torch.rand(2, 2, 9, 8, dtype=REAL), torch.randn(len(ROIS), 2, 3, 3, dtype=REAL)

    def mean(values):
        return sum(values) / len(values)

    expected = plain_regions(image, None, mean, 3, 0.9, ratio)
    torch.testing.assert_close(deform_roi_pool(image, rois, None, 3, 0.9, ratio), expected)
    expected = plain_regions(image, offset, mean, 3, 0.9, ratio, gamma=0.2)
    torch.testing.assert_close(deform_roi_pool(image, rois, offset, 3, 0.9, ratio, 0.2), expected)
    leaves = (image.requires_grad_(), offset.requires_grad_())
    assert gradcheck(lambda x, o: deform_roi_pool(x, rois, o, 3, 0.9, ratio, 0.2), leaves)


def test_layers_of_deformable_roi_pooling_train():
    image, rois = torch.rand(1, 2, 9, 8, requires_grad=True), torch.tensor([[0, 1.0, 1, 6, 7]])
    ModulatedDeformRoIPoolPack(3, 2, 8, sampling_ratio=2)(image, rois).sum().backward()
    assert image.grad.abs().sum() > 0
    assert DeformRoIPool(3)(image, rois[:0]).shape == (0, 2, 3, 3)


# ----------------------------------------------------------------------------------------- masked layers and CARAFE


def test_masked_convolution_computes_where_the_mask_is():
    layer, image = MaskedConv2d(3, 4, 3, padding=1), torch.randn(1, 3, 7, 6)
    mask = (torch.rand(1, 7, 6) > 0.6).float()
    with torch.no_grad():
        torch.testing.assert_close(layer(image, mask), layer(image) * mask)
        assert not layer(image, torch.zeros(1, 7, 6)).any()


@pytest.mark.parametrize(('kernel', 'groups', 'scale'), [(3, 1, 2), (5, 2, 2), (1, 1, 3)])
def test_carafe(kernel, groups, scale):
    """Equation 5 of arXiv 1905.02188."""
    image = torch.randn(2, 4, 3, 4, dtype=REAL)
    masks = torch.rand(2, groups * kernel**2, 3 * scale, 4 * scale, dtype=REAL)
    expected, padded = torch.zeros(2, 4, 3 * scale, 4 * scale, dtype=REAL), pad(image, (kernel // 2,) * 4)
    for b, c, h, w in np.ndindex(*expected.shape):
        window = padded[b, c, h // scale : h // scale + kernel, w // scale : w // scale + kernel]
        group = c // (4 // groups)
        weights = masks[b, group * kernel**2 : (group + 1) * kernel**2, h, w].view(kernel, kernel)
        expected[b, c, h, w] = (window * weights).sum()
    layer = CARAFE(kernel, groups, scale)
    torch.testing.assert_close(layer(image, masks), expected)
    assert layer(image[:0], masks[:0]).shape == (0, *expected.shape[1:])
    assert gradcheck(layer, (image[:1].requires_grad_(), masks[:1].requires_grad_()))


# ------------------------------------------------------------------------------------------------------- attention


def test_deformable_attention():
    """Equation 3 of arXiv 2010.04159."""
    shapes = torch.tensor([[4, 5], [2, 3]])
    values = torch.randn(2, 26, 2, 3, dtype=REAL)
    places = torch.rand(2, 4, 2, 2, 3, 2, dtype=REAL) * 1.4 - 0.2
    weights = torch.rand(2, 4, 2, 2, 3, dtype=REAL)
    expected = torch.zeros(2, 4, 2, 3, dtype=REAL)
    for b, q, a, d in np.ndindex(*expected.shape):
        start = 0
        for level, (height, width) in enumerate(shapes.tolist()):
            plane = values[b, start : start + height * width, a, d].view(height, width)
            start += height * width
            for point in range(3):
                x, y = places[b, q, a, level, point].tolist()
                value = value_at(plane, y * height - 0.5, x * width - 0.5, 0)
                expected[b, q, a, d] += weights[b, q, a, level, point] * value
    start = torch.tensor([0, 20])
    apply = MultiScaleDeformableAttnFunction.apply
    torch.testing.assert_close(apply(values, shapes, start, places, weights, 64), expected.flatten(2))
    leaves = [tensor.requires_grad_() for tensor in (values, places, weights)]
    assert gradcheck(lambda v, p, w: apply(v, shapes, start, p, w, 64), leaves)
    half = apply(values.half(), shapes, start, places.half(), weights.half(), 64)
    assert half.dtype == torch.float16
    torch.testing.assert_close(half.double(), expected.flatten(2), atol=0.03, rtol=0.03)


def test_the_layer_of_deformable_attention_trains():
    layer = MultiScaleDeformableAttention(embed_dims=16, num_heads=2, num_levels=2, num_points=2, batch_first=True)
    shapes, queries = torch.tensor([[4, 5], [2, 3]]), torch.randn(1, 6, 16)
    memory = torch.randn(1, 26, 16, requires_grad=True)
    out = layer(
        queries,
        value=memory,
        reference_points=torch.rand(1, 6, 2, 2),
        spatial_shapes=shapes,
        level_start_index=torch.tensor([0, 20]),
    )
    out.sum().backward()
    assert out.shape == queries.shape and memory.grad.abs().sum() > 0


# ------------------------------------------------------------------------------------------- losses and batch norm


def test_softmax_focal_loss():
    logits, target = torch.randn(6, 4, dtype=REAL), torch.tensor([0, 3, 1, -1, 2, 0])
    weight = torch.rand(4, dtype=REAL)
    p = logits.softmax(1)
    expected = [-0.25 * weight[t] * (1 - p[n, t]) ** 2 * p[n, t].log() if t >= 0 else 0.0 for n, t in enumerate(target)]
    loss = softmax_focal_loss(logits.clone(), target, 2.0, 0.25, weight, 'none')
    torch.testing.assert_close(loss, torch.tensor(expected, dtype=REAL))
    logits.requires_grad_()
    for gamma in (2.0, 0.5):
        assert gradcheck(lambda x, gamma=gamma: softmax_focal_loss(x, target, gamma, 0.25, weight, 'sum'), (logits,))
    plain = softmax_focal_loss(logits, target, 0.0, 1.0, None, 'sum')
    torch.testing.assert_close(plain, cross_entropy(logits, target, ignore_index=-1, reduction='sum'))


@pytest.fixture
def one_process(tmp_path):
    torch.distributed.init_process_group('gloo', f'file://{tmp_path}/store', rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


def test_synchronized_batch_norm_of_one_process_is_batch_norm(device, one_process):
    mine, theirs = SyncBatchNorm(3).to(device), torch.nn.BatchNorm2d(3)
    for layer in (mine, theirs):
        torch.manual_seed(1)
        torch.nn.init.normal_(layer.weight), torch.nn.init.normal_(layer.bias)
    mine_in = torch.randn(4, 3, 5, 6, requires_grad=True)
    their_in = mine_in.detach().clone().requires_grad_()
    grad = torch.randn(4, 3, 5, 6)
    for layer, image in ((mine, mine_in), (theirs, their_in)):
        layer.train()(image).backward(grad)
    torch.testing.assert_close(mine(mine_in), theirs(their_in))
    torch.testing.assert_close(mine_in.grad, their_in.grad, atol=1e-5, rtol=1e-4)
    for name in ('weight', 'bias'):
        torch.testing.assert_close(getattr(mine, name).grad, getattr(theirs, name).grad, atol=1e-5, rtol=1e-4)
    for name in ('running_mean', 'running_var'):
        torch.testing.assert_close(getattr(mine, name), getattr(theirs, name))
