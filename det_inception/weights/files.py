"""The one reader of files of weights and checkpoints, of whatever network and layout: no file can run code.

PyTorch's files are unpickled with ``weights_only=True``, NumPy's arrays of objects are refused. What a file says of
sizes is compared with its own size before it is read: see :data:`MAX_INFLATION`.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import io
import os
import pickle
import re
import stat
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlparse
from urllib.request import Request, urlopen

import numpy as np
import torch
from torch import Tensor

from det_inception.utils.errors import InputError, first_line
from det_inception.utils.file_kinds import kind_of
from det_inception.utils.files import atomic_write
from det_inception.utils.included import CHECKPOINTS, advice, find_checkpoint
from det_inception.utils.npy import read_npy
from det_inception.utils.pickles import scan_pickle
from det_inception.weights.caffemodel import CaffemodelError, read_caffemodel
from det_inception.weights.safetensors import SafetensorsError, is_safetensors, read_safetensors
from det_inception.weights.tensorflow import TensorFlowError, is_table, read_tensorflow
from det_inception.weights.torchscript import is_torchscript, read_torchscript

ADDRESSES = ('torchvision://', 'http://', 'https://')
TORCHVISION_URL = 'https://download.pytorch.org/models/googlenet-1378be20.pth'
TORCHVISION_URLS = {
    'torchvision://googlenet': TORCHVISION_URL,
    'torchvision://alexnet': 'https://download.pytorch.org/models/alexnet-owt-7be5be79.pth',
    'torchvision://vgg16': 'https://download.pytorch.org/models/vgg16-397923af.pth',
}
"""Their names end in the beginning of their SHA-256."""
MAX_INFLATION = 8
"""A file's arrays may take so many times its own size in memory, and 64 MiB. Weights hardly compress."""
MAX_DOWNLOAD = 4 << 30
"""Longer files are not downloaded."""
# Bytes of a number in PyTorch's storages, of those with more than one.
_ITEM_SIZES = {
    f'torch {kind}Storage': size
    for size, kinds in {
        2: 'Half BFloat16 Short',
        4: 'Float Int',
        8: 'Double Long ComplexFloat',
        16: 'ComplexDouble',
    }.items()
    for kind in kinds.split()
}


class CheckpointError(InputError):
    """A file of weights or a checkpoint cannot be read, or does not fit; the message is one sentence for the user."""


class ComplexNumbersError(ValueError):
    """A file has them. PyTorch would drop their imaginary parts with a warning."""


class OversizeError(ValueError):
    """A file says more than its size justifies; the message is the end of a sentence."""


class RawCheckpoint(NamedTuple):
    """What a file holds: its arrays by their names there, and what it says about them."""

    tensors: dict[str, Tensor]
    meta: dict


def read_raw(source: str | Path) -> RawCheckpoint:
    """Reads all arrays of a file of weights, of whatever network.

    Args:
        source: A file, the bare name of one of the project's checkpoints, one of :data:`TORCHVISION_URLS`, or an
            ``http://`` or ``https://`` address of a file.

    Raises:
        CheckpointError: The file cannot be read, or could run code.
    """
    return find_raw(source)[1]


def find_raw(source: str | Path) -> tuple[Path, RawCheckpoint]:
    """Does what :func:`read_raw` does, and also returns where the file lies."""
    source = os.fspath(source)
    if '://' in source:
        return fetch(source)
    path = find_checkpoint(Path(source).expanduser())
    # TensorFlow names several files by what they share.
    if not os.path.exists(path) and os.path.isfile(f'{path}.index'):
        path = Path(f'{path}.index')
    return path, read_file(path)


def read_file(path: Path) -> RawCheckpoint:
    """Reads a local file; its first bytes tell its layout, because names lie."""
    start = _first_bytes(path)
    if start == b'PK':
        kind = _kind_of_archive(path)
        if kind == 'torchscript':
            return _read_torchscript(path)
        return _read_npz(path) if kind == 'npz' else _unpack(load_pickle(path), str(path))
    if start[:1] == b'\x80':  # a pickle: PyTorch's format before 1.6, in which torchvision's file is written
        return _unpack(load_pickle(path), str(path))
    if is_table(path):
        return _read_tensorflow(path)
    with open(path, 'rb') as file:
        content = file.read(1000)
    if is_safetensors(content, path.stat().st_size):
        try:
            return RawCheckpoint(read_safetensors(path), {})
        except (OSError, SafetensorsError) as error:
            raise CheckpointError(
                f'{path}: is a file of safetensors that is damaged or was cut off; download or write it again '
                f'({first_line(error)}).'
            ) from error
    if (found := kind_of(content)) is not None:
        raise CheckpointError(f'{path}: holds no weights but is {found[0]}; {found[1]}.')
    return _read_caffe(path)


