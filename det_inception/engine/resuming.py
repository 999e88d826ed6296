"""Which checkpoint of a folder a training goes on from."""

from __future__ import annotations

import os
from pathlib import Path

from det_inception.weights.checkpoints import read_checkpoint
from det_inception.weights.files import CheckpointError

LAST = 'last_checkpoint'
"""The file in which MMEngine notes what it wrote last."""


def find_last_checkpoint(folder: str | Path) -> str | None:
    """Returns the checkpoint from which a training in a folder goes on; None if none was begun there.

    It is the one that ``last_checkpoint`` names, also if the folder has been moved since. If that was lost or damaged,
    for example by a full disk, it is the newest one that is whole.

    Raises:
        CheckpointError: A training was begun, and left no checkpoint that is whole.
    """
    folder, problem = Path(folder), None
    for path in _candidates(folder):
        try:
            require_state(read_checkpoint(path), path)
            return str(path)
        except CheckpointError as error:
            problem = problem or error
    if problem is None and not (folder / LAST).exists():
        return None
    reason = 'last_checkpoint names none that is there' if problem is None else str(problem).rstrip('.')
    raise CheckpointError(
        f'{folder}: holds no whole checkpoint to resume from ({reason}); leave --resume out to begin anew.'
    ) from problem


def find_best_checkpoint(folder: str | Path) -> str | None:
    """Returns the checkpoint of a training with the best score; without any validation, the last; None without any.

    Raises:
        CheckpointError: A training was begun, and left no checkpoint that is whole.
    """
    paths = sorted(Path(folder).glob('best_*.pth'), key=lambda path: path.stat().st_mtime)
    return str(paths[-1]) if paths else find_last_checkpoint(folder)


def require_state(checkpoint: dict, path: str | Path) -> None:
    """Refuses a checkpoint that holds weights alone.

    Args:
        checkpoint: As from :func:`det_inception.weights.checkpoints.read_checkpoint`.
        path: Its file, for the message.

    Raises:
        CheckpointError: It does, or what it says of its training makes no sense.
    """
    meta = checkpoint['meta']
    if not {'epoch', 'iter'} <= meta.keys() or not {'optimizer', 'message_hub'} <= checkpoint.keys():
        raise CheckpointError(
            f'{path}: holds weights and no state of a training to resume; start from its weights with '
            f'--cfg-options load_from={path} instead.'
        )
    numbers = {name: meta.get(name) for name in ('epoch', 'iter', 'seed') if meta.get(name) is not None}
    hub = checkpoint['message_hub']
    parts = ('log_scalars', 'runtime_info', 'resumed_keys')
    if not all(type(number) is int and number >= 0 for number in numbers.values()) or not (
        isinstance(hub, dict) and all(isinstance(hub.get(part), dict) for part in parts)
    ):
        raise CheckpointError(
            f'{path}: the state of its training makes no sense (epoch {meta["epoch"]!r}, iteration {meta["iter"]!r}); '
            'use a checkpoint that det-inception train wrote.'
        )


def _candidates(folder: Path) -> list[Path]:
    """The checkpoint that ``last_checkpoint`` names, and the others of the folder, the newest first."""
    try:
        content = (folder / LAST).read_bytes() if (folder / LAST).is_file() else b''
    except OSError:
        content = b''
    named = content.decode(errors='replace').strip('\0\n\r\t ')
    stated = [folder / Path(named).name, Path(named)] if named and '\0' not in named else []
    others = [path for pattern in ('epoch_*.pth', 'iter_*.pth') for path in folder.glob(pattern)]
    paths = [path for path in stated if os.path.isfile(path)][:1]
    paths += sorted(others, key=lambda path: path.stat().st_mtime, reverse=True)
    return list(dict.fromkeys(paths))
