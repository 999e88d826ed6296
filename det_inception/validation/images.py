"""Reads the images of a data set on all cores, and remembers of each what the checks need.

Shape legend: P images, each file once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

import cv2
import numpy as np
from tqdm import tqdm

from det_inception.proposals.records import ImageIdentity
from det_inception.proposals.sources import read_image
from det_inception.utils.cores import available_cores
from det_inception.utils.errors import InputError
from det_inception.utils.images import exif_orientation
from det_inception.validation.names import folded

CELLS = 16
"""Cells on a side of an image's thumbnail."""


class ImageFiles:
    """The image files of a data set: half a kilobyte each, however large they are.

    Attributes:
        paths: (P,) the files.
        faults: What is wrong with those that cannot be read, by index.
        sizes: int64 (P, 2), height and width; 0 of those that were not, or could not be, read.
        thumbnails: uint8 (P, CELLS, CELLS), mean gray of each cell.
        orientations: uint8 (P,), how EXIF data turn it; 1: not at all, or not read.
        fingerprints: uint64 (P,), hash of the file; 0 as above.
        file_sizes: int64 (P,), bytes.
    """

    def __init__(self) -> None:
        self.paths: list[str] = []
        self._index: dict[str, int] = {}
        self._listings: dict[str, dict[str, str]] = {}
        self.faults: dict[int, str] = {}
        self._make_room(0)

    def _make_room(self, count: int) -> None:
        self.sizes = np.zeros((count, 2), np.int64)
        self.thumbnails = np.zeros((count, CELLS, CELLS), np.uint8)
        self.orientations = np.ones(count, np.uint8)
        self.fingerprints = np.zeros(count, np.uint64)
        self.file_sizes = np.zeros(count, np.int64)

    def add(self, path: str | os.PathLike) -> int:
        """Returns the index of a file, which is one and the same however often it is added."""
        path = os.fspath(path)
        index = self._index.setdefault(path, len(self.paths))
        if index == len(self.paths):
            self.paths.append(path)
        return index

    def look(self, workers: int | None = None, progress: bool = True) -> None:
        """Reads all of them, with threads: the decoders do not hold Python's lock."""
        self._make_room(len(self.paths))
        workers = workers or available_cores()
        bar = tqdm(
            total=len(self.paths),
            desc='reading images',
            unit='image',
            disable=not (progress and self.paths),
            mininterval=0.5 if sys.stderr.isatty() else 30,
            dynamic_ncols=True,
        )
        with bar, ThreadPoolExecutor(workers) as executor:
            for index, seen in enumerate(_in_order(executor, self.paths, 4 * workers)):
                bar.update()
                if isinstance(seen, str):
                    self.faults[index] = seen
                    continue
                identity, self.sizes[index], self.thumbnails[index], self.orientations[index] = seen
                self.fingerprints[index] = np.frombuffer(identity.fingerprint, np.uint64)[0]
                self.file_sizes[index] = identity.file_size

    def look_for(self) -> None:
        """Only finds out which of them are missing."""
        self._make_room(len(self.paths))
        for index, path in enumerate(self.paths):
            if not os.path.isfile(path):
                self.faults[index] = f'{path}: there is no such image; add it or take it out of the list.'

    def is_missing(self, index: int) -> bool:
        """Whether there is no such file at all."""
        return not os.path.exists(self.paths[index])

    def identity(self, index: int) -> ImageIdentity | None:
        """Returns what proposals were made for, or None if the image was not read."""
        if not self.file_sizes[index]:
            return None
        return ImageIdentity(int(self.file_sizes[index]), self.fingerprints[index].tobytes())

    def hint(self, path: str | os.PathLike) -> str:
        """Returns words about a file that may be meant where there is none of this name: of another case or suffix."""
        folder, name = os.path.split(os.fspath(path))
        if folder not in self._listings:
            try:
                names = os.listdir(folder or '.')
            except (OSError, ValueError):
                names = []
            listing = {folded(os.path.splitext(name)[0]): name for name in sorted(names)}
            self._listings[folder] = listing | {folded(name): name for name in sorted(names)}
        listing = self._listings[folder]
        found = listing.get(folded(name)) or listing.get(folded(os.path.splitext(name)[0]))
        return f' (did you mean {found}?)' if found and found != name else ''


_Seen = str | tuple[ImageIdentity, tuple[int, int], np.ndarray, int]


def _in_order(executor: ThreadPoolExecutor, paths: list[str], ahead: int) -> Iterator[_Seen]:
    """Like ``executor.map``, which would hold a task for every image at once."""
    remaining = iter(paths)
    waiting: list[Future] = [executor.submit(_look_at, path) for path in islice(remaining, ahead)]
    for position in range(len(paths)):
        slot = position % ahead
        yield waiting[slot].result()
        for path in islice(remaining, 1):
            waiting[slot] = executor.submit(_look_at, path)


def _look_at(path: str) -> _Seen:
    try:
        image, identity = read_image(path)
    except InputError as error:
        return str(error)
    height, width = image.shape[:2]
    small = cv2.resize(image, (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    return identity, (height, width), cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), exif_orientation(path)
