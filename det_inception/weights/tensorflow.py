"""Reads TensorFlow's checkpoints of both generations, without TensorFlow.

=======  ==============================================  ============================================================
version  files                                           what they are
=======  ==============================================  ============================================================
1        ``model.ckpt``                                  a table of ``SavedTensorSlices``, numbers included
2        ``model.ckpt.index``,                           a table of ``BundleEntryProto``: where each array's numbers
         ``model.ckpt.data-00000-of-00001``, ...         lie in the other files
=======  ==============================================  ============================================================

The table is LevelDB's: blocks of sorted keys, each without what it has in common with the one before; a last block that
says where the others are; a footer of 48 bytes. Fields of the messages, by number:

=====================  ==============================================================================================
message                fields
=====================  ==============================================================================================
``SavedTensorSlices``  1 ``meta`` (repeated 1 ``tensor``: 1 ``name``, 2 ``shape``, 3 ``type``), 2 ``data`` (1 ``name``,
                       2 ``slice``, 3 ``data``: 4 ``tensor_content``, 5 ``float_val``, 6 ``double_val``)
``BundleHeader``       1 ``num_shards``, 2 ``endianness``
``BundleEntry``        1 ``dtype``, 2 ``shape``, 3 ``shard_id``, 4 ``offset``, 5 ``size``, 7 ``slices``
``TensorShape``        2 ``dim`` (1 ``size``)
``TensorSlice``        1 ``extent`` (2 ``length``)
=====================  ==============================================================================================
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from det_inception.weights.caffemodel import MAX_DIMENSIONS
from det_inception.weights.protobuf import BYTES, VARINT, FieldBudget, ProtobufError, fields, varint

MAGIC = (0xDB4775248B80FB57).to_bytes(8, 'little')
FOOTER = 48
MAX_FIELDS = 2_000_000
NUMBERS = {
    1: torch.float32,
    2: torch.float64,
    3: torch.int32,
    4: torch.uint8,
    9: torch.int64,
    14: torch.bfloat16,
    19: torch.float16,
}


class TensorFlowError(ValueError):
    """The file is no such checkpoint, or it is damaged; the message is the end of a sentence."""


class _Entry(NamedTuple):
    kind: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int


def is_table(path: Path) -> bool:
    """Whether a file ends as LevelDB's tables do."""
    with open(path, 'rb') as file:
        if path.stat().st_size < FOOTER:
            return False
        file.seek(-8, 2)
        return file.read() == MAGIC


def read_tensorflow(path: Path) -> dict[str, Tensor]:
    """Returns all arrays of numbers of a checkpoint by their names; words, such as the graph's, are left out.

    Args:
        path: ``model.ckpt`` of version 1, or ``model.ckpt.index`` of version 2, beside which the others lie.

    Raises:
        TensorFlowError: It is damaged, or its arrays are in parts or packed.
        OSError: A file cannot be read.
    """
    if path.stat().st_size >= 2 << 30:
        raise TensorFlowError('it is longer than 2 GiB')
    try:
        budget = FieldBudget(MAX_FIELDS)
        entries = dict(_table(memoryview(path.read_bytes())))
        if b'' not in entries:
            raise TensorFlowError('its table has no beginning')
        if path.name.endswith('.index'):
            return _bundle(path, entries, budget)
        return _slices(entries, budget)
    except ProtobufError as error:
        raise TensorFlowError(str(error)) from error


# ------------------------------------------------------------------------------------------------------------- tables


