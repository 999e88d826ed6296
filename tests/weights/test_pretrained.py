"""Weights of every layout, proven against their origin; and every kind of file that is none.

Caffe files are written here by a serializer of the message format, so no Caffe and no download is needed.
"""

from __future__ import annotations

import functools
import http.server
import json
import os
import pickle
import re
import runpy
import struct
import sys
import threading
import zipfile
from pathlib import Path
from urllib.error import URLError

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from protobuf_messages import field, varint
from torch import nn
from torchvision.models import googlenet, resnet18

from det_inception.ilsvrc import RULES
from det_inception.models import GoogLeNetClassifier
from det_inception.models.backbones.googlenet import INCEPTION, LAYOUT, NORMALIZATION, VARIANTS, GoogLeNet
from det_inception.utils.errors import InputError
from det_inception.weights import files
from det_inception.weights.caffemodel import CaffemodelError, read_caffemodel
from det_inception.weights.checkpoints import read_checkpoint
from det_inception.weights.export import write_backbone, write_classifier
from det_inception.weights.files import CheckpointError
from det_inception.weights.safetensors import SafetensorsError, read_safetensors

TOOL = Path(__file__).parents[2] / 'tools' / 'convert_checkpoint.py'
WIDTH = 0.25  # of the networks here, where nothing asks for the full one


# ------------------------------------------------------------------------------- Caffe's message format, the writing


def blob_message(values: np.ndarray, new_shape: bool, packed: bool, double: bool) -> bytes:
    if new_shape and packed:
        shape = field(7, field(1, b''.join(map(varint, values.shape))))
    elif new_shape:
        shape = field(7, b''.join(field(1, size) for size in values.shape))
    else:
        sizes = (1,) * (4 - values.ndim) + values.shape
        shape = b''.join(field(number, size) for number, size in enumerate(sizes, start=1))
    number, kind, wire = (8, '<f8', 1) if double else (5, '<f4', 5)
    data = values.astype(kind)
    if packed:
        return shape + field(number, data.tobytes())
    keyed = np.empty(data.size, np.dtype([('key', 'u1'), ('value', kind)]))
    keyed['key'], keyed['value'] = number << 3 | wire, data.ravel()
    return shape + keyed.tobytes()


def caffemodel(
    layers: dict[str, list[np.ndarray]], v1: bool = False, packed: bool = True, double: bool = False
) -> bytes:
    """Serializes layers as Caffe does: ``v1`` the messages and shapes of 2014, else those since."""
    message = field(1, b'GoogLeNet')
    # Layers without parameters, and fields around the ones that matter.
    relu = field(2, b'data') + field(4, b'conv1/relu') + field(5, 18) if v1 else field(1, b'conv1/relu')
    message += field(2 if v1 else 100, relu)
    for name, arrays in layers.items():
        blobs = [blob_message(array, new_shape=not v1, packed=packed, double=double) for array in arrays]
        rate = varint(7 << 3 | 5) + struct.pack('<f', 1.0)  # V1's blobs_lr, unpacked
        if v1:
            layer = field(2, b'in') + field(3, b'out') + field(4, name.encode()) + field(5, 4)
            layer += b''.join(field(6, blob) for blob in blobs) + rate + rate
        else:
            layer = field(1, name.encode()) + field(2, b'Convolution') + field(3, b'in') + field(10, 0)
            layer += b''.join(field(7, blob) for blob in blobs)
        message += field(2 if v1 else 100, layer)
    return message


@functools.cache
def caffe_layers(width: float = WIDTH, classes: int = 10) -> dict[str, list[np.ndarray]]:
    """Random arrays of a GoogLeNet as Caffe trains it: with both auxiliary classifiers."""
    draw = np.random.default_rng(0)
    state = GoogLeNet(width=width).state_dict()
    layers = {}
    for unit in LAYOUT.units:
        shapes = [tuple(state[f'{unit.own}.conv.{kind}'].shape) for kind in ('weight', 'bias')]
        layers[unit.caffe] = [draw.standard_normal(shape, np.float32) for shape in shapes]
        if unit.caffe == 'inception_4a/pool_proj':
            for head in ('loss1', 'loss2'):
                layers[f'{head}/conv'] = [draw.standard_normal(shape, np.float32) for shape in ((8, 16, 1, 1), (8,))]
                layers[f'{head}/fc'] = [draw.standard_normal(shape, np.float32) for shape in ((32, 128), (32,))]
                layers[f'{head}/classifier'] = [
                    draw.standard_normal(shape, np.float32) for shape in ((classes, 32), (classes,))
                ]
    channels = INCEPTION['5b'].scaled(width).out
    layers['loss3/classifier'] = [
        draw.standard_normal(shape, np.float32) for shape in ((classes, channels), (classes,))
    ]
    return layers


