"""Region scores in files: what a network says of every proposal, so that an ensemble can be averaged afterwards.

Shape legend: R regions of one image, K classes.

A file is HDF5. Its rows are the regions of all images, image after image: ``boxes`` float32 (R, 4) in the pixels of the
image as the network saw it, ``logits`` float32 (R, K + 1) with the background last, and, with box regression,
``deltas`` float32 (R, 4 K). ``images`` lists the images, each with its name, size and number of rows; the attributes
tell classes and version. An image's name is its id in the data set, as text. Rows are read when they are asked for, so
a file may be larger than the memory. They carry checksums, and the attribute ``digest`` is one of classes and images.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from det_inception.proposals.records import MAX_BOXES_PER_IMAGE
from det_inception.proposals.store_file import Sink
from det_inception.utils.errors import InputError
from det_inception.utils.files import reason
from det_inception.utils.hdf5 import Dataset, HDF5Error, HDF5File

SUFFIX = '.h5'
FORMAT = 'det_inception region scores'
VERSION = 1
_CHUNK = 256
_WRITE = 'det-inception test --save-region-scores'


@dataclass(frozen=True)
class ImageScores:
    """What a network says of an image's regions.

    Attributes:
        height: Of the image as the network saw it.
        width: Likewise.
        boxes: float32 (R, 4), in its pixels.
        logits: float32 (R, K + 1), background last.
        deltas: float32 (R, 4 K), or None without box regression.
    """

    height: int
    width: int
    boxes: np.ndarray
    logits: np.ndarray
    deltas: np.ndarray | None


class RegionScoresWriter:
    """Writes images one after the other; close it in the end.

    Args:
        path: The file; written over.
        classes: Names of the K classes.

    Raises:
        InputError: It cannot be written; what there is of it is gone then.
    """

    def __init__(self, path: str | os.PathLike, classes: Sequence[str]) -> None:
        self.path = Path(path)
        self.images: list[tuple[str, int, int, int]] = []
        self._classes = json.dumps(list(classes))
        try:
            self._sink = Sink(path, 'w+b')
        except OSError as error:
            raise InputError(f'{path}: cannot be written ({reason(error)}); choose another place.') from error
        with self._writing():
            self.file = h5py.File(self._sink, 'w')
            self.file.attrs.update(format=FORMAT, version=VERSION, classes=self._classes)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
            self._sink.raise_error()
        except (OSError, RuntimeError) as error:
            # HDF5 reads again what it could not write, and complains of that.
            cause = self._sink.error or error
            with contextlib.suppress(OSError, RuntimeError):
                self.file.close()
            self._sink.close()
            self.path.unlink(missing_ok=True)
            raise InputError(f'{self.path}: cannot be written: {reason(cause)}.') from error

    def add(self, name: str, scores: ImageScores) -> None:
        """Appends an image's regions."""
        with self._writing():
            for key in ('boxes', 'logits', 'deltas'):
                rows = getattr(scores, key)
                if rows is None:
                    continue
                if key not in self.file:
                    width = rows.shape[1]
                    self.file.create_dataset(
                        key, (0, width), np.float32, chunks=(_CHUNK, width), maxshape=(None, width), fletcher32=True
                    )
                data = self.file[key]
                data.resize(len(data) + len(rows), axis=0)
                data[len(data) - len(rows) :] = rows
        self.images.append((name, scores.height, scores.width, len(scores.boxes)))

    def close(self) -> None:
        """Writes the list of images, without which the file is not complete."""
        text = json.dumps(self.images).encode()
        with self._writing():
            self.file.create_dataset('images', data=np.frombuffer(text, np.uint8))
            self.file.attrs['digest'] = _digest(self._classes, text)
            self.file.close()
        self._sink.close()


