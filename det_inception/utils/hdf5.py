"""Reads HDF5 files of strangers: few kinds of objects, each within the bounds of the file.

The HDF5 library trusts what it reads. A damaged file can make it loop for ever, end the process, take any amount of
memory, or open other files. This reader knows what h5py writes by default (superblock 0, groups as symbol tables, plain
and chunked data sets of numbers, gzip, shuffle and Fletcher-32) and refuses all else: links, external and virtual data,
objects that contain themselves, parts that leave the file or inflate to more than they should.

From: "HDF5 File Format Specification Version 3.0", The HDF Group.
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
import struct
import threading
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

MAX_CHUNK_SIZE = 2**26
"""Bytes of the largest chunk of a data set that is read."""

_SIGNATURE = b'\x89HDF\r\n\x1a\n'
_UNDEFINED = 2**64 - 1
_MAX_MESSAGES = 1000  # Of one object; ours have about ten.
_MAX_HEAP_SIZE = 2**24  # Of a part of it, which holds at least one text.
_MAX_NAME = 256
_MAX_OBJECTS = 50_000
_MAX_RATIO = 1032  # Of gzip.
# Kinds of messages, and filters.
_DATASPACE, _DATATYPE, _EXTERNAL, _LAYOUT = 1, 3, 7, 8
_FILTERS, _ATTRIBUTE, _CONTINUATION, _SYMBOL_TABLE = 11, 12, 16, 17
_DEFLATE, _SHUFFLE, _FLETCHER32 = 1, 2, 3


class HDF5Error(ValueError):
    """A file is no HDF5, damaged, cut off, or of a kind that is not read."""


class _Chunk(NamedTuple):
    """Where a chunk lies, its size there, and the filters that were left out, a bit for each."""

    address: int
    size: int
    skipped_filters: int


class HDF5File:
    """An HDF5 file, opened for reading. Threads may share it.

    Args:
        path: The file.
        start: Where in it the HDF5 file begins, which may be a part of an archive.
        size: Its length; None: up to the end.

    Raises:
        HDF5Error: It is no such file, or of a kind that is not read.
        OSError: It cannot be read.
    """

    def __init__(self, path: str | os.PathLike, start: int = 0, size: int | None = None) -> None:
        self._file = open(path, 'rb', buffering=0)
        self._lock = threading.Lock()
        with contextlib.ExitStack() as on_error:
            on_error.callback(self._file.close)
            whole = os.fstat(self._file.fileno()).st_size
            self._start, self.size = start, whole - start if size is None else size
            if not 0 <= start <= start + self.size <= whole:
                raise HDF5Error('a part lies beyond the end of the file')
            with _no_foreign_errors():
                self._read_root()
            on_error.pop_all()

    def close(self) -> None:
        """Closes the file; its data sets cannot be read any more."""
        self._file.close()

    def __enter__(self) -> HDF5File:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __contains__(self, name: str) -> bool:
        """Whether the root has an object of this name."""
        return name.encode() in self._root

    def attribute(self, name: str) -> str | np.ndarray | None:
        """Returns an attribute of the root, text or numbers; None if there is none of the name.

        Raises:
            HDF5Error: It is damaged, or of a kind that is not read.
        """
        with _no_foreign_errors():
            for data in self._attributes:
                found, datatype, dataspace, value = _attribute_parts(data)
                if found == name.encode():
                    return self._value(datatype, _shape(dataspace), value)
        return None

    def walk(self) -> Iterator[tuple[str, Dataset | HDF5Error, dict[str, str]]]:
        """Yields every data set: its path, itself or why it is not read, and the texts of its group by their names.

        Raises:
            HDF5Error: A group is damaged, or contains itself.
        """
        waiting, seen = [('', self._root, self._attributes)], set()
        while waiting:
            path, entries, attributes = waiting.pop()
            texts = self._texts(attributes)
            for name, address in entries.items():
                if address in seen or len(seen) > _MAX_OBJECTS:
                    raise HDF5Error('a group contains itself, or too much')
                seen.add(address)
                with _no_foreign_errors():
                    inside, messages = f'{path}{name.decode()}', self._messages(address)
                    if any(kind == _SYMBOL_TABLE for kind, _ in messages):
                        found = [data for kind, data in messages if kind == _ATTRIBUTE]
                        waiting.append((f'{inside}/', self._group(messages), found))
                        continue
                try:
                    with _no_foreign_errors():
                        dataset = Dataset(self, inside, messages)
                except HDF5Error as error:
                    dataset = error
                yield inside, dataset, texts

    def _texts(self, attributes: list[bytes]) -> dict[str, str]:
        """Attributes that are one text each; others are left out."""
        texts = {}
        for data in attributes:
            with contextlib.suppress(HDF5Error), _no_foreign_errors():
                name, datatype, dataspace, value = _attribute_parts(data)
                if datatype[0] & 15 in (3, 9) and not _shape(dataspace):
                    texts[name.decode()] = self._value(datatype, (), value)
        return texts

    def dataset(self, name: str) -> Dataset:
        """Returns a data set.

        Args:
            name: Its path from the root, such as ``images/keys``.

        Raises:
            HDF5Error: There is none, or it is of a kind that is not read.
        """
        *groups, last = name.split('/')
        with _no_foreign_errors():
            entries = self._root
            for group in groups:
                entries = self._group(self._messages(_entry(entries, group)))
            return Dataset(self, name, self._messages(_entry(entries, last)))

    def read(self, address: int, size: int) -> bytes:
        """Returns bytes of the file, exactly as many as asked for."""
        if not 0 <= address <= address + size <= self.size:
            raise HDF5Error('a part lies beyond the end of the file')
        with self._lock:
            self._file.seek(self._start + address)
            content = bytearray()
            while len(content) < size and (more := self._file.read(size - len(content))):
                content += more
        if len(content) != size:
            raise HDF5Error('the file became shorter')
        return bytes(content)

    def _read_root(self) -> None:
        superblock = self.read(0, 96) if self.size >= 96 else b''
        if not superblock.startswith(_SIGNATURE):
            raise HDF5Error('it is no HDF5 file')
        version, sizes, base, end = superblock[8], superblock[13:15], *struct.unpack_from('<Q8xQ', superblock, 24)
        if version != 0 or sizes != b'\x08\x08' or base != 0:
            raise HDF5Error('it is an HDF5 file of another version than h5py writes by default')
        if end > self.size:
            raise HDF5Error('it is cut off')
        messages = self._messages(struct.unpack_from('<Q', superblock, 64)[0])
        self._root = self._group(messages)
        self._attributes = [data for kind, data in messages if kind == _ATTRIBUTE]

    def _messages(self, address: int) -> list[tuple[int, bytes]]:
        """Kinds and contents of the messages of an object header, version 1."""
        version, count, size = struct.unpack('<BxHxxxxI', self.read(address, 12))
        if version != 1 or count > _MAX_MESSAGES:
            raise HDF5Error('an object header is of an unknown version')
        blocks, messages, budget = [(address + 16, size)], [], 2**22
        for start, length in blocks:  # Grows meanwhile.
            budget -= length
            if len(blocks) > count + 1 or budget < 0:
                raise HDF5Error('an object header has no end')
            block, position = self.read(start, length), 0
            while position + 8 <= length and len(messages) < count:
                kind, size, flags = struct.unpack_from('<HHB', block, position)
                data = block[position + 8 : position + 8 + size]
                position += 8 + size
                if len(data) != size or flags & 2:
                    raise HDF5Error('a message of an object header is cut off or shared')
                if kind == _CONTINUATION:
                    blocks.append(struct.unpack('<QQ', data))
                messages.append((kind, data))
        return messages

    def _group(self, messages: list[tuple[int, bytes]]) -> dict[bytes, int]:
        """Addresses of the objects of a group by their names; links have none and are left out."""
        tree, heap = struct.unpack('<QQ', _only(messages, _SYMBOL_TABLE))
        signature, heap_size, heap_data = struct.unpack('<8sQ8xQ', self.read(heap, 32))
        if signature != b'HEAP\0\0\0\0' or heap_size > self.size:
            raise HDF5Error('a group has no names')
        names = self.read(heap_data, heap_size)
        entries, budget = {}, self.size
        for (address,) in self.leaves(tree, 0, '8x'):
            signature, count = struct.unpack('<6sH', self.read(address, 8))
            budget -= 40 * count
            if signature[:5] != b'SNOD\1' or budget < 0:
                raise HDF5Error('a group is damaged')
            for name, target, kind in struct.iter_unpack('<QQI20x', self.read(address + 8, 40 * count)):
                end = names.find(b'\0', name, name + _MAX_NAME)
                if end < 0:
                    raise HDF5Error('a name is damaged')
                if kind in (0, 1):  # 2 is a link.
                    entries[names[name:end]] = target
        return entries

    def leaves(self, root: int, node_type: int, key_format: str) -> Iterator[tuple]:
        """Yields keys and addresses of what the leaves of a tree, version 1, point to.

        Args:
            root: Address of its root.
            node_type: 0: groups, 1: chunks.
            key_format: Of a key, as ``struct`` has it.
        """
        entry = struct.Struct(f'<{key_format}Q')
        # Levels fall on every way down, so there is no circle; and real nodes do not lie upon each other.
        waiting, budget = [(root, None)], self.size
        while waiting:
            address, expected_level = waiting.pop()
            signature, found_type, level, count = struct.unpack('<4sBBH', self.read(address, 8))
            budget -= entry.size * count
            if signature != b'TREE' or found_type != node_type or expected_level not in (None, level) or budget < 0:
                raise HDF5Error('a tree is damaged')
            children = list(entry.iter_unpack(self.read(address + 24, entry.size * count)))
            if level == 0:
                yield from children
            else:
                waiting.extend((child[-1], level - 1) for child in children)

    def _value(self, datatype: bytes, shape: tuple[int, ...], value: bytes) -> str | np.ndarray:
        kind, size = datatype[0] & 15, struct.unpack_from('<I', datatype, 4)[0]
        if kind in (0, 1):
            return np.frombuffer(value, _dtype(datatype), math.prod(shape)).reshape(shape)
        if kind == 3 and not shape:
            return value[:size].rstrip(b'\0').decode()
        if kind == 9 and datatype[1] & 15 == 1 and not shape:
            return self._heap_object(*struct.unpack_from('<IQI', value)).decode()
        raise HDF5Error('an attribute is of an unknown kind')

    def _heap_object(self, length: int, collection: int, wanted: int) -> bytes:
        """An object of a global heap, in which texts of any length lie."""
        signature, size = struct.unpack('<8sQ', self.read(collection, 16))
        if signature != b'GCOL\1\0\0\0' or size > _MAX_HEAP_SIZE:
            raise HDF5Error('a text is damaged')
        heap, position = self.read(collection, size), 16
        while position + 16 <= size:
            index, object_size = struct.unpack_from('<HxxxxxxQ', heap, position)
            if index == wanted and length <= object_size <= size - position - 16:
                return heap[position + 16 : position + 16 + length]
            position += 16 + object_size + -object_size % 8
        raise HDF5Error('a text is missing')


class Dataset:
    """A data set of numbers in an :class:`HDF5File`.

    Attributes:
        shape: Its shape; what it promises is no more than the file can hold.
        dtype: Of the numbers.
        is_plain: Neither compressed nor chunked, so no larger than the file.
    """

    def __init__(self, file: HDF5File, name: str, messages: list[tuple[int, bytes]]) -> None:
        self._file, self.name = file, name
        if any(kind == _EXTERNAL for kind, _ in messages):
            raise HDF5Error(f'{name} is not stored in the file')
        self.shape = _shape(_only(messages, _DATASPACE))
        self.dtype = _dtype(_only(messages, _DATATYPE))
        self._row_size = math.prod(self.shape[1:]) * self.dtype.itemsize
        layout = _only(messages, _LAYOUT)
        if len(self.shape) < 1 or self._row_size == 0 or layout[0] != 3 or layout[1] not in (1, 2):
            raise HDF5Error(f'{name} is stored in an unknown way')
        self.is_plain = layout[1] == 1
        stored_size = self.shape[0] * self._row_size
        if self.is_plain:
            self._address, allocated = struct.unpack_from('<QQ', layout, 2)
            if stored_size and (allocated < stored_size or self._address + stored_size > file.size):
                raise HDF5Error(f'{name} promises more than the file holds')
            return
        filters = [data for kind, data in messages if kind == _FILTERS]
        self._filters = _filters(filters[0]) if filters else []
        rank = layout[2] - 1
        self._tree, self._chunk_rows, *columns = struct.unpack_from(f'<Q{rank + 1}I', layout, 3)
        self._chunk_size = self._chunk_rows * self._row_size
        if tuple(columns) != (*self.shape[1:], self.dtype.itemsize) or not 0 < self._chunk_size <= MAX_CHUNK_SIZE:
            raise HDF5Error(f'{name} is stored in an unknown way')
        if stored_size > file.size * (_MAX_RATIO if _DEFLATE in self._filters else 1):
            raise HDF5Error(f'{name} promises more than the file holds')
        self._last_chunk: tuple[int, np.ndarray] | None = None

    def __len__(self) -> int:
        return self.shape[0]

    def read(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Returns the rows from ``start`` up to ``stop``, of the shape (stop - start, ...).

        Raises:
            HDF5Error: The file is damaged there.
            OSError: It cannot be read.
        """
        stop = len(self) if stop is None else stop
        if not 0 <= start <= stop <= len(self):
            raise HDF5Error(f'{self.name} has no rows {start} to {stop}')
        with _no_foreign_errors():
            if start == stop:
                rows = np.zeros(0, self.dtype)
            elif self.is_plain:
                size = (stop - start) * self._row_size
                rows = np.frombuffer(self._file.read(self._address + start * self._row_size, size), self.dtype)
            else:
                numbers = range(start // self._chunk_rows, (stop - 1) // self._chunk_rows + 1)
                first = numbers[0] * self._chunk_rows
                # The rows that are not asked for are left out chunk by chunk.
                parts = [self._chunk(number).reshape(self._chunk_rows, -1) for number in numbers]
                parts[-1] = parts[-1][: stop - numbers[-1] * self._chunk_rows]
                parts[0] = parts[0][start - first :]
                rows = np.concatenate(parts)
            return rows.reshape(stop - start, *self.shape[1:]).astype(self.dtype.newbyteorder('='))

    @functools.cached_property
    def _chunks(self) -> dict[int, _Chunk]:
        """The chunks by their number."""
        chunks = {}
        if self._tree == _UNDEFINED:
            return chunks
        for size, skipped, row, *others, address in self._file.leaves(self._tree, 1, f'II{len(self.shape) + 1}Q'):
            if row % self._chunk_rows or any(others):
                raise HDF5Error(f'{self.name} has a chunk out of place')
            chunks[row // self._chunk_rows] = _Chunk(address, size, skipped)
        return chunks

    def _chunk(self, number: int) -> np.ndarray:
        """A whole chunk, without its shape. The last one is kept, since an image rarely ends with a chunk."""
        if self._last_chunk is not None and self._last_chunk[0] == number:
            return self._last_chunk[1]
        if number not in self._chunks:
            raise HDF5Error(f'{self.name} lacks a chunk')
        chunk = self._chunks[number]
        if chunk.size > 2 * MAX_CHUNK_SIZE:
            raise HDF5Error(f'{self.name} has a chunk that is too large')
        content = self._file.read(chunk.address, chunk.size)
        for place, each in reversed(list(enumerate(self._filters))):
            if not chunk.skipped_filters >> place & 1:
                content = self._unfiltered(content, each)
        if len(content) != self._chunk_size:
            raise HDF5Error(f'{self.name} has a chunk of a wrong size')
        result = np.frombuffer(content, self.dtype)
        self._last_chunk = number, result
        return result

    def _unfiltered(self, content: bytes, kind: int) -> bytes:
        if kind == _DEFLATE:
            inflater = zlib.decompressobj()
            content = inflater.decompress(content, self._chunk_size + 5)  # A checksum may be inside.
            if not inflater.eof:
                raise HDF5Error(f'{self.name} has a chunk that is cut off or inflates too far')
            return content
        if kind == _SHUFFLE:
            return np.frombuffer(content, np.uint8).reshape(self.dtype.itemsize, -1).T.tobytes()
        if _fletcher32(content[:-4]) != tuple(half % 65535 for half in struct.unpack('<HH', content[-4:])):
            raise HDF5Error(f'{self.name} has a chunk that does not fit its checksum')
        return content[:-4]


@contextlib.contextmanager
def _no_foreign_errors() -> Iterator[None]:
    """Numbers that make no sense fail wherever they are used."""
    try:
        yield
    except HDF5Error:
        raise
    except (ValueError, TypeError, struct.error, IndexError, OverflowError, zlib.error) as error:
        raise HDF5Error(f'it is damaged ({error})') from error


def _attribute_parts(data: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """Name, data type, shape and value of an attribute, each as the file has it."""
    version, flags, *sizes = struct.unpack_from('<BBHHH', data)
    if version not in (1, 2, 3) or (version > 1 and flags):
        raise HDF5Error('an attribute is of an unknown version')
    position, parts = 9 if version == 3 else 8, []
    for size in sizes:
        parts.append(data[position : position + size])
        position += size + (-size % 8 if version == 1 else 0)
    name, datatype, dataspace = parts
    return name.rstrip(b'\0'), datatype, dataspace, data[position:]


def _entry(entries: dict[bytes, int], name: str) -> int:
    if name.encode() not in entries:
        raise HDF5Error(f'{name} is missing or a link')
    return entries[name.encode()]


def _only(messages: list[tuple[int, bytes]], kind: int) -> bytes:
    found = [data for each, data in messages if each == kind]
    if len(found) != 1:
        raise HDF5Error('an object lacks a part, or has it twice')
    return found[0]


def _shape(dataspace: bytes) -> tuple[int, ...]:
    version, rank, _, kind = dataspace[:4]
    if version not in (1, 2) or rank > 8 or (version == 2 and kind == 2):
        raise HDF5Error('a shape is of an unknown version')
    return struct.unpack_from(f'<{rank}Q', dataspace, 8 if version == 1 else 4)


def _dtype(datatype: bytes) -> np.dtype:
    """Plain whole and floating-point numbers, as C has them."""
    kind, bits, size = datatype[0] & 15, datatype[1], struct.unpack_from('<I', datatype, 4)[0]
    offset, precision = struct.unpack_from('<HH', datatype, 8)
    letter = {0: 'i' if bits & 8 else 'u', 1: 'f'}.get(kind)
    if letter is None or offset or precision != 8 * size or size not in ((2, 4, 8) if kind else (1, 2, 4, 8)):
        raise HDF5Error('numbers are of an unknown kind')
    return np.dtype(f'{">" if bits & 1 else "<"}{letter}{size}')


def _filters(data: bytes) -> list[int]:
    version, count = data[:2]
    if version != 1 or count > 8:
        raise HDF5Error('filters are of an unknown version')
    position, filters = 8, []
    for _ in range(count):
        kind, name_size, _, values = struct.unpack_from('<4H', data, position)
        position += 8 + name_size + -name_size % 8 + 4 * (values + values % 2)
        if kind not in (_DEFLATE, _SHUFFLE, _FLETCHER32):
            raise HDF5Error('data are compressed in an unknown way')
        filters.append(kind)
    return filters


def _fletcher32(content: bytes) -> tuple[int, int]:
    """The two sums of HDF5's checksum, modulo 65535."""
    words = np.frombuffer(content + bytes(len(content) % 2), '>u2').astype(np.uint64)
    weights = np.arange(len(words), 0, -1, dtype=np.uint64) % 65535
    return int(words.sum() % 65535), int((words * weights).sum() % 65535)