def assert_holds_caffe_layers(weights, layers) -> None:
    for unit in LAYOUT.units:
        for kind, expected in zip(('weight', 'bias'), layers[unit.caffe]):
            assert np.array_equal(weights.backbone[f'{unit.own}.conv.{kind}'].numpy(), expected), unit.caffe
    for kind, expected in zip(('weight', 'bias'), layers['loss3/classifier']):
        assert np.array_equal(weights.classifier[f'fc.{kind}'].numpy(), expected)


# ------------------------------------------------------------------------------------------------- proof: Caffe's


def test_caffes_weights_reproduce_caffes_results(shared_data):
    source = shared_data / 'weights' / 'bvlc_googlenet.npz'
    classifier = GoogLeNetClassifier(
        num_classes=1000,
        backbone=dict(type='GoogLeNet', variant='paper'),
        init_cfg=dict(type='Pretrained', checkpoint=str(source)),
    )
    classifier.init_weights()
    classifier.eval()
    assert classifier.backbone.normalization == dict(mean=[104, 117, 123], std=[1, 1, 1], bgr_to_rgb=False)

    expected = np.load(shared_data / 'caffe_reference' / 'googlenet_0_expected.npz')
    picture = cv2.imread(str(shared_data / 'caffe_reference' / 'googlenet_0.png'))
    # For this pair the input is the picture in RGB order without a mean subtracted.
    images = torch.from_numpy(picture[:, :, ::-1].astype(np.float32)).permute(2, 0, 1)[None]
    inner = {}
    before_relu = classifier.backbone.inception4c.conv_1x1.conv
    before_relu.register_forward_hook(lambda module, inputs, output: inner.update(value=output.clone()))
    with torch.no_grad():
        (sample,) = classifier(images, mode='predict')
    np.testing.assert_allclose(sample.pred_score, expected['prob'].ravel(), rtol=0, atol=1e-5)
    np.testing.assert_allclose(inner['value'][0], expected['inception_4c_1x1'].reshape(128, 14, 14), rtol=0, atol=1e-3)


@pytest.mark.parametrize('v1', [False, True], ids=['layer', 'V1 layers'])
@pytest.mark.parametrize('packed', [False, True], ids=['unpacked', 'packed'])
@pytest.mark.parametrize('double', [False, True], ids=['float', 'double'])
def test_caffemodel_is_read_whichever_way_it_is_written(tmp_path, v1, packed, double):
    path = tmp_path / 'network.caffemodel'
    path.write_bytes(caffemodel(caffe_layers(), v1, packed, double))
    weights = GoogLeNet.read_weights(path)
    assert_holds_caffe_layers(weights, caffe_layers())
    assert (weights.variant, weights.width, weights.classes) == ('paper', WIDTH, None)
    assert weights.normalization == NORMALIZATION['paper']
    GoogLeNet(width=WIDTH).load_pretrained(path)


@pytest.mark.parametrize(
    ('shape', 'bias_shape'),
    [
        ((1, 1, 10, -1), (1, 1, 1, 10)),  # inner product, old
        ((10, -1, 1, 1), (10,)),  # turned into a convolution
    ],
)
def test_classifiers_of_every_shape_become_a_matrix(tmp_path, shape, bias_shape):
    layers = dict(caffe_layers())
    weight, bias = layers['loss3/classifier']
    layers['loss3/classifier'] = [weight.reshape(shape), bias.reshape(bias_shape)]
    (tmp_path / 'a.caffemodel').write_bytes(caffemodel(layers))
    assert_holds_caffe_layers(GoogLeNet.read_weights(tmp_path / 'a.caffemodel'), caffe_layers())


def test_a_fine_tuned_caffemodel_may_rename_its_classifier_or_lack_it(tmp_path):
    layers = dict(caffe_layers())
    layers['loss3/classifier_birds'] = layers.pop('loss3/classifier')
    (tmp_path / 'birds.caffemodel').write_bytes(caffemodel(layers))
    assert len(GoogLeNet.read_weights(tmp_path / 'birds.caffemodel').classifier['fc.bias']) == 10
    del layers['loss3/classifier_birds']
    (tmp_path / 'none.caffemodel').write_bytes(caffemodel(layers))
    assert GoogLeNet.read_weights(tmp_path / 'none.caffemodel').classifier == {}


def test_a_caffemodel_with_layers_that_googlenet_lacks_is_refused(tmp_path):
    layers = dict(caffe_layers()) | {'inception_3a/1x1/bn': [np.ones(16, np.float32)]}
    (tmp_path / 'bn.caffemodel').write_bytes(caffemodel(layers))
    with pytest.raises(CheckpointError, match='1 too many, the first being inception_3a/1x1/bn'):
        GoogLeNet.read_weights(tmp_path / 'bn.caffemodel')