def _table(content: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Yields the keys of a table and their values."""
    _require(len(content) >= FOOTER and content[-8:] == MAGIC, 'it is no table of TensorFlow')
    footer = content[-FOOTER:]
    _, position = _handle(footer, 0)
    place, _ = _handle(footer, position)
    for _, handle in _block(content, place):
        yield from _block(content, _handle(handle, 0)[0])


def _handle(message: memoryview, position: int) -> tuple[tuple[int, int], int]:
    offset, position = varint(message, position)
    size, position = varint(message, position)
    return (offset, size), position


def _block(content: memoryview, place: tuple[int, int]) -> Iterator[tuple[bytes, memoryview]]:
    offset, size = place
    _require(offset + size + 5 <= len(content) and size >= 4, 'a block leaves it')
    _require(content[offset + size] == 0, 'its table is packed with Snappy; save it again with a later TensorFlow')
    block = content[offset : offset + size]
    restarts = int.from_bytes(block[-4:], 'little')
    end = size - 4 - 4 * restarts
    _require(end >= 0, 'a block is damaged')
    key, position = b'', 0
    while position < end:
        shared, position = varint(block, position)
        rest, position = varint(block, position)
        length, position = varint(block, position)
        _require(shared <= len(key) and position + rest + length <= end, 'a block is damaged')
        key = key[:shared] + bytes(block[position : position + rest])
        position += rest + length
        yield key, block[position - length : position]


# ---------------------------------------------------------------------------------------------------------- version 1


def _slices(entries: dict[bytes, memoryview], budget: FieldBudget) -> dict[str, Tensor]:
    shapes = dict(_meta(entries.pop(b''), budget))
    tensors = {}
    for message in entries.values():
        for number, wire, value in fields(message, budget):
            if number == 2 and wire == BYTES:
                name, array = _slice(value, shapes, budget)
                if array is not None:
                    tensors[name] = array
    missing = [name for name, (kind, _) in shapes.items() if kind in (1, 2) and name not in tensors]
    _require(not missing, f'it lacks the numbers of {missing[0] if missing else ""!r}')
    return tensors


def _meta(message: memoryview, budget: FieldBudget) -> Iterator[tuple[str, tuple[int, tuple[int, ...]]]]:
    """Yields name, type and shape of every array."""
    for number, wire, meta in fields(message, budget):
        if number != 1 or wire != BYTES:
            continue
        for inner, wire_of_inner, tensor in fields(meta, budget):
            if inner == 1 and wire_of_inner == BYTES:
                name, kind, shape = '', 0, ()
                for part, _, value in fields(tensor, budget):
                    name = _text(value) if part == 1 else name
                    shape = _shape(value, budget) if part == 2 else shape
                    kind = value if part == 3 else kind
                yield name, (kind, shape)


def _slice(message: memoryview, shapes: dict, budget: FieldBudget) -> tuple[str, Tensor | None]:
    name, values, width = '', [], 4
    for number, wire, value in fields(message, budget):
        if number == 1:
            name = _text(value)
        elif number == 2 and wire == BYTES:
            _require_whole(value, name, budget)
        elif number == 3 and wire == BYTES:
            for part, _, numbers in fields(value, budget):
                if part in (4, 5, 6) and not isinstance(numbers, int):
                    values.append(bytes(numbers))
                    width = 8 if part == 6 else 4
    kind, shape = shapes.get(name, (0, ()))
    if kind not in (1, 2):
        return name, None
    content = b''.join(values)
    number = np.dtype('<f8' if kind == 2 or width == 8 else '<f4')
    _require(len(content) == math.prod(shape) * number.itemsize, f'{name!r} has not the numbers of its shape')
    return name, torch.from_numpy(np.frombuffer(content, number).astype(np.float32).reshape(shape))


# ---------------------------------------------------------------------------------------------------------- version 2


def _bundle(path: Path, entries: dict[bytes, memoryview], budget: FieldBudget) -> dict[str, Tensor]:
    shards = 1
    for number, _, value in fields(entries.pop(b''), budget):
        shards = value if number == 1 else shards
        _require(number != 2 or value == 0, 'its numbers begin with the high byte')
    _require(isinstance(shards, int) and 0 < shards <= 100_000, 'it has no files of numbers')
    found = {_text(key): _entry(message, _text(key), budget) for key, message in entries.items()}
    found = {name: entry for name, entry in found.items() if entry.kind in NUMBERS}
    stem, tensors, total = str(path).removesuffix('.index'), {}, 0
    for shard in sorted({entry.shard for entry in found.values()}):
        data = Path(f'{stem}.data-{shard:05d}-of-{shards:05d}')
        size = data.stat().st_size
        with open(data, 'rb') as file:
            for name, entry in found.items():
                if entry.shard != shard:
                    continue
                kind, total = NUMBERS[entry.kind], total + entry.size
                _require(entry.offset + entry.size <= size and total <= 2 * size + (1 << 20), f'{name!r} leaves {data}')
                wanted = math.prod(entry.shape) * kind.itemsize
                _require(wanted == entry.size, f'{name!r} needs {wanted} bytes and has {entry.size}')
                file.seek(entry.offset)
                content = bytearray(file.read(entry.size))
                array = torch.frombuffer(content, dtype=kind) if content else torch.zeros(0)
                tensors[name] = array.reshape(entry.shape)
        total = 0
    return tensors


def _entry(message: memoryview, name: str, budget: FieldBudget) -> _Entry:
    kind, shape, shard, offset, size = 0, (), 0, 0, 0
    for number, wire, value in fields(message, budget):
        if number == 2 and wire == BYTES:
            shape = _shape(value, budget)
        elif number in (1, 3, 4, 5) and wire == VARINT:
            kind, shard, offset, size = (
                value if number == place else old for place, old in ((1, kind), (3, shard), (4, offset), (5, size))
            )
        elif number == 7:
            raise TensorFlowError(f'{name!r} is in parts; save it as a whole')
    return _Entry(kind, shape, shard, offset, size)


# -------------------------------------------------------------------------------------------------------------- parts


def _shape(message: int | memoryview, budget: FieldBudget) -> tuple[int, ...]:
    _require(not isinstance(message, int), 'a shape is damaged')
    shape = []
    for number, wire, value in fields(message, budget):
        if number == 2 and wire == BYTES:
            sizes = [size for part, kind, size in fields(value, budget) if part == 1 and kind == VARINT]
            shape.append(sizes[0] if sizes else 0)
    _require(len(shape) <= MAX_DIMENSIONS and all(size < 2**40 for size in shape), 'a shape is damaged')
    return tuple(shape)


def _require_whole(message: memoryview, name: str, budget: FieldBudget) -> None:
    for number, wire, extent in fields(message, budget):
        if number == 1 and wire == BYTES:
            parts = [part for part, _, _ in fields(extent, budget)]
            _require(2 not in parts, f'{name!r} is in parts; save it as a whole')


def _text(value: int | bytes | memoryview) -> str:
    _require(not isinstance(value, int), 'a name is damaged')
    return bytes(value).decode('utf-8', errors='replace')


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise TensorFlowError(problem)
