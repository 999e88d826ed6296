"""Trained detectors: reading a checkpoint, checking that it belongs to a model, and loading it."""

from __future__ import annotations

import io
import pickle
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from mmengine.model import is_model_wrapper
from torch import nn

from det_inception.models.classifiers.googlenet_classifier import GoogLeNetClassifier
from det_inception.models.networks import published_facts
from det_inception.utils.errors import InputError
from det_inception.utils.files import write_bytes
from det_inception.version import __version__
from det_inception.weights.normalization import PREPROCESSOR, add_normalization
from det_inception.weights.pretrained import load_classifier

AUXILIARIES = ('aux4a.', 'aux4d.')
"""What a classifier has while it trains and not when it is used."""


class DetectorError(InputError):
    """A detector's checkpoint that cannot be read or does not belong to the config's model."""


def read_checkpoint(path: str | Path) -> dict:
    """Reads a checkpoint of MMEngine, without running any code that it may hold.

    Returns:
        ``state_dict`` (of tensors), ``meta`` (a dict, perhaps empty) and what else the file holds.

    Raises:
        DetectorError: The file is missing, damaged, unsafe or no checkpoint.
    """
    path = Path(path)
    if not path.is_file():
        raise DetectorError(f'{path}: no such checkpoint; train one with tools/train.py, or correct the path.')
    try:
        content = torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # A truncated archive raises whatever its reader stumbles on.
        if isinstance(error, pickle.UnpicklingError) and (refused := re.search(r'GLOBAL ([\w.]+)', str(error))):
            raise DetectorError(
                f'{path}: holds {refused[1]}, which could run code, so it is not loaded; use a checkpoint that '
                'tools/train.py wrote.'
            ) from error
        raise DetectorError(
            f'{path}: the checkpoint is damaged, cut off or none ({type(error).__name__}); copy it again.'
        ) from error
    content = content if isinstance(content, dict) else {}
    weights = content.get('state_dict')
    if not isinstance(weights, dict) or not all(isinstance(weight, torch.Tensor) for weight in weights.values()):
        raise DetectorError(
            f'{path}: holds no "state_dict" of a detector; name a checkpoint that tools/train.py wrote.'
        )
    if not isinstance(content.setdefault('meta', {}), dict) or 'config' in content['meta']:
        # MMEngine itself writes "cfg", but on resuming it runs a "config", which is Python code.
        raise DetectorError(
            f'{path}: its "meta" could run code, so it is not loaded; use a checkpoint that tools/train.py wrote.'
        )
    return content


def checkpoint_classes(checkpoint: dict) -> tuple[str, ...] | None:
    """Returns the class names that a checkpoint was trained for, if it says."""
    classes = (checkpoint['meta'].get('dataset_meta') or {}).get('classes')
    return tuple(classes) if classes else None


def require_classes(checkpoint: dict, path: str | Path) -> tuple[str, ...]:
    """Returns the class names that the checkpoint of a file was trained for.

    Raises:
        InputError: It does not say.
    """
    classes = checkpoint_classes(checkpoint)
    if not classes:
        raise InputError(f'{path}: does not say which classes it was trained for; train it again.')
    return classes


def holds_multibox(checkpoint: dict) -> bool:
    """Whether a checkpoint is of a MultiBox, and has the priors without which its numbers mean nothing."""
    priors = checkpoint['state_dict'].get('bbox_head.priors')
    return priors is not None and bool(torch.isfinite(priors).all())


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
    require_fit(model, path, checkpoint)
    state_dict = dict(checkpoint['state_dict'])
    add_normalization(state_dict, checkpoint['meta'])
    own = unwrapped(model).state_dict()
    # A model that keeps no normalization has taken it from the checkpoint before it was built.
    unwrapped(model).load_state_dict({key: state_dict[key] for key in state_dict if key in own})
    return checkpoint


