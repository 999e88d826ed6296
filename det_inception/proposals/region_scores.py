"""Region scores in files: what a network says of every proposal, so that an ensemble can be averaged afterwards.

Shape legend: R regions of one image, K classes.

A file is HDF5. Its rows are the regions of all images, image after image: ``boxes`` float32 (R, 4) in the pixels of the
image as the network saw it, ``logits`` float32 (R, K + 1) with the background last, and, with box regression,
``deltas`` float32 (R, 4 K). ``images`` lists the images, each with its name, size and number of rows; the attributes
tell classes and version. An image's name is its id in the data set, as text. Rows are read when they are asked for, so
a file may be larger than the memory.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from det_inception.utils.errors import InputError

SUFFIX = '.h5'
FORMAT = 'det_inception region scores'
VERSION = 1
_CHUNK = 256
_WRITE = 'tools/test.py --save-region-scores'


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
        InputError: It cannot be written.
    """

    def __init__(self, path: str | os.PathLike, classes: Sequence[str]) -> None:
        self.path = Path(path)
        try:
            self.file = h5py.File(path, 'w')
        except OSError as error:
            raise InputError(f'{path}: cannot be written ({error}); choose another place.') from error
        self.file.attrs.update(format=FORMAT, version=VERSION, classes=json.dumps(list(classes)))
        self.images: list[tuple[str, int, int, int]] = []

    def add(self, name: str, scores: ImageScores) -> None:
        """Appends an image's regions."""
        for key in ('boxes', 'logits', 'deltas'):
            rows = getattr(scores, key)
            if rows is None:
                continue
            if key not in self.file:
                width = rows.shape[1]
                self.file.create_dataset(key, (0, width), np.float32, chunks=(_CHUNK, width), maxshape=(None, width))
            data = self.file[key]
            data.resize(len(data) + len(rows), axis=0)
            data[len(data) - len(rows) :] = rows
        self.images.append((name, scores.height, scores.width, len(scores.boxes)))

    def close(self) -> None:
        """Writes the list of images, without which the file is not complete."""
        text = json.dumps(self.images).encode()
        self.file.create_dataset('images', data=np.frombuffer(text, np.uint8))
        self.file.close()


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
            self.file = h5py.File(path, 'r')
            if self.file.attrs.get('format') != FORMAT:
                raise InputError(f'{path}: is no file of region scores; write one with {_WRITE}.')
            if self.file.attrs['version'] != VERSION:
                raise InputError(
                    f'{path}: has version {self.file.attrs["version"]} of the format, and this is version {VERSION}; '
                    'write it again.'
                )
            self.classes = tuple(json.loads(self.file.attrs['classes']))
            images = json.loads(self.file['images'][()].tobytes())
            rows = [image[3] for image in images]
            ends = np.cumsum(rows, dtype=np.int64).tolist()
            if any(len(self.file[key]) != sum(rows) for key in ('boxes', 'logits')):
                raise ValueError('rows are missing')
        except InputError:
            raise
        except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
            raise InputError(
                f'{path}: is damaged, cut off, or no file of region scores; write it again with {_WRITE}.'
            ) from error
        self._place = {
            name: (end - count, end, height, width) for (name, height, width, count), end in zip(images, ends)
        }

    def __len__(self) -> int:
        return len(self._place)

    def __iter__(self) -> Iterator[str]:
        return iter(self._place)

    def __contains__(self, name: object) -> bool:
        return name in self._place

    @property
    def with_deltas(self) -> bool:
        return 'deltas' in self.file

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
            boxes, logits = self.file['boxes'][start:end], self.file['logits'][start:end]
            deltas = self.file['deltas'][start:end] if self.with_deltas else None
        except OSError as error:
            raise InputError(f'{self.path}: is damaged at image {name}; write it again.') from error
        return ImageScores(height, width, boxes, logits, deltas)


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
