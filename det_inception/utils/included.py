"""The files that come with the project, found by name: configs, checkpoints, photos.

In a clone they lie beside the package. A wheel holds them inside it, see ``setup.py``.
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path

CONFIGS, CHECKPOINTS, PHOTOS = 'configs', 'checkpoints', 'examples/photos'
_SUFFIXES = {CONFIGS: '.py', CHECKPOINTS: '.pth'}
_PACKAGE = Path(__file__).resolve().parent.parent


def included(folder: str) -> Path:
    """Returns where one of the folders ``CONFIGS``, ``CHECKPOINTS`` and ``PHOTOS`` is."""
    inside = _PACKAGE / folder
    return inside if inside.is_dir() else _PACKAGE.parent / folder


def included_names(folder: str) -> list[str]:
    """Returns the bare names of all configs or checkpoints of the project, such as ``googlenet_fast-rcnn_voc``."""
    return sorted(path.stem for path in included(folder).glob(f'*{_SUFFIXES[folder]}'))


def find_config(name: str | os.PathLike) -> Path:
    """Returns the config file of a name.

    Args:
        name: A file. Where there is none, the name of one of the project's configs, with or without ``.py`` and
            ``configs/``.

    Returns:
        The file; the name itself, if it belongs to none.
    """
    return _find(name, CONFIGS)


def find_checkpoint(name: str | os.PathLike) -> Path:
    """Returns the checkpoint of a name, with or without ``.pth`` and ``checkpoints/``; see :func:`find_config`."""
    return _find(name, CHECKPOINTS)


def checkpoint_of(config: str | os.PathLike) -> Path | None:
    """Returns the checkpoint that comes with one of the project's configs, found as by :func:`find_config`."""
    config = find_config(config)
    own = included(CONFIGS) / config.name
    path = included(CHECKPOINTS) / f'{config.stem}.pth'
    return path if own.is_file() and config.is_file() and config.samefile(own) and path.is_file() else None


def advice(name: str | os.PathLike, folder: str) -> str:
    """Returns what to do about a name that is neither a file nor the project's, as the end of a sentence."""
    names = included_names(folder)
    close = difflib.get_close_matches(Path(name).name.removesuffix(_SUFFIXES[folder]), names, n=3)
    if close:
        return f'did you mean {" or ".join(close)}?'
    return f'correct the path, or name one that comes with the project, such as {names[0]}.'


def _find(name: str | os.PathLike, folder: str) -> Path:
    path = Path(name)
    if os.path.isfile(path) or path.parts[:-1] not in ((), (folder,)):
        return path
    known = included(folder) / (path.name.removesuffix(_SUFFIXES[folder]) + _SUFFIXES[folder])
    return known if os.path.isfile(known) else path
