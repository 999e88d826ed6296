"""Weights of Keras under timm's names: order, layouts, arithmetic, and files that are none."""

from __future__ import annotations

import re
import zipfile

import h5py
import numpy as np
import pytest
import torch
from keras_files import write_archive, write_new, write_old
from torch import nn

from det_inception.models import TimmBackbone
from det_inception.models.backbones import timm_backbone
from det_inception.models.backbones.keras_arithmetic import SameMaxPool
from det_inception.utils.errors import InputError
from det_inception.utils.hdf5 import HDF5Error, HDF5File
from det_inception.weights.keras import KerasError, is_keras, read_keras

timm = pytest.importorskip('timm', reason='the extra "backbones" is not installed')

A = '1x1:64 1x1:48 5x5:64 1x1:64 3x3:96 3x3:96'
B = '1x1:192 1x1:{0} 1x7:{0} 7x1:192 1x1:{0} 7x1:{0} 1x7:{0} 7x1:{0} 1x7:192 1x1:192'
C = '1x1:320 1x1:384 1x3:384 3x1:384 1x1:448 3x3:384 1x3:384 3x1:384 1x1:192'
STEM = '3x3:32 3x3:32 3x3:64 1x1:80 3x3:192'
# Kernels and outputs of the layers conv2d, conv2d_1, ... of keras.applications in Keras 3.15.
NUMBERED = {
    'inception_v3': ' '.join(
        [STEM, f'{A} 1x1:32 {A} 1x1:64 {A} 1x1:64 3x3:384 1x1:64 3x3:96 3x3:96']
        + [B.format(channels) for channels in (128, 160, 160, 192)]
        + [f'1x1:192 3x3:320 1x1:192 1x7:192 7x1:192 3x3:192 {C} {C}']
    ),
    'inception_resnet_v2': ' '.join(
        [STEM, '1x1:96 1x1:48 5x5:64 1x1:64 3x3:96 3x3:96 1x1:64']
        + ['1x1:32 1x1:32 3x3:32 1x1:32 3x3:48 3x3:64'] * 10
        + ['3x3:384 1x1:256 3x3:256 3x3:384']
        + ['1x1:192 1x1:128 1x7:160 7x1:192'] * 20
        + ['1x1:256 3x3:384 1x1:256 3x3:288 1x1:256 3x3:288 3x3:320']
        + ['1x1:192 1x1:192 1x3:224 3x1:256'] * 10
    ),
    'legacy_xception': '1x1:128 1x1:256 1x1:728 1x1:1024',
}
NAMED = {
    'inception_v3': [],
    'inception_resnet_v2': [
        *(f'block{size}_{n}_conv' for size, count in ((35, 10), (17, 20), (8, 10)) for n in range(1, count + 1)),
        'conv_7b',
    ],
    'legacy_xception': [
        *('block1_conv1', 'block1_conv2'),
        *(
            f'block{block}_sepconv{n}'
            for block in range(2, 15)
            for n in range(1, 3 if block in (2, 3, 4, 13, 14) else 4)
        ),
    ],
}
NORM = ('gamma', 'beta', 'moving_mean', 'moving_variance')


def layers_of(network: str, scale: bool = True) -> dict[str, dict[str, np.ndarray]]:
    """A network's layers with the fewest numbers that tell them apart: one input, and as many outputs as one."""
    layers, count = {}, 0

    def values(*shape):
        nonlocal count
        count += 1
        return count + np.arange(np.prod(shape), dtype=np.float32).reshape(shape) / 64

    def add_norm(name):
        layers[name] = {kind: values(1) for kind in (NORM if scale else NORM[1:])}

    for number, text in enumerate(NUMBERED[network].split()):
        height, width, _ = map(int, re.split('[x:]', text))
        suffix = f'_{number}' if number else ''
        layers[f'conv2d{suffix}'] = dict(kernel=values(height, width, 1, 1))
        add_norm(f'batch_normalization{suffix}')
    for name in NAMED[network]:
        if 'sepconv' in name:
            layers[name] = dict(depthwise_kernel=values(3, 3, 2, 1), pointwise_kernel=values(1, 1, 2, 1))
        else:
            layers[name] = dict(kernel=values(1, 1, 1, 1))
        if re.fullmatch(r'block\d+_\d+_conv', name):
            layers[name]['bias'] = values(1)
        else:
            add_norm(f'{name}_bn')
    layers['predictions'] = dict(kernel=values(2, 3), bias=values(3))
    return layers


