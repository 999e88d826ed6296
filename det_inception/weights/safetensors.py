"""Reads files of safetensors: a length of 8 bytes, a header in JSON, and the numbers behind it.

Nothing in such a file runs. What the header says of sizes is compared with the file before numbers are read.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import torch
from torch import Tensor

MAX_HEADER = 100_000_000
"""Bytes; the format's own limit."""
MAX_DIMENSIONS = 8
_TYPES = {
    'F64': torch.float64,
    'F32': torch.float32,
    'F16': torch.float16,
    'BF16': torch.bfloat16,
    'I64': torch.int64,
    'I32': torch.int32,
    'I16': torch.int16,
    'I8': torch.int8,
    'U8': torch.uint8,
    'BOOL': torch.bool,
}


class SafetensorsError(ValueError):
    """The file is not of this format, or it is damaged; the message is the end of a sentence."""


def is_safetensors(start: bytes, size: int) -> bool:
    """Whether a file may be of this format, by its first bytes and its size."""
    return start[8:9] == b'{' and 0 < int.from_bytes(start[:8], 'little') < size


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Returns all arrays of a file by their names.

    Raises:
        SafetensorsError: It is damaged, or has numbers of a kind that no weights have.
        OSError: It cannot be read.
    """
    size = path.stat().st_size
    with open(path, 'rb') as file:
        length = int.from_bytes(file.read(8), 'little')
        if not 2 <= length <= min(MAX_HEADER, size - 8):
            raise SafetensorsError(f'its header has {length} bytes and the file {size}')
        try:
            header = json.loads(file.read(length))
        except (ValueError, RecursionError) as error:
            raise SafetensorsError('its header is no JSON') from error
        if not isinstance(header, dict):
            raise SafetensorsError('its header is no list of arrays')
        header.pop('__metadata__', None)
        places = {name: _place(name, entry, size - 8 - length) for name, entry in header.items()}
        # In order, and none inside another: so a file holds no more numbers than it has bytes.
        end, tensors = 0, {}
        for name, (kind, shape, first, last) in sorted(places.items(), key=lambda item: item[1][2:]):
            if first < end:
                raise SafetensorsError(f'array {name!r} lies inside another')
            file.seek(8 + length + first)
            content, end = bytearray(file.read(last - first)), last
            tensors[name] = torch.frombuffer(content, dtype=kind).reshape(shape) if content else torch.zeros(shape)
    return {name: tensors[name] for name in header}


def _place(name: str, entry: object, size: int) -> tuple[torch.dtype, tuple[int, ...], int, int]:
    """Returns type, shape, first and last byte of an array."""
    try:
        kind, shape, (first, last) = entry['dtype'], entry['shape'], entry['data_offsets']
    except (TypeError, KeyError, ValueError) as error:
        raise SafetensorsError(f'array {name!r} has no dtype, shape and data_offsets') from error
    if kind not in _TYPES:
        raise SafetensorsError(f'array {name!r} has numbers of the kind {kind!r}, of which no weights are')
    numbers = [*shape, first, last] if isinstance(shape, list) and len(shape) <= MAX_DIMENSIONS else [None]
    if not all(type(number) is int and 0 <= number < 2**63 for number in numbers) or not first <= last <= size:
        raise SafetensorsError(f'array {name!r} leaves the file')
    wanted = math.prod(shape) * _TYPES[kind].itemsize
    if wanted != last - first:
        raise SafetensorsError(f'array {name!r} needs {wanted} bytes and has {last - first}')
    return _TYPES[kind], tuple(shape), first, last
