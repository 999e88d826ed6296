"""The kinds of backbone that weights can be named for: what a config takes over from a file, what publishing keeps.

A file goes before the config: what decides whether its weights are used as they were trained (variant, width, channels,
normalization) is read from it. A kind of backbone is a class in :data:`KINDS`; of other backbones MMDetection's own
means remain, ``init_cfg`` and ``data_preprocessor``.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from det_inception.models.backbones import bn_inception
from det_inception.models.backbones.googlenet import GoogLeNet
from det_inception.models.backbones.timm_backbone import timm_normalization
from det_inception.weights.files import Content
from det_inception.weights.layouts import interpret
from det_inception.weights.pretrained import Weights, read_tensors, read_weights, stated_normalization


class Kind(Protocol):
    """One kind of backbone. ``model`` is a detector's config, which is changed in place."""

    def is_in(self, state_dict: Mapping[str, Tensor]) -> bool:
        """Whether a detector with these weights has such a backbone."""

    def start(self, model: dict, source: str) -> None:
        """Fits a model to pretrained weights, a file or an address."""

    def reopen(self, model: dict, checkpoint: dict, path: str | Path) -> None:
        """Fits a model to a trained detector, as :func:`det_inception.weights.checkpoints.read_checkpoint` gives it."""

    def facts(self, checkpoint: dict, path: str | Path) -> dict:
        """Returns what a published file must say of the backbone, since no config stands beside it."""


class _GoogLeNet:
    def is_in(self, state_dict: Mapping[str, Tensor]) -> bool:
        return 'backbone.inception3a.reduce_5x5.conv.weight' in state_dict

    def start(self, model: dict, source: str) -> None:
        self._fit(model, read_weights(source))

    def reopen(self, model: dict, checkpoint: dict, path: str | Path) -> None:
        self._fit(model, self._weights(checkpoint, path))

    def facts(self, checkpoint: dict, path: str | Path) -> dict:
        weights = self._weights(checkpoint, path)
        return dict(variant=weights.variant, width=weights.width, normalization=weights.normalization)

    def _weights(self, checkpoint: dict, path: str | Path) -> Weights:
        return interpret(Content(checkpoint['state_dict'], checkpoint['meta']), str(path))

    def _fit(self, model: dict, weights: Weights) -> None:
        for part in network_parts(model):
            part.update(variant=weights.variant, width=weights.width)
        model['data_preprocessor'].update(weights.normalization)
        with torch.device('meta'):
            network = GoogLeNet(width=weights.width)
        _fit_channels(model, [stage['channels'] for stage in network.feature_info])


class _Stated:
    """A kind whose checkpoints state their normalization, and show what else there is to know by their layers."""

    def reopen(self, model: dict, checkpoint: dict, path: str | Path) -> None:
        model['data_preprocessor'].update(stated_normalization(checkpoint['meta']) or {})

    def facts(self, checkpoint: dict, path: str | Path) -> dict:
        return dict(normalization=stated_normalization(checkpoint['meta']))


class _BNInception(_Stated):
    def is_in(self, state_dict: Mapping[str, Tensor]) -> bool:
        return 'backbone.inception3a.double_1.conv.weight' in state_dict

    def start(self, model: dict, source: str) -> None:
        if bn_inception.is_public(read_tensors(source)):
            model['backbone'].update(variant='caffe')
            model['data_preprocessor'].update(copy.deepcopy(bn_inception.NORMALIZATION))

    def reopen(self, model: dict, checkpoint: dict, path: str | Path) -> None:
        super().reopen(model, checkpoint, path)
        biased = 'backbone.conv1.conv.bias' in checkpoint['state_dict']
        model['backbone'].update(variant='caffe' if biased else 'paper')


class _Timm(_Stated):
    def is_in(self, state_dict: Mapping[str, Tensor]) -> bool:
        return any(key.startswith('backbone.network.') for key in state_dict)

    def start(self, model: dict, source: str) -> None:
        model['data_preprocessor'].update(timm_normalization(model['backbone']['model_name']))


KINDS: dict[str, Kind] = {'GoogLeNet': _GoogLeNet(), 'BNInception': _BNInception(), 'TimmBackbone': _Timm()}
"""By the registered name of the backbone."""


def kind_of(model: dict) -> Kind | None:
    """Returns the kind of a model's backbone; None for MMDetection's own."""
    return KINDS.get((model.get('backbone') or {}).get('type'))


def published_facts(checkpoint: dict, path: str | Path) -> dict:
    """Returns what a published file must say of a trained detector's network.

    Args:
        checkpoint: As from :func:`det_inception.weights.checkpoints.read_checkpoint`.
        path: Its file, for messages.

    Raises:
        CheckpointError: Its backbone is of no known kind.
    """
    kind = next((kind for kind in KINDS.values() if kind.is_in(checkpoint['state_dict'])), KINDS['GoogLeNet'])
    return kind.facts(checkpoint, path)


def network_parts(model: dict) -> list[dict]:
    """The backbone, and the last stage of the network where it stands behind the region operation."""
    shared = (model.get('roi_head') or {}).get('shared_head')
    return [model['backbone'], *([shared] if shared is not None else [])]


def _fit_channels(model: dict, channels: Sequence[int]) -> None:
    """Tells the parts behind a backbone how many channels its stages have; behind a neck they are the neck's."""
    if model.get('neck') is not None:
        return
    stages = model['backbone'].get('out_indices', (len(channels) - 1,))
    given = tuple(channels[stage] for stage in stages)
    if (head := model.get('bbox_head')) is not None:
        head.update(in_channels=given if isinstance(head.get('in_channels'), (list, tuple)) else given[-1])
    if (head := model.get('rpn_head')) is not None:
        head.update(in_channels=given[-1])
    if (head := model.get('roi_head')) is not None:
        head['bbox_roi_extractor'].update(out_channels=given[-1])
        head['bbox_head'].update(in_channels=channels[-1] if head.get('shared_head') is not None else given[-1])
