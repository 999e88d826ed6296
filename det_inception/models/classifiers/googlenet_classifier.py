"""GoogLeNet as an image classifier: the network that the detection entry was pre-trained as."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from torch import Tensor, nn

from det_inception.models.backbones.base import Backbone
from det_inception.models.backbones.googlenet import AUX_LAYERS, VARIANTS, GoogLeNet, caffe_xavier_init_
from det_inception.models.classifiers.auxiliary import map_size
from det_inception.models.classifiers.image_classifier import ImageClassifier
from det_inception.models.data_preprocessors.normalization import fit_normalization
from det_inception.registry import MODELS
from det_inception.utils.errors import InputError
from det_inception.weights.files import CheckpointError
from det_inception.weights.layouts import Weights


@MODELS.register_module()
class GoogLeNetClassifier(ImageClassifier):
    """GoogLeNet with its classifier (Szegedy et al., arXiv 1409.4842, table 1), in any layout of its public weights.

    Args:
        num_classes: K.
        backbone: Config of the :class:`~det_inception.models.GoogLeNet`; its default ``out_indices`` (the last stage)
            are the ones needed.
        dropout: Share of the pooled features that training sets to zero.
        auxiliary: As for :class:`~det_inception.models.ImageClassifier`; ``layers`` are inception 4a and 4d, as in the
            paper, or some of the two.
        **kwargs: Likewise. ``init_cfg=dict(type='Pretrained', checkpoint=...)`` loads backbone and linear layer from
            anything that :func:`det_inception.weights.layouts.read_weights` reads.

    Example:
        >>> import torch
        >>> classifier = GoogLeNetClassifier(num_classes=10, backbone=dict(type='GoogLeNet', width=0.25))
        >>> classifier(torch.zeros(2, 3, 64, 64)).shape
        torch.Size([2, 10])
    """

    auxiliary_layers: ClassVar[tuple[str, ...]] = AUX_LAYERS

    def __init__(
        self, num_classes: int, backbone: dict, dropout: float = 0.4, auxiliary: dict | None = None, **kwargs
    ) -> None:
        super().__init__(num_classes, backbone, dropout, auxiliary, **kwargs)

    def _build_backbone(self, config: Mapping) -> Backbone:
        backbone = super()._build_backbone(config)
        if not isinstance(backbone, GoogLeNet):
            raise InputError(
                f'model.type is GoogLeNetClassifier, and model.backbone is {backbone.description}; set '
                'model.type=ImageClassifier, which takes every backbone.'
            )
        return backbone

    def _look_at(self, layers: Sequence[str], config: Mapping, crop_size: int) -> dict[str, tuple[int, int]]:
        foreign = [layer for layer in layers if layer not in AUX_LAYERS]
        if foreign:
            raise InputError(
                f"model.auxiliary.layers names {foreign[0]!r}, and GoogLeNet's auxiliary classifiers stand on "
                f'{" and ".join(AUX_LAYERS)}; name these, or model.type=ImageClassifier for whole stages.'
            )
        return {layer: (self.backbone.aux_channels[layer], map_size(crop_size)) for layer in layers}

    def _auxiliary_settings(self, kind: str) -> dict:
        norm = dict(batch_norm=VARIANTS[self.backbone.variant].batch_norm) if kind == 'v1' else {}
        return dict(norm, width=self.backbone.width)

    def _auxiliary_name(self, layer: str) -> str:
        return layer.replace('inception', 'aux')

    def _features(self, images: Tensor, helped: bool) -> tuple[Tensor, dict[str, Tensor]]:
        if not helped:
            return super()._features(images, helped)
        (features,), seen = self.backbone.forward_with_aux(images)
        return features, {layer: seen[layer] for layer in self.auxiliaries}

    def init_random(self) -> None:
        """Lets the backbone load or draw its weights, and draws the linear layer."""
        self.backbone.init_weights()
        caffe_xavier_init_(self.fc, bias=0.0)

    def load_pretrained(self, source: str | Path | Weights) -> None:
        """Loads backbone and linear layer, all of them; see :func:`load_classifier`."""
        load_classifier(self, source)


def load_classifier(model: nn.Module, source: str | Path | Weights) -> Weights:
    """Loads a GoogLeNet that classifies: backbone and linear layer, all of them, and its normalization.

    Args:
        model: With ``backbone``, ``fc`` and ``data_preprocessor``.
        source: As for :meth:`det_inception.models.GoogLeNet.read_weights`, or what that returned.

    Returns:
        What was read.

    Raises:
        CheckpointError: The file cannot be read, has no classifier, or does not fit the model.
    """
    weights = source if isinstance(source, Weights) else model.backbone.read_weights(source)
    if not weights.classifier:
        raise CheckpointError(
            f'{weights.source}: holds a backbone and no classifier; give it to model.backbone.init_cfg instead.'
        )
    found, wanted = len(weights.classifier['fc.bias']), model.fc.out_features
    if found != wanted:
        raise CheckpointError(
            f'{weights.source}: tells {found} classes apart and the config asks for {wanted}; set '
            f'model.num_classes={found}, or give the file to model.backbone.init_cfg to load the backbone alone.'
        )
    model.backbone.load_pretrained(weights)
    model.fc.load_state_dict({key.removeprefix('fc.'): value for key, value in weights.classifier.items()})
    fit_normalization(model)
    return weights
