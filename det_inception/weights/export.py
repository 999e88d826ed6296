"""Files to share: a backbone, a classifier, or what is needed of a training checkpoint."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from det_inception.utils.files import write_bytes
from det_inception.version import __version__
from det_inception.weights.checkpoints import checkpoint_classes, read_checkpoint
from det_inception.weights.files import CheckpointError
from det_inception.weights.layouts import Weights
from det_inception.weights.normalization import PREPROCESSOR, stated_normalization

AUXILIARIES = ('aux4a.', 'aux4d.', 'aux_')
"""What a classifier has while it trains and not when it is used."""
KEPT = ('epoch', 'iter', 'seed', 'mmengine_version', 'dataset_meta', 'testing')


def publish(sources: str | Path | Sequence[str | Path], target: str | Path, half: bool = False) -> int:
    """Writes what is needed of a training checkpoint to use or to share it: weights, classes, normalization.

    Optimizer, log, the config with its paths and a classifier's auxiliary classifiers are left out. Of several
    trainings that began with the same weights, the mean of the weights is often better than each (Wortsman et al.,
    arXiv 2203.05482).

    Args:
        sources: Checkpoint that ``tools/train.py`` wrote, or several of the same network.
        target: File to write.
        half: Store float16: half the size, and three digits of each weight. A model computes in float32 all the same.

    Returns:
        The size of the new file in bytes.

    Raises:
        InputError: A source cannot be read, its training has diverged, it is of another network than the first, or the
            target cannot be written.
    """
    first, *others = [sources] if isinstance(sources, (str, Path)) else sources
    checkpoint = read_checkpoint(first)
    state_dict = _finite_weights(checkpoint, first)
    for number, source in enumerate(others, start=2):
        _add(state_dict, read_checkpoint(source), checkpoint, source, first, 1 / number)
    for key, value in state_dict.items():
        if half and value.is_floating_point() and not key.startswith(PREPROCESSOR):
            state_dict[key] = value.half()
            if (state_dict[key].isinf() & value.isfinite()).any():
                raise CheckpointError(f'{first}: {key} holds values too large for float16; leave --half away.')
    return write_checkpoint(target, state_dict, export_metadata(checkpoint))


def _finite_weights(checkpoint: Mapping, source: str | Path) -> dict[str, Tensor]:
    state_dict = without_auxiliaries(checkpoint['state_dict'])
    for key, value in state_dict.items():
        if key.startswith('backbone.') and value.is_floating_point() and not value.isfinite().all():
            raise CheckpointError(
                f'{source}: holds values in {key} that are not finite; its training has diverged, so name another.'
            )
    return state_dict


def _add(mean: dict[str, Tensor], more: Mapping, first: Mapping, source: str | Path, name: str | Path, share: float):
    """Moves the mean of the checkpoints so far by ``share`` towards another one."""
    state_dict = _finite_weights(more, source)
    shapes, others = ({key: value.shape for key, value in one.items()} for one in (mean, state_dict))
    if shapes != others or checkpoint_classes(first) != checkpoint_classes(more):
        what = 'has other classes than' if shapes == others else 'is of another network than'
        raise CheckpointError(f'{source}: {what} {name}, so their mean says nothing; name trainings of one network.')
    for key, value in state_dict.items():
        if value.is_floating_point() and not key.startswith(PREPROCESSOR):
            mean[key] = torch.lerp(mean[key].float(), value.float(), share)


def without_auxiliaries(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns a classifier's arrays without those of its auxiliary classifiers."""
    return {key: value for key, value in state_dict.items() if not key.startswith(AUXILIARIES)}


def write_checkpoint(path: str | Path, state_dict: Mapping[str, Tensor], meta: Mapping) -> int:
    """Writes weights and what is said of them, whole or not at all, making the file's folder.

    Returns:
        The size of the file in bytes.

    Raises:
        InputError: It cannot be written.
    """
    buffer = io.BytesIO()
    torch.save(dict(state_dict=state_dict, meta=meta), buffer)
    write_bytes(path, buffer.getvalue())
    return buffer.tell()


def export_metadata(checkpoint: Mapping) -> dict:
    """Returns the ``meta`` of a published file, beside which no config stands.

    Args:
        checkpoint: As from :func:`det_inception.weights.checkpoints.read_checkpoint`.
    """
    meta = {key: value for key, value in checkpoint['meta'].items() if key in KEPT}
    normalization = stated_normalization(checkpoint['meta'], checkpoint['state_dict'])
    return meta | dict(det_inception_version=__version__, normalization=normalization)


def write_backbone(path: str | Path, weights: Weights) -> None:
    """Writes the backbone's weights, for ``init_cfg`` of a ``GoogLeNet``.

    Args:
        path: File to write; it appears whole or not at all.
        weights: As from :func:`det_inception.weights.layouts.read_weights`; their classifier is left out.

    Raises:
        InputError: The file cannot be written.
    """
    _write(path, dict(weights.backbone), replace(weights, classes=None))


def write_classifier(path: str | Path, weights: Weights) -> None:
    """Writes backbone and linear layer, for ``init_cfg`` or ``load_from`` of a ``GoogLeNetClassifier``.

    Args:
        path: File to write; it appears whole or not at all.
        weights: As for :func:`write_backbone`, with a classifier.

    Raises:
        InputError: The weights have no classifier, or the file cannot be written.
    """
    if not weights.classifier:
        raise CheckpointError(f'{weights.source}: has a backbone and no classifier; write the backbone alone.')
    backbone = {f'backbone.{key}': value for key, value in weights.backbone.items()}
    _write(path, backbone | weights.classifier, weights)


def _write(path: str | Path, state_dict: dict[str, Tensor], weights: Weights) -> None:
    meta = dict(
        variant=weights.variant,
        width=weights.width,
        normalization=weights.normalization,
        testing=weights.testing,
        classes=weights.classes,
        source=os.path.basename(weights.source),
        source_sha256=weights.sha256,
        det_inception_version=__version__,
    )
    write_checkpoint(path, state_dict, meta)


def with_classes(weights: Weights, path: Path) -> Weights:
    """Returns the weights of a classifier with the classes that a text file names.

    Args:
        weights: As from :func:`det_inception.weights.layouts.read_weights`.
        path: The file, one class a line, in the order of the outputs.

    Raises:
        CheckpointError: It cannot be read, or names another number of classes.
    """
    try:
        lines = path.read_text(encoding='utf-8').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(
            f'{path}: cannot be read as text ({error}); name a file with one class a line.'
        ) from error
    classes = tuple(line.strip() for line in lines if line.strip())
    count = len(weights.classifier.get('fc.bias', ()))
    if len(classes) != count:
        raise CheckpointError(
            f'{path}: names {len(classes)} classes and the classifier of {weights.source} has {count}; correct it.'
        )
    return replace(weights, classes=classes)
