"""TensorFlow's checkpoints of both generations, written here by their format's description, and TF-slim's network.

No TensorFlow is needed: the table, its messages and the network's arithmetic are written down once more, slowly.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from protobuf_messages import field
from tensorflow_files import shape_message, table, write_v1, write_v2
from torch.nn import functional

from det_inception.config.loading import load_config
from det_inception.models import GoogLeNet
from det_inception.models.backbones.googlenet import INCEPTION
from det_inception.utils.errors import InputError
from det_inception.weights import files
from det_inception.weights.export import write_classifier
from det_inception.weights.files import CheckpointError

WIDTH = 0.125


# ------------------------------------------------------------------------------------------------------ the network


def slim_units() -> dict[str, tuple[int, int, int]]:
    """TF-slim's names of the convolutions, each with kernel, inputs and outputs at width 1/8."""

    def scaled(channels: int) -> int:
        return max(8, int(channels * WIDTH / 8 + 0.5) * 8)

    units = {'Conv2d_1a_7x7': (7, 3, 8), 'Conv2d_2b_1x1': (1, 8, 8), 'Conv2d_2c_3x3': (3, 8, 24)}
    channels = 24
    for mixed, widths in zip(('3b', '3c', '4b', '4c', '4d', '4e', '4f', '5b', '5c'), INCEPTION.values()):
        one, reduce3, three, reduce5, five, pool = map(scaled, widths)
        last = 'Conv2d_0a_3x3' if mixed == '5b' else 'Conv2d_0b_3x3'
        units[f'Mixed_{mixed}/Branch_0/Conv2d_0a_1x1'] = 1, channels, one
        units[f'Mixed_{mixed}/Branch_1/Conv2d_0a_1x1'] = 1, channels, reduce3
        units[f'Mixed_{mixed}/Branch_1/Conv2d_0b_3x3'] = 3, reduce3, three
        units[f'Mixed_{mixed}/Branch_2/Conv2d_0a_1x1'] = 1, channels, reduce5
        units[f'Mixed_{mixed}/Branch_2/{last}'] = 3, reduce5, five
        units[f'Mixed_{mixed}/Branch_3/Conv2d_0b_1x1'] = 1, channels, pool
        channels = one + three + five + pool
    return units


@pytest.fixture(scope='module')
def arrays() -> dict[str, np.ndarray]:
    """A narrow network as TF-slim saves it, with a classifier of 1001 and what a training remembers."""
    rng, made = np.random.default_rng(0), {}
    for name, (kernel, inside, out) in slim_units().items():
        unit, scale = f'InceptionV1/{name}', (2 / (kernel * kernel * inside)) ** 0.5
        made[f'{unit}/weights'] = rng.normal(0, scale, (kernel, kernel, inside, out)).astype(np.float32)
        made[f'{unit}/BatchNorm/beta'] = rng.normal(0, 0.1, out).astype(np.float32)
        made[f'{unit}/BatchNorm/moving_mean'] = rng.normal(0, 0.1, out).astype(np.float32)
        made[f'{unit}/BatchNorm/moving_variance'] = rng.uniform(0.5, 1.5, out).astype(np.float32)
    made['InceptionV1/Conv2d_1a_7x7/weights/RMSProp'] = np.ones((7, 7, 3, 8), np.float32)
    made['InceptionV1/Logits/Conv2d_0c_1x1/weights'] = rng.normal(0, 1, (1, 1, 128, 1001)).astype(np.float32)
    made['InceptionV1/Logits/Conv2d_0c_1x1/biases'] = rng.normal(0, 1, 1001).astype(np.float32)
    made['global_step'] = np.float32(7).reshape(())
    return made


