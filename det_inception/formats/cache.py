"""Keeps what was read from many small files in one file of the user's cache folder: annotations and image sizes.

Whether a kept file still fits is decided by name, size and times of change of every file that it was made from, so that
an annotation that was corrected is read anew. A kept file that is damaged is made again.

Shape legend: I images, M objects of all images together.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import TypeVar

import numpy as np
from tqdm import tqdm

from det_inception.formats.annotation_xml import AnnotatedObject, ImageAnnotation, read_xml
from det_inception.utils.cache import read_entry, write_entry
from det_inception.utils.errors import ErrorHandler, raise_error
from det_inception.utils.files import cache_folder
from det_inception.utils.images import ImageError, image_size

_VERSION = 3
"""Raised whenever what is read from a file, or how it is kept, changes."""

_State = tuple[int, int, int] | None
_Content = TypeVar('_Content')


def read_annotations(sources: Sequence[Path], cache_dir: str | Path | None = None) -> list[ImageAnnotation | None]:
    """Reads the XML annotations of many images.

    Args:
        sources: I XML files; any may be missing, as those of training images without objects are.
        cache_dir: Where to keep what was read; None: ``det_inception/annotations`` in the user's cache folder
            (``XDG_CACHE_HOME``); ``''``: nowhere.

    Returns:
        I annotations, None for a file that is missing.

    Raises:
        AnnotationError: A file is no annotation.
    """
    states = [_state(source) for source in sources]

    def read() -> list[ImageAnnotation | None]:
        pairs = zip(sources, states)
        return [
            None if state is None else read_xml(source) for source, state in _progress(pairs, 'annotations', states)
        ]

    return _kept('annotations', sources, states, cache_dir, read, _pack_annotations, _unpack_annotations)


def read_image_sizes(
    paths: Sequence[Path], cache_dir: str | Path | None = None, on_error: ErrorHandler = raise_error
) -> list[tuple[int, int]]:
    """Reads height and width of many images from their headers.

    Args:
        paths: I images.
        cache_dir: As for :func:`read_annotations`; the folder is ``image_sizes``.
        on_error: Hears of images that are missing or none; their size is 0, 0.

    Returns:
        I pairs.
    """
    states = [_state(path) for path in paths]
    faults = []

    def read() -> list[tuple[int, int]]:
        sizes = []
        for path in _progress(paths, 'image sizes', states):
            try:
                sizes.append(image_size(path))
            except ImageError as error:
                on_error('missing image' if not os.path.exists(path) else 'unreadable image', path, error)
                faults.append(path)
                sizes.append((0, 0))
        return sizes

    def pack(sizes: list[tuple[int, int]]) -> dict[str, np.ndarray] | None:
        return None if faults else dict(size=np.array(sizes, np.int64).reshape(-1, 2))

    def unpack(content: np.lib.npyio.NpzFile) -> list[tuple[int, int]]:
        return [(height, width) for height, width in content['size'].tolist()]

    return _kept('image_sizes', paths, states, cache_dir, read, pack, unpack)


def _progress(items, description: str, states: Sequence[_State]):
    # A thousandth of a second each: a bar only where they are many.
    return tqdm(items, description, len(states), unit='file', delay=2, disable=None, leave=False)


def _kept(
    kind: str,
    sources: Sequence[Path],
    states: Sequence[_State],
    cache_dir: str | Path | None,
    read: Callable[[], _Content],
    pack: Callable[[_Content], dict[str, np.ndarray] | None],
    unpack: Callable[[np.lib.npyio.NpzFile], _Content],
) -> _Content:
    folder = cache_folder(kind, cache_dir)
    path = None if folder is None else folder / f'{_digest(kind, sources, states)}.npz'
    if path is not None and (kept := read_entry(path)) is not None:
        with np.load(BytesIO(kept), allow_pickle=False) as arrays:
            return unpack(arrays)
    content = read()
    if path is not None:
        with contextlib.suppress(OverflowError):  # A size beyond all numbers; what it is good for, others decide.
            if (arrays := pack(content)) is not None:
                file = BytesIO()
                np.savez(file, **arrays)
                write_entry(path, file.getvalue())
    return content


def _state(source: Path) -> _State:
    try:
        status = os.stat(source)
    except (OSError, ValueError):
        return None
    # Whoever puts back the time of the last change (cp -p, rsync) cannot put back that of the file's entry.
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _digest(kind: str, sources: Sequence[Path], states: Sequence[_State]) -> str:
    digest = hashlib.blake2b(f'{_VERSION} {kind}'.encode(), digest_size=16)
    for source, state in zip(sources, states):
        digest.update(repr((os.path.abspath(source), state)).encode())
    return digest.hexdigest()


def _pack_annotations(annotations: Sequence[ImageAnnotation | None]) -> dict[str, np.ndarray]:
    objects = [item for annotation in annotations if annotation is not None for item in annotation.objects]
    names = sorted({item.name for item in objects})
    number = {name: index for index, name in enumerate(names)}
    return dict(
        width=np.array([-1 if item is None else item.width for item in annotations], np.int64),
        height=np.array([-1 if item is None else item.height for item in annotations], np.int64),
        count=np.array([0 if item is None else len(item.objects) for item in annotations], np.int64),
        # JSON keeps names apart whatever is in them, a line feed or a null character.
        names=np.frombuffer(json.dumps(names).encode(), np.uint8),
        name=np.array([number[item.name] for item in objects], np.int64),
        box=np.array([item.box for item in objects], np.float64).reshape(-1, 4),
        difficult=np.array([item.difficult for item in objects], bool),
    )


def _unpack_annotations(content: np.lib.npyio.NpzFile) -> list[ImageAnnotation | None]:
    names = json.loads(content['names'].tobytes())
    columns = (content['name'].tolist(), content['box'].tolist(), content['difficult'].tolist())
    objects = [AnnotatedObject(names[name], tuple(box), flag) for name, box, flag in zip(*columns)]
    ends = np.cumsum(content['count']).tolist()
    sizes = list(zip(content['width'].tolist(), content['height'].tolist()))
    return [
        None if width < 0 else ImageAnnotation(width, height, tuple(objects[start:end]))
        for (width, height), start, end in zip(sizes, [0, *ends], ends)
    ]