def load_pickle(path: Path) -> object:
    """Returns what ``torch.save`` wrote into a file: tensors, plain values and the log of MMEngine, nothing else.

    Raises:
        CheckpointError: The file is missing, damaged or no such file, or it could run code, or take far more memory
            than its size.
    """
    start = _first_bytes(path)
    try:
        if start == b'PK' or start[:1] == b'\x80':
            _require_honest_sizes(path, start)
        with _weights_only():
            content = torch.load(path, map_location='cpu', weights_only=True)
        _require_small_tensors(content, path.stat().st_size)
        return content
    except Exception as error:  # torch raises nearly anything for damaged bytes
        raise _unreadable(str(path), error) from error


def _first_bytes(path: Path) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode) and not path.is_dir():
            raise CheckpointError(f'{path}: is a device or a pipe; name a file.')
        with open(path, 'rb') as file:
            start = file.read(2)
    except CheckpointError:
        raise
    except IsADirectoryError as error:
        raise CheckpointError(
            f'{path}: is a directory and no such checkpoint; name the file with the weights in it.'
        ) from error
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:  # ValueError: a null character.
        raise CheckpointError(f'{path}: no such checkpoint; {advice(path, CHECKPOINTS)}') from error
    except OSError as error:
        raise CheckpointError(f'{path}: cannot be read ({error.strerror}); check its permissions.') from error
    if not start:
        raise CheckpointError(f'{path}: is empty; download or write it again.')
    return start


def _require_honest_sizes(path: Path, start: bytes) -> None:
    """Refuses a file of ``torch.save`` that says more than its bytes can hold.

    Raises:
        OversizeError: It does.
        PickleError: It is damaged, or says a value without end.
    """
    size = path.stat().st_size
    if start != b'PK':  # Five pickles, of which the fourth is the content, and the numbers behind them.
        with open(path, 'rb') as file:
            for _ in range(5):
                if not file.peek(1):
                    return
                _require_storages(file, size)
        return
    with zipfile.ZipFile(path) as archive:
        # The program of TorchScript is packed, and not read.
        members = [member for member in archive.infolist() if '/code/' not in member.filename]
        packed = any(member.compress_type != zipfile.ZIP_STORED for member in members)
        if packed or sum(member.file_size for member in members) > size:
            raise OversizeError('a part of it is larger than the file says; PyTorch compresses nothing')
        for member in members:
            if member.filename.endswith('.pkl'):
                with archive.open(member) as file:
                    _require_storages(file, size)


def _require_storages(file: io.BufferedIOBase, size: int) -> None:
    storages = {}
    for instruction, item in scan_pickle(file):
        if instruction == 'BINPERSID' and isinstance(item.value, tuple) and item.value[:1] == ('storage',):
            _, kind, key, _, count, *_ = item.value
            storages[key] = count * _ITEM_SIZES.get(kind, 1)
    if sum(storages.values()) > size:
        raise OversizeError(f'it says {sum(storages.values())} bytes of numbers and has {size} bytes')


def _require_small_tensors(content: object, size: int) -> None:
    """Refuses tensors that repeat a few numbers of the file many times, or have none there.

    Raises:
        OversizeError: There are.
    """
    nodes, seen, total = [content], set(), 0
    while nodes:
        node = nodes.pop()
        if id(node) in seen:
            continue
        if isinstance(node, Tensor):
            if node.is_quantized or node.is_nested or node.layout != torch.strided or node.device.type != 'cpu':
                raise OversizeError(f'it has a tensor of an unusual kind, {node.layout} on {node.device}')
            if node.is_complex():
                raise ComplexNumbersError(f'holds complex numbers, {node.dtype}, and no network here has such')
            total += node.numel() * node.element_size()
        elif isinstance(node, (Mapping, list, tuple)):
            seen.add(id(node))
            nodes.extend(node.values() if isinstance(node, Mapping) else node)
    if total > _allowed(size):
        raise OversizeError(f'its tensors take {total} bytes of memory and the file {size}')


def _allowed(size: int) -> int:
    return MAX_INFLATION * size + (64 << 20)


