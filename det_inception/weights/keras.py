"""Weights of Keras, read without it: Inception v3, Inception-ResNet v2 and Xception, under timm's names.

Read are ``.h5`` of ``save_weights`` and ``save`` (Keras 1.2 to 3), ``.weights.h5`` and ``.keras`` (Keras 3). The arrays
alone are read: a model's config may hold code, and is not looked at. Layers are known by their names, of which Keras
numbers most (``conv2d_17``); so they are taken in the order of their numbers, the one in which Keras' own definitions
of the three networks make them (``keras.applications``).
"""

from __future__ import annotations

import math
import os
import re
import struct
import zipfile
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from det_inception.utils.hdf5 import Dataset, HDF5Error, HDF5File

NORMALIZATION = dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5], bgr_to_rgb=True)
"""What the three networks of ``keras.applications`` were trained with."""
NETWORKS = ('inception_v3', 'inception_resnet_v2', 'legacy_xception')
"""timm's names of the networks."""
_MEMBER = 'model.weights.h5'
_SIGNATURE = b'\x89HDF\r\n\x1a\n'
_NUMBERED = dict(
    conv2d=('kernel', 'bias'),
    dense=('kernel', 'bias'),
    separable_conv2d=('depthwise_kernel', 'pointwise_kernel', 'bias'),
    batch_normalization=('gamma', 'beta', 'moving_mean', 'moving_variance'),
)
"""Keras 3 numbers the arrays of a layer: what they are, by the class of the layer."""
_NORMS = dict(gamma='weight', beta='bias', moving_mean='running_mean', moving_variance='running_var')


class KerasError(ValueError):
    """A file of Keras is damaged, or not of one of the three networks; the message is the end of a sentence."""


class _Unit(NamedTuple):
    """A convolution of timm's network and the batch norm behind it, and the name of the convolution in Keras.

    Attributes:
        conv: timm's name.
        norm: timm's name; empty: none, and the convolution has a bias.
        layer: Keras' name; empty: it is numbered.
    """

    conv: str
    norm: str
    layer: str = ''


def is_keras(path: str | os.PathLike) -> bool:
    """Whether a file is an HDF5 file, or an archive of Keras with one in it."""
    with open(path, 'rb') as file:
        start = file.read(8)
    if start[:2] != b'PK':
        return start == _SIGNATURE
    try:
        with zipfile.ZipFile(path) as archive:
            return _MEMBER in archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False


def read_keras(path: str | os.PathLike, network: str) -> dict[str, Tensor]:
    """Reads the weights of one of the networks.

    Args:
        path: The file.
        network: One of :data:`NETWORKS`.

    Returns:
        Arrays, float32, under timm's names and in PyTorch's order. The classifier is among them if the file has one.

    Raises:
        KerasError: The file is damaged, of another kind, or of another network.
        OSError: It cannot be read.
    """
    try:
        start, size = _part(path)
        with HDF5File(path, start, size) as file:
            layers = _layers(file)
    except HDF5Error as error:
        raise KerasError(str(error)) from error
    return _named_by_timm(layers, network)


def _part(path: str | os.PathLike) -> tuple[int, int | None]:
    """Where in a file the HDF5 file lies."""
    with open(path, 'rb') as file:
        if file.read(2) != b'PK':
            return 0, None
        try:
            with zipfile.ZipFile(file) as archive:
                member = archive.getinfo(_MEMBER)
            if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
                raise KerasError(f'{_MEMBER} is compressed in it, which Keras does not do; unpack it')
            file.seek(member.header_offset)
            header = struct.unpack('<4s22xHH', file.read(30))
        except KerasError:
            raise
        except Exception as error:  # zipfile raises nearly anything for damaged bytes
            raise KerasError('the archive is damaged') from error
    if header[0] != b'PK\3\4':
        raise KerasError('the archive is damaged')
    return member.header_offset + 30 + header[1] + header[2], member.file_size