def test_a_caffemodel_that_is_cut_off_anywhere_is_refused(tmp_path):
    whole = caffemodel(caffe_layers())
    path = tmp_path / 'cut.caffemodel'
    for length in np.random.default_rng(0).integers(1, len(whole) - 100, 40):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=r'cut\.caffemodel'):
            GoogLeNet.read_weights(path)


@pytest.mark.parametrize('v1', [False, True])
@pytest.mark.parametrize('packed', [False, True])
def test_a_damaged_caffemodel_raises_its_own_error_and_no_other(tmp_path, v1, packed):
    draw = np.random.default_rng(0)
    layers = {'conv1/7x7_s2': [np.ones((2, 3, 2, 2), np.float32), np.ones(2, np.float32)], 'fc': [np.ones((2, 3))]}
    whole = np.frombuffer(caffemodel(layers, v1, packed), np.uint8)
    path = tmp_path / 'damaged.caffemodel'
    for _ in range(500):
        damaged = whole.copy()
        damaged[draw.integers(len(whole), size=2)] = draw.integers(256, size=2)
        path.write_bytes(damaged.tobytes())
        try:
            read_caffemodel(path)
        except CaffemodelError:
            pass


# -------------------------------------------------------------------------------------------- proof: torchvision's


@pytest.fixture(scope='module')
def torchvision_network() -> nn.Module:
    """torchvision's network with random weights, and batch norms that have seen data: its output is alive."""
    torch.manual_seed(0)
    network = googlenet(weights=None, init_weights=False, aux_logits=True)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = None
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.5, 0.5)
        network.train()(torch.randn(4, 3, 96, 96))
    return network.eval()


def outputs_by_name(network: nn.Module, names: dict[str, str], images: torch.Tensor) -> dict[str, torch.Tensor]:
    found = {}
    hooks = [
        network.get_submodule(path).register_forward_hook(
            lambda module, inputs, output, name=name: found.update({name: output.clone()})
        )
        for name, path in names.items()
    ]
    with torch.no_grad():
        network(images)
    for hook in hooks:
        hook.remove()
    return found


@pytest.mark.parametrize(('size', 'old_format'), [((224, 224), False), ((97, 131), True), ((65, 33), False)])
def test_torchvisions_weights_give_torchvisions_outputs_at_every_stage(tmp_path, torchvision_network, size, old_format):
    path = tmp_path / 'googlenet.pth'
    # torchvision's own file is still in the format that PyTorch wrote before 1.6.
    torch.save(torchvision_network.state_dict(), path, _use_new_zipfile_serialization=not old_format)
    classifier = GoogLeNetClassifier(
        num_classes=1000,
        backbone=dict(type='GoogLeNet', variant='torchvision'),
        init_cfg=dict(type='Pretrained', checkpoint=str(path)),
    )
    classifier.init_weights()
    classifier.eval()
    modules = {f'inception{name}': f'inception{name}' for name in INCEPTION}
    theirs = {'conv1': 'conv1', 'conv2_reduce': 'conv2', 'conv2': 'conv3', **modules, 'fc': 'fc'}
    ours = {name: f'backbone.{name}' for name in theirs} | {'fc': 'fc'}
    # In the layout that ours takes by itself, so that both use the same convolutions.
    images = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(1))
    images = images.contiguous(memory_format=torch.channels_last)
    expected = outputs_by_name(torchvision_network, theirs, images)
    for name, output in outputs_by_name(classifier, ours, images).items():
        reference = expected[name].relu() if name != 'fc' else expected[name]
        assert reference.std() > 0.01, f'{name} is dead, which proves nothing'
        torch.testing.assert_close(output, reference, rtol=0, atol=1e-5, msg=lambda text, name=name: f'{name}: {text}')


@pytest.mark.parametrize('aux_logits', [False, True])
def test_torchvisions_auxiliary_heads_and_batch_counters_may_be_there_or_not(tmp_path, aux_logits):
    state = googlenet(weights=None, init_weights=False, aux_logits=aux_logits).state_dict()
    state = {f'module.{key}': value for key, value in state.items() if 'num_batches' not in key}  # as DDP saves it
    torch.save(dict(model=state, epoch=3), tmp_path / 'a.pth')
    weights = GoogLeNet.read_weights(tmp_path / 'a.pth')
    assert (weights.variant, weights.width) == ('torchvision', 1)
    assert weights.num_parameters == 6_624_904
    assert weights.normalization == dict(mean=[127.5] * 3, std=[127.5] * 3, bgr_to_rgb=True)


# ---------------------------------------------------------------------------------------------- this project's own


