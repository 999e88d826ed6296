"""Reads MATLAB's .mat files of strangers: numbers, text and cells of these, as the kits of ILSVRC and R-CNN hold them.

SciPy's reader ends the process on one in fifty files in which a bit is wrong, and takes whatever memory a file asks
for. This one checks every size against what is there.

From: "MAT-File Format", The MathWorks, 2019: level 5, which is what ``save -v6`` and ``save -v7`` write.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Collection

import numpy as np

MAX_INFLATED = 2**25, 20
"""A variable may inflate to so many bytes, and so many times the size of the file."""

_HEADER_SIZE = 128
_MATRIX, _COMPRESSED = 14, 15
_TYPES = {1: 'i1', 2: 'u1', 3: 'i2', 4: 'u2', 5: 'i4', 6: 'u4', 7: 'f4', 9: 'f8', 12: 'i8', 13: 'u8'}
_ENCODINGS = {1: 'latin-1', 2: 'latin-1', 4: 'utf-16', 16: 'utf-8', 17: 'utf-16', 18: 'utf-32'}
_CELL, _TEXT = 1, 4
_CLASSES = {6: 'f8', 7: 'f4', 8: 'i1', 9: 'u1', 10: 'i2', 11: 'u2', 12: 'i4', 13: 'u4', 14: 'i8', 15: 'u8'}
_COMPLEX = 0x0800
_MAX_DEPTH = 4
_EMPTY = np.zeros((0, 0))

Value = np.ndarray | str
"""Numbers with their shape, a row of text, or an array of objects: a cell, whose items are values."""


class MatError(ValueError):
    """A file is no .mat file, damaged, or of a kind that is not read."""


def read_mat(content: bytes, names: Collection[str]) -> dict[str, Value]:
    """Reads variables of a .mat file.

    Args:
        content: The bytes of the file.
        names: The variables; others are passed over, of whatever kind they are.

    Returns:
        Those of them that the file has.

    Raises:
        MatError: See there.
    """
    mark = content[126:128]
    if mark not in (b'IM', b'MI') or content.startswith(b'\x89HDF'):
        raise MatError("it is no .mat file of MATLAB's versions 5 to 7")
    reader = _Reader('<' if mark == b'IM' else '>', names)
    version = reader.numbers('H', content, 124)[0] >> 8
    if version == 2:
        raise MatError("it is of MATLAB's version 7.3; save it again with save -v7")
    variables, position = {}, _HEADER_SIZE
    try:
        while position + 8 <= len(content):
            kind, size = reader.numbers('II', content, position)
            data = memoryview(content)[position + 8 : position + 8 + size]
            if len(data) != size:
                raise MatError('it is cut off')
            position += 8 + size
            if kind == _COMPRESSED:
                data = _inflated(data, len(content), reader)
            elif kind != _MATRIX:
                raise MatError('it is damaged')
            if data is not None and (name := reader.name(data)) in names:
                variables[name] = reader.array(data)
    except MatError:
        raise
    except (ValueError, TypeError, struct.error, OverflowError, zlib.error) as error:
        raise MatError(f'it is damaged ({error})') from error
    return variables


def _inflated(data: memoryview, file_size: int, reader: _Reader) -> memoryview | None:
    """The inside of the one array that is compressed; None if it is of another name than wanted."""
    inflater = zlib.decompressobj()
    start = inflater.decompress(data, 1000)
    (kind, size), limit = reader.numbers('II', start, 0), MAX_INFLATED[0] + MAX_INFLATED[1] * file_size
    if kind != _MATRIX:
        raise MatError('it is damaged')
    if reader.name(memoryview(start)[8:]) not in reader.names:
        return None
    if size > limit:
        raise MatError(f'a variable inflates to {size} bytes, and the limit is {limit} for a file of {file_size}')
    content = start + inflater.decompress(inflater.unconsumed_tail, max(size + 9 - len(start), 1))
    if len(content) != size + 8 or not inflater.eof:
        raise MatError('a compressed variable is damaged')
    return memoryview(content)[8:]


class _Reader:
    """Reads arrays, in one order of bytes.

    Args:
        order: ``<`` or ``>``.
        names: The variables that are wanted.
    """

    def __init__(self, order: str, names: Collection[str]) -> None:
        self.order, self.names = order, names

    def numbers(self, format: str, data: bytes | memoryview, position: int) -> tuple:
        return struct.unpack_from(self.order + format, data, position)

    def element(self, data: memoryview, position: int) -> tuple[int, memoryview, int]:
        """Type and content of the element at a position, and the position of the next."""
        (word,) = self.numbers('I', data, position)
        if word >> 16:  # Four bytes or less stand in the tag itself.
            kind, size, start, end = word & 0xFFFF, word >> 16, position + 4, position + 8
            if size > 4:
                raise MatError('an element is damaged')
        else:
            kind, size, start = word, *self.numbers('I', data, position + 4), position + 8
            end = start + size + -size % 8
        if start + size > len(data):
            raise MatError('an element is cut off')
        return kind, data[start : start + size], end

    def header(self, data: memoryview) -> tuple[int, tuple[int, ...], str, int]:
        """Flags, shape and name of an array, and where its content begins."""
        _, flags, position = self.element(data, 0)
        kind, dims, position = self.element(data, position)
        name_kind, name, position = self.element(data, position)
        if kind != 5 or len(dims) % 4 or not 2 <= len(dims) // 4 <= 8 or name_kind not in (1, 2, 16):
            raise MatError('an array is damaged')
        shape = self.numbers(f'{len(dims) // 4}i', dims, 0)
        return self.numbers('I', flags, 0)[0], shape, bytes(name).decode('latin-1'), position

    def name(self, data: memoryview) -> str:
        """The name of an array; empty if there is none so near its beginning."""
        try:
            return self.header(data)[2]
        except (MatError, struct.error):
            return ''

    def array(self, data: memoryview, depth: int = 0) -> Value:
        if not len(data):
            return _EMPTY
        flags, shape, _, position = self.header(data)
        if min(shape) < 0:
            raise MatError('an array has a negative size')
        kind, size = flags & 0xFF, math.prod(shape)
        if kind == _CELL:
            return self.cell(data, shape, position, depth)
        if size == 0 and kind in (_TEXT, *_CLASSES):
            return '' if kind == _TEXT else np.zeros(shape, _CLASSES[kind])
        stored, values, _ = self.element(data, position)
        if kind == _TEXT and stored in _ENCODINGS and shape[0] == 1:
            encoding = _ENCODINGS[stored]
            if encoding in ('utf-16', 'utf-32'):
                encoding += '-le' if self.order == '<' else '-be'
            return bytes(values).decode(encoding)
        if kind not in _CLASSES or stored not in _TYPES or flags & _COMPLEX:
            raise MatError('an array is of a kind that is not read')
        dtype, stored_dtype = np.dtype(_CLASSES[kind]), np.dtype(self.order + _TYPES[stored])
        if dtype.kind != 'f' and stored_dtype.kind == 'f':
            raise MatError('whole numbers are stored as if they were none')
        if len(values) != size * stored_dtype.itemsize:
            raise MatError(f'an array of the shape {shape} has {len(values)} bytes')
        return np.frombuffer(values, stored_dtype).astype(dtype).reshape(shape, order='F')

    def cell(self, data: memoryview, shape: tuple[int, ...], position: int, depth: int) -> np.ndarray:
        # Each item takes 8 bytes, be it empty.
        if depth == _MAX_DEPTH or math.prod(shape) > (len(data) - position) // 8:
            raise MatError(f'a cell of the shape {shape} has no items or is in too many others')
        items = np.empty(math.prod(shape), object)
        for place in range(len(items)):
            kind, content, position = self.element(data, position)
            if kind != _MATRIX:
                raise MatError('a cell is damaged')
            items[place] = self.array(content, depth + 1)
        return items.reshape(shape, order='F')
