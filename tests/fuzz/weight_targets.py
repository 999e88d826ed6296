"""Files of weights, and weights under the names of other programs."""

import io
import zipfile
from dataclasses import replace
from functools import lru_cache

import h5py
import numpy as np
import torch
from keras_files import write_archive, write_new, write_old
from mutations import ODD_TEXTS, damaged, odd_array, odd_json, pick
from protobuf_messages import field
from targets import Target
from tensorflow_files import shape_message, table, write_v1, write_v2

from det_inception.models.backbones.googlenet import LAYOUT, GoogLeNet
from det_inception.weights import keras, tensorflow
from det_inception.weights.files import RawCheckpoint, read_file
from det_inception.weights.layouts import convert_state_dict

_BUILT_ONCE = replace(LAYOUT, build=lru_cache(maxsize=64)(LAYOUT.build))  # Else it takes most of the time.


class WeightFile(Target):
    """PyTorch's files, old and new, NumPy's and Caffe's."""

    def sound_files(self) -> list[bytes]:
        state, files = {'conv1/7x7_s2.weight': torch.ones(2, 3), 'b': torch.zeros(4, dtype=torch.int64)}, []
        for new in (True, False):
            file = io.BytesIO()
            torch.save(dict(state_dict=state, meta=dict(epoch=1)), file, _use_new_zipfile_serialization=new)
            files.append(file.getvalue())
        file = io.BytesIO()
        np.savez_compressed(file, **{name.replace('/', '_'): tensor.numpy() for name, tensor in state.items()})
        blob = b'\x3a\x04\x0a\x02\x01\x02\x2d' + bytes(4) + b'\x2d' + bytes(4)
        layer = b'\x0a\x01a\x3a' + bytes([len(blob)]) + blob
        return [*files, file.getvalue(), b'\xa2\x06' + bytes([len(layer)]) + layer]

    def forged(self, random):
        file = io.BytesIO()
        if random.random() < 0.5:
            np.savez(file, a=odd_array(random), b=odd_array(random, np.ones(3)))
        else:
            torch.save(replaced_state(random), file, _use_new_zipfile_serialization=random.random() < 0.5)
        return file.getvalue()

    def read(self):
        assert all(isinstance(tensor, torch.Tensor) for tensor in read_file(self.path).tensors.values())


def replaced_state(random: np.random.Generator):
    odd = pick(random, [odd_json(random), torch.ones(1).expand(int(random.integers(1, 10**6))), print, object, {1j}])
    state = {pick(random, ODD_TEXTS): odd, 'a': torch.ones(2)}
    return pick(random, [state, dict(state_dict=state), dict(state_dict=odd), odd, dict(meta=odd, state_dict=state)])


class TensorFlowTable(Target):
    """A checkpoint of TensorFlow in one file."""

    arrays = {'a/weights': np.arange(6, dtype=np.float32).reshape(2, 3), 'b': np.float32([1]), 'c': np.float32(2)}

    def sound_files(self):
        write_v1(self.folder / 'v1.ckpt', self.arrays)
        return [(self.folder / 'v1.ckpt').read_bytes()]

    def forged(self, random):
        """A sound table of odd messages."""
        meta = field(1, field(1, b'a') + field(2, odd_shape(random)) + field(3, pick(random, [1, 2, 9, 2**63])))
        numbers = field(3, field(5, bytes(pick(random, [0, 4, 24, 25]))))
        entry = field(2, field(1, b'a') + field(2, field(1, b'')) + numbers)
        entries = {b'': field(1, meta), b'\0a\0\1': entry, pick(random, ODD_TEXTS).encode(): entry}
        name = pick(random, list(entries))
        entries[name] = damaged(random, list(entries.values()))
        return table(entries, per_block=pick(random, [1, 7]))

    def read(self):
        for tensor in read_file(self.path).tensors.values():
            assert tensor.dtype == torch.float32 and tensor.untyped_storage().nbytes() <= 2 * self.path.stat().st_size


