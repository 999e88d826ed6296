"""Takes the named arrays out of a TorchScript archive: weights only, its program is neither compiled nor run.

Such an archive is a ZIP file. ``data.pkl`` is a pickle of the modules, objects of classes whose code lies beside it;
the numbers are in ``data/``. Here those classes are empty shells that keep what is said of them, and the pickle may
name nothing but them and the parts of a tensor.
"""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_STORAGES = {
    'DoubleStorage': torch.float64,
    'FloatStorage': torch.float32,
    'HalfStorage': torch.float16,
    'BFloat16Storage': torch.bfloat16,
    'LongStorage': torch.int64,
    'IntStorage': torch.int32,
    'ShortStorage': torch.int16,
    'CharStorage': torch.int8,
    'ByteStorage': torch.uint8,
    'BoolStorage': torch.bool,
}


class _Module:
    """Stands for an object of a class of the program."""

    state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state


def is_torchscript(archive: zipfile.ZipFile) -> bool:
    """Whether a ZIP file is such an archive."""
    return any(name.endswith('/constants.pkl') for name in archive.namelist())


def read_torchscript(path: Path) -> dict[str, Tensor]:
    """Returns the parameters and buffers of the archive's module, by the names of its ``state_dict``.

    Args:
        path: Its pickles must have been looked through with :func:`det_inception.utils.pickles.scan_pickle`.

    Raises:
        pickle.UnpicklingError: It names something that could run code, or is damaged.
    """
    with zipfile.ZipFile(path) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith('/data.pkl'))
        with archive.open(name) as file:
            root = _Unpickler(file, archive, name.removesuffix('data.pkl')).load()
    tensors, modules, seen = {}, [('', root)], set()
    while modules:
        prefix, module = modules.pop(0)
        if id(module) in seen or not isinstance(getattr(module, 'state', None), dict):
            continue
        seen.add(id(module))
        for key, value in module.state.items():
            if isinstance(value, Tensor):
                tensors[f'{prefix}{key}'] = value
            elif isinstance(value, _Module):
                modules.append((f'{prefix}{key}.', value))
    return tensors


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: Any, archive: zipfile.ZipFile, folder: str) -> None:
        super().__init__(file)
        self._archive, self._folder, self._storages = archive, folder, {}

    def find_class(self, module: str, name: str) -> Callable:
        if module.startswith('__torch__'):
            return type('Module', (_Module,), {})
        if module == 'torch' and name in _STORAGES:
            return _STORAGES[name]
        known = {
            ('torch._utils', '_rebuild_tensor_v2'): _rebuild,
            ('collections', 'OrderedDict'): dict,
            **{('torch.jit._pickle', f'build_{kind}list'): list for kind in ('int', 'double', 'bool', 'tensor')},
            ('torch.jit._pickle', 'restore_type_tag'): lambda value, tag: value,
        }
        if (module, name) not in known:
            raise pickle.UnpicklingError(f'GLOBAL {module}.{name}')
        return known[module, name]

    def persistent_load(self, said: object) -> Tensor:
        _, kind, key, _, count = said
        if key not in self._storages:
            content = bytearray(self._archive.read(f'{self._folder}data/{key}'))
            if len(content) != count * kind.itemsize:
                raise pickle.UnpicklingError('its numbers are not those that it says')
            self._storages[key] = torch.frombuffer(content, dtype=kind) if content else torch.zeros(0, dtype=kind)
        return self._storages[key]


def _rebuild(storage: Tensor, offset: int, size: tuple, stride: tuple, *_: object) -> Tensor:
    return torch.as_strided(storage, size, stride, offset)  # which refuses what leaves the storage
