"""Submission files of the ILSVRC detection challenge (development kit, readme section 2.4).

One line a detection, fields separated by blanks::

    <image_index> <class_id> <confidence> <xmin> <ymin> <xmax> <ymax>

``image_index`` is the number of the image in the image list and ``class_id`` runs from 1 to C. Boxes are pixel indices,
the last pixel included.

Shape legend: N detections, C classes.
"""

from __future__ import annotations

import math
import os
import re
import warnings
from collections.abc import Iterator

import numpy as np

from det_inception.formats.synsets import DET_CLASSES
from det_inception.ilsvrc.scoring import DetectionTable
from det_inception.utils.errors import InputError
from det_inception.utils.files import write_text
from det_inception.utils.text_files import open_text

_FIELDS = ('image_index', 'class_id', 'confidence', 'xmin', 'ymin', 'xmax', 'ymax')
_ROW = np.dtype([('image_id', 'i8'), ('class_id', 'i8'), ('score', 'f8'), ('box', 'f8', 4)])
_INTEGER = re.compile(r'[+-]?[0-9]{1,18}')
_NUMBER = re.compile(r'[+-]?(nan|inf|infinity|([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?)', re.IGNORECASE)
_SHOWN = 5  # malformed lines that an error quotes
_CHUNK = 65536  # lines written at a time


def read_detections(path: str | os.PathLike, num_classes: int = len(DET_CLASSES)) -> DetectionTable:
    """Reads the detections of a submission file in its order; it may be compressed (gzip, bzip2, xz).

    Empty lines are allowed; class ids above ``num_classes``, C, are errors.

    Raises:
        InputError: The file cannot be read, holds no detection, or has malformed lines. The message names the file,
            the numbers of the lines and what is wrong with each.
    """
    try:
        rows = _parse(path)
    except _MalformedError as error:
        rows, reason = None, str(error)
    if rows is not None and not rows.size:
        raise InputError(f'{path}: the submission holds no detection; was the right file given?')
    if rows is None or _has_bad_values(rows, num_classes):
        # The quick parser knows neither line numbers nor what we call malformed.
        raise InputError(_diagnose(path, num_classes) or f'{path}: not a submission file ({reason}).')
    return DetectionTable(rows['image_id'], rows['class_id'], rows['score'], rows['box'])


def write_detections(path: str | os.PathLike, detections: DetectionTable) -> None:
    """Writes a submission file, whose numbers read back exactly; see :func:`~det_inception.utils.files.write_text`."""
    write_text(path, _format(detections))


class _MalformedError(Exception):
    """The quick parser gave up."""


def _parse(path: str | os.PathLike) -> np.ndarray:
    with open_text(path) as text, warnings.catch_warnings():
        warnings.simplefilter('error', DeprecationWarning)  # NumPy still reads 1.5 as the integer 1
        warnings.filterwarnings('ignore', message='.*input contained no data', category=UserWarning)
        try:
            return np.loadtxt(text, dtype=_ROW, comments=None, ndmin=1)
        except EOFError:
            raise  # a truncated file, which open_text explains
        except (ValueError, OverflowError, DeprecationWarning) as error:
            raise _MalformedError(str(error)) from None


def _has_bad_values(rows: np.ndarray, num_classes: int) -> bool:
    return bool(
        (rows['image_id'] < 1).any()
        or (rows['class_id'] < 1).any()
        or (rows['class_id'] > num_classes).any()
        or not np.isfinite(rows['score']).all()
        or not np.isfinite(rows['box']).all()
    )


def _diagnose(path: str | os.PathLike, num_classes: int) -> str | None:
    """Goes through the file line by line; slow, but says what is wrong and where."""
    complaints, count = [], 0
    with open_text(path) as text:
        for number, line in enumerate(text, start=1):
            complaint = _complaint(line.split(), num_classes)
            if complaint is not None:
                count += 1
                if len(complaints) < _SHOWN:
                    complaints.append(f'line {number}: {complaint}')
    if not count:
        return None
    more = f'; and {count - _SHOWN} more' if count > _SHOWN else ''
    return (
        f'{path}: {count} malformed line{"s" if count > 1 else ""} ({"; ".join(complaints)}{more}); every '
        f'line must read "{" ".join(f"<{field}>" for field in _FIELDS)}".'
    )


def _complaint(fields: list[str], num_classes: int) -> str | None:
    """What is wrong with one line, or None."""
    if not fields:
        return None
    if len(fields) != len(_FIELDS):
        return f'{len(fields)} fields instead of {len(_FIELDS)}'
    for name, value in zip(_FIELDS[:2], fields):
        if not _INTEGER.fullmatch(value):
            return f'{name} {value[:40]!r} is no integer'
    for name, value in zip(_FIELDS[2:], fields[2:]):
        if not _NUMBER.fullmatch(value):
            return f'{name} {value[:40]!r} is no number'
        if not math.isfinite(float(value)):
            return f'{name} is {value[:40]}, not a finite number'
    if int(fields[0]) < 1:
        return f'image_index {fields[0]} is below 1'
    if not 1 <= int(fields[1]) <= num_classes:
        return f'class_id {fields[1]} is not between 1 and {num_classes}'
    return None


def _format(detections: DetectionTable) -> Iterator[str]:
    # repr of a float is the shortest text that reads back as the same float.
    for start in range(0, len(detections), _CHUNK):
        part = slice(start, start + _CHUNK)
        for image_id, class_id, score, (xmin, ymin, xmax, ymax) in zip(
            detections.image_ids[part].tolist(),
            detections.class_ids[part].tolist(),
            detections.scores[part].tolist(),
            detections.boxes[part].tolist(),
        ):
            yield f'{image_id} {class_id} {score!r} {xmin!r} {ymin!r} {xmax!r} {ymax!r}\n'