@pytest.mark.parametrize(
    'wrap',
    [
        lambda weights: dict(epoch=1, model_state_dict=weights, optimizer_state_dict=dict(state={}), loss=0.1),
        lambda weights: dict(state_dict={f'model.{name}': value for name, value in weights.items()}),
        lambda weights: {f'_orig_mod.module.{name}': value for name, value in weights.items()},
        lambda weights: dict(net=weights, ema_decay=torch.tensor(0.9)),
    ],
    ids=['tutorial', 'lightning', 'compiled', 'net'],
)
def test_weights_are_found_under_the_names_of_other_programs(wrap, tmp_path):
    network = GoogLeNet('torchvision', width=0.125)
    network.init_weights()
    torch.save(wrap(dict(network.state_dict())), tmp_path / 'a.pth')
    read = GoogLeNet.read_weights(tmp_path / 'a.pth').backbone
    assert all(torch.equal(read[name], value) for name, value in network.state_dict().items())


@pytest.mark.parametrize(
    'content, said',
    [
        (
            b'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 52147035\n',
            'is a pointer of Git LFS; run "git',
        ),
        (b'<!DOCTYPE html><html><title>Too many downloads', 'is a web page; download the file itself'),
        (b'\x03\0\0\0\0\0\0\0{x}', 'is a file of safetensors that is damaged or was cut off;'),
    ],
)
def test_files_that_are_often_taken_for_weights(content, said, tmp_path):
    (tmp_path / 'a.pth').write_bytes(content)
    with pytest.raises(CheckpointError, match=rf'a\.pth: .*{said}'):
        GoogLeNet.read_weights(tmp_path / 'a.pth')


def test_safetensors_and_torchscript_give_the_same_network(tmp_path):
    torch.manual_seed(0)
    network = GoogLeNet('torchvision', width=0.125)
    network.init_weights()
    safetensors = pytest.importorskip('safetensors.torch', reason='safetensors is not installed')
    contiguous = {key: value.contiguous() for key, value in network.state_dict().items()}
    safetensors.save_file(contiguous, tmp_path / 'a.safetensors', metadata=dict(format='pt'))
    torch.jit.trace(network.eval(), torch.zeros(1, 3, 64, 64), check_trace=False).save(tmp_path / 'a.pt')
    for name in ('a.safetensors', 'a.pt'):
        read = GoogLeNet.read_weights(tmp_path / name)
        assert all(torch.equal(read.backbone[key], value) for key, value in network.state_dict().items()), name
    with pytest.raises(CheckpointError, match=r'a\.pt: is a TorchScript program and no checkpoint of a detector'):
        read_checkpoint(tmp_path / 'a.pt')


KINDS = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.uint8, torch.bool)


@pytest.mark.parametrize('shape', [(), (3,), (2, 0), (2, 3, 1)])
def test_safetensors_are_read_as_its_own_library_reads_them(tmp_path, shape):
    library = pytest.importorskip('safetensors.torch', reason='safetensors is not installed')
    written = {f'{kind}': (torch.rand(shape) * 9).to(kind) for kind in KINDS}
    library.save_file(written, tmp_path / 'a.safetensors')
    found, expected = files.read_raw(tmp_path / 'a.safetensors').tensors, library.load_file(tmp_path / 'a.safetensors')
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert found[key].shape == value.shape and (torch.equal(found[key], value) or not value.numel())


@pytest.mark.parametrize(
    ('header', 'said'),
    [
        (dict(a=dict(dtype='F32', shape=[2], data_offsets=[0, 9])), 'needs 8 bytes and has 9'),
        (dict(a=dict(dtype='F32', shape=[4], data_offsets=[0, 16])), 'leaves the file'),
        (dict(a=dict(dtype='F32', shape=[2**62, 4], data_offsets=[0, 0])), 'needs'),
        (dict(a=dict(dtype='F32', shape=[-1], data_offsets=[0, 4])), 'leaves the file'),
        (dict(a=dict(dtype='F8_E4M3', shape=[1], data_offsets=[0, 1])), "of the kind 'F8_E4M3', of which"),
        ({name: dict(dtype='U8', shape=[8], data_offsets=[n, n + 8]) for name, n in (('a', 0), ('b', 4))}, "'b' lies"),
        (dict(a=[1, 2]), 'has no dtype, shape and data_offsets'),
        ([1], 'no list of arrays'),
    ],
)
def test_damaged_safetensors_are_refused(tmp_path, header, said):
    text = json.dumps(header).encode()
    (tmp_path / 'a.safetensors').write_bytes(len(text).to_bytes(8, 'little') + text + bytes(12))
    with pytest.raises(SafetensorsError, match=said):
        read_safetensors(tmp_path / 'a.safetensors')


class Evil:
    def __reduce__(self):
        return os.system, ('touch evil',)


