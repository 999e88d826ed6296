"""Trained detectors: reading a checkpoint, checking that it belongs to a model, and loading it."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from torch import nn

from det_inception.errors import InputError


class DetectorError(InputError):
    """A detector's checkpoint that cannot be read or does not belong to the config's model."""


def read_checkpoint(path: str | Path) -> dict:
    """Reads a checkpoint of MMEngine, without running any code that it may hold.

    Returns:
        ``state_dict``, ``meta`` and what else the file holds.

    Raises:
        DetectorError: The file is missing, damaged, unsafe or no checkpoint.
    """
    path = Path(path)
    if not path.is_file():
        raise DetectorError(
            f'{path}: no such checkpoint; train one with tools/train.py, or correct the path.'
        )
    try:
        content = torch.load(path, map_location='cpu', weights_only=True)
    except pickle.UnpicklingError as error:
        raise DetectorError(
            f'{path}: this is no checkpoint that can be loaded safely: it is damaged, or holds objects other than '
            f'weights ({str(error).splitlines()[-1].strip()}); get it from where it was trained.'
        ) from error
    except Exception as error:  # A truncated archive raises whatever its reader stumbles on.
        raise DetectorError(
            f'{path}: the checkpoint is damaged or none ({type(error).__name__}); copy it again.'
        ) from error
    if not isinstance(content, dict) or not isinstance(content.get('state_dict'), dict):
        raise DetectorError(
            f'{path}: holds no "state_dict" of a detector; name a checkpoint that tools/train.py wrote.'
        )
    return content


def checkpoint_classes(checkpoint: dict) -> tuple[str, ...] | None:
    """Returns the class names that a checkpoint was trained for, if it says."""
    classes = ((checkpoint.get('meta') or {}).get('dataset_meta') or {}).get('classes')
    return tuple(classes) if classes else None


def load_detector(model: nn.Module, path: str | Path, checkpoint: dict | None = None) -> dict:
    """Loads a detector's checkpoint into a model, every layer or none.

    Args:
        model: The detector, possibly wrapped for distributed training.
        path: The checkpoint's file, for messages.
        checkpoint: Its content, if it has been read already.

    Returns:
        The checkpoint's content.

    Raises:
        DetectorError: It does not fit, layer by layer.
    """
    checkpoint = checkpoint or read_checkpoint(path)
    model = getattr(model, 'module', model)
    given, wanted = checkpoint['state_dict'], model.state_dict()
    common = [name for name in wanted if name in given]
    missing = [name for name in wanted if name not in given]
    foreign = [name for name in given if name not in wanted]
    if not common:
        raise DetectorError(
            f"{path}: none of its {len(given)} entries belongs to the config's {type(model).__name__}; it is a "
            'checkpoint of another kind, so name its own config.'
        )
    for name in common:
        if given[name].shape != wanted[name].shape:
            raise DetectorError(
                f'{path}: {name} is {tuple(given[name].shape)} in the checkpoint and {tuple(wanted[name].shape)} in '
                f'the model{_shape_hint(name)}; use the config that the checkpoint was trained with.'
            )
    if missing or foreign:
        raise DetectorError(
            f"{path}: the checkpoint lacks {len(missing)} and has {len(foreign)} entries too many for the config's "
            f'model (first: {(missing + foreign)[0]}); use the config that the checkpoint was trained with.'
        )
    model.load_state_dict(given)
    return checkpoint


def _shape_hint(name: str) -> str:
    return ' (another number of classes)' if '.fc_cls.' in name or '.fc_reg.' in name else ''
