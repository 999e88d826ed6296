"""Depthwise convolutions: their quick gradients against PyTorch's own."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from det_inception.models.layers.depthwise import depthwise, quick_gradients, weight_gradient


@st.composite
def convolutions(draw):
    kernel = draw(st.tuples(st.integers(1, 7), st.integers(1, 7)))
    stride, padding = (draw(st.tuples(*[st.integers(low, 3)] * 2)) for low in (1, 0))
    size = [max(1, side - 2 * border) + draw(st.integers(0, 8)) for side, border in zip(kernel, padding, strict=True)]
    images, channels, seed = draw(st.integers(1, 3)), draw(st.integers(2, 6)), draw(st.integers(0, 99))
    return (images, channels, *size), kernel, dict(stride=stride, padding=padding), draw(st.booleans()), seed


def leaves(shape, kernel, bias, seed, **how):
    torch.manual_seed(seed)
    values = torch.randn(shape), torch.randn(shape[1], 1, *kernel), torch.randn(shape[1]) if bias else None
    return [value if value is None else value.to(**how).requires_grad_() for value in values]


@settings(max_examples=150, deadline=None)
@given(convolutions())
def test_gradients_are_those_of_pytorch(case):
    shape, kernel, how, bias, seed = case
    ours, theirs = (leaves(shape, kernel, bias, seed, dtype=torch.float64) for _ in range(2))
    found = depthwise(*ours, **how, groups=shape[1])
    wanted = torch.conv2d(*theirs, **how, groups=shape[1])
    assert torch.equal(found, wanted)
    gradient = torch.randn_like(wanted)
    found.backward(gradient)
    wanted.backward(gradient)
    for mine, other in zip(ours, theirs, strict=True):
        assert (mine is None and other is None) or torch.allclose(mine.grad, other.grad, atol=1e-9)


@pytest.mark.parametrize('kernel', [3, 5, 7])
@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('layout', [torch.channels_last, torch.contiguous_format])
def test_gradients_in_mixed_precision(kernel, stride, layout):
    torch.manual_seed(0)
    exact = nn.Conv2d(32, 32, kernel, stride, kernel // 2, groups=32)
    images = torch.randn(2, 32, 19, 23).to(memory_format=layout).requires_grad_()
    gradient = torch.randn_like(exact(images))
    wanted = torch.autograd.grad(exact(images), (images, *exact.parameters()), gradient)
    with torch.autocast('cpu', torch.bfloat16):
        plain = exact(images)
        with quick_gradients(images):
            found = exact(images)
        assert found.dtype == torch.bfloat16 and torch.equal(found, plain)
    gradients = torch.autograd.grad(found, (images, *exact.parameters()), gradient.bfloat16())
    for mine, other in zip(gradients, wanted, strict=True):
        assert mine.dtype == torch.float32 and mine.shape == other.shape
        assert (mine - other).norm() < 0.01 * other.norm()


def test_only_depthwise_convolutions_that_learn_take_the_quick_way():
    images = torch.randn(2, 8, 9, 9, requires_grad=True)
    weight = torch.randn(8, 1, 5, 5)

    def way(*words, kind=torch.bfloat16, **how):
        with torch.autocast('cpu', kind), quick_gradients(images):
            return type(functional.conv2d(*words, **how).grad_fn).__name__

    learned = weight.clone().requires_grad_()
    assert way(images, learned, groups=8) == '_DepthwiseBackward'
    assert way(images, learned, padding=2, groups=8) == '_DepthwiseBackward'
    small = torch.randn(8, 1, 3, 3, requires_grad=True)
    assert way(images, small, groups=8, stride=2) == '_DepthwiseBackward'
    assert 'Convolution' in way(images, small, groups=8)
    assert 'Convolution' in way(images, learned, groups=8, kind=torch.float16)
    assert 'Convolution' in way(images, weight, groups=8)
    assert 'Convolution' in way(images, learned, groups=8, dilation=2)
    assert 'Convolution' in way(images, learned, groups=8, padding='same')
    assert 'Convolution' in way(images, torch.randn(16, 1, 5, 5, requires_grad=True), groups=8)
    assert 'Convolution' in way(images, torch.randn(8, 8, 5, 5, requires_grad=True))
    with torch.no_grad():
        assert way(images, learned, groups=8) == 'NoneType'
    with quick_gradients(images):  # In float32.
        assert 'Convolution' in type(functional.conv2d(images, learned, groups=8).grad_fn).__name__


def test_a_map_that_strides_leave_over():
    """Rows that no output looks at have no gradient."""
    images, weight = leaves((1, 2, 8, 8), (5, 5), False, 0)[:2]
    output = torch.conv2d(images, weight, stride=2, groups=2)
    assert output.shape[2:] == (2, 2)  # Row 7 is left over.
    gradient = torch.randn_like(output)
    wanted = torch.autograd.grad(output, weight, gradient)[0]
    found = weight_gradient(images.detach(), (5, 5), gradient, (2, 2), (0, 0))
    assert torch.allclose(found, wanted, atol=1e-5)


def test_a_network_of_timm_learns_the_same():
    """As far as rounding lets it: both ways are as far from the gradients in float32."""
    pytest.importorskip('timm', reason='the extra backbones is not installed')
    from det_inception.models.backbones.timm_backbone import TimmBackbone

    torch.manual_seed(0)
    backbone = TimmBackbone('tf_efficientnet_lite0').eval()  # Both kinds of layers: timm pads some itself.
    images = torch.randn(2, 3, 64, 64)

    def learned(run, mixed=True):
        backbone.zero_grad()
        with torch.autocast('cpu', torch.bfloat16, enabled=mixed):
            loss = run(images)[0].float().square().mean()
        loss.backward()
        return [parameter.grad for parameter in backbone.parameters()]

    exact = learned(backbone, mixed=False)
    found, wanted = learned(backbone), learned(backbone.network)
    for mine, other, right in zip(found, wanted, exact, strict=True):
        assert (mine - right).norm() < 1.5 * (other - right).norm() + 1e-3 * right.norm()
    assert any(not torch.equal(mine, other) for mine, other in zip(found, wanted, strict=True))


def test_gradients_do_not_depend_on_autocast_around_the_backward_pass():
    images, weight = leaves((2, 8, 9, 9), (5, 5), False, 0)[:2]
    output = depthwise(images, weight, padding=2, groups=8)
    gradient = torch.randn_like(output)
    wanted = torch.autograd.grad(output, (images, weight), gradient, retain_graph=True)
    with torch.autocast('cpu', torch.bfloat16):
        found = torch.autograd.grad(output, (images, weight), gradient)
    assert all(torch.equal(mine, other) for mine, other in zip(found, wanted, strict=True))


def test_mixed_precision_leaves_double_precision_alone():
    images, weight = leaves((2, 8, 9, 9), (5, 5), False, 0, dtype=torch.float64)[:2]
    with torch.autocast('cpu', torch.bfloat16):
        assert depthwise(images, weight, groups=8).dtype == torch.float64


@pytest.mark.parametrize('kind', [torch.float16, torch.complex64])
def test_kinds_of_numbers_that_it_does_not_know_are_left_to_pytorch(kind):
    images, weight = leaves((2, 8, 9, 9), (5, 5), False, 0, dtype=kind)[:2]
    output = depthwise(images, weight, groups=8)
    assert type(output.grad_fn).__name__ != '_DepthwiseBackward'
    wanted = torch.conv2d(images, weight, groups=8)
    for mine, other in zip(*(torch.autograd.grad(one.abs().sum(), weight) for one in (output, wanted)), strict=True):
        assert torch.equal(mine, other)


def test_an_empty_batch_has_gradients_of_zero():
    images, weight, bias = leaves((0, 8, 9, 9), (5, 5), True, 0)
    depthwise(images, weight, bias, groups=8).sum().backward()
    assert images.grad.shape == images.shape and not weight.grad.any() and not bias.grad.any()


def test_gradients_of_gradients_and_of_each_image():
    images, weight = leaves((3, 4, 6, 6), (5, 5), False, 0, dtype=torch.float64)[:2]

    def run(*values):
        return depthwise(*values, stride=2, padding=2, groups=4)

    assert torch.autograd.gradcheck(run, (images, weight)) and torch.autograd.gradgradcheck(run, (images, weight))
    each = torch.func.vmap(torch.func.grad(lambda one, image: run(image[None], one).square().sum()), (None, 0))
    found = each(weight.detach(), images.detach())
    for image, mine in zip(images.detach(), found, strict=True):
        wanted = torch.autograd.grad(run(image[None], weight).square().sum(), weight)[0]
        assert torch.allclose(mine, wanted)


def test_a_traced_network_has_pytorchs_own_convolutions():
    layer = nn.Conv2d(8, 8, 5, groups=8).bfloat16()
    images = torch.randn(1, 8, 9, 9).bfloat16()
    with quick_gradients(images):
        traced = torch.jit.trace(layer, images)
    assert torch.equal(traced(images), layer(images))