def test_code_in_a_torchscript_archive_does_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.jit.script(nn.Linear(2, 2)).save('good.pt')
    with zipfile.ZipFile('good.pt') as good, zipfile.ZipFile('evil.pt', 'w') as evil:
        for member in good.namelist():
            content = good.read(member)
            evil.writestr(member, pickle.dumps(Evil(), 2) if member.endswith('/data.pkl') else content)
    with pytest.raises(CheckpointError, match=r'evil\.pt: holds posix\.system, which could run code'):
        files.read_raw('evil.pt')
    assert not Path('evil').exists()
    assert {*files.read_raw('good.pt').tensors} == {'weight', 'bias'}
    frozen = torch.jit.freeze(torch.jit.script(nn.Sequential(nn.Linear(2, 2)).eval()))
    frozen.save('frozen.pt')
    with pytest.raises(CheckpointError, match=r'frozen\.pt: is a TorchScript program whose weights have no names'):
        files.read_raw('frozen.pt')
    whole = Path('good.pt').read_bytes()
    for length in range(3, len(whole), len(whole) // 8):
        Path('cut.pt').write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=r'cut\.pt: '):
            files.read_raw('cut.pt')


@pytest.mark.parametrize('variant', VARIANTS)
@pytest.mark.parametrize('width', [1, 0.5, 0.3, 1 / 3, 0.01, 1.5])
def test_variant_and_width_are_told_from_the_arrays_alone(tmp_path, variant, width):
    network = GoogLeNet(variant=variant, width=width)
    torch.save(network.state_dict(), tmp_path / 'a.pth')
    weights = GoogLeNet.read_weights(tmp_path / 'a.pth')
    assert weights.variant == variant
    for told in {width, weights.width}:
        GoogLeNet(variant=variant, width=told).load_pretrained(tmp_path / 'a.pth')


def test_what_is_written_is_read_again(tmp_path):
    (tmp_path / 'a.caffemodel').write_bytes(caffemodel(caffe_layers()))
    weights = GoogLeNet.read_weights(tmp_path / 'a.caffemodel')
    write_backbone(tmp_path / 'new' / 'backbone.pth', weights)
    write_classifier(tmp_path / 'new' / 'classifier.pth', weights)
    assert sorted(path.name for path in (tmp_path / 'new').iterdir()) == ['backbone.pth', 'classifier.pth']
    for name in ('backbone', 'classifier'):
        again = GoogLeNet.read_weights(tmp_path / 'new' / f'{name}.pth')
        for key, value in weights.backbone.items():
            assert torch.equal(again.backbone[key], value)
        assert again.classifier.keys() == (weights.classifier.keys() if name == 'classifier' else set())
        assert (again.variant, again.width, again.normalization) == ('paper', WIDTH, NORMALIZATION['paper'])
        assert again.testing == weights.testing == RULES['caffe']
    meta = torch.load(tmp_path / 'new' / 'classifier.pth', weights_only=True)['meta']
    assert meta['source'] == 'a.caffemodel' and re.fullmatch('[0-9a-f]{64}', meta['source_sha256'])
    classifier = GoogLeNetClassifier(10, dict(type='GoogLeNet', width=WIDTH))
    written = torch.load(tmp_path / 'new' / 'classifier.pth', weights_only=True)['state_dict']
    classifier.load_state_dict(written)  # as MMEngine's load_from does


def test_the_normalization_of_other_weights_is_kept(tmp_path):
    normalization = dict(mean=[1.0, 2.0, 3.0], std=[4.0, 5.0, 6.0], bgr_to_rgb=False)
    state = GoogLeNet('batch_norm', width=WIDTH).state_dict()
    torch.save(dict(state_dict=state, meta=dict(normalization=normalization)), tmp_path / 'a.pth')
    backbone = GoogLeNet('batch_norm', width=WIDTH)
    assert backbone.normalization is None
    backbone.load_pretrained(tmp_path / 'a.pth')
    assert backbone.normalization == normalization
    write_backbone(tmp_path / 'b.pth', GoogLeNet.read_weights(tmp_path / 'a.pth'))
    assert GoogLeNet.read_weights(tmp_path / 'b.pth').normalization == normalization


def test_a_trained_detectors_checkpoint_gives_its_backbone_and_its_configs_normalization(tmp_path):
    preprocessor = dict(
        type='DetDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True
    )
    config = Config(dict(model=dict(type='RCNN', data_preprocessor=preprocessor), train_cfg=dict(max_epochs=2)))
    state = {f'backbone.{key}': value for key, value in GoogLeNet(width=WIDTH).state_dict().items()}
    state |= {'bbox_head.fc_cls.weight': torch.zeros(21, 256), 'bbox_head.fc_cls.bias': torch.zeros(21)}
    # The parts of a checkpoint that MMEngine's hook writes, its log history among them.
    meta = dict(cfg=config.pretty_text, dataset_meta=dict(classes=('a', 'b')), epoch=2)
    history = dict(log_scalars={'train/loss': HistoryBuffer([1.0], [1])}, runtime_info=dict(iter=3))
    torch.save(dict(meta=meta, state_dict=state, message_hub=history), tmp_path / 'epoch_2.pth')
    weights = GoogLeNet.read_weights(tmp_path / 'epoch_2.pth')
    assert weights.normalization == {key: preprocessor[key] for key in ('mean', 'std', 'bgr_to_rgb')}
    assert weights.classifier == {} and weights.classes is None
    GoogLeNet(width=WIDTH).load_pretrained(tmp_path / 'epoch_2.pth')