def padded(x: torch.Tensor, kernel: int, stride: int, value: float) -> torch.Tensor:
    """SAME of TensorFlow, by its documentation."""
    amounts = []
    for size in (x.shape[-1], x.shape[-2]):
        total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
        amounts += [total // 2, total - total // 2]
    return functional.pad(x, amounts, value=value)


def slim_forward(arrays: dict[str, np.ndarray], images: torch.Tensor) -> dict[str, torch.Tensor]:
    def conv(x: torch.Tensor, name: str, stride: int = 1) -> torch.Tensor:
        part = {key: torch.tensor(value) for key, value in arrays.items() if key.startswith(f'InceptionV1/{name}/')}
        weights, beta, mean, variance = (
            part[f'InceptionV1/{name}/{kind}']
            for kind in ('weights', 'BatchNorm/beta', 'BatchNorm/moving_mean', 'BatchNorm/moving_variance')
        )
        kernel = weights.permute(3, 2, 0, 1)
        x = functional.conv2d(padded(x, kernel.shape[-1], stride, 0), kernel, stride=stride)
        shift, scale = mean[:, None, None], (variance[:, None, None] + 1e-3) ** 0.5
        return ((x - shift) / scale + beta[:, None, None]).relu()

    def pool(x: torch.Tensor, kernel: int, stride: int) -> torch.Tensor:
        return functional.max_pool2d(padded(x, kernel, stride, -math.inf), kernel, stride)

    def mixed(x: torch.Tensor, name: str) -> torch.Tensor:
        last = 'Conv2d_0a_3x3' if name == '5b' else 'Conv2d_0b_3x3'
        branch = f'Mixed_{name}/Branch_'
        return torch.cat([
            conv(x, f'{branch}0/Conv2d_0a_1x1'),
            conv(conv(x, f'{branch}1/Conv2d_0a_1x1'), f'{branch}1/Conv2d_0b_3x3'),
            conv(conv(x, f'{branch}2/Conv2d_0a_1x1'), f'{branch}2/{last}'),
            conv(pool(x, 3, 1), f'{branch}3/Conv2d_0b_1x1'),
        ], dim=1)  # fmt: skip

    stages = {'conv1': conv(images, 'Conv2d_1a_7x7', 2)}
    x = conv(conv(pool(stages['conv1'], 3, 2), 'Conv2d_2b_1x1'), 'Conv2d_2c_3x3')
    stages['conv2'] = x
    for stage, names, kernel in (('3b', '3b 3c', 3), ('4e', '4b 4c 4d 4e 4f', 3), ('5b', '5b 5c', 2)):
        x = pool(x, kernel, 2)
        for name in names.split():
            x = mixed(x, name)
        stages[f'inception{stage}'] = x
    return stages


@pytest.mark.parametrize('size', [(64, 96), (65, 63)])
def test_the_network_is_tf_slims_at_every_stage(arrays, tmp_path, size):
    write_v2(tmp_path / 'model.ckpt', arrays)
    network = GoogLeNet('tf_slim', out_indices=(0, 1, 2, 3, 4), width=WIDTH).eval()
    network.load_pretrained(tmp_path / 'model.ckpt')
    images = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = slim_forward(arrays, images)
        for info, features in zip(network.feature_info, network(images), strict=True):
            torch.testing.assert_close(features, expected[info['name']], rtol=1e-4, atol=1e-4)
    assert network.normalization == dict(mean=[127.5] * 3, std=[127.5] * 3, bgr_to_rgb=True)


def test_both_generations_hold_the_same(arrays, tmp_path):
    write_v1(tmp_path / 'one.ckpt', arrays)
    write_v2(tmp_path / 'two.ckpt', arrays)
    for name in ('one.ckpt', 'two.ckpt', 'two.ckpt.index'):
        raw = files.read_raw(tmp_path / name).tensors
        assert raw.keys() == arrays.keys()
        assert all(np.array_equal(raw[key].numpy(), value) for key, value in arrays.items()), name
        weights = GoogLeNet.read_weights(tmp_path / name)
        assert (weights.variant, weights.width, weights.testing['resize']) == ('tf_slim', WIDTH, 'central')
        # Class 0 is the background.
        logits = arrays['InceptionV1/Logits/Conv2d_0c_1x1/weights'][0, 0]
        assert np.array_equal(weights.classifier['fc.weight'].numpy(), logits.T[1:])
        assert len(weights.classifier['fc.bias']) == 1000


def test_checkpoints_of_ours_remember_the_padding(arrays, tmp_path):
    write_v1(tmp_path / 'one.ckpt', arrays)
    cfg = load_config('googlenet_rcnn_mini', weights=tmp_path / 'one.ckpt')
    assert cfg.model.backbone.variant == 'tf_slim' and cfg.model.backbone.width == WIDTH
    weights = GoogLeNet.read_weights(tmp_path / 'one.ckpt')
    write_classifier(tmp_path / 'ours.pth', weights)
    again = GoogLeNet.read_weights(tmp_path / 'ours.pth')
    assert again.variant == 'tf_slim' and again.testing == weights.testing
    with pytest.raises(
        InputError, match=r"ours\.pth: holds the 'tf_slim' variant of GoogLeNet and the config asks for"
    ):
        GoogLeNet('torchvision', width=WIDTH).load_pretrained(tmp_path / 'ours.pth')


# -------------------------------------------------------------------------------------------------------- bad files


def test_what_is_damaged_or_lacks_a_part_is_one_sentence(arrays, tmp_path):
    def refused(said: str, path='bad.ckpt') -> None:
        with pytest.raises(CheckpointError, match=said) as caught:
            GoogLeNet.read_weights(tmp_path / path)
        assert str(caught.value).startswith(str(tmp_path)) and '\n' not in str(caught.value)

    branch = 'InceptionV1/Mixed_4d/Branch_2/Conv2d_0b_3x3'
    lacking = {key: value for key, value in arrays.items() if not key.startswith(branch)}
    write_v1(tmp_path / 'bad.ckpt', lacking)
    refused(r'5 missing, the first being inception4c\.conv_5x5\.conv\.weight')
    write_v1(tmp_path / 'bad.ckpt', arrays | {'InceptionV1/Mixed_6a/Conv2d_0a_1x1/weights': np.zeros(3, np.float32)})
    refused('1 too many, the first being InceptionV1/Mixed_6a')
    write_v1(tmp_path / 'bad.ckpt', {key: value for key, value in arrays.items() if 'Logits' in key})
    refused('none of them fits GoogLeNet')
    # Its kernels in their own order, under our names.
    network = GoogLeNet('torchvision', width=WIDTH).state_dict()
    turned = {key: value.permute(2, 3, 1, 0) if value.ndim == 4 else value for key, value in network.items()}
    torch.save(turned, tmp_path / 'turned.pth')
    refused("has kernels in TensorFlow's order, height x width x inputs x outputs", 'turned.pth')
    write_v2(tmp_path / 'two.ckpt', arrays)
    (tmp_path / 'two.ckpt.data-00001-of-00002').rename(tmp_path / 'away')
    refused(r'two\.ckpt\.index: its numbers should be in .*data-00001-of-00002, which is not there', 'two.ckpt')
    (tmp_path / 'two.ckpt.data-00001-of-00002').write_bytes(b'short')
    refused(r'leaves .*data-00001-of-00002', 'two.ckpt')
    entries = {b'': field(1, 1), b'a': field(1, 1) + field(2, shape_message((2,))) + field(5, 8) + field(7, b'')}
    (tmp_path / 'parts.index').write_bytes(table(entries))
    refused("'a' is in parts; save it as a whole", 'parts')
    packed = bytearray(table({b'': field(1, 1)}))
    packed[packed.index(b'\0\0\0\0\0', 4)] = 1
    (tmp_path / 'packed.index').write_bytes(packed)
    refused('damaged or of a kind that is not read', 'packed')


def test_damaged_bytes_raise_no_other_error(arrays, tmp_path):
    few = {key: value for key, value in arrays.items() if 'Conv2d_1a' in key}
    write_v1(tmp_path / 'one.ckpt', few)
    whole, rng = (tmp_path / 'one.ckpt').read_bytes(), np.random.default_rng(0)
    for number in range(300):
        bad = bytearray(whole)
        for place in rng.integers(0, len(bad) if number % 2 else 400, 3):
            bad[-1 - place if number % 4 < 2 else place] = rng.integers(256)
        bad[-8:] = whole[-8:]
        (tmp_path / 'bad.ckpt').write_bytes(bad)
        try:
            files.read_raw(tmp_path / 'bad.ckpt')
        except CheckpointError:
            pass