def _layers(file: HDF5File) -> dict[str, dict[str, np.ndarray]]:
    """The arrays of each layer, by its name and theirs."""
    found: dict[str, dict[str, Dataset]] = {}
    kinds = {}
    for path, dataset, texts in file.walk():
        parts = path.split('/')
        if parts[0] in ('optimizer_weights', 'optimizer') or len(parts) < 2:
            continue
        if isinstance(dataset, HDF5Error):
            raise KerasError(f'{path}: {dataset}')
        if parts[-2] == 'vars' and parts[-1].isdigit() and len(parts) > 2:
            layer = texts.get('name') or parts[-3]
            kinds[layer] = re.sub(r'_\d+$', '', parts[-3])
        else:
            layer = parts[-2]
        found.setdefault(layer, {})[parts[-1].removesuffix(':0')] = dataset
    sets = [dataset for one in found.values() for dataset in one.values()]
    if sum(dataset.dtype.itemsize * math.prod(dataset.shape) for dataset in sets) > file.size:
        raise KerasError('it promises more than it holds')
    return {layer: _arrays(kinds.get(layer), sets) for layer, sets in found.items()}


def _arrays(kind: str | None, sets: Mapping[str, Dataset]) -> dict[str, np.ndarray]:
    names = {name: name for name in sets}
    if kind is not None:
        known = _NUMBERED.get(kind, ())
        # A batch norm of three arrays has no scale.
        known = known[1:] if kind == 'batch_normalization' and len(sets) == 3 else known
        names = {str(number): name for number, name in enumerate(known)}
    return {names[name]: dataset.read() for name, dataset in sets.items() if name in names}


def _named_by_timm(layers: Mapping[str, Mapping[str, np.ndarray]], network: str) -> dict[str, Tensor]:
    convs, norms = (_numbered(layers, name) for name in ('conv2d', 'batch_normalization'))
    given: dict[str, Tensor] = {}
    for unit in _UNITS[network]():
        layer = unit.layer or next(convs, '')
        norm = (f'{unit.layer}_bn' if unit.layer else next(norms, '')) if unit.norm else ''
        if not layer or (unit.norm and not norm):
            raise KerasError(f'it has fewer layers than {network}')
        arrays = layers.get(layer, {})
        if 'depthwise_kernel' in arrays and 'pointwise_kernel' in arrays:
            given[f'{unit.conv}.conv1.weight'] = _kernel(arrays['depthwise_kernel'], layer, depthwise=True)
            given[f'{unit.conv}.pointwise.weight'] = _kernel(arrays['pointwise_kernel'], layer)
        elif 'kernel' in arrays:
            given[f'{unit.conv}.weight'] = _kernel(arrays['kernel'], layer)
        else:
            raise KerasError(f'it lacks the layer {layer}, so it is no {network}')
        if unit.norm:
            values = layers.get(norm, {})
            if not {'beta', 'moving_mean', 'moving_variance'} <= values.keys():
                raise KerasError(f'it lacks the batch norm {norm}, so it is no {network}')
            values = {'gamma': np.ones_like(values['beta']), **values}
            for theirs, ours in _NORMS.items():
                given[f'{unit.norm}.{ours}'] = _tensor(values[theirs])
        elif 'bias' in arrays:
            given[f'{unit.conv}.bias'] = _tensor(arrays['bias'])
    if (extra := next(convs, None)) is not None:
        raise KerasError(f'it has a layer {extra} too many, so it is no {network}')
    if {'kernel', 'bias'} <= (head := layers.get('predictions', {})).keys() and head['kernel'].ndim == 2:
        place = _HEADS[network]
        given |= {f'{place}.weight': _tensor(head['kernel'].T), f'{place}.bias': _tensor(head['bias'])}
    return given


def _numbered(layers: Mapping[str, object], kind: str) -> Iterator[str]:
    """Names of layers that Keras has numbered, in the order in which they were made; the first may have no number."""
    found = [name for name in layers if re.fullmatch(rf'{kind}(_\d{{1,9}})?', name)]
    return iter(sorted(found, key=lambda name: int(name.removeprefix(kind).lstrip('_') or 0)))


def _kernel(array: np.ndarray, layer: str, depthwise: bool = False) -> Tensor:
    """From height x width x inputs x outputs; a depthwise kernel has inputs x 1 there."""
    if array.ndim != 4 or (depthwise and array.shape[3] != 1):
        raise KerasError(f'{layer} has a kernel of the shape {"x".join(map(str, array.shape))}')
    return _tensor(array.transpose(2, 3, 0, 1) if depthwise else array.transpose(3, 2, 0, 1))


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))


