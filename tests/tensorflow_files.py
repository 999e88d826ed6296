"""TensorFlow's checkpoints of both generations, written by their format's description, without TensorFlow."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from protobuf_messages import field, varint


def shape_message(shape: tuple[int, ...]) -> bytes:
    return b''.join(field(2, field(1, size)) for size in shape)


def table(entries: dict[bytes, bytes], per_block: int = 7) -> bytes:
    """LevelDB's table: blocks, an empty meta index, the index, the footer."""
    content, index = b'', {}

    def add(items: list[tuple[bytes, bytes]]) -> bytes:
        nonlocal content
        block, before, restarts = b'', b'', []
        for number, (key, value) in enumerate(items):
            shared = 0
            if number % 3 == 0:  # Every third key stands there whole.
                restarts.append(len(block))
            else:
                while shared < min(len(key), len(before)) and key[shared] == before[shared]:
                    shared += 1
            block += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
            before = key
        restarts = restarts or [0]
        block += b''.join(struct.pack('<I', place) for place in restarts) + struct.pack('<I', len(restarts))
        handle = varint(len(content)) + varint(len(block))
        content += block + b'\0' + bytes(4)  # not packed; a checksum, which is not looked at
        return handle

    items = sorted(entries.items())
    for start in range(0, len(items), per_block):
        part = items[start : start + per_block]
        index[part[-1][0] + b'\xff'] = add(part)
    footer = add([]) + add(sorted(index.items()))
    return content + footer.ljust(40, b'\0') + (0xDB4775248B80FB57).to_bytes(8, 'little')


def write_v1(path: Path, arrays: dict[str, np.ndarray]) -> None:
    meta = b''.join(
        field(1, field(1, name.encode()) + field(2, shape_message(array.shape)) + field(3, 1))
        for name, array in arrays.items()
    )
    entries = {b'': field(1, meta)}
    for name, array in arrays.items():
        whole = b''.join(field(1, b'') for _ in array.shape)
        numbers = field(3, field(5, array.astype('<f4').tobytes()))
        entries[b'\0' + name.encode() + b'\0\1'] = field(2, field(1, name.encode()) + field(2, whole) + numbers)
    path.write_bytes(table(entries))


def write_v2(prefix: Path, arrays: dict[str, np.ndarray], shards: int = 2) -> None:
    entries = {b'': field(1, shards)}
    data = [b''] * shards
    for number, (name, array) in enumerate(arrays.items()):
        shard, content = number % shards, array.astype('<f4').tobytes()
        entry = field(1, 1) + field(2, shape_message(array.shape))
        entry += field(3, shard) if shard else b''  # As in every such message, zeros are left out.
        entry += field(4, len(data[shard])) if data[shard] else b''
        entries[name.encode()] = entry + field(5, len(content)) + varint(6 << 3 | 5) + bytes(4)
        data[shard] += content
    entries[b'_CHECKPOINTABLE_OBJECT_GRAPH'] = field(1, 7) + field(5, 99)  # words
    prefix.with_name(f'{prefix.name}.index').write_bytes(table(entries))
    for shard, content in enumerate(data):
        prefix.with_name(f'{prefix.name}.data-{shard:05d}-of-{shards:05d}').write_bytes(content)
