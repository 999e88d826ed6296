"""Entries of a cache: files of what can be computed again. One that is damaged counts as none."""

from __future__ import annotations

import hashlib
from pathlib import Path

from det_inception.utils.files import write_cache

_CHECKSUM_SIZE = 16


def write_entry(path: Path, content: bytes) -> None:
    """Writes an entry, the content and a checksum behind it; does nothing where it cannot be written."""
    write_cache(path, content + _checksum(path, content))


def read_entry(path: Path) -> bytes | None:
    """Returns the content that was written under this name; None if there is none, or it is damaged."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    content, checksum = content[:-_CHECKSUM_SIZE], content[-_CHECKSUM_SIZE:]
    return content if checksum == _checksum(path, content) else None


def _checksum(path: Path, content: bytes) -> bytes:
    """Also of the name, so that an entry does not pass for another."""
    name = hashlib.blake2b(path.name.encode(errors='surrogateescape')).digest()
    return hashlib.blake2b(content, digest_size=_CHECKSUM_SIZE, key=name).digest()
