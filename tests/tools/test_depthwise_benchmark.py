"""The benchmark of the quick gradients of depthwise convolutions."""

from pathlib import Path

import pytest
import torch

REPO = Path(__file__).resolve().parent.parent.parent
pytestmark = pytest.mark.skipif(
    not (REPO / 'benchmarks').is_dir(), reason='the source archive comes without benchmarks'
)


def test_both_ways_are_timed_and_compared(tool):
    pytest.importorskip('timm', reason='the extra backbones is not installed')
    words = ('tf_efficientnet_lite0', '--images', 2, '--size', 64, 64, '--rounds', 1)
    status, said, errors = tool('depthwise_gradients', *words, folder='benchmarks')
    assert status == 0, errors
    (row,) = [line.split('|')[1:-1] for line in said.splitlines() if line.startswith('|')][2:]
    exact, plain, quick, ratio, *errors = map(float, row[1:])
    assert min(exact, plain, quick) > 0 and ratio == pytest.approx(plain / quick, rel=0.1)
    assert errors[0] > 0 and errors[1] == pytest.approx(errors[0], rel=0.1)


def test_mistakes_are_named(tool):
    pytest.importorskip('timm', reason='the extra backbones is not installed')
    for words, message in (
        (('--images', 1), '--images 1: is too small; give 2 or more'),
        (('--rounds', 0), '--rounds 0: is too small'),
        (('--size', 0, 32), '--size 0: is too small; give 32 or more'),
        (('vit_tiny_patch16_224', '--size', 64, 64), 'takes no image of 64 x 64 pixels'),
        (('mobilenetv2_100.foo',), 'timm has no weights'),
    ):
        assert message in tool.refused('depthwise_gradients', *words, folder='benchmarks')


def test_the_difference_is_that_of_all_arrays_together(tool):
    script = tool.load('depthwise_gradients', 'benchmarks')
    some = [torch.tensor([3.0, 4.0]), torch.tensor([12.0])]
    assert script.difference(some, some) == 0
    assert script.difference(some, [some[0] + torch.tensor([0.3, 0.4]), some[1] + 1.2]) == pytest.approx(0.1)