class RegionScores:
    """A file of region scores, for reading.

    Args:
        path: The file.

    Attributes:
        classes: Names of the K classes.

    Raises:
        InputError: It is missing, cut off, or something else.

    Example:
        >>> scores = RegionScores('member_1.h5')  # doctest: +SKIP
        >>> scores['2008_000001'].logits.shape  # doctest: +SKIP
        (1894, 21)
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise InputError(f'{path}: no such file of region scores; write it with {_WRITE}.')
        try:
            self._file = HDF5File(path)
            if self._file.attribute('format') != FORMAT:
                raise InputError(f'{path}: is no file of region scores; write one with {_WRITE}.')
            version = self._file.attribute('version')
            if not isinstance(version, np.ndarray) or version.dtype.kind not in 'iu' or version.size != 1:
                raise ValueError('the version is no whole number')
            if version != VERSION:
                raise InputError(f'{path}: has version {version.item()} of the format, not {VERSION}; write it again.')
            self._read_index(self._file.attribute('classes'), self._file.dataset('images'))
        except InputError:
            raise
        # Deeply nested JSON is a RecursionError.
        except (OSError, KeyError, ValueError, TypeError, RuntimeError, MemoryError) as error:
            raise InputError(
                f'{path}: is damaged, cut off, or no file of region scores; write it again with {_WRITE}.'
            ) from error

    def _read_index(self, classes: object, images: Dataset) -> None:
        if not isinstance(classes, str) or not images.is_plain or images.dtype != np.uint8:
            raise ValueError('classes or images are of another type')
        text, digest = images.read().tobytes(), self._file.attribute('digest')
        if digest is not None and digest != _digest(classes, text):
            raise ValueError('classes and images do not fit their checksum')
        names, entries = json.loads(classes), json.loads(text)
        if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            raise ValueError('the classes are no names')
        self.classes = tuple(names)
        self._place: dict[str, tuple[int, int, int, int]] = {}
        end = 0
        for name, height, width, count in entries:
            sound = isinstance(name, str) and name not in self._place
            if not sound or not all(_is_within(side, 1, 2**31) for side in (height, width)):
                raise ValueError('an image has no name of its own or no size')
            if not _is_within(count, 0, MAX_BOXES_PER_IMAGE):
                raise ValueError('an image has an impossible number of regions')
            self._place[name] = (end, end + count, height, width)
            end += count
        columns = {'boxes': 4, 'logits': len(names) + 1, 'deltas': 4 * len(names)}
        self._rows = {key: self._file.dataset(key) for key in columns if key != 'deltas' or key in self._file}
        for key, rows in self._rows.items():
            if rows.shape != (end, columns[key]) or rows.dtype != np.float32:
                raise ValueError(f'{key} do not fit the images')

    def __len__(self) -> int:
        return len(self._place)

    def __iter__(self) -> Iterator[str]:
        return iter(self._place)

    def __contains__(self, name: object) -> bool:
        return name in self._place

    @property
    def with_deltas(self) -> bool:
        return 'deltas' in self._rows

    def __getitem__(self, name: str) -> ImageScores:
        """Reads an image's regions.

        Raises:
            InputError: The file has no such image, or cannot be read there.
        """
        if name not in self._place:
            raise InputError(
                f'{self.path}: has no region scores of image {name}; it is of another data set or another part of it.'
            )
        start, end, height, width = self._place[name]
        try:
            read = {key: rows.read(start, end) for key, rows in self._rows.items()}
        except (OSError, HDF5Error) as error:
            raise InputError(f'{self.path}: is damaged at image {name}; write it again.') from error
        # An average of probabilities that are all 0 has the logit -inf.
        sound = {key: rows < np.inf if key == 'logits' else np.isfinite(rows) for key, rows in read.items()}
        if not all(each.all() for each in sound.values()):
            raise InputError(f'{self.path}: has a number that is not finite at image {name}; write it again.')
        return ImageScores(height, width, read['boxes'], read['logits'], read.get('deltas'))


def _digest(classes: str, images: bytes) -> str:
    digest = hashlib.blake2b(classes.encode(), digest_size=16)
    digest.update(b'\0' + images)
    return digest.hexdigest()


def _is_within(value: object, lowest: int, highest: int) -> bool:
    return type(value) is int and lowest <= value <= highest


def merge(parts: Sequence[str | os.PathLike], path: str | os.PathLike) -> None:
    """Puts the files of several processes, all of the same classes, into one; an image in two of them comes in once."""
    files = [RegionScores(part) for part in parts]
    writer = RegionScoresWriter(path, files[0].classes)
    done: set[str] = set()
    for file in files:
        for name in file:
            if name not in done:
                writer.add(name, file[name])
                done.add(name)
    writer.close()
