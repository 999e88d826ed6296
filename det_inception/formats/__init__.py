"""Annotation files as records: one file a format. Needs neither PyTorch nor MMDetection.

Data sets, proposals, checks, splitting and the command line all read annotations through this room, so they agree::

    format = recognize('my_data')                     # FORMATS['voc'], by what lies in the folder
    split = choose_split(format.splits(root).splits, 'train')
    content = format.read(split, on_error)            # SplitContent: records, classes, images, notes
    for record in content.records:                    # ImageRecord: path, height, width, objects
        for item in usable_objects(record):           # ObjectRecord: name, continuous box cut to the image, ignored

* :mod:`~det_inception.formats.records`: :class:`ImageRecord`, :class:`ObjectRecord`, and :func:`usable_objects`, which
  says which objects count.
* :func:`find_part`: the one finder of a part of a data set, by its folder alone, which training, testing and all
  commands share.
* :mod:`~det_inception.formats.base`: the :class:`Format` interface: ``claim`` (does this folder look like yours),
  ``splits`` (which parts has it), ``split_of`` (what a list or a file makes), ``read`` (with a handler for faults).
* :mod:`~det_inception.formats.sidecars`: the base of formats with one annotation file an image.
* :mod:`~det_inception.formats.lists`: the one reader of lists of images; :mod:`~det_inception.formats.folders`: the one
  walk through folders.

To add a format, write a module with a subclass of :class:`Format` and add it to :data:`FORMATS`. Everything else, also
``DetectionDataset(format='...')`` in a config, finds it there.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from det_inception.formats.base import Format, FoundSplits, Split, SplitContent, choose_split, role, undivided
from det_inception.formats.coco import COCO
from det_inception.formats.folders import walk
from det_inception.formats.ilsvrc_det import ILSVRCDet, ILSVRCDetSplit
from det_inception.formats.labelme import LabelMe
from det_inception.formats.lists import ImageNames, plain_name, read_list, spellings
from det_inception.formats.records import (
    DataError,
    ImageRecord,
    ObjectRecord,
    clip_box,
    count_objects,
    place_objects,
    usable_objects,
)
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
    'count_objects',
    'find_part',
    'place_objects',
    'plain_name',
    'read_list',
    'read_split',
    'recognize',
    'role',
    'spellings',
    'undivided',
    'usable_objects',
    'walk',
]

FORMATS: dict[str, Format] = {format.name: format for format in (VOC(), COCO(), YOLO(), ILSVRCDet(), LabelMe())}
"""All formats by their names. A new one is added here."""
_FEW = 5  # files, which a message names


def read_split(split: Split, on_error: ErrorHandler = raise_error) -> SplitContent:
    """Opens a split in its own format, and picks out its members; see :meth:`Format.read`."""
    content = FORMATS[split.format].read(split, on_error)
    if split.members is not None:
        members = frozenset(split.members)
        content.records = (record for position, record in enumerate(content.records) if position in members)
    return content


def find_part(
    root: str | os.PathLike,
    name: str,
    format_name: str | None = None,
    prefer: str | None = None,
    image_root: str | os.PathLike | None = None,
) -> Split:
    """Finds a part of a data set.

    Args:
        root: The folder, or the one file that describes the data set.
        name: Of the part, such as ``'train'``; ``'val'`` is also found as ``valid``.
        format_name: See :func:`recognize`.
        prefer: Likewise.
        image_root: The folder of the images, where the format does not say it.

    Raises:
        DataError: There is no such data set, or no such part.
    """
    format = recognize(root, format_name, prefer)
    return choose_split(format.splits(Path(root), None if image_root is None else Path(image_root)).splits, name)


def recognize(path: str | os.PathLike, name: str | None = None, prefer: str | None = None) -> Format:
    """Finds out the format of a data set.

    Args:
        path: A folder, or the one file that describes a data set.
        name: The format's name, where the user gave it.
        prefer: Name of the format that is meant where several claim the folder.

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
    format = claimed_by(path, prefer)
    if format is None:
        raise DataError(f'{path}: {_nothing(path)}')
    return format


def claimed_by(path: Path, prefer: str | None = None) -> Format | None:
    """Returns the format of a file or folder, None if it is no data set.

    Raises:
        DataError: Several formats claim it, and none is preferred.
    """
    claims = _claims(path)
    if prefer in claims:
        return FORMATS[prefer]
    if len(claims) > 1:
        found = ' and '.join(f'{FORMATS[name].title} ({what})' for name, what in claims.items())
        options = ' or '.join(f'--format {name}' for name in claims)
        raise DataError(f'{path}: it may be {found}; say which it is ({options}), or move the other away.')
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
    known = ', '.join(format.layout for format in FORMATS.values())
    return f'no data set that is known here ({_content(path)}); looked for {known}; arrange it as one of these.'


def _content(path: Path) -> str:
    """What is in a folder, as the half of a sentence."""
    items = sorted(item for item in path.iterdir() if not item.name.startswith('.'))
    folders = [f'{item.name}/' for item in items if item.is_dir()]
    files = [item.name for item in items if not item.is_dir()]
    if len(files) > _FEW:
        kinds = Counter(os.path.splitext(name)[1].lower() or 'without suffix' for name in files)
        files = [f'{count} {kind}' for kind, count in kinds.most_common()]
    found = some([*folders, *files], 8)
    return f'there is only {found}' if found else 'the folder is empty'