@pytest.mark.parametrize('network', NUMBERED)
def test_each_layer_is_the_one_of_keras_definition(network, tmp_path):
    """Kernel, outputs and order of every layer, compared with timm's network."""
    layers = layers_of(network, scale=network == 'legacy_xception')
    write_old(tmp_path / 'a.h5', layers)
    found = read_keras(tmp_path / 'a.h5', network)
    with torch.device('meta'):
        theirs = timm.create_model(network).state_dict()
    assert {*found} == {key for key in theirs if not key.endswith('num_batches_tracked')}
    by_value = {float(value.flatten()[0]): key for key, value in found.items() if value.ndim == 4}
    for number, text in enumerate(NUMBERED[network].split()):
        key = by_value[float(layers[f'conv2d_{number}' if number else 'conv2d']['kernel'].flat[0])]
        outputs, _, height, width = theirs[key].shape
        assert text == f'{height}x{width}:{outputs}', key
        norm = layers[f'batch_normalization_{number}' if number else 'batch_normalization']
        place = key.replace('.skip.', '.skipbn.').replace('.conv.', '.bn.').removesuffix('weight')
        assert found[f'{place}running_var'].tolist() == norm['moving_variance'].tolist()
    for name in NAMED[network]:
        kernel = layers[name].get('kernel', layers[name].get('pointwise_kernel'))
        key, block = by_value[float(kernel.flat[0])], int(re.findall(r'\d+', name)[0])
        if network == 'legacy_xception' and 1 < block < 14:
            assert key.startswith(f'block{block - 1}.rep.') and key.endswith('.pointwise.weight')
        elif name.startswith('block17'):
            assert key == f'repeat_1.{int(name.split("_")[1]) - 1}.conv2d.weight'


def test_every_layout_says_the_same(tmp_path):
    layers, network = layers_of('legacy_xception'), 'legacy_xception'
    write_old(tmp_path / 'weights.h5', layers, first=1)
    write_old(tmp_path / 'model.h5', layers, top='model_weights/', end='')
    write_new(tmp_path / 'a.weights.h5', dict(sorted(layers.items(), reverse=True)))
    write_archive(tmp_path / 'a.keras', tmp_path / 'a.weights.h5')
    write_old(tmp_path / 'expected.h5', layers)
    expected = read_keras(tmp_path / 'expected.h5', network)
    for name in ('weights.h5', 'model.h5', 'a.weights.h5', 'a.keras'):
        assert is_keras(tmp_path / name)
        found = read_keras(tmp_path / name, network)
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[key], expected[key]) for key in expected), name


def test_kernels_are_turned(tmp_path):
    layers = layers_of('legacy_xception', scale=False)
    kernel = layers['block1_conv1']['kernel'] = np.arange(3 * 5 * 2 * 4, dtype=np.float32).reshape(3, 5, 2, 4)
    write_old(tmp_path / 'a.h5', layers)
    found = read_keras(tmp_path / 'a.h5', 'legacy_xception')
    assert found['conv1.weight'].shape == (4, 2, 3, 5) and found['conv1.weight'][3, 1, 2, 4] == kernel[2, 4, 1, 3]
    depthwise = layers['block14_sepconv2']['depthwise_kernel']
    assert (
        found['conv4.conv1.weight'].shape == (2, 1, 3, 3)
        and found['conv4.conv1.weight'][1, 0, 0, 2] == depthwise[0, 2, 1]
    )
    assert found['bn4.weight'].tolist() == [1.0]  # No scale in the file.
    assert torch.equal(found['fc.weight'], torch.from_numpy(layers['predictions']['kernel'].T))


# ----------------------------------------------------------------------------------------------------------- arithmetic


