"""Checkpoints of MMEngine: reading one, checking that it belongs to a model, and loading it whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from mmengine.model import is_model_wrapper
from torch import nn

from det_inception.utils.errors import InputError
from det_inception.utils.included import find_checkpoint
from det_inception.weights.files import CheckpointError, load_pickle
from det_inception.weights.normalization import PREPROCESSOR, add_normalization


def read_checkpoint(path: str | Path) -> dict:
    """Reads a checkpoint of MMEngine, without running any code that it may hold.

    Args:
        path: The file, or the bare name of one of the project's checkpoints.

    Returns:
        ``state_dict`` (of tensors), ``meta`` (a dict, perhaps empty) and what else the file holds.

    Raises:
        CheckpointError: The file is missing, damaged, unsafe or no checkpoint.
    """
    content = load_pickle(find_checkpoint(path))
    content = content if isinstance(content, dict) else {}
    weights = content.get('state_dict')
    if not isinstance(weights, dict) or not all(
        isinstance(key, str) and isinstance(weight, torch.Tensor) for key, weight in weights.items()
    ):
        raise CheckpointError(
            f'{path}: holds no "state_dict" of a detector; name a checkpoint that det-inception train wrote.'
        )
    if not isinstance(content.setdefault('meta', {}), dict) or 'config' in content['meta']:
        # MMEngine itself writes "cfg", but on resuming it runs a "config", which is Python code.
        raise CheckpointError(
            f'{path}: its "meta" could run code, so it is not loaded; use a checkpoint that det-inception train wrote.'
        )
    return content


def checkpoint_classes(checkpoint: dict) -> tuple[str, ...] | None:
    """Returns the class names that a checkpoint was trained for, if it says."""
    stated = checkpoint['meta'].get('dataset_meta')
    classes = stated.get('classes') if isinstance(stated, Mapping) else None
    valid = isinstance(classes, (list, tuple)) and all(isinstance(name, str) for name in classes)
    return tuple(classes) or None if valid else None


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


def holds_svms(checkpoint: dict) -> bool:
    """Whether the classes of an R-CNN's checkpoint are told apart by SVMs: a softmax has a row for the background."""
    weights, classes = checkpoint['state_dict'].get('bbox_head.fc_cls.weight'), checkpoint_classes(checkpoint)
    return weights is not None and classes is not None and len(weights) == len(classes)


def load_detector(model: nn.Module, path: str | Path, checkpoint: dict | None = None) -> dict:
    """Loads a detector's checkpoint into a model, every layer or none.

    Args:
        model: The detector, possibly wrapped for distributed training.
        path: The checkpoint's file, for messages.
        checkpoint: Its content, if it has been read already.

    Returns:
        The checkpoint's content.

    Raises:
        CheckpointError: It does not fit, layer by layer.
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

    A model that has ``load_pretrained`` reads the file itself: a classifier takes public files too.
    """
    parts = getattr(unwrapped(model), 'members', [model])
    for part, path in zip(parts, paths, strict=True):
        part = unwrapped(part)
        if hasattr(part, 'load_pretrained'):
            part.load_pretrained(path)
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
            hint = ' (another number of classes)' if '.fc_cls.' in name or '.fc_reg.' in name else ''
            raise CheckpointError(
                f'{path}: {name} is {tuple(given[name].shape)} in the checkpoint and {tuple(wanted[name].shape)} in '
                f'the model{hint}; use the config that the checkpoint was trained with.'
            )
    if 'bbox_head.priors' in missing or ('bbox_head.priors' in wanted and not holds_multibox(checkpoint)):
        raise CheckpointError(
            f'{path}: holds no priors of MultiBox; name a checkpoint that det-inception train wrote for it.'
        )
    if missing or foreign:
        raise CheckpointError(
            f"{path}: the checkpoint lacks {len(missing)} and has {len(foreign)} entries too many for the config's "
            f'model (first: {(missing + foreign)[0]}); use the config that the checkpoint was trained with.'
        )


def require_overlap(model: nn.Module, path: str | Path, checkpoint: dict) -> None:
    """Checks that at least one layer of a checkpoint belongs to a model.

    Raises:
        CheckpointError: None does.
    """
    given, wanted = _learned(checkpoint['state_dict']), _learned(unwrapped(model).state_dict())
    if not any(name in wanted for name in given):
        raise CheckpointError(
            f"{path}: none of its {len(given)} entries belongs to the config's {type(unwrapped(model)).__name__}; it "
            'is a checkpoint of another kind, so name its own config.'
        )


def _learned(state_dict: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Leaves out the normalization, which the checkpoints of version 0.1 say in ``meta``."""
    return {key: value for key, value in state_dict.items() if not key.startswith(PREPROCESSOR)}


def without_backbone(state_dict: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Returns a backbone's arrays under its own names, also of a detector or classifier that has it."""
    place = 'backbone.' if any(key.startswith('backbone.') for key in state_dict) else ''
    return {key.removeprefix(place): value for key, value in state_dict.items() if key.startswith(place)}


def unwrapped(model: nn.Module) -> nn.Module:
    """Returns a model without its wrapper for distributed training, if it has one."""
    return model.module if is_model_wrapper(model) else model
