"""What benchmarks share that train: what is finished is not repeated, nor taken for something else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from det_inception.utils.errors import InputError
from det_inception.utils.files import write_text

RESULT, SETTINGS = 'result.json', 'settings.json'


def require_at_least(**options: tuple[int, int]) -> None:
    """Refuses numbers of the command line that are too small.

    Args:
        **options: To each name the number given, and the smallest that will do.

    Raises:
        InputError: One is smaller.
    """
    for name, (given, least) in options.items():
        if given < least:
            raise InputError(f'--{name} {given}: is too small; give {least} or more.')


def once(folder: Path, settings: dict, work: Callable[[], dict]) -> dict:
    """Returns what a training gave, and trains only where the folder does not say it yet.

    Args:
        folder: Of this training; made where it is missing.
        settings: What decides the result, for JSON.
        work: Trains, tests and returns the result, for JSON. It goes on where the folder has a part of the training.

    Raises:
        InputError: The folder is of a training with other settings.
    """
    stated, finished = folder / SETTINGS, folder / RESULT
    if stated.is_file() and json.loads(stated.read_text(encoding='utf-8')) != settings:
        raise InputError(f'{folder}: is of a training with other settings; name another --work-dir, or remove it.')
    if finished.is_file():
        return json.loads(finished.read_text(encoding='utf-8'))
    folder.mkdir(parents=True, exist_ok=True)
    write_text(stated, json.dumps(settings))
    try:
        result = work()
    except InputError:
        if not any(folder.glob('*.pth')):
            stated.unlink()  # Refused before it began, so that other settings may follow.
        raise
    write_text(finished, json.dumps(result))
    return result