def load_detectors(model: nn.Module, paths: Sequence[str | Path]) -> None:
    """Loads the members of an ensemble, or a single network; see :func:`load_detector`.

    Classifiers take any file with a GoogLeNet that classifies; see
    :func:`det_inception.weights.pretrained.load_classifier`.
    """
    parts = getattr(unwrapped(model), 'members', [model])
    for part, path in zip(parts, paths, strict=True):
        if isinstance(unwrapped(part), GoogLeNetClassifier):
            load_classifier(unwrapped(part), path)
        else:
            load_detector(part, path)


def require_fit(model: nn.Module, path: str | Path, checkpoint: dict) -> None:
    """Checks that a checkpoint has exactly a model's layers; see :func:`load_detector`."""
    given, wanted = _learned(checkpoint['state_dict']), _learned(unwrapped(model).state_dict())
    require_overlap(model, path, checkpoint)
    common = [name for name in wanted if name in given]
    missing = [name for name in wanted if name not in given]
    foreign = [name for name in given if name not in wanted]
    for name in common:
        if given[name].shape != wanted[name].shape:
            raise DetectorError(
                f'{path}: {name} is {tuple(given[name].shape)} in the checkpoint and {tuple(wanted[name].shape)} in '
                f'the model{_shape_hint(name)}; use the config that the checkpoint was trained with.'
            )
    if 'bbox_head.priors' in missing or ('bbox_head.priors' in wanted and not holds_multibox(checkpoint)):
        raise DetectorError(f'{path}: holds no priors of MultiBox; name a checkpoint that tools/train.py wrote for it.')
    if missing or foreign:
        raise DetectorError(
            f"{path}: the checkpoint lacks {len(missing)} and has {len(foreign)} entries too many for the config's "
            f'model (first: {(missing + foreign)[0]}); use the config that the checkpoint was trained with.'
        )


def require_overlap(model: nn.Module, path: str | Path, checkpoint: dict) -> None:
    """Checks that at least one layer of a checkpoint belongs to a model.

    Raises:
        DetectorError: None does.
    """
    given, wanted = _learned(checkpoint['state_dict']), _learned(unwrapped(model).state_dict())
    if not any(name in wanted for name in given):
        raise DetectorError(
            f"{path}: none of its {len(given)} entries belongs to the config's {type(unwrapped(model)).__name__}; it "
            'is a checkpoint of another kind, so name its own config.'
        )


def _learned(state_dict: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Leaves out the normalization, which the checkpoints of version 0.1 say in ``meta``."""
    return {key: value for key, value in state_dict.items() if not key.startswith(PREPROCESSOR)}


def unwrapped(model: nn.Module) -> nn.Module:
    """Returns a model without its wrapper for distributed training, if it has one."""
    return model.module if is_model_wrapper(model) else model


def _shape_hint(name: str) -> str:
    return ' (another number of classes)' if '.fc_cls.' in name or '.fc_reg.' in name else ''


def publish(source: str | Path, target: str | Path) -> int:
    """Writes what is needed of a training checkpoint to use or to share it: weights, classes, normalization.

    Optimizer, log, the config with its paths and a classifier's auxiliary classifiers are left out.

    Args:
        source: Checkpoint that ``tools/train.py`` wrote.
        target: File to write.

    Returns:
        The size of the new file in bytes.

    Raises:
        InputError: The source cannot be read or the target not written.
    """
    checkpoint = read_checkpoint(source)
    kept = ('epoch', 'iter', 'seed', 'mmengine_version', 'dataset_meta')
    meta = {key: value for key, value in checkpoint['meta'].items() if key in kept}
    meta.update(det_inception_version=__version__, **published_facts(checkpoint, source))
    buffer = io.BytesIO()
    kept_weights = {key: value for key, value in checkpoint['state_dict'].items() if not key.startswith(AUXILIARIES)}
    torch.save(dict(state_dict=kept_weights, meta=meta), buffer)
    write_bytes(target, buffer.getvalue())
    return buffer.tell()
