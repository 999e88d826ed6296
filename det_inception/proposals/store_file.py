"""The file of a proposal store, format version 1: HDF5.

Shape legend: I images, P proposals of all images together. Boxes are x1, y1, x2, y2 in pixels of the image as it is
displayed (after its EXIF rotation), in continuous coordinates: a box that covers the whole image is 0, 0, width,
height.

    name                    type and shape   content
    /                                        attributes format, version, parameters (JSON), index_digest, and of a shard
                                             shard
    /boxes                  (P, 4)           uint16 where all are whole numbers up to 65535, else float32; an image's
                                             boxes are together, best first
    /scores                 (P,) float32     absent where a score says no more than the rank, see ``rank_scores``
    /images/keys            uint8            UTF-8 text, one key a line, sorted: the images' POSIX paths relative to the
                                             image root
    /images/first           (I + 1,) int64   image i has the rows first[i] to first[i + 1]
    /images/height, width   (I,) uint32      pixels
    /images/file_size       (I,) uint64      bytes of the image's file
    /images/fingerprint     (I, 8) uint8     BLAKE2b of the image's file

The index under ``/images`` is neither compressed nor chunked, so it can be no larger than the file. Boxes and scores
are compressed (gzip) and carry checksums. The file is read by :mod:`det_inception.utils.hdf5`, which follows no link,
opens no other file and stays within this one.
"""

import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import h5py
import numpy as np

from det_inception.proposals.parameters import as_json
from det_inception.proposals.records import ImageIdentity, Proposals, rank_scores

FORMAT = 'det_inception proposals'
VERSION = 1

INDEX_TYPES = {
    'keys': np.dtype(np.uint8),
    'first': np.dtype(np.int64),
    'height': np.dtype(np.uint32),
    'width': np.dtype(np.uint32),
    'file_size': np.dtype(np.uint64),
    'fingerprint': np.dtype(np.uint8),
}
_CHUNK_ROWS = 8192


def index_digest(parameters: str, index: Mapping[str, np.ndarray]) -> str:
    """Returns the checksum of the attribute ``parameters`` and the data sets under /images: BLAKE2b, 16 bytes, hex."""
    digest = hashlib.blake2b(parameters.encode(), digest_size=16)
    for name in INDEX_TYPES:
        digest.update(np.ascontiguousarray(index[name]).astype(INDEX_TYPES[name].newbyteorder('<')).tobytes())
    return digest.hexdigest()


def narrowest(proposals: Iterable[Proposals]) -> tuple[bool, bool]:
    """Whether boxes can be kept as uint16 without loss, and whether scores say more than the rank."""
    whole_numbers, has_scores = True, False
    for each in proposals:
        boxes = each.boxes
        whole_numbers = whole_numbers and bool(((boxes >= 0) & (boxes <= 65535) & (boxes == np.rint(boxes))).all())
        has_scores = has_scores or not np.array_equal(each.scores, rank_scores(len(boxes)))
    return whole_numbers, has_scores


def write_store(
    file: h5py.File,
    parameters: Mapping[str, Any],
    shard: tuple[int, int] | None,
    entries: Iterable[tuple[str, Proposals, ImageIdentity]],
    whole_numbers: bool,
    has_scores: bool,
) -> None:
    """Fills an empty HDF5 file; equal entries give equal bytes. Holds no more than a few thousand boxes in memory."""
    compressed = {'compression': 'gzip', 'compression_opts': 4, 'shuffle': True, 'fletcher32': True}
    box_type = np.uint16 if whole_numbers else np.float32
    all_boxes = file.create_dataset(
        'boxes', (0, 4), box_type, maxshape=(None, 4), chunks=(_CHUNK_ROWS, 4), **compressed
    )
    all_scores = None
    if has_scores:
        all_scores = file.create_dataset(
            'scores', (0,), np.float32, maxshape=(None,), chunks=(_CHUNK_ROWS,), **compressed
        )
    keys, counts, sizes, file_sizes, fingerprints = [], [], [], [], []
    waiting: list[Proposals] = []

    def write_waiting() -> None:
        first = len(all_boxes)
        last = first + sum(len(each) for each in waiting)
        all_boxes.resize(last, axis=0)
        all_boxes[first:] = np.concatenate([each.boxes for each in waiting]).astype(box_type)
        if all_scores is not None:
            all_scores.resize(last, axis=0)
            all_scores[first:] = np.concatenate([each.scores for each in waiting])
        waiting.clear()

    rows = 0
    for key, proposals, identity in entries:
        keys.append(key)
        counts.append(len(proposals))
        sizes.append((proposals.height, proposals.width))
        file_sizes.append(identity.file_size)
        fingerprints.append(identity.fingerprint)
        waiting.append(proposals)
        rows += len(proposals)
        # Whole chunks at a time, so that none is compressed twice but the last.
        if rows >= 16 * _CHUNK_ROWS:
            write_waiting()
            rows = 0
    if waiting:
        write_waiting()

    count = len(keys)
    sizes_array = np.array(sizes, np.uint32).reshape(count, 2)
    index = {
        'keys': np.frombuffer(''.join(f'{key}\n' for key in keys).encode(), np.uint8),
        'first': np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64),
        'height': sizes_array[:, 0],
        'width': sizes_array[:, 1],
        'file_size': np.array(file_sizes, np.uint64),
        'fingerprint': np.frombuffer(b''.join(fingerprints), np.uint8).reshape(count, 8),
    }
    for name, values in index.items():
        file.create_dataset(f'images/{name}', data=np.ascontiguousarray(values))
    text = as_json(parameters)
    file.attrs['format'] = FORMAT
    file.attrs['version'] = VERSION
    file.attrs['parameters'] = text
    file.attrs['index_digest'] = index_digest(text, index)
    if shard:
        file.attrs['shard'] = np.array(shard, np.int64)


class Sink(io.FileIO):
    """A file that HDF5 writes to and that never fails before it is asked: HDF5 leaks and rambles on write errors."""

    error: OSError | None = None

    def write(self, data: Any) -> int:
        remaining = memoryview(data).cast('B')
        size = len(remaining)
        try:
            while len(remaining) and self.error is None:
                remaining = remaining[super().write(remaining) :]
        except OSError as error:
            self.error = error
        return size

    def truncate(self, size: int | None = None) -> int:
        try:
            return super().truncate(size)
        except OSError as error:
            self.error = self.error or error
        return size or 0

    def raise_error(self) -> None:
        if self.error is not None:
            raise self.error

    def watched(self, entries: Iterable[tuple]) -> Iterator[tuple]:
        """Passes entries on for as long as all went well."""
        for entry in entries:
            self.raise_error()
            yield entry