def _read_tensorflow(path: Path) -> RawCheckpoint:
    try:
        return RawCheckpoint(read_tensorflow(path), {})
    except FileNotFoundError as error:
        raise CheckpointError(
            f'{path}: its numbers should be in {error.filename}, which is not there; put the files of the checkpoint '
            'side by side.'
        ) from error
    except (OSError, TensorFlowError) as error:
        raise CheckpointError(
            f'{path}: is a checkpoint of TensorFlow that is damaged or of a kind that is not read; download or write '
            f'it again ({first_line(error)}).'
        ) from error


def _kind_of_archive(path: Path) -> str | None:
    """Returns ``'npz'`` or ``'torchscript'`` of such a ZIP file, None of another."""
    try:
        with zipfile.ZipFile(path) as archive:
            if is_torchscript(archive):
                return 'torchscript'
            return 'npz' if all(name.endswith('.npy') for name in archive.namelist()) else None
    except Exception as error:  # zipfile raises nearly anything for damaged bytes
        raise _unreadable(str(path), error) from error


def _read_torchscript(path: Path) -> RawCheckpoint:
    try:
        _require_honest_sizes(path, b'PK')
        tensors = read_torchscript(path)
        _require_small_tensors(tensors, path.stat().st_size)
    except Exception as error:  # the unpickler raises nearly anything for damaged bytes
        raise _unreadable(str(path), error) from error
    if not tensors:
        raise CheckpointError(
            f'{path}: is a TorchScript program whose weights have no names, as torch.jit.freeze leaves it; name the '
            'file that it was made of.'
        )
    return RawCheckpoint(tensors, {})


def _read_npz(path: Path) -> RawCheckpoint:
    try:
        size = path.stat().st_size
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            total = sum(member.file_size for member in members)
            if total > _allowed(size):
                raise OversizeError(f'its arrays take {total} bytes of memory and the file {size}')
            arrays = {member.filename.removesuffix('.npy'): read_npy(archive.read(member)) for member in members}
    except OversizeError as error:
        raise _unreadable(str(path), error) from error
    except Exception as error:  # NumPy and zlib raise nearly anything for damaged bytes
        raise CheckpointError(f'{path}: cannot be read as .npz ({first_line(error)}); write it again.') from error
    numbers = {key: array for key, array in arrays.items() if array.dtype.kind in 'fiu'}
    return RawCheckpoint({key: torch.from_numpy(array.astype(np.float32)) for key, array in numbers.items()}, {})


def _read_caffe(path: Path) -> RawCheckpoint:
    try:
        layers = read_caffemodel(path)
    except CaffemodelError as error:
        raise CheckpointError(
            f'{path}: is neither a PyTorch checkpoint nor an .npz, and no whole .caffemodel either: {error}.'
        ) from error
    except OSError as error:
        raise CheckpointError(f'{path}: cannot be read ({error.strerror}); check its permissions.') from error
    tensors = {}
    for layer, blobs in layers.items():
        for blob, kind in zip(blobs, ('weight', 'bias')):
            tensors[f'{layer}.{kind}'] = torch.from_numpy(blob.astype(np.float32))
    return RawCheckpoint(tensors, {})


@contextlib.contextmanager
def _weights_only() -> Iterator[None]:
    """Makes every ``torch.load`` inside refuse code: MMEngine's for addresses asks for ``weights_only=False``."""
    force, allow = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD', 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'
    before = {variable: os.environ.pop(variable, None) for variable in (force, allow)}
    os.environ[force] = '1'
    try:
        yield
    finally:
        for variable, value in before.items():
            os.environ.pop(variable, None)
            if value is not None:
                os.environ[variable] = value


def _unreadable(name: str, error: Exception) -> CheckpointError:
    if isinstance(error, ComplexNumbersError):
        return CheckpointError(f'{name}: {error}; name a checkpoint of real numbers.')
    if isinstance(error, OversizeError):
        return CheckpointError(
            f'{name}: is damaged or was cut off, or made to fill the memory; download or write it again ({error}).'
        )
    if isinstance(error, OSError) and error.errno:
        return CheckpointError(f'{name}: cannot be read ({error.strerror}); check its permissions and the disk.')
    if 'torchscript' in str(error).lower():
        return CheckpointError(
            f'{name}: is a TorchScript program and no checkpoint of a detector; name one that det-inception train '
            'wrote.'
        )
    if isinstance(error, pickle.UnpicklingError):
        if refused := re.search(r'GLOBAL ([\w.]+)', str(error)):
            return CheckpointError(
                f'{name}: holds {refused[1]}, which could run code, and is not loaded; save the state_dict alone.'
            )
        # torch explains at length; the reason itself stands behind these words.
        if reason := re.search(r'WeightsUnpickler error:\s*(.+)', str(error)):
            return CheckpointError(
                f'{name}: is damaged or holds other things than weights, and is not loaded ({reason[1].rstrip(".")}).'
            )
    return CheckpointError(f'{name}: is damaged or was cut off; download or write it again ({first_line(error)}).')


