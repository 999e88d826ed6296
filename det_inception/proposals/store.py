"""The proposal store: the proposals of many images in one file, read image by image. See ``store_file`` for the format.

Shape legend: N proposals of an image, P proposals of all images together.
"""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from det_inception.proposals.errors import ProposalError, StoreKeyError, StoreMismatchError
from det_inception.proposals.parameters import as_json, with_current_names
from det_inception.proposals.records import (
    MAX_BOXES_PER_IMAGE,
    ImageIdentity,
    Proposals,
    identify,
    is_valid_key,
    rank_scores,
    validated,
)
from det_inception.proposals.store_file import FORMAT, INDEX_TYPES, VERSION, index_digest
from det_inception.utils.files import reason
from det_inception.utils.hdf5 import HDF5File
from det_inception.utils.images import read_image_file


class ProposalStore(Mapping[str, Proposals]):
    """A proposal file, opened for reading: a mapping from an image's key to its proposals.

    Opening reads the index only; an image's boxes are read when they are asked for. It may be pickled, and used after a
    fork: each process opens the file for itself, so the workers of a data loader can share one.

    Args:
        path: The file.

    Raises:
        ProposalError: There is no such file, or it is cut off, damaged, of another version, or no proposal store.

    Example:
        >>> with ProposalStore('voc2007.h5') as store:  # doctest: +SKIP
        ...     store.require({'method': 'selective_search', 'mode': 'fast'})
        ...     proposals = store[store.find('/data/VOC2007/JPEGImages/000004.jpg')]
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path).absolute()
        self._file: HDF5File | None = None
        self._process = os.getpid()
        self._closed = False
        self._keys_by_name: dict[str, list[str]] | None = None
        if not self.path.is_file():
            raise ProposalError(f'There is no proposal store {self.path}; det-inception propose makes one.')
        with self._complaints():
            file = self._open()
            self._read_index(file)
        self._rows = {key: row for row, key in enumerate(self._keys)}
        if len(self._rows) != len(self._keys):
            raise ProposalError(f'{self.path} is damaged: it names an image twice. Make it again.')

    def _open(self) -> HDF5File:
        # After a fork the parent's handle shares its position with the parent: never use it.
        if self._file is None or self._process != os.getpid():
            self._file = HDF5File(self.path)
            self._boxes = self._file.dataset('boxes')
            self._scores = self._file.dataset('scores') if 'scores' in self._file else None
            self._process = os.getpid()
        return self._file

    @contextlib.contextmanager
    def _complaints(self) -> Iterator[None]:
        """Turns whatever is said about a damaged file into one sentence."""
        try:
            yield
        except ProposalError:
            self.release()
            raise
        except PermissionError as error:
            raise ProposalError(f'{self.path} cannot be read: {reason(error)}.') from error
        # Also deeply nested JSON.
        except (OSError, RuntimeError, ValueError, TypeError, KeyError, AttributeError, MemoryError) as error:
            self.release()
            raise ProposalError(
                f'{self.path} is not a complete proposal store (cut off, damaged or another kind of file); '
                f'copy or make it again.'
            ) from error

    def _read_index(self, file: HDF5File) -> None:
        found = file.attribute('format')
        if not isinstance(found, str) or found != FORMAT:
            raise ProposalError(f'{self.path} is an HDF5 file but no proposal store; det-inception propose makes one.')
        (version,) = _whole_numbers(file.attribute('version'), 1)
        if version != VERSION:
            raise ProposalError(
                f'{self.path} has version {version} of the format, this program reads version {VERSION}; '
                f'make the store again, or use the program that made it.'
            )
        datasets = {name: file.dataset(f'images/{name}') for name in INDEX_TYPES}
        for name, dtype in INDEX_TYPES.items():
            if datasets[name].dtype != dtype or not datasets[name].is_plain:
                raise ValueError(f'images/{name} is not stored plainly, or of {datasets[name].dtype}')
        index = {name: dataset.read() for name, dataset in datasets.items()}
        text = file.attribute('parameters')
        if not isinstance(text, str) or index_digest(text, index) != file.attribute('index_digest'):
            raise ValueError('the index does not fit its checksum')
        count = len(index['height'])
        if np.count_nonzero(index['keys'] == ord('\n')) != count:
            raise ValueError('the index names another number of images')
        self._keys = index['keys'].tobytes().decode().splitlines()
        self._first = index['first']
        self._sizes = np.stack([index['height'], index['width']], axis=1)
        self._file_sizes = index['file_size']
        self._fingerprints = index['fingerprint']
        self.parameters: dict[str, Any] = with_current_names(json.loads(text))
        shard = file.attribute('shard')
        self.shard: tuple[int, int] | None = None if shard is None else tuple(_whole_numbers(shard, 2))

        counts = np.diff(self._first)
        boxes, scores = self._boxes, self._scores
        self.has_scores = scores is not None
        sound = (
            len(self._keys) == count
            and self._first.shape == (count + 1,)
            and self._sizes.shape == (count, 2)
            and self._file_sizes.shape == (count,)
            and self._fingerprints.shape == (count, 8)
            and self._first[0] == 0
            and bool((counts >= 0).all())
            and bool((counts <= MAX_BOXES_PER_IMAGE).all())
            and boxes.shape == (self._first[-1], 4)
            and boxes.dtype in (np.dtype(np.uint16), np.dtype(np.float32))
            and isinstance(self.parameters, dict)
            and all(is_valid_key(key) for key in self._keys)
            and (scores is None or (scores.shape == (self._first[-1],) and scores.dtype == np.float32))
        )
        if not sound:
            raise ValueError('the parts of the store do not fit together')
        self.whole_numbers = boxes.dtype == np.uint16

    def __getitem__(self, key: str) -> Proposals:
        row = self._row(key)
        first, last = int(self._first[row]), int(self._first[row + 1])
        if self._closed:
            raise ProposalError(f'{self.path} has been closed; open it again.')
        with self._complaints():
            self._open()
            boxes = self._boxes.read(first, last).astype(np.float32)
            scores = rank_scores(last - first) if self._scores is None else self._scores.read(first, last)
            return validated(key, Proposals(boxes, scores, int(self._sizes[row, 0]), int(self._sizes[row, 1])))

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    # A mapping compares its contents; two stores of a million boxes had better compare by identity.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f'ProposalStore({str(self.path)!r}: {len(self)} images, {self.number_of_proposals} proposals)'

    def __reduce__(self) -> tuple:
        return type(self), (self.path,)

    def __enter__(self) -> 'ProposalStore':
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file; what was read stays valid."""
        self.release()
        self._closed = True

    def release(self) -> None:
        """Closes the file until it is needed again; a process may have only so many files open."""
        if self._file is not None and self._process == os.getpid():
            with contextlib.suppress(OSError, RuntimeError):
                self._file.close()
        self._file = None

    def _row(self, key: str) -> int:
        if key in self._rows:
            return self._rows[key]
        example = f' (its keys look like {self._keys[0]!r})' if self._keys else ''
        raise StoreKeyError(f'{self.path} has no proposals for {key}{example}; make them with det-inception propose.')

    @property
    def number_of_proposals(self) -> int:
        """Number of proposals P of all images together."""
        return int(self._first[-1])

    def count(self, key: str) -> int:
        """Returns the number N of an image's proposals without reading them.

        Raises:
            StoreKeyError: The store does not hold the image.
        """
        row = self._row(key)
        return int(self._first[row + 1] - self._first[row])

    def size(self, key: str) -> tuple[int, int]:
        """Returns height and width, in pixels, of the image for which the proposals were made.

        Raises:
            StoreKeyError: The store does not hold the image.
        """
        height, width = self._sizes[self._row(key)].tolist()
        return height, width

    def identity(self, key: str) -> ImageIdentity:
        """Returns size and fingerprint of the file that an image's proposals were made for.

        Raises:
            StoreKeyError: The store does not hold the image.
        """
        row = self._row(key)
        return ImageIdentity(int(self._file_sizes[row]), self._fingerprints[row].tobytes())

    def find(self, image_path: str | os.PathLike) -> str:
        """Returns the key of an image by the path of its file, wherever the data set lies today.

        The key is the longest one that is the end of the path, in whole components. A path that is itself shorter than
        the keys (a bare file name, say) is found where only one key ends with it.

        Raises:
            StoreKeyError: The store does not hold the image, or several images could be meant.
        """
        path = PurePath(os.path.normpath(os.fspath(image_path)))
        names = path.parts[1:] if path.anchor else path.parts
        for start in range(len(names)):
            key = '/'.join(names[start:])
            if key in self._rows:
                return key
        meant = []
        if names and not path.anchor:
            end = '/' + '/'.join(names)
            meant = [key for key in self._keys_named(names[-1]) if key.endswith(end)]
        if len(meant) == 1:
            return meant[0]
        if meant:
            raise StoreKeyError(
                f'{image_path} could be {meant[0]} or {meant[1]} in {self.path}; give more of the path.'
            )
        self._row(str(image_path))
        raise AssertionError('unreachable: a key is the end of itself')

    def _keys_named(self, name: str) -> list[str]:
        if self._keys_by_name is None:
            self._keys_by_name = {}
            for key in self._keys:
                self._keys_by_name.setdefault(key.rpartition('/')[2], []).append(key)
        return self._keys_by_name.get(name, [])

    def require(self, parameters: Mapping[str, Any]) -> None:
        """Refuses a store that was made with other parameters than these; it may have more beside them.

        Raises:
            StoreMismatchError: One of them is missing from the store or differs.
        """
        wanted = with_current_names(json.loads(as_json(parameters)))
        differences = [
            f'{name} is {json.dumps(self.parameters[name]) if name in self.parameters else "not given"} '
            f'where {json.dumps(value)} is asked for'
            for name, value in wanted.items()
            if name not in self.parameters or self.parameters[name] != value
        ]
        if differences:
            raise StoreMismatchError(
                f'{self.path} was made with other parameters: {", ".join(differences)}; use or make another store.'
            )

    def check(self, key: str, image_path: str | os.PathLike, identity: ImageIdentity | None = None) -> None:
        """Refuses an image whose file is not the one the proposals were made for.

        Args:
            key: Its key.
            image_path: Its file.
            identity: Of the file, where it has been read already; None: it is read from end to end.

        Raises:
            StoreKeyError: The store does not hold the image.
            StoreMismatchError: The file is another one.
            ImageError: The file cannot be read.
        """
        if identity is None:
            identity = identify(read_image_file(image_path))
        if identity != self.identity(key):
            raise StoreMismatchError(
                f'{image_path} is not the file for which {self.path} holds the proposals of {key} '
                f'(its size or its bytes differ); make them again for this data set.'
            )


def _whole_numbers(value: object, count: int) -> list[int]:
    """An attribute's whole numbers, as many as given."""
    if not isinstance(value, np.ndarray) or value.dtype.kind not in 'iu' or value.size != count:
        raise ValueError('an attribute is not made of whole numbers')
    return value.ravel().tolist()