# -------------------------------------------------------------------------------------------------------- addresses


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache of PyTorch, with no network behind it."""

    def no_network(*arguments, **options):
        raise URLError('no network')

    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'cache'))
    monkeypatch.setattr(torch.hub, '_hub_dir', None)
    monkeypatch.setattr(files, 'urlopen', no_network)
    folder = tmp_path / 'cache' / 'hub' / 'checkpoints'
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def served(tmp_path):
    """A folder, and the address under which a server on this machine offers it."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    folder = tmp_path / 'served'
    folder.mkdir()
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f'http://127.0.0.1:{server.server_port}'
        server.shutdown()


def test_torchvisions_address_works_from_a_config(cache, torchvision_network):
    torch.save(torchvision_network.state_dict(), cache / 'googlenet-1378be20.pth')
    init_cfg = dict(type='Pretrained', checkpoint='torchvision://googlenet')
    backbone = GoogLeNet('torchvision', init_cfg=init_cfg)
    backbone.init_weights()
    assert torch.equal(backbone.conv1.conv.weight, torchvision_network.conv1.conv.weight)
    assert backbone.normalization == NORMALIZATION['torchvision']
    with pytest.raises(CheckpointError, match=r"'torchvision' variant .* asks for 'paper'; set model\.backbone\.v"):
        GoogLeNet('paper', init_cfg=init_cfg).init_weights()


def test_without_a_network_the_error_says_which_file_goes_where(cache):
    expected = rf'fetch https://\S+/googlenet-1378be20\.pth on another machine .* {re.escape(str(cache))}'
    with pytest.raises(CheckpointError, match=expected):
        GoogLeNet.read_weights('torchvision://googlenet')
    with pytest.raises(CheckpointError, match='cannot be downloaded'):
        GoogLeNet.read_weights('http://example.org/bvlc_googlenet.caffemodel')


def test_a_truncated_file_in_the_cache_is_named(cache):
    (cache / 'googlenet-1378be20.pth').write_bytes(b'\x80\x02\x8a\nl\xfc')
    with pytest.raises(CheckpointError, match=re.escape(str(cache / 'googlenet-1378be20.pth'))):
        GoogLeNet.read_weights('torchvision://googlenet')


@pytest.mark.parametrize('address', ['torchvision://resnet50', 'ftp://example.org/googlenet.pth'])
def test_other_addresses_are_refused(address):
    with pytest.raises(CheckpointError, match=address):
        GoogLeNet.read_weights(address)


@pytest.fixture
def online(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'cache'))
    monkeypatch.setattr(torch.hub, '_hub_dir', None)
    for variable in ('http_proxy', 'HTTP_PROXY'):
        monkeypatch.delenv(variable, raising=False)


def test_files_behind_http_are_read(online, served):
    folder, address = served
    torch.save(GoogLeNet(width=WIDTH).state_dict(), folder / 'a.pth')
    (folder / 'b.caffemodel').write_bytes(caffemodel(caffe_layers()))
    assert GoogLeNet.read_weights(f'{address}/a.pth').variant == 'paper'
    assert_holds_caffe_layers(GoogLeNet.read_weights(f'{address}/b.caffemodel'), caffe_layers())
    with pytest.raises(CheckpointError, match='cannot be downloaded'):
        GoogLeNet.read_weights(f'{address}/missing.pth')


def test_a_download_is_kept_whole_or_not_at_all(online, served, tmp_path, monkeypatch):
    folder, address = served
    torch.save(GoogLeNet(width=WIDTH).state_dict(), folder / 'a.pth')
    handler = http.server.SimpleHTTPRequestHandler
    send = handler.send_header

    def overstate(self, name, value):
        send(self, name, str(int(value) + 100) if name == 'Content-Length' else value)

    with monkeypatch.context() as patch:
        patch.setattr(handler, 'send_header', overstate)
        with pytest.raises(CheckpointError, match='cannot be downloaded .it ended after'):
            GoogLeNet.read_weights(f'{address}/a.pth')
    with monkeypatch.context() as patch:
        patch.setattr(files, 'MAX_DOWNLOAD', 1000)
        with pytest.raises(CheckpointError, match='cannot be downloaded'):
            GoogLeNet.read_weights(f'{address}/a.pth')
    cache = tmp_path / 'cache'
    assert not [path for path in cache.rglob('*') if path.is_file()]
    GoogLeNet.read_weights(f'{address}/a.pth')
    assert len([path for path in cache.rglob('*') if path.is_file()]) == 1


