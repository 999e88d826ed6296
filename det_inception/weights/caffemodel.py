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
from pathlib import Path

import numpy as np

from det_inception.weights.protobuf import BYTES, FIXED32, FIXED64, VARINT, FieldBudget, ProtobufError, fields, varint

MAX_FIELDS = 200_000
"""Fields that are looked at; GoogLeNet's file has some thousands."""
MAX_DIMENSIONS = 8


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
    if Path(path).stat().st_size >= 2 << 30:
        raise CaffemodelError('it is longer than the 2 GiB of a message')
    try:
        return _layers(memoryview(Path(path).read_bytes()))
    except ProtobufError as error:
        raise CaffemodelError(str(error)) from error


def _layers(content: memoryview) -> dict[str, list[np.ndarray]]:
    layers: dict[str, list[np.ndarray]] = {}
    budget = FieldBudget(MAX_FIELDS)
    for number, wire, value in fields(content, budget):
        if number not in (2, 100):
            continue
        _require(wire == BYTES, 'a layer is not a message')
        name, blobs = _layer(value, budget, name_field=4 if number == 2 else 1, blobs_field=6 if number == 2 else 7)
        if blobs:
            layers[name] = blobs
    return layers


def _layer(message: memoryview, budget: FieldBudget, name_field: int, blobs_field: int) -> tuple[str, list[np.ndarray]]:
    name, blobs = '', []
    for number, wire, value in fields(message, budget):
        if number == name_field and wire == BYTES:
            name = bytes(value).decode('utf-8', errors='replace')
        elif number == blobs_field and wire == BYTES:
            blobs.append(value)
    return name, [_blob(blob, name, budget) for blob in blobs]


def _blob(message: memoryview, layer: str, budget: FieldBudget) -> np.ndarray:
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


def _dimensions(message: memoryview, layer: str, budget: FieldBudget) -> list[int]:
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


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise CaffemodelError(problem)
