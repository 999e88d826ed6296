"""Reads the weights out of a ``.caffemodel`` without Caffe and without protobuf.

Such a file is one ``NetParameter`` message of Caffe's ``caffe.proto``. The fields that matter, by number:

=====================  ==================================================================================
message                fields
=====================  ==================================================================================
``NetParameter``       2 ``layers`` (``V1LayerParameter``, until 2014), 100 ``layer`` (``LayerParameter``)
``V1LayerParameter``   4 ``name``, 6 ``blobs``
``LayerParameter``     1 ``name``, 7 ``blobs``
``BlobProto``          1 to 4 ``num``, ``channels``, ``height``, ``width`` (old), 7 ``shape`` (new), 5 ``data``,
                       8 ``double_data``
``BlobShape``          1 ``dim``
=====================  ==================================================================================

Repeated numbers come packed (one block of bytes) or unpacked (a key in front of every number); both are read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

MAX_FIELDS = 200_000
"""Fields that are looked at; GoogLeNet's file has some thousands."""
MAX_DIMENSIONS = 8
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types of the protobuf encoding; 3 and 4, groups, do not occur in Caffe's files."""


class CaffemodelError(ValueError):
    """The file is not a ``.caffemodel``, or it is damaged."""


def read_caffemodel(path: str | Path) -> dict[str, list[np.ndarray]]:
    """Returns the parameter blobs of every layer that has any.

    Args:
        path: A ``.caffemodel`` of either generation.

    Returns:
        Layer name to its blobs in Caffe's order, for a convolution the weight and the bias; float32 (float64 where
        the file says so), in the shape that the file states: old files write a bias of N values as (1, 1, 1, N).

    Raises:
        CaffemodelError: The bytes are not such a message, end too early, or a blob's shape contradicts its values.
        OSError: The file cannot be read.
    """
    layers: dict[str, list[np.ndarray]] = {}
    if Path(path).stat().st_size >= 2 << 30:
        raise CaffemodelError('it is longer than the 2 GiB of a message')
    budget = iter(range(MAX_FIELDS))
    for number, wire, value in fields(memoryview(Path(path).read_bytes()), budget):
        if number not in (2, 100):
            continue
        _require(wire == BYTES, 'a layer is not a message')
        name, blobs = _layer(value, budget, name_field=4 if number == 2 else 1, blobs_field=6 if number == 2 else 7)
        if blobs:
            layers[name] = blobs
    return layers


def _layer(message: memoryview, budget: Iterator, name_field: int, blobs_field: int) -> tuple[str, list[np.ndarray]]:
    name, blobs = '', []
    for number, wire, value in fields(message, budget):
        if number == name_field and wire == BYTES:
            name = bytes(value).decode('utf-8', errors='replace')
        elif number == blobs_field and wire == BYTES:
            blobs.append(value)
    return name, [_blob(blob, name, budget) for blob in blobs]


def _blob(message: memoryview, layer: str, budget: Iterator) -> np.ndarray:
    old_shape = {}
    shape: list[int] | None = None
    singles, doubles = [], []
    for number, wire, value in fields(message, budget):
        if number in (1, 2, 3, 4) and wire == VARINT:
            old_shape[number] = value
        elif number == 7 and wire == BYTES:
            shape = _dimensions(value, layer, budget)
        elif number == 5 and wire in (BYTES, FIXED32):
            singles.append(value)
        elif number == 8 and wire in (BYTES, FIXED64):
            doubles.append(value)
    values = b''.join(doubles or singles)
    kind = np.dtype('<f8' if doubles else '<f4')
    _require(len(values) % kind.itemsize == 0, f'the values of layer {layer!r} end in the middle of a number')
    if shape is None:
        shape = [old_shape.get(number, 1) for number in (1, 2, 3, 4)]
    count = len(values) // kind.itemsize
    _require(count > 0, f'layer {layer!r} has a blob without values')
    _require(
        math.prod(shape) == count,
        f'layer {layer!r} states the shape {"x".join(map(str, shape))} and holds {count} values',
    )
    return np.frombuffer(values, kind).astype(kind.newbyteorder('=')).reshape(shape)


def _dimensions(message: memoryview, layer: str, budget: Iterator) -> list[int]:
    dimensions: list[int] = []
    for number, wire, value in fields(message, budget):
        if number == 1 and wire == VARINT:
            dimensions.append(value)
        elif number == 1 and wire == BYTES:
            position = 0
            while position < len(value) and len(dimensions) <= MAX_DIMENSIONS:
                dimension, position = varint(value, position)
                dimensions.append(dimension)
        _require(
            len(dimensions) <= MAX_DIMENSIONS, f'layer {layer!r} has a blob of more than {MAX_DIMENSIONS} dimensions'
        )
    return dimensions


def fields(message: memoryview, budget: Iterator) -> Iterator[tuple[int, int, int | memoryview]]:
    """Yields number, wire type and value of a message's fields; a run of unpacked fixed-size numbers as one block."""
    position = 0
    while position < len(message):
        _require(next(budget, None) is not None, f'it has more than {MAX_FIELDS} fields')
        start = position
        key, position = varint(message, position)
        number, wire = key >> 3, key & 7
        _require(number > 0, 'a field has the number 0')
        if wire == VARINT:
            value, position = varint(message, position)
        elif wire == BYTES:
            size, position = varint(message, position)
            _require(position + size <= len(message), 'it ends in the middle of a field')
            value, position = message[position : position + size], position + size
        elif wire in (FIXED32, FIXED64):
            value, position = _run(message, start, position - start, 4 if wire == FIXED32 else 8)
        else:
            raise CaffemodelError(f'a field has the unknown wire type {wire}')
        yield number, wire, value


def _run(message: memoryview, start: int, key_size: int, value_size: int) -> tuple[memoryview, int]:
    """Returns the numbers of consecutive fields with the same key, without the keys, and where they end."""
    stride = key_size + value_size
    rows = (len(message) - start) // stride
    _require(rows > 0, 'it ends in the middle of a number')
    table = np.frombuffer(message, np.uint8, rows * stride, start).reshape(rows, stride)
    # The millions of numbers of an unpacked blob are told apart here by NumPy; in blocks that grow, so that lone
    # numbers do not cost a look at the whole rest of the file each.
    length, block = 1, 16
    while length < rows:
        same = (table[length : length + block, :key_size] == table[0, :key_size]).all(axis=1)
        if not same.all():
            length += int(same.argmin())
            break
        length, block = length + len(same), block * 2
    values = np.ascontiguousarray(table[:length, key_size:])
    return memoryview(values).cast('B'), start + length * stride


def varint(message: memoryview, position: int) -> tuple[int, int]:
    """Returns a number of variable length, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        _require(position < len(message), 'it ends in the middle of a field')
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise CaffemodelError('a number is longer than 64 bits')


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise CaffemodelError(problem)
