"""Annotation files as records: one file a format. Needs neither PyTorch nor MMDetection.

Data sets, proposals, checks, splitting and the command line all read annotations through this room, so they agree::

    format = recognize('my_data')                     # FORMATS['voc'], by what lies in the folder
    split = choose_split(format.splits(root).splits, 'train')
    content = format.read(split, on_error)            # SplitContent: records, classes, images, notes
    for record in content.records:                    # ImageRecord: path, height, width, objects
        for item in usable_objects(record):           # ObjectRecord: name, continuous box cut to the image, ignored

* :mod:`~det_inception.formats.records`: :class:`ImageRecord`, :class:`ObjectRecord`, and :func:`usable_objects`, which
  says which objects count.
* :mod:`~det_inception.formats.base`: the :class:`Format` interface: ``claim`` (does this folder look like yours),
  ``splits`` (which parts has it), ``split_of`` (what a list or a file makes), ``read`` (with a handler for faults).
* :mod:`~det_inception.formats.lists`: the one reader of lists of images; :mod:`~det_inception.formats.folders`: the one
  walk through folders.

To add a format, write a module with a subclass of :class:`Format` and add it to :data:`FORMATS`. Everything else, also
``DetectionDataset(format='...')`` in a config, finds it there.
"""

from __future__ import annotations

import os
from pathlib import Path

from det_inception.formats.base import Format, FoundSplits, Split, SplitContent, choose_split, role
from det_inception.formats.coco import COCO
from det_inception.formats.folders import walk
from det_inception.formats.ilsvrc_det import ILSVRCDet, ILSVRCDetSplit
from det_inception.formats.lists import ImageNames, plain_name, read_list, spellings
from det_inception.formats.records import DataError, ImageRecord, ObjectRecord, clip_box, place_objects, usable_objects
from det_inception.formats.voc import VOC
from det_inception.formats.yolo import YOLO
from det_inception.utils.errors import ErrorHandler, raise_error, some

__all__ = [
    'FORMATS',
    'DataError',
    'Format',
    'FoundSplits',
    'ILSVRCDetSplit',
    'ImageNames',
    'ImageRecord',
    'ObjectRecord',
    'Split',
    'SplitContent',
    'choose_split',
    'claimed_by',
    'clip_box',
    'place_objects',
    'plain_name',
    'read_list',
    'read_split',
    'recognize',
    'role',
    'spellings',
    'usable_objects',
    'walk',
]

FORMATS: dict[str, Format] = {format.name: format for format in (VOC(), COCO(), YOLO(), ILSVRCDet())}
"""All formats by their names. A new one is added here."""


def read_split(split: Split, on_error: ErrorHandler = raise_error) -> SplitContent:
    """Opens a split in its own format; see :meth:`Format.read`."""
    return FORMATS[split.format].read(split, on_error)


def recognize(path: str | os.PathLike, name: str | None = None) -> Format:
    """Finds out the format of a data set.

    Args:
        path: A folder, or the one file that describes a data set.
        name: The format's name, where the user gave it.

    Raises:
        DataError: There is no such file or folder, no format claims it, or several do.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f'{path}: no such file or folder; check the path.')
    if name is not None:
        if name not in FORMATS:
            raise DataError(f'{name!r} is no format of annotations; name one of {", ".join(FORMATS)}.')
        return FORMATS[name]
    format = claimed_by(path)
    if format is None:
        raise DataError(f'{path}: {_nothing(path)}')
    return format


def claimed_by(path: Path) -> Format | None:
    """Returns the format of a file or folder, None if it is no data set.

    Raises:
        DataError: Several formats claim it.
    """
    claims = _claims(path)
    if len(claims) > 1:
        found = ' and '.join(f'{FORMATS[name].title} ({what})' for name, what in claims.items())
        raise DataError(f'{path}: it may be {found}; say which it is, or move the other away.')
    return FORMATS[next(iter(claims))] if claims else None


def _claims(path: Path) -> dict[str, str]:
    claims = {name: format.claim(path) for name, format in FORMATS.items()}
    return {name: what for name, what in claims.items() if what is not None}


def _nothing(path: Path) -> str:
    if path.is_file():
        return 'neither a folder nor a .json file in COCO format; give one of them, or a data.yaml.'
    for folder in sorted([*path.glob('*/'), *path.glob('*/*/')]):
        if folder.is_dir() and _claims(folder):
            return f'no data set, but {folder} is one; give that.'
    if hint := next(filter(None, (format.hint(path) for format in FORMATS.values())), None):
        return hint
    names = some(sorted(item.name for item in path.iterdir()))
    found = f'there is only {names}' if names else 'the folder is empty'
    known = ', '.join(format.layout for format in FORMATS.values())
    return f'no data set that is known here ({found}); arrange it as one of {known}.'
