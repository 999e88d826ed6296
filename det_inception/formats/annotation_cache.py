"""Reads many XML annotations, and the second time from one file in the user's cache folder.

Shapes: I images, M objects of all images together.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import zipfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from tqdm import tqdm

from det_inception.formats.annotation_xml import AnnotatedObject, ImageAnnotation, read_xml
from det_inception.utils.files import cache_folder, write_cache

_VERSION = 1
"""Raised whenever what is read from an XML file, or how it is kept, changes."""


def read_annotations(sources: Sequence[Path], cache_dir: str | Path | None = None) -> list[ImageAnnotation | None]:
    """Reads the annotations of many images.

    Whether the cache still fits is decided by name, size and time of change of every file, so that an annotation
    that was corrected is read anew.

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
    folder = cache_folder('annotations', cache_dir)
    path = None if folder is None else folder / f'{_digest(sources, states)}.npz'
    if path is not None:
        with contextlib.suppress(OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return _unpack(np.load(path, allow_pickle=False), len(sources))
    annotations = [
        None if state is None else read_xml(source)
        # A thousandth of a second each: a bar only where they are many.
        for source, state in tqdm(
            zip(sources, states), 'annotations', len(sources), unit='file', delay=2, disable=None, leave=False
        )
    ]
    if path is not None:
        with contextlib.suppress(OverflowError):  # A size beyond all numbers; what it is good for, others decide.
            write_cache(path, _pack(annotations))
    return annotations


def _state(source: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(source)
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _digest(sources: Sequence[Path], states: Sequence[tuple[int, int] | None]) -> str:
    digest = hashlib.blake2b(str(_VERSION).encode(), digest_size=16)
    for source, state in zip(sources, states):
        digest.update(f'{os.path.abspath(source)}\0{state}\0'.encode(errors='surrogateescape'))
    return digest.hexdigest()


def _pack(annotations: Sequence[ImageAnnotation | None]) -> bytes:
    objects = [item for annotation in annotations if annotation is not None for item in annotation.objects]
    names = sorted({item.name for item in objects})
    number = {name: index for index, name in enumerate(names)}
    content = BytesIO()
    np.savez(
        content,
        width=np.array([-1 if item is None else item.width for item in annotations], np.int64),
        height=np.array([-1 if item is None else item.height for item in annotations], np.int64),
        count=np.array([0 if item is None else len(item.objects) for item in annotations], np.int64),
        # As bytes: NumPy drops null characters at the end of its own strings, and pads all to the longest.
        names=np.frombuffer('\n'.join(names).encode(), np.uint8),
        name=np.array([number[item.name] for item in objects], np.int64),
        box=np.array([item.box for item in objects], np.float64).reshape(-1, 4),
        difficult=np.array([item.difficult for item in objects], bool),
    )
    return content.getvalue()


def _unpack(content: np.lib.npyio.NpzFile, number: int) -> list[ImageAnnotation | None]:
    with content:
        names = content['names'].tobytes().decode().split('\n')
        columns = (content['name'].tolist(), content['box'].tolist(), content['difficult'].tolist())
        objects = [AnnotatedObject(names[name], tuple(box), flag) for name, box, flag in zip(*columns)]
        ends = np.cumsum(content['count']).tolist()
        sizes = list(zip(content['width'].tolist(), content['height'].tolist()))
    if len(sizes) != number or len(objects) != (ends[-1] if ends else 0):
        raise ValueError('the cache is of another list')
    return [
        None if width < 0 else ImageAnnotation(width, height, tuple(objects[start:end]))
        for (width, height), start, end in zip(sizes, [0, *ends], ends)
    ]
