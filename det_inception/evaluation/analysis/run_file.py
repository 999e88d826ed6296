"""A test run as a file, from which its score and all that follows can be had again.

NumPy's ``.npz``: the arrays of :class:`~det_inception.evaluation.report.EvalResults`, and a
JSON text of the rest. It holds no paths and nothing that could run when it is read.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from det_inception.evaluation.analysis.results import RULES, Annotations, EvalResults, Predictions
from det_inception.utils.errors import InputError
from det_inception.utils.files import reason, write_bytes
from det_inception.utils.npy import read_npy

FORMAT = 1
_PREDICTIONS, _ANNOTATIONS = ('images', 'labels', 'scores', 'boxes'), ('images', 'labels', 'boxes', 'ignored')


RUN_FILE = 'results.npz'
"""The file of the run in a report's folder."""
MAX_INFLATION = 2**26, 20
"""The arrays may take so many bytes, and so many times the size of the file."""
MAX_NAMES = 2**16, 2**20
"""A file may have so many classes, and so many images."""


def write_run(results: EvalResults, path: str | Path) -> None:
    """Writes a run, without the places of its images.

    Raises:
        InputError: The file cannot be written.
    """
    about = dict(
        format=FORMAT,
        class_names=results.class_names,
        image_names=results.image_names,
        rules=results.rules,
        proposals_per_image=results.proposals_per_image,
    )
    arrays = {f'found_{name}': getattr(results.predictions, name) for name in _PREDICTIONS}
    arrays |= {f'objects_{name}': getattr(results.annotations, name) for name in _ANNOTATIONS}
    if results.annotations.proposal_iou is not None:
        arrays['objects_coverage'] = results.annotations.proposal_iou
    content = io.BytesIO()
    np.savez_compressed(
        content,
        about=json.dumps(about),
        blacklist=results.blacklist,
        **{name: _narrowed(array) for name, array in arrays.items()},
    )
    write_bytes(path, content.getvalue())


def read_run(path: str | Path) -> EvalResults:
    """Reads what :func:`write_run` wrote.

    Raises:
        InputError: There is no such file, or it is none of a run.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            size, total = os.path.getsize(path), sum(member.file_size for member in members)
            if total > MAX_INFLATION[0] + MAX_INFLATION[1] * size:
                raise ValueError(f'its arrays take {total} bytes and the file {size}')
            arrays = {member.filename.removesuffix('.npy'): read_npy(archive.read(member)) for member in members}
        about = json.loads(str(arrays['about']))
        if about['format'] != FORMAT or about['rules'] not in RULES:
            raise InputError(f'{path}: was written by another version of det_inception; test again.')
        names = [about[key] for key in ('class_names', 'image_names')]
        if not all(isinstance(each, list) and all(isinstance(name, str) for name in each) for each in names):
            raise ValueError('the names are no texts')
        if len(names[0]) > MAX_NAMES[0] or len(names[1]) > MAX_NAMES[1]:
            raise ValueError('it names too many classes or images')
        mean = about['proposals_per_image']
        if mean is not None and not (type(mean) in (int, float) and 0 <= mean < 1e9):
            raise ValueError('the number of proposals is none')
        return EvalResults(
            class_names=tuple(names[0]),
            image_names=tuple(names[1]),
            predictions=Predictions(*(_widened(arrays[f'found_{name}'], name) for name in _PREDICTIONS)),
            annotations=Annotations(
                *(_widened(arrays[f'objects_{name}'], name) for name in _ANNOTATIONS),
                _widened(arrays['objects_coverage'], 'coverage') if 'objects_coverage' in arrays else None,
            ),
            rules=about['rules'],
            blacklist=_widened(arrays['blacklist'], 'blacklist'),
            proposals_per_image=mean,
        )
    except InputError as error:  # A ValueError too, but it says what is wrong.
        raise error if str(error).startswith(f'{path}:') else InputError(f'{path}: {error}') from error
    except OSError as error:
        raise InputError(f'{path}: cannot be read: {reason(error)}.') from error
    except Exception as error:  # zipfile, zlib and JSON raise nearly anything for damaged bytes.
        raise InputError(f'{path}: is no file of a test run, or is cut off; test again.') from error


def _narrowed(array: NDArray) -> NDArray:
    """The same values in fewer bits, if they fit."""
    if array.dtype.kind == 'f':
        small = array.astype(np.float32)
        return small if np.array_equal(small, array) else array
    return array.astype(np.min_scalar_type(array.max())) if array.dtype.kind == 'i' and len(array) else array


def _widened(array: NDArray, name: str) -> NDArray:
    """An array in the type that it has in a run: numbers that are none of its kind are refused."""
    dtype = {'ignored': bool, 'scores': np.float64, 'boxes': np.float64, 'coverage': np.float64}.get(name, np.int64)
    if array.dtype.kind not in {bool: 'b', np.float64: 'fiu', np.int64: 'iu'}[dtype]:
        raise ValueError(f'{name} are of the type {array.dtype}')
    return array.astype(dtype)


def read_report(folder: str | Path) -> EvalResults:
    """Reads the run that a report's folder holds.

    Args:
        folder: The folder of a report, or the run file itself.

    Raises:
        InputError: The folder holds no run, or the file is none.
    """
    path = Path(folder)
    if path.is_dir():
        path /= RUN_FILE
        if not path.exists():
            raise InputError(f'{folder}: holds no {RUN_FILE}; name the folder of a report, made by --report DIR.')
    return read_run(path)