class TensorFlowBundle(TensorFlowTable):
    """The index of a checkpoint whose numbers lie in files beside it."""

    def sound_files(self):
        write_v2(self.folder / 'input', self.arrays, shards=2)
        self.path = self.folder / 'input.index'
        self.data = max(path.stat().st_size for path in self.folder.glob('input.data-*'))
        return [self.path.read_bytes()]

    def read(self):
        for tensor in read_file(self.path).tensors.values():
            assert tensor.dtype in tensorflow.NUMBERS.values() and tensor.untyped_storage().nbytes() <= self.data

    def forged(self, random):
        numbers = [0, 1, 4, 8, 24, 2**31, 2**63 - 1]
        entries = {b'': field(1, pick(random, [0, 1, 2, 3, 2**40]))}
        for name in (b'a', b'b', pick(random, ODD_TEXTS).encode()):
            fields = [
                field(1, pick(random, [1, 1, 2, 7, 99])) + field(2, odd_shape(random)),
                field(3, pick(random, [0, 1, 2, 2**31])),
                field(4, pick(random, numbers)),
                field(5, pick(random, numbers)),
            ]
            entries[name] = b''.join(part for part in fields if random.random() < 0.8)
        return table(entries)


def odd_shape(random: np.random.Generator) -> bytes:
    sizes = pick(random, [(2, 3), (), (1,), (0,), (2**31, 2**31), (2**62, 4), (1,) * 70, (int(random.integers(9)),)])
    return shape_message(sizes)


class KerasFile(Target):
    """The weights of a network of three layers that Keras numbers, names, and gives no batch norm."""

    allowed = (keras.KerasError,)

    def __init__(self, folder):
        keras._UNITS['tiny'] = lambda: iter(
            [keras._Unit('a', 'a_bn'), keras._Unit('b', 'b_bn', 'middle'), keras._Unit('c', '', 'last')]
        )
        keras._HEADS['tiny'] = 'fc'
        super().__init__(folder)

    def sound_files(self):
        norm = {name: np.ones(2, np.float32) for name in ('gamma', 'beta', 'moving_mean', 'moving_variance')}
        kernel = np.ones((1, 1, 2, 2), np.float32)
        layers = dict(
            conv2d=dict(kernel=kernel),
            batch_normalization=norm,
            middle=dict(depthwise_kernel=np.ones((3, 3, 2, 1), np.float32), pointwise_kernel=kernel),
            middle_bn=norm,
            last=dict(kernel=kernel, bias=norm['beta']),
            predictions=dict(kernel=np.ones((2, 3), np.float32), bias=np.ones(3, np.float32)),
        )
        write_old(self.folder / 'old.h5', layers)
        write_old(self.folder / 'model.h5', layers, top='model_weights/')
        write_new(self.folder / 'new.h5', layers)
        write_archive(self.folder / 'new.keras', self.folder / 'new.h5')
        return [(self.folder / name).read_bytes() for name in ('old.h5', 'model.h5', 'new.h5', 'new.keras')]

    def forged(self, random):
        content = pick(random, self.seeds)
        archived = content[:2] == b'PK'
        if archived:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                content = archive.read('model.weights.h5')
        inner = io.BytesIO(content)
        with h5py.File(inner, 'r+') as file:
            sets, groups = [], ['/']
            file.visititems(lambda name, thing: (sets if isinstance(thing, h5py.Dataset) else groups).append(name))
            for name in random.permutation(sets)[: int(random.integers(1, 4))]:
                array = odd_array(random, file[name][()])
                del file[name]
                if random.random() < 0.2:
                    file[name] = pick(random, [h5py.SoftLink(name), h5py.SoftLink('/'), h5py.ExternalLink('x', '/')])
                elif array.dtype.kind != 'U' and random.random() < 0.8:
                    chunks = True if random.random() < 0.5 and array.ndim and array.size else None
                    file.create_dataset(name, data=array, chunks=chunks, compression='gzip' if chunks else None)
            if random.random() < 0.3:
                text = pick(random, ODD_TEXTS).replace('\0', '')
                file[pick(random, groups)].attrs['name'] = pick(random, [text, random.integers(9), np.zeros(3)])
        if not archived:
            return inner.getvalue()
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, 'w') as file:
            file.writestr('model.weights.h5', inner.getvalue())
            if random.random() < 0.2:
                file.writestr('model.weights.h5', b'')
        return archive.getvalue()

    def read(self):
        if keras.is_keras(self.path):
            tensors = keras.read_keras(self.path, 'tiny')
            assert {name.split('.')[0] for name in tensors} <= {'a', 'a_bn', 'b', 'b_bn', 'c', 'fc'}
            assert all(tensor.dtype == torch.float32 for tensor in tensors.values())