@pytest.mark.parametrize('side', [7, 8])
def test_the_max_pool_is_tensorflows(side):
    x = -1 - torch.rand(1, 2, side, side)
    before = (2 * ((side + 1) // 2 - 1) + 3 - side) // 2
    expected = torch.empty(1, 2, (side + 1) // 2, (side + 1) // 2)
    for i in range(expected.shape[2]):
        for j in range(expected.shape[3]):
            top, left = 2 * i - before, 2 * j - before
            expected[:, :, i, j] = x[:, :, max(top, 0) : top + 3, max(left, 0) : left + 3].amax((2, 3))
    assert torch.equal(SameMaxPool()(x), expected)


def test_a_network_computes_as_keras_and_its_checkpoint_says_so(tmp_path, monkeypatch):
    """Average pools without padding, and the epsilon of batch norm."""
    write_old(tmp_path / 'a.h5', {})
    weights = timm.create_model('inception_v3').state_dict()
    monkeypatch.setattr(
        timm_backbone, 'read_keras', lambda *_: {key: value for key, value in weights.items() if 'num' not in key}
    )
    said = TimmBackbone.config_from_pretrained(dict(model_name='inception_v3'), str(tmp_path / 'a.h5'))
    assert said.settings == dict(arithmetic='keras')
    assert said.normalization == dict(mean=[127.5] * 3, std=[127.5] * 3, bgr_to_rgb=True)
    network = TimmBackbone('inception_v3', out_indices=(2,), arithmetic='keras')
    network.arithmetic = 'timm'
    with pytest.raises(InputError, match=r"a\.h5: is of Keras, .* set model.backbone.arithmetic='keras'"):
        network.load_pretrained(tmp_path / 'a.h5')
    network.arithmetic = 'keras'
    network.load_pretrained(tmp_path / 'a.h5')
    network.eval()
    assert network.normalization == said.normalization
    body, seen = dict(network.network.named_modules()), {}
    block = next(module for name, module in body.items() if name.endswith('Mixed_5b'))
    block.branch_pool.register_forward_hook(lambda module, inputs, output: seen.update(pool=output))
    x = torch.randn(1, 192, 5, 6)
    block(x)
    norm = block.branch_pool.bn
    expected = nn.functional.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
    expected = block.branch_pool.conv(expected) / (norm.running_var[:, None, None] + 1e-3).sqrt()
    torch.testing.assert_close(seen['pool'], expected.relu(), atol=1e-6, rtol=1e-5)
    trained = {f'backbone.{key}': value for key, value in network.state_dict().items()}
    checkpoint = dict(state_dict=trained, meta={})
    config = dict(model_name='inception_v3')
    assert TimmBackbone.config_from_checkpoint(config, checkpoint, 'a.pth').settings == dict(arithmetic='keras')
    del trained['backbone.keras_arithmetic']
    assert TimmBackbone.config_from_checkpoint(config, checkpoint, 'a.pth').settings == {}


# ------------------------------------------------------------------------------------------------------- other files


@pytest.mark.parametrize(
    ('network', 'change', 'message'),
    [
        ('inception_v3', lambda layers: layers, 'it has fewer layers than inception_v3'),
        ('legacy_xception', lambda layers: layers.pop('block9_sepconv2'), 'lacks the layer block9_sepconv2'),
        ('legacy_xception', lambda layers: layers.pop('block9_sepconv2_bn'), 'the batch norm block9_sepconv2_bn'),
        ('legacy_xception', lambda layers: layers.update(conv2d_9=layers['conv2d']), 'a layer conv2d_9 too many'),
        (
            'legacy_xception',
            lambda layers: layers['block2_sepconv1'].update(depthwise_kernel=np.ones((3, 3, 2, 2), 'f4')),
            'block2_sepconv1 has a kernel of the shape 3x3x2x2',
        ),
    ],
)
def test_another_network_is_refused(network, change, message, tmp_path):
    layers = layers_of('legacy_xception')
    change(layers)
    write_old(tmp_path / 'a.h5', layers)
    with pytest.raises(KerasError, match=message):
        read_keras(tmp_path / 'a.h5', network)


def test_hostile_files_end_in_one_sentence(tmp_path):
    whole, path = tmp_path / 'whole.h5', tmp_path / 'a.h5'
    write_old(whole, layers_of('legacy_xception'))
    path.write_bytes(whole.read_bytes()[:-5000])
    with pytest.raises(KerasError, match='cut off'):
        read_keras(path, 'legacy_xception')
    with h5py.File(path, 'w') as file:
        file.create_dataset('conv2d/conv2d/kernel:0', (1, 1, 2**20, 2**20), 'f4', chunks=(1, 1, 64, 2**18))
    with pytest.raises(KerasError, match=r'conv2d/conv2d/kernel:0.* (promises more|unknown way)'):
        read_keras(path, 'legacy_xception')
    with h5py.File(path, 'w') as file:
        file.create_dataset('conv2d/kernel', (4,), 'u1', external=[(str(whole), 0, 4)])
    with pytest.raises(KerasError, match='is not stored in the file'):
        read_keras(path, 'legacy_xception')
    with h5py.File(path, 'w') as file:
        one = file.create_group('conv2d/inner')
        one['again'] = file['conv2d']
    with pytest.raises(KerasError, match='contains itself'):
        read_keras(path, 'legacy_xception')
    write_archive(tmp_path / 'packed.keras', whole, zipfile.ZIP_DEFLATED)
    with pytest.raises(KerasError, match='model.weights.h5 is compressed in it'):
        read_keras(tmp_path / 'packed.keras', 'legacy_xception')
    write_archive(tmp_path / 'a.keras', whole)
    content = (tmp_path / 'a.keras').read_bytes()
    (tmp_path / 'a.keras').write_bytes(content.replace(b'PK\3\4', b'PK\3\5'))
    with pytest.raises(KerasError, match='the archive is damaged'):
        read_keras(tmp_path / 'a.keras', 'legacy_xception')
    with pytest.raises(HDF5Error, match='beyond the end'):
        HDF5File(whole, 10, 2**40)
    sentence = r"a\.h5: Keras' weights and arithmetic are known of .*, not of resnet18"
    with pytest.raises(InputError, match=sentence):
        TimmBackbone.config_from_pretrained(dict(model_name='resnet18'), str(path))
    with pytest.raises(InputError, match=r'holds no weights of Keras for inception_v3 \(a group contains itself'):
        TimmBackbone('inception_v3', arithmetic='keras').load_pretrained(path)
    with pytest.raises(InputError, match="arithmetic is 'caffe'"):
        TimmBackbone('resnet18', arithmetic='caffe')
