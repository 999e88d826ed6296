"""The one reader of files of weights and checkpoints, of whatever network and layout: no file can run code.

PyTorch's files are unpickled with ``weights_only=True``, NumPy's with ``allow_pickle=False``.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlparse

import numpy as np
import torch
from mmengine.runner import CheckpointLoader
from torch import Tensor

from det_inception.utils.errors import InputError, first_line
from det_inception.weights.caffemodel import CaffemodelError, read_caffemodel

ADDRESSES = ('torchvision://', 'http://', 'https://')
TORCHVISION_URL = 'https://download.pytorch.org/models/googlenet-1378be20.pth'


class CheckpointError(InputError):
    """A file of weights or a checkpoint cannot be read, or does not fit; the message is one sentence for the user."""


class RawCheckpoint(NamedTuple):
    """What a file holds: its arrays by their names there, and what it says about them."""

    tensors: dict[str, Tensor]
    meta: dict


def read_raw(source: str | Path) -> RawCheckpoint:
    """Reads all arrays of a file of weights, of whatever network.

    Args:
        source: A file, ``'torchvision://googlenet'``, or an ``http://`` or ``https://`` address of a file.

    Raises:
        CheckpointError: The file cannot be read, or could run code.
    """
    return find_raw(source)[1]


def find_raw(source: str | Path) -> tuple[Path, RawCheckpoint]:
    """Does what :func:`read_raw` does, and also returns where the file lies."""
    source = os.fspath(source)
    if '://' in source:
        return fetch(source)
    path = Path(source).expanduser()
    return path, read_file(path)


def read_file(path: Path) -> RawCheckpoint:
    """Reads a local file; its first bytes tell its layout, because names lie."""
    start = _first_bytes(path)
    if start == b'PK':
        return _read_npz(path) if _is_npz(path) else _unpack(load_pickle(path), str(path))
    if start[:1] == b'\x80':  # a pickle: PyTorch's format before 1.6, in which torchvision's file is written
        return _unpack(load_pickle(path), str(path))
    return _read_caffe(path)


def load_pickle(path: Path) -> object:
    """Returns what ``torch.save`` wrote into a file: tensors, plain values and the log of MMEngine, nothing else.

    Raises:
        CheckpointError: The file is missing, damaged or no such file, or it could run code.
    """
    _first_bytes(path)
    try:
        with _weights_only():
            return torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # torch raises nearly anything for damaged bytes
        raise _unreadable(str(path), error) from error


def _first_bytes(path: Path) -> bytes:
    if path.is_dir():
        raise CheckpointError(f'{path}: is a directory and no such checkpoint; name the file with the weights in it.')
    if not path.is_file():
        raise CheckpointError(f'{path}: no such checkpoint; correct the path.')
    try:
        with open(path, 'rb') as file:
            start = file.read(2)
    except OSError as error:
        raise CheckpointError(f'{path}: cannot be read ({error.strerror}); check its permissions.') from error
    if not start:
        raise CheckpointError(f'{path}: is empty; download or write it again.')
    return start


def _is_npz(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
    except (zipfile.BadZipFile, OSError) as error:
        raise CheckpointError(f'{path}: is damaged or was cut off; download or write it again.') from error
    return all(member.endswith('.npy') for member in members)


def _read_npz(path: Path) -> RawCheckpoint:
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: np.asarray(archive[key]) for key in archive.files}
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
        for key in ('state_dict', 'model'):  # MMEngine's name, and that of torchvision's training script
            if isinstance(checkpoint.get(key), Mapping):
                checkpoint = checkpoint[key]
                break
    if not isinstance(checkpoint, Mapping):
        raise CheckpointError(f'{name}: holds a {type(checkpoint).__name__} and no state_dict; save a state_dict.')
    tensors = {str(key): value for key, value in checkpoint.items() if isinstance(value, Tensor)}
    return RawCheckpoint(tensors, dict(meta) if isinstance(meta, Mapping) else {})


# -------------------------------------------------------------------------------------------------------- addresses


def fetch(address: str) -> tuple[Path, RawCheckpoint]:
    """Downloads an address, or finds it in the cache, and returns where it lies and what it holds."""
    if not address.startswith(ADDRESSES):
        raise CheckpointError(f'{address}: is no address that is understood; use a file, {", ".join(ADDRESSES)}.')
    if address.startswith('torchvision://') and address != 'torchvision://googlenet':
        raise CheckpointError(f'{address}: is no GoogLeNet; use torchvision://googlenet.')
    url = TORCHVISION_URL if address.startswith('torchvision://') else address
    # The cache of PyTorch and MMEngine.
    cached = Path(torch.hub.get_dir(), 'checkpoints', os.path.basename(urlparse(url).path) or 'checkpoint')
    try:
        if cached.suffix in ('.caffemodel', '.npz'):
            if not cached.is_file():
                cached.parent.mkdir(parents=True, exist_ok=True)
                torch.hub.download_url_to_file(url, str(cached), progress=False)
            return cached, read_file(cached)
        # MMEngine's loader, for its barrier between processes and for loaders that a user has registered.
        with _weights_only():
            checkpoint = CheckpointLoader.load_checkpoint(address, map_location='cpu', logger='silent')
    except CheckpointError:
        raise
    except OSError as error:  # urllib's errors are among them
        raise CheckpointError(
            f'{address}: cannot be downloaded ({first_line(error)}); fetch {url} on another machine and give the '
            f"file's path instead of the address, or put the file at {cached}."
        ) from error
    except Exception as error:  # torch raises nearly anything for damaged bytes
        raise _unreadable(f'{address} (cached at {cached})', error) from error
    return cached, _unpack(checkpoint, address)


def sha256_of(path: Path) -> str:
    """Returns the SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