def test_downloads_of_one_name_are_told_apart_and_stay_in_the_cache(online, served, tmp_path):
    folder, address = served
    for name, variant in (('x', 'paper'), ('y', 'batch_norm')):
        (folder / name).mkdir()
        torch.save(GoogLeNet(variant, width=WIDTH).state_dict(), folder / name / 'a.pth')
    assert GoogLeNet.read_weights(f'{address}/x/a.pth').variant == 'paper'
    assert GoogLeNet.read_weights(f'{address}/y/a.pth').variant == 'batch_norm'
    for name in ('..%2f..%2fevil.pth', 'a/..', '..', '', '%00', 'a' * 300):
        with pytest.raises(CheckpointError):
            GoogLeNet.read_weights(f'{address}/{name}')
    kept = [path for path in (tmp_path / 'cache').rglob('*') if path.is_file()]
    assert all(path.parent == tmp_path / 'cache/hub/checkpoints' for path in kept)


# ------------------------------------------------------------------------------------------------------- bad files


class RunsCode:
    """Creates a file when it is unpickled by a loader that permits it."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


class ReachesOut:
    """Takes something from a class by ``getattr``, which checkpoints of MMEngine do for their log history."""

    def __reduce__(self):
        return getattr, (HistoryBuffer, '__init__')


@pytest.mark.parametrize('permissive', [False, True])
@pytest.mark.parametrize('old_format', [False, True])
@pytest.mark.parametrize('over_http', [False, True])
def test_code_in_a_checkpoint_does_not_run(tmp_path, monkeypatch, online, served, permissive, old_format, over_http):
    if permissive:  # a user's environment that lets PyTorch load anything
        monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    folder, address = served
    trace = tmp_path / 'it_ran'
    checkpoint = dict(state_dict=GoogLeNet(width=WIDTH).state_dict(), payload=RunsCode(trace))
    torch.save(checkpoint, folder / 'evil.pth', _use_new_zipfile_serialization=not old_format)
    with pytest.raises(CheckpointError, match='could run code'):
        GoogLeNet.read_weights(f'{address}/evil.pth' if over_http else folder / 'evil.pth')
    assert not trace.exists()


def test_the_getattr_of_mmengines_log_history_reaches_nothing_else(tmp_path):
    torch.save(dict(state_dict=GoogLeNet(width=WIDTH).state_dict(), payload=ReachesOut()), tmp_path / 'evil.pth')
    with pytest.raises(CheckpointError, match='not loaded'):
        GoogLeNet.read_weights(tmp_path / 'evil.pth')


def write_bad_files(folder: Path) -> None:
    state = GoogLeNet(width=WIDTH).state_dict()
    torch.save(state, folder / 'good.pth')
    whole = (folder / 'good.pth').read_bytes()
    (folder / 'cut.pth').write_bytes(whole[: len(whole) // 2])
    torch.save(state, folder / 'good_old.pth', _use_new_zipfile_serialization=False)
    (folder / 'cut_old.pth').write_bytes((folder / 'good_old.pth').read_bytes()[: len(whole) // 2])
    (folder / 'garbage.caffemodel').write_bytes(np.random.default_rng(0).bytes(4096))
    (folder / 'page.pth').write_text('<!DOCTYPE html><title>404</title>')
    (folder / 'empty.pth').touch()
    (folder / 'folder').mkdir()
    torch.save(resnet18().state_dict(), folder / 'resnet.pth')
    torch.save({f'backbone.{key}': value for key, value in resnet18().state_dict().items()}, folder / 'det_resnet.pth')
    torch.save({}, folder / 'nothing.pth')
    torch.save([1, 2], folder / 'list.pth')
    np.savez(folder / 'empty.npz')
    np.savez(folder / 'objects.npz', a=np.array([dict()], dtype=object))
    np.savez(folder / 'other.npz', a=np.zeros(3), b=np.array('text'))
    first = 'inception3a.conv_3x3.conv.weight'
    torch.save(state | {first: state[first][:, :-1]}, folder / 'shape.pth')
    torch.save({key: value for key, value in state.items() if key != first}, folder / 'missing.pth')
    torch.save({key: value for key, value in state.items() if key.startswith('conv')}, folder / 'stem.pth')
    torch.save(state | {'inception6a.conv.weight': torch.zeros(1)}, folder / 'excess.pth')
    torch.save(state | {first: torch.full_like(state[first], float('nan'))}, folder / 'nan.pth')
    torch.save(state | {'inception4a.conv_3x3.conv.weight': torch.zeros(50, 24, 3, 3)}, folder / 'width.pth')
    torch.save(state | {'fc.weight': torch.zeros(10, 1024), 'fc.bias': torch.zeros(10)}, folder / 'fc.pth')


@pytest.fixture(scope='module')
def bad_files(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('bad')
    write_bad_files(folder)
    return folder


BAD_FILES = {
    'cut.pth': 'damaged or was cut off',
    'cut_old.pth': 'damaged or was cut off',
    'garbage.caffemodel': 'no whole .caffemodel',
    'page.pth': 'is a web page',  # what a download behind a login leaves
    'empty.pth': 'is empty',
    'folder': 'is a directory',
    'absent.pth': 'no such checkpoint',
    'resnet.pth': 'none of them fits GoogLeNet',
    'det_resnet.pth': 'none of them fits GoogLeNet',
    'nothing.pth': '0 arrays',
    'list.pth': 'no state_dict',
    'empty.npz': '0 arrays',
    'objects.npz': 'cannot be read as .npz',
    'other.npz': 'none of them fits GoogLeNet',
    'shape.pth': r'1 of another shape, the first being inception3a.conv_3x3.conv.weight \(32x23x3x3 instead of 32x24',
    'missing.pth': '1 missing, the first being inception3a.conv_3x3.conv.weight',
    'stem.pth': 'a part of GoogLeNet only',
    'excess.pth': '1 too many, the first being inception6a',
    'nan.pth': 'not finite',
    'width.pth': 'no width of GoogLeNet gives',
    'fc.pth': r'classifier \(fc.weight 10x1024, fc.bias 10\) that is not Kx256',
}


@pytest.mark.parametrize('name', BAD_FILES)
def test_a_bad_file_is_an_error_of_one_sentence_that_names_it(bad_files, name):
    with pytest.raises(CheckpointError, match=BAD_FILES[name]) as caught:
        GoogLeNet(width=WIDTH).load_pretrained(bad_files / name)
    message = str(caught.value)
    assert message.startswith(str(bad_files / name)) and message.endswith('.') and '\n' not in message


def test_a_refused_file_leaves_the_network_as_it_was(bad_files):
    network = GoogLeNet(width=WIDTH)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    for name in ('shape.pth', 'missing.pth', 'excess.pth'):
        with pytest.raises(CheckpointError):
            network.load_pretrained(bad_files / name)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_weights_of_another_width_are_refused(bad_files):
    with pytest.raises(CheckpointError, match=r'width 0\.25 and the config asks for 1; set model.backbone.width=0\.25'):
        GoogLeNet().load_pretrained(bad_files / 'good.pth')


# --------------------------------------------------------------------------------------------------------- the tool


@pytest.fixture
def convert(monkeypatch, capfd):
    """Runs the tool in this process; returns exit status, standard output and standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, 'argv', [str(TOOL), *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as stop:
            runpy.run_path(str(TOOL), run_name='__main__')
        return stop.value.code, *capfd.readouterr()

    return run


def test_the_tool_writes_both_checkpoints_and_says_what_they_are(convert, tmp_path):
    source, names = tmp_path / 'net.caffemodel', tmp_path / 'words.txt'
    source.write_bytes(caffemodel(caffe_layers(), v1=True))
    names.write_text(''.join(f'n{index:08} name {index}\n' for index in range(10)))
    status, said, errors = convert(source, tmp_path / 'out', '--classes', names)
    assert status == 0, errors
    expected_words = ('paper, width 0.25', '10 classes', 'BGR, mean 104 117 123, std 1 1 1', 'net_backbone.pth')
    for expected in (*expected_words, 'squashed to 256x256, crops of 224, bilinear'):
        assert expected in said
    written = GoogLeNet.read_weights(tmp_path / 'out' / 'net_classifier.pth')
    assert_holds_caffe_layers(written, caffe_layers())
    assert written.classes[3] == 'n00000003 name 3'


def test_the_tools_errors_are_one_sentence_and_leave_nothing_behind(convert, tmp_path, bad_files):
    status, _, errors = convert(
        bad_files / 'good.pth', '--backbone', tmp_path / 'b.pth', '--classifier', tmp_path / 'c.pth'
    )
    assert status == 2
    last = errors.splitlines()[-1]
    assert last == f'error: {bad_files / "good.pth"}: has no classifier; leave --classifier out.'
    assert 'Traceback' not in errors
    assert list(tmp_path.iterdir()) == []


def test_a_classifier_cannot_be_written_without_one_nor_to_a_place_that_takes_none(tmp_path, bad_files):
    weights = GoogLeNet.read_weights(bad_files / 'good.pth')
    with pytest.raises(CheckpointError, match='no classifier'):
        write_classifier(tmp_path / 'a.pth', weights)
    (tmp_path / 'file').touch()
    (tmp_path / 'folder').mkdir()
    for path in (tmp_path / 'file' / 'a.pth', tmp_path / 'folder'):
        with pytest.raises(InputError, match='cannot be written'):
            write_backbone(path, weights)
    assert sorted(path.name for path in tmp_path.rglob('*')) == ['file', 'folder']