class WeightLayout(Target):
    """A GoogLeNet's arrays in the layouts of this project, Caffe and torchvision, some missing or of other shapes."""

    says_names = True

    def sound_files(self) -> list[bytes]:
        self.states = []
        for variant in LAYOUT.variants:
            network = GoogLeNet(variant, width=0.125)
            own = dict(
                network.state_dict(), **{'fc.weight': torch.ones(3, network.out_channels[-1]), 'fc.bias': torch.ones(3)}
            )
            self.states += [own, {f'module.backbone.{key}': value for key, value in own.items()}]
            batch_norm = any('.norm.' in key for key in own)
            names = {
                f'{unit.own}.conv': unit.torchvision + '.conv' if batch_norm else unit.caffe for unit in LAYOUT.units
            }
            names |= {f'{unit.own}.norm': f'{unit.torchvision}.bn' for unit in LAYOUT.units}
            names['fc'] = 'fc' if batch_norm else 'loss3/classifier'
            parts = {key: key.rpartition('.') for key in own if '.' in key}  # TF-slim's network has a flag besides.
            self.states.append({f'{names[layer]}.{kind}': own[key] for key, (layer, _, kind) in parts.items()})
        for state in self.states:
            self.convert(state)
        return []

    @staticmethod
    def convert(state: dict) -> None:
        weights = convert_state_dict(RawCheckpoint(state, {}), 'input', _BUILT_ONCE)
        assert all(value.isfinite().all() for value in weights.backbone.values() if value.is_floating_point())
        assert not weights.classifier or len(weights.classifier['fc.weight']) == len(weights.classifier['fc.bias'])

    def try_one(self, random):
        state = dict(pick(random, self.states))
        for _ in range(int(random.integers(4))):
            name = pick(random, list(state) or ['a'])
            value = state.pop(name, torch.ones(1))
            kind = int(random.integers(7))
            if kind == 1:
                state[f'{pick(random, ODD_TEXTS)}{name}'] = value
            elif kind == 2:
                state[name] = value.reshape(-1)[: int(random.integers(5))]
            elif kind == 3:
                state[name] = (
                    value[None]
                    if random.random() < 0.5
                    else value.to(pick(random, [torch.int64, torch.half, torch.bool]))
                )
            elif kind == 4:
                state[name] = torch.full_like(
                    value,
                    pick(
                        random,
                        [0, 1, -1]
                        if value.dtype == torch.int64
                        else [0.0, -0.0, 1e-38, 1e38, float('inf'), float('nan')],
                    ),
                )
            elif kind == 5:
                state |= {pick(random, list(state) or ['a']): value, name: value}
            elif kind == 6:
                state = {
                    key.replace('inception', pick(random, ['Inception', 'inception', ''])): each
                    for key, each in state.items()
                }
        self.convert(state)


WEIGHT_TARGETS: dict[str, type[Target]] = {
    'weights': WeightFile,
    'TensorFlow in one file': TensorFlowTable,
    'TensorFlow in several files': TensorFlowBundle,
    'Keras': KerasFile,
    'layouts of weights': WeightLayout,
}
