"""Weights for GoogLeNet from every public layout, and this project's own checkpoint files.

Read are torchvision's ``state_dict``, Caffe's ``.caffemodel``, an ``.npz`` with Caffe's names, what
:func:`write_backbone` and :func:`write_classifier` wrote, and the checkpoint of a detector or classifier that MMEngine
trained. Whatever fits no GoogLeNet is an error: nothing is loaded in part. No file can run code.
"""

from __future__ import annotations

import copy
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from mmengine.logging import print_log
from torch import Tensor

from det_inception.models.backbones.googlenet import GoogLeNet
from det_inception.utils.files import atomic_write
from det_inception.weights.files import CheckpointError, fetch, first_line, read_file, sha256_of
from det_inception.weights.layouts import Weights, interpret
from det_inception.weights.normalization import describe, stated_normalization

if TYPE_CHECKING:
    from det_inception.models.classifiers.googlenet_classifier import GoogLeNetClassifier

__all__ = [
    'CheckpointError',
    'Weights',
    'describe',
    'load_backbone',
    'load_classifier',
    'read_tensors',
    'read_weights',
    'stated_normalization',
    'write_backbone',
    'write_classifier',
]


def read_weights(source: str | Path) -> Weights:
    """Reads the weights of a GoogLeNet, in whichever layout they come.

    Args:
        source: A file, ``'torchvision://googlenet'``, or an ``http://`` or ``https://`` address of a file.

    Returns:
        The weights, complete and under this project's names. The auxiliary classifiers of a file are left out.

    Raises:
        CheckpointError: The file cannot be read, could run code, or fits no GoogLeNet.
    """
    source = os.fspath(source)
    if '://' in source:
        path, content = fetch(source)
    else:
        path = Path(source).expanduser()
        content = read_file(path)
    sha256 = sha256_of(path) if path.is_file() else None
    return replace(interpret(content, source), sha256=sha256)


def read_tensors(source: str | Path) -> dict[str, Tensor]:
    """Reads all arrays of a file of weights, of whatever network, by their names there.

    Args:
        source: A file, or an ``http://`` or ``https://`` address of one.

    Raises:
        CheckpointError: The file cannot be read, or could run code.
    """
    source = os.fspath(source)
    content = fetch(source)[1] if '://' in source else read_file(Path(source).expanduser())
    return content.tensors


# --------------------------------------------------------------------------------------------------------- loading


def load_backbone(backbone: GoogLeNet, source: str | Path) -> Weights:
    """Loads weights into a backbone, all of them, and notes their normalization in it.

    Args:
        backbone: Receives the weights; its ``normalization`` is set.
        source: As for :func:`read_weights`.

    Returns:
        What was read.

    Raises:
        CheckpointError: The file cannot be read, or holds another variant or width than ``backbone``.
    """
    weights = read_weights(source)
    _load_into(backbone, weights)
    return weights


def load_classifier(classifier: GoogLeNetClassifier, source: str | Path | Weights) -> Weights:
    """Loads weights into a classifier: backbone and linear layer, all of them.

    Args:
        classifier: Receives the weights; ``normalization`` is set in its backbone.
        source: As for :func:`read_weights`, or what it returned.

    Returns:
        What was read.

    Raises:
        CheckpointError: The file cannot be read, has no classifier, or does not fit ``classifier``.
    """
    weights = source if isinstance(source, Weights) else read_weights(source)
    if not weights.classifier:
        raise CheckpointError(
            f'{weights.source} holds a backbone and no classifier; give it to model.backbone.init_cfg instead.'
        )
    found, wanted = len(weights.classifier['fc.bias']), classifier.fc.out_features
    if found != wanted:
        raise CheckpointError(
            f'{weights.source} tells {found} classes apart and the config asks for {wanted}; set '
            f'model.num_classes={found}, or give the file to model.backbone.init_cfg to load the backbone alone.'
        )
    _load_into(classifier.backbone, weights)
    classifier.fc.load_state_dict({key.removeprefix('fc.'): value for key, value in weights.classifier.items()})
    return weights


def _load_into(backbone: GoogLeNet, weights: Weights) -> None:
    if weights.variant != backbone.variant:
        raise CheckpointError(
            f'{weights.source} holds the {weights.variant!r} variant of GoogLeNet and the config asks for '
            f'{backbone.variant!r}; set model.backbone.variant={weights.variant!r} or give weights of that variant.'
        )
    own = backbone.state_dict()
    if any(weights.backbone[key].shape != value.shape for key, value in own.items()):
        raise CheckpointError(
            f'{weights.source} holds a GoogLeNet of width {weights.width:g} and the config asks for '
            f'{backbone.width:g}; set model.backbone.width={weights.width:g} or give weights of that width.'
        )
    backbone.load_state_dict({key: weights.backbone[key] for key in own})
    backbone.normalization = copy.deepcopy(weights.normalization)
    print_log(
        f'GoogLeNet: loaded the {weights.variant!r} weights of {weights.source}; '
        f'they need images in {describe(weights.normalization)}',
        logger='current',
    )


# ---------------------------------------------------------------------------------------------------------- writing


def write_backbone(path: str | Path, weights: Weights) -> None:
    """Writes the backbone's weights, for ``init_cfg`` of a ``GoogLeNet``.

    Args:
        path: File to write; it appears whole or not at all.
        weights: As from :func:`read_weights`; their classifier is left out.

    Raises:
        CheckpointError: The file cannot be written.
    """
    _write(path, dict(weights.backbone), replace(weights, classes=None))


def write_classifier(path: str | Path, weights: Weights) -> None:
    """Writes backbone and linear layer, for ``init_cfg`` or ``load_from`` of a ``GoogLeNetClassifier``.

    Args:
        path: File to write; it appears whole or not at all.
        weights: As from :func:`read_weights`, with a classifier.

    Raises:
        CheckpointError: The weights have no classifier, or the file cannot be written.
    """
    if not weights.classifier:
        raise CheckpointError(f'{weights.source} holds a backbone and no classifier; only a backbone can be written.')
    _write(
        path,
        {f'backbone.{key}': value for key, value in weights.backbone.items()} | weights.classifier,
        weights,
    )


def _write(path: str | Path, state_dict: dict[str, Tensor], weights: Weights) -> None:
    from det_inception import __version__

    path = Path(path)
    meta = dict(
        variant=weights.variant,
        width=weights.width,
        normalization=weights.normalization,
        classes=weights.classes,
        source=os.path.basename(weights.source),
        source_sha256=weights.sha256,
        det_inception_version=__version__,
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path, CheckpointError) as beside:
            torch.save(dict(state_dict=state_dict, meta=meta), beside)
    except (OSError, RuntimeError) as error:  # torch reports an unwritable file as RuntimeError
        raise CheckpointError(f'{path} cannot be written ({first_line(error)}); choose another place.') from error


def with_classes(weights: Weights, path: Path) -> Weights:
    """Returns the weights with the classes that a text file names, one a line."""
    try:
        lines = path.read_text(encoding='utf-8').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f'{path} cannot be read as text ({error}); name a file with one class a line.') from error
    classes = tuple(line.strip() for line in lines if line.strip())
    count = len(weights.classifier.get('fc.bias', ()))
    if len(classes) != count:
        raise CheckpointError(
            f'{path} names {len(classes)} classes and the classifier of {weights.source} has {count}.'
        )
    return replace(weights, classes=classes)
