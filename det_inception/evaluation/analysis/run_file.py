"""A test run as a file, from which its score and all that follows can be had again.

NumPy's ``.npz``: the arrays of :class:`~det_inception.evaluation.report.EvalResults`, and a
JSON text of the rest. It holds no paths and nothing that could run when it is read.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from det_inception.evaluation.analysis.results import RULES, Annotations, EvalResults, Predictions
from det_inception.utils.errors import InputError
from det_inception.utils.files import reason, write_bytes

FORMAT = 1
_PREDICTIONS, _ANNOTATIONS = ('images', 'labels', 'scores', 'boxes'), ('images', 'labels', 'boxes', 'ignored')


RUN_FILE = 'results.npz'
"""The file of the run in a report's folder."""


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
        with np.load(path, allow_pickle=False) as file:
            about = json.loads(str(file['about']))
            if about['format'] != FORMAT or about['rules'] not in RULES:
                raise InputError(f'{path}: was written by another version of det_inception; test again.')
            return EvalResults(
                class_names=tuple(about['class_names']),
                image_names=tuple(about['image_names']),
                predictions=Predictions(*(_widened(file[f'found_{name}']) for name in _PREDICTIONS)),
                annotations=Annotations(
                    *(_widened(file[f'objects_{name}']) for name in _ANNOTATIONS),
                    _widened(file['objects_coverage']) if 'objects_coverage' in file else None,
                ),
                rules=about['rules'],
                blacklist=file['blacklist'],
                proposals_per_image=about['proposals_per_image'],
            )
    except InputError:  # A ValueError too, but it says what is wrong.
        raise
    except OSError as error:
        raise InputError(f'{path}: cannot be read: {reason(error)}.') from error
    except (ValueError, KeyError, TypeError, IndexError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f'{path}: is no file of a test run, or is cut off; test again.') from error


def _narrowed(array: NDArray) -> NDArray:
    """The same values in fewer bits, if they fit."""
    if array.dtype.kind == 'f':
        small = array.astype(np.float32)
        return small if np.array_equal(small, array) else array
    return array.astype(np.min_scalar_type(array.max())) if array.dtype.kind == 'i' and len(array) else array


def _widened(array: NDArray) -> NDArray:
    return array.astype({'f': np.float64, 'b': bool}.get(array.dtype.kind, np.int64))


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
