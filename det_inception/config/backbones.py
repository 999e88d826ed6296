"""Fits a model's config to weights: they say which network they are of, and with it what stands behind it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from det_inception.models.backbones.base import Backbone, WeightsConfig
from det_inception.models.data_preprocessors.normalization import NormalizationBuffers
from det_inception.registry import MODELS


def backbone_class(model: Mapping) -> type[Backbone] | None:
    """Returns the class of a model's backbone; None for MMDetection's own."""
    found = MODELS.get((model.get('backbone') or {}).get('type') or '')
    return found if isinstance(found, type) and issubclass(found, Backbone) else None


def network_parts(model: Mapping) -> list[dict]:
    """The backbone, and the last stage of the network where it stands behind the region operation."""
    shared = (model.get('roi_head') or {}).get('shared_head')
    return [model['backbone'], *([shared] if shared is not None else [])]


def fit_to_weights(model: dict, source: str | Path) -> None:
    """Fits a model to pretrained weights, which it loads when it is initialized.

    Args:
        model: Config of a detector with a backbone of this project, changed in place.
        source: A file or an address.

    Raises:
        InputError: The weights cannot be read, or are of another network.
    """
    _fit(model, backbone_class(model).config_from_pretrained(model['backbone'], str(source)))
    # An ImageNetRCNN loads its classifier together with the backbone.
    for part in [model] if model['type'] == 'ImageNetRCNN' else network_parts(model):
        part['init_cfg'] = dict(type='Pretrained', checkpoint=str(source))


def fit_to_checkpoint(model: dict, checkpoint: Mapping, path: str | Path) -> None:
    """Fits a model to a trained detector, whose file holds all weights.

    Args:
        model: A detector's config, changed in place.
        checkpoint: As from :func:`det_inception.weights.checkpoints.read_checkpoint`.
        path: Its file, for messages.

    Raises:
        InputError: It is of another network.
    """
    kind = backbone_class(model)
    if kind is not None:
        _fit(model, kind.config_from_checkpoint(model['backbone'], checkpoint, path))
        for part in network_parts(model):
            part['init_cfg'] = None


def _fit(model: dict, said: WeightsConfig) -> None:
    if said.settings:
        for part in network_parts(model):
            part.update(said.settings)
        fit_channels(model)
    preprocessor = model['data_preprocessor']
    kind = MODELS.get(preprocessor['type'])
    # A preprocessor that takes its normalization from the weights by itself needs none in the config.
    if said.normalization and (preprocessor.get('mean') is not None or not issubclass(kind, NormalizationBuffers)):
        preprocessor.update(said.normalization)


def fit_channels(model: dict) -> None:
    """Tells the neck, or without one the heads behind a backbone of this project, how many channels its stages have.

    Args:
        model: A detector's config, changed in place.
    """
    with torch.device('meta'):
        network = MODELS.build(dict(model['backbone'], init_cfg=None))
    channels, given = [stage['channels'] for stage in network.feature_info], network.out_channels
    neck = model.get('neck')
    if neck is not None:
        first = neck[0] if isinstance(neck, (list, tuple)) else neck
        if isinstance(first.get('in_channels'), (list, tuple)):
            first.update(in_channels=list(given))
        return
    if (head := model.get('bbox_head')) is not None:
        head.update(in_channels=given if isinstance(head.get('in_channels'), (list, tuple)) else given[-1])
    if (head := model.get('rpn_head')) is not None:
        head.update(in_channels=given[-1])
    if (head := model.get('roi_head')) is not None:
        head['bbox_roi_extractor'].update(out_channels=given[-1])
        last = channels[-1] if head.get('shared_head') is not None else given[-1]
        for one in head['bbox_head'] if isinstance(head['bbox_head'], (list, tuple)) else [head['bbox_head']]:
            one.update(in_channels=last)
