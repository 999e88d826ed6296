"""Reads files of weights, of whatever network and layout, without running any code that they may hold.

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
    """A file with weights cannot be read, or does not fit; the message is one sentence for the user."""


class Content(NamedTuple):
    """What a file holds: its arrays by name, and what it says about them."""

    tensors: dict[str, Tensor]
    meta: dict


def read_file(path: Path, name: str | None = None) -> Content:
    """Reads a local file; its layout is told by its first bytes, because names lie."""
    name = name or str(path)
    if path.is_dir():
        raise CheckpointError(f'{name} is a directory; name the file with the weights in it.')
    if not path.is_file():
        raise CheckpointError(f'{name} does not exist; check the path of the checkpoint.')
    try:
        with open(path, 'rb') as file:
            start = file.read(2)
    except OSError as error:
        raise CheckpointError(f'{name} cannot be read ({error.strerror}); check its permissions.') from error
    if not start:
        raise CheckpointError(f'{name} is empty; download or write it again.')
    if start == b'PK':
        return _read_npz(path, name) if _is_npz(path, name) else _read_torch(path, name)
    if start[:1] == b'\x80':  # a pickle: PyTorch's format before 1.6, in which torchvision's file is written
        return _read_torch(path, name)
    return _read_caffe(path, name)


def _is_npz(path: Path, name: str) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
    except (zipfile.BadZipFile, OSError) as error:
        raise CheckpointError(f'{name} is damaged or was cut off; download or write it again.') from error
    return all(member.endswith('.npy') for member in members)


def _read_npz(path: Path, name: str) -> Content:
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: np.asarray(archive[key]) for key in archive.files}
    except Exception as error:  # NumPy and zlib raise nearly anything for damaged bytes
        raise CheckpointError(f'{name} cannot be read as .npz ({first_line(error)}).') from error
    numbers = {key: array for key, array in arrays.items() if array.dtype.kind in 'fiu'}
    return Content({key: torch.from_numpy(array.astype(np.float32)) for key, array in numbers.items()}, {})


def _read_caffe(path: Path, name: str) -> Content:
    try:
        layers = read_caffemodel(path)
    except CaffemodelError as error:
        raise CheckpointError(
            f'{name} is neither a PyTorch checkpoint nor an .npz, and no whole .caffemodel either: {error}.'
        ) from error
    except OSError as error:
        raise CheckpointError(f'{name} cannot be read ({error.strerror}); check its permissions.') from error
    tensors = {}
    for layer, blobs in layers.items():
        for blob, kind in zip(blobs, ('weight', 'bias')):
            tensors[f'{layer}.{kind}'] = torch.from_numpy(blob.astype(np.float32))
    return Content(tensors, {})


def _read_torch(path: Path, name: str) -> Content:
    try:
        with _weights_only():
            checkpoint = torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # torch raises nearly anything for damaged bytes
        raise _unreadable(name, error) from error
    return _unpack(checkpoint, name)


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
                f'{name} holds {refused[1]}, which could run code, and is not loaded; save the state_dict alone.'
            )
        # torch explains at length; the reason itself stands behind these words.
        if reason := re.search(r'WeightsUnpickler error:\s*(.+)', str(error)):
            return CheckpointError(
                f'{name} is damaged or holds other things than weights, and is not loaded ({reason[1].rstrip(".")}).'
            )
    return CheckpointError(f'{name} is damaged or was cut off; download or write it again ({first_line(error)}).')


def _unpack(checkpoint: object, name: str) -> Content:
    meta = {}
    if isinstance(checkpoint, Mapping):
        meta = checkpoint.get('meta')
        for key in ('state_dict', 'model'):  # MMEngine's name, and that of torchvision's training script
            if isinstance(checkpoint.get(key), Mapping):
                checkpoint = checkpoint[key]
                break
    if not isinstance(checkpoint, Mapping):
        raise CheckpointError(f'{name} holds a {type(checkpoint).__name__} and no state_dict; save a state_dict.')
    tensors = {str(key): value for key, value in checkpoint.items() if isinstance(value, Tensor)}
    return Content(tensors, dict(meta) if isinstance(meta, Mapping) else {})


# -------------------------------------------------------------------------------------------------------- addresses


def fetch(address: str) -> tuple[Path, Content]:
    """Downloads an address, or finds it in the cache, and returns where it lies and what it holds."""
    if not address.startswith(ADDRESSES):
        raise CheckpointError(f'{address} is no address that is understood; use a file, {", ".join(ADDRESSES)}.')
    if address.startswith('torchvision://') and address != 'torchvision://googlenet':
        raise CheckpointError(f'{address} is no GoogLeNet; use torchvision://googlenet.')
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
            f'{address} cannot be downloaded ({first_line(error)}); fetch {url} on another machine and give the '
            f"file's path instead of the address, or put the file at {cached}."
        ) from error
    except Exception as error:  # torch raises nearly anything for damaged bytes
        raise _unreadable(f'{address} (cached at {cached})', error) from error
    return cached, _unpack(checkpoint, address)


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
