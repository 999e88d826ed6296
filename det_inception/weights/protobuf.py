"""Reads the encoding of protobuf without protobuf: the fields of a message, by their numbers.

What the numbers mean is the business of whoever reads a file; :mod:`det_inception.weights.caffemodel` and
:mod:`det_inception.weights.tensorflow` do.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types; 3 and 4, groups, are not read."""


class ProtobufError(ValueError):
    """The bytes are no such message, or they are damaged; the message is the end of a sentence."""


class FieldBudget:
    """How many fields of a file's messages may still be looked at."""

    def __init__(self, limit: int) -> None:
        self.limit = self.left = limit

    def spend(self) -> None:
        self.left -= 1
        _require(self.left >= 0, f'it has more than {self.limit} fields')


def fields(message: memoryview, budget: FieldBudget) -> Iterator[tuple[int, int, int | memoryview]]:
    """Yields number, wire type and value of a message's fields; a run of unpacked fixed-size numbers as one block."""
    position = 0
    while position < len(message):
        budget.spend()
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
            raise ProtobufError(f'a field has the unknown wire type {wire}')
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
    raise ProtobufError('a number is longer than 64 bits')


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise ProtobufError(problem)