def _unpack(checkpoint: object, name: str) -> RawCheckpoint:
    meta = {}
    if isinstance(checkpoint, Mapping):
        meta = checkpoint.get('meta')
        checkpoint = _state_dict(checkpoint)
    if not isinstance(checkpoint, Mapping):
        raise CheckpointError(f'{name}: holds a {type(checkpoint).__name__} and no state_dict; save a state_dict.')
    tensors = {str(key): value for key, value in checkpoint.items() if isinstance(value, Tensor)}
    return RawCheckpoint(tensors, dict(meta) if isinstance(meta, Mapping) else {})


def _state_dict(checkpoint: Mapping) -> Mapping:
    """The part of a checkpoint that holds the network's tensors: MMEngine, torchvision, PyTorch's tutorials and others
    each have another name for it."""
    if any(isinstance(checkpoint.get(key), Mapping) for key in ('state_dict', 'model')):
        return next(checkpoint[key] for key in ('state_dict', 'model') if isinstance(checkpoint.get(key), Mapping))
    parts = [part for part in (checkpoint, *checkpoint.values()) if isinstance(part, Mapping)]
    return max(parts, key=lambda part: sum(isinstance(value, Tensor) for value in part.values()))


# -------------------------------------------------------------------------------------------------------- addresses


def fetch(address: str) -> tuple[Path, RawCheckpoint]:
    """Downloads an address, or finds it in the cache, and returns where it lies and what it holds."""
    if not address.startswith(ADDRESSES):
        raise CheckpointError(f'{address}: is no address that is understood; use a file, {", ".join(ADDRESSES)}.')
    if address.startswith('torchvision://') and address not in TORCHVISION_URLS:
        raise CheckpointError(f'{address}: is not known; use {", ".join(TORCHVISION_URLS)}.')
    url = TORCHVISION_URLS.get(address, address)
    cached = _cached(url)
    if not cached.is_file():
        try:
            _download(url, cached)
        except CheckpointError:
            raise
        except (OSError, http.client.HTTPException, ValueError) as error:  # urllib's errors are OSErrors.
            raise CheckpointError(
                f'{address}: cannot be downloaded ({first_line(error)}); fetch {url} on another machine and give the '
                f"file's path instead of the address, or put the file at {cached}."
            ) from error
    try:
        return cached, read_file(cached)
    except CheckpointError as error:
        raise CheckpointError(f'{address}, cached at {error}') from error


def _cached(url: str) -> Path:
    """Where a download is kept: the cache of PyTorch. Two addresses share no file."""
    name = re.sub(r'[^\w.-]', '_', os.path.basename(urlparse(url).path)).lstrip('.') or 'weights'
    path = Path(torch.hub.get_dir(), 'checkpoints', name[-100:])
    return (
        path
        if url in TORCHVISION_URLS.values()
        else path.with_stem(f'{path.stem}-{hashlib.sha256(url.encode()).hexdigest()[:8]}')
    )


def _download(url: str, target: Path) -> None:
    """Downloads a file, which appears whole or not at all; several processes may do so at a time."""
    with urlopen(Request(url, headers={'User-Agent': 'det_inception'}), timeout=60) as response:
        stated = response.headers.get('Content-Length')
        with atomic_write(target, CheckpointError, make_folder=True) as beside:
            digest, size = hashlib.sha256(), 0
            with open(beside, 'wb') as file:
                while block := response.read(1 << 20):
                    size += len(block)
                    if size > MAX_DOWNLOAD:
                        raise ValueError(f'it is longer than {MAX_DOWNLOAD >> 30} GiB')
                    digest.update(block)
                    file.write(block)
            if stated is not None and size != int(stated):
                raise ValueError(f'it ended after {size} of {stated} bytes')
            beginning = Path(url).stem.rpartition('-')[2]
            if url in TORCHVISION_URLS.values() and not digest.hexdigest().startswith(beginning):
                raise ValueError('it is not the file that torchvision published')


def sha256_of(path: Path) -> str:
    """Returns the SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