def _basic(*names: str) -> Iterator[_Unit]:
    for name in names:
        yield _Unit(f'{name}.conv', f'{name}.bn')


def _inception_v3() -> Iterator[_Unit]:
    double = ('branch3x3dbl_1', 'branch3x3dbl_2', 'branch3x3dbl_3')
    sevens = tuple(f'branch7x7_{n}' for n in (1, 2, 3)) + tuple(f'branch7x7dbl_{n}' for n in (1, 2, 3, 4, 5))
    split = ('branch3x3_1', 'branch3x3_2a', 'branch3x3_2b', 'branch3x3dbl_1', 'branch3x3dbl_2')
    blocks = {
        '5': ('branch1x1', 'branch5x5_1', 'branch5x5_2', *double, 'branch_pool'),
        '6a': ('branch3x3', *double),
        '6': ('branch1x1', *sevens, 'branch_pool'),
        '7a': ('branch3x3_1', 'branch3x3_2', *(f'branch7x7x3_{n}' for n in (1, 2, 3, 4))),
        '7': ('branch1x1', *split, 'branch3x3dbl_3a', 'branch3x3dbl_3b', 'branch_pool'),
    }
    yield from _basic('Conv2d_1a_3x3', 'Conv2d_2a_3x3', 'Conv2d_2b_3x3', 'Conv2d_3b_1x1', 'Conv2d_4a_3x3')
    for name in ('5b', '5c', '5d', '6a', '6b', '6c', '6d', '6e', '7a', '7b', '7c'):
        yield from _basic(*(f'Mixed_{name}.{branch}' for branch in blocks.get(name) or blocks[name[0]]))


def _inception_resnet_v2() -> Iterator[_Unit]:
    yield from _basic('conv2d_1a', 'conv2d_2a', 'conv2d_2b', 'conv2d_3b', 'conv2d_4a')
    three = ('branch0', 'branch1.0', 'branch1.1', 'branch2.0', 'branch2.1', 'branch2.2')
    two = ('branch0', 'branch1.0', 'branch1.1', 'branch1.2')
    yield from _basic(*(f'mixed_5b.{branch}' for branch in (*three, 'branch3.1')))
    for place, branches, count, theirs in (
        ('repeat', three, 10, 'block35'),
        ('mixed_6a', two, 0, ''),
        ('repeat_1', two, 20, 'block17'),
        ('mixed_7a', ('branch0.0', 'branch0.1', *three[1:]), 0, ''),
        ('repeat_2', two, 10, 'block8'),
    ):
        if not count:
            yield from _basic(*(f'{place}.{branch}' for branch in branches))
        for number in range(count):
            name = 'block8' if (place, number) == ('repeat_2', 9) else f'{place}.{number}'
            yield from _basic(*(f'{name}.{branch}' for branch in branches))
            yield _Unit(f'{name}.conv2d', '', f'{theirs}_{number + 1}_conv')
    yield _Unit('conv2d_7b.conv', 'conv2d_7b.bn', 'conv_7b')


def _xception() -> Iterator[_Unit]:
    for number in (1, 2):
        yield _Unit(f'conv{number}', f'bn{number}', f'block1_conv{number}')
    for block in range(1, 13):
        first, count = (0 if block == 1 else 1), (2 if block in (1, 2, 3, 12) else 3)
        if count == 2:  # In Keras their shortcuts are the only convolutions without a name.
            yield _Unit(f'block{block}.skip', f'block{block}.skipbn')
        for number in range(count):
            place = first + 3 * number
            layer = f'block{block + 1}_sepconv{number + 1}'
            yield _Unit(f'block{block}.rep.{place}', f'block{block}.rep.{place + 1}', layer)
    for number in (1, 2):
        yield _Unit(f'conv{number + 2}', f'bn{number + 2}', f'block14_sepconv{number}')


_UNITS = dict(inception_v3=_inception_v3, inception_resnet_v2=_inception_resnet_v2, legacy_xception=_xception)
_HEADS = dict(inception_v3='fc', inception_resnet_v2='classif', legacy_xception='fc')
