"""An image classifier on any backbone of the project, with the recipes by which the Inception networks were trained.

Shape legend: N images, V views (crops) of each, C channels of the backbone's last stage, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import torch
from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from det_inception.models.backbones.base import Backbone
from det_inception.models.classifiers.auxiliary import AUXILIARY_KINDS
from det_inception.models.data_preprocessors.normalization import fit_normalization
from det_inception.registry import MODELS
from det_inception.utils.errors import InputError, some
from det_inception.weights.checkpoints import load_detector, read_checkpoint
from det_inception.weights.export import AUXILIARIES, without_auxiliaries
from det_inception.weights.initializer import PretrainedModule


@MODELS.register_module()
class ImageClassifier(PretrainedModule, BaseModel):
    """Backbone, global average pool, dropout and a linear layer.

    Args:
        num_classes: K.
        backbone: Config of a backbone of this project, which returns its last stage alone (``out_indices``).
        dropout: Share of the pooled features that training sets to zero.
        auxiliary: Settings of the auxiliary classifiers: ``layers``, the stages of the backbone that they look at;
            ``kind``, ``'v1'`` (that of GoogLeNet) or ``'v3'`` (batch-normalized, that of Inception v3, and then the
            backbone should have batch norm too); ``loss_weight`` of each (0.3); ``dropout`` (0.7 for v1, none for v3);
            ``crop_size`` (224), the side of the training crops. They act in training mode alone. None: it has none.
        label_smoothing: Share of the label that is spread over all K classes, from 0 up to but not 1, in the main and
            in the auxiliary losses; 0.1 in Inception v3 (arXiv 1512.00567, section 7).
        chunk_size: So many crops go through the network at a time in ``'predict'``.
        data_preprocessor: Config of what normalizes and stacks the images in ``train_step``, ``val_step`` and
            ``test_step``, such as :class:`~det_inception.models.CropPreprocessor`; ``forward`` takes images that are
            normalized.
        init_cfg: ``dict(type='Pretrained', checkpoint=...)`` loads a classifier that was trained with this class;
            ``init_cfg`` of the backbone loads that alone.

    Raises:
        InputError: ``label_smoothing`` is out of range, or an auxiliary classifier stands on a stage that the backbone
            does not have.

    Example:
        >>> import torch
        >>> classifier = ImageClassifier(num_classes=10, backbone=dict(type='NIN'))
        >>> classifier(torch.zeros(2, 3, 64, 64)).shape
        torch.Size([2, 10])
    """

    auxiliary_layers: ClassVar[tuple[str, ...]] = ()
    """What auxiliary classifiers look at where the config does not say it."""

    def __init__(
        self,
        num_classes: int,
        backbone: dict,
        dropout: float = 0.0,
        auxiliary: dict | None = None,
        label_smoothing: float = 0.0,
        chunk_size: int = 48,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        if chunk_size < 1:
            raise ValueError(f'chunk_size is a number of crops of at least 1, not {chunk_size}')
        if not 0 <= label_smoothing < 1:
            raise InputError(
                f'model.label_smoothing is {label_smoothing}, and lies in [0, 1): at 1 every class would be right; '
                'Inception v3 has 0.1.'
            )
        self.backbone = self._build_backbone(backbone)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(self.backbone.out_channels[-1], num_classes)
        self.num_classes, self.label_smoothing, self.chunk_size = num_classes, label_smoothing, chunk_size
        self.auxiliaries: dict[str, str] = {}  # layer that is looked at -> name of the auxiliary classifier
        if auxiliary is not None:
            self._add_auxiliaries(num_classes, backbone, **auxiliary)
        fit_normalization(self)

    def _build_backbone(self, config: Mapping) -> Backbone:
        backbone = MODELS.build(config)
        if not isinstance(backbone, Backbone):
            raise InputError(
                f'model.backbone is a {type(backbone).__name__}; {type(self).__name__} takes the backbones of this '
                'project, TimmBackbone among them.'
            )
        last = len(backbone.feature_info) - 1
        if backbone.out_indices != (last,):
            raise ValueError(f'{type(self).__name__} needs out_indices=({last},), not {backbone.out_indices}')
        return backbone

    def _add_auxiliaries(
        self,
        num_classes: int,
        config: Mapping,
        loss_weight: float = 0.3,
        dropout: float | None = None,
        crop_size: int = 224,
        kind: str = 'v1',
        layers: Sequence[str] = (),
    ) -> None:
        if kind not in AUXILIARY_KINDS:
            raise InputError(f'model.auxiliary.kind is {kind!r}; choose {" or ".join(map(repr, AUXILIARY_KINDS))}.')
        self.auxiliary_weight = loss_weight
        layers = tuple(layers) or self.auxiliary_layers
        for layer, (channels, side) in self._look_at(layers, config, crop_size).items():
            settings = {} if dropout is None else dict(dropout=dropout)
            auxiliary = AUXILIARY_KINDS[kind](channels, num_classes, side, **settings, **self._auxiliary_settings(kind))
            self.auxiliaries[layer] = self._auxiliary_name(layer)
            setattr(self, self.auxiliaries[layer], auxiliary)

    def _look_at(self, layers: Sequence[str], config: Mapping, crop_size: int) -> dict[str, tuple[int, int]]:
        """Lets the backbone return stages besides its last; returns channels and side of each one's maps."""
        names = [stage['name'] for stage in self.backbone.feature_info]
        foreign = [layer for layer in layers if layer not in names[:-1]]
        if foreign or not layers:
            what = f'no stage {foreign[0]!r}' if foreign else 'no stage that auxiliary classifiers are known for'
            raise InputError(
                f'model.auxiliary: {self.backbone.description} has {what}; set model.auxiliary.layers to some of '
                f'{some(names[:-1], 9)}, or model.auxiliary=None.'
            )
        indices = sorted({names.index(layer) for layer in layers} | {len(names) - 1})
        self.backbone = MODELS.build(dict(config, out_indices=indices))
        self.backbone.eval()
        with torch.no_grad():
            maps = self.backbone(torch.zeros(1, 3, crop_size, crop_size))
        self.backbone.train()
        found = {names[index]: tuple(one.shape[1:3]) for index, one in zip(indices, maps, strict=True)}
        return {layer: found[layer] for layer in layers}

    def _auxiliary_settings(self, kind: str) -> dict:
        """What the network says about its auxiliary classifiers."""
        return {}

    def _auxiliary_name(self, layer: str) -> str:
        """What the auxiliary classifier on a layer is called; one of ``det_inception.weights.export.AUXILIARIES``."""
        return f'aux_{layer.replace(".", "_")}'

    def forward(
        self, inputs: Tensor, data_samples: Sequence[BaseDataElement] | None = None, mode: str = 'tensor'
    ) -> Tensor | dict[str, Tensor] | list[BaseDataElement]:
        """Classifies images.

        Args:
            inputs: (N, 3, H, W), normalized; for ``'predict'`` also (N, V, 3, H, W), the views of each image.
            data_samples: One an image; ``'loss'`` reads the label from its ``gt_label``, an integer tensor of one
                value.
            mode: What to return.

        Returns:
            ``'tensor'``: logits (N, K). ``'loss'``: a dict with the mean cross entropy, ``loss_cls``, and in training
            mode the weighted ones of the auxiliary classifiers, such as ``loss_aux4a``; with the label smoothed.
            ``'predict'``: one element an image, the given or a new one, with ``pred_score`` (K,), the mean of the
            views' softmax, and ``pred_label`` (1,).

        Raises:
            ValueError: ``mode`` is none of the three, or ``'loss'`` has no ``data_samples``.
            InputError: The auxiliary classifiers were made for crops of another size.
        """
        if mode not in ('tensor', 'loss', 'predict'):
            raise ValueError(f"mode is 'tensor', 'loss' or 'predict', not {mode!r}")
        if mode == 'tensor':
            return self._logits(self.backbone(inputs)[-1])
        if mode == 'predict':
            return put_predictions(self.view_scores(inputs), data_samples)
        if not data_samples:
            raise ValueError("mode 'loss' needs data_samples with a gt_label each")
        return self._losses(inputs, torch.stack([sample.gt_label.reshape(()) for sample in data_samples]))

    def _losses(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        # Not called "loss": MMEngine adds up what is called so, under that name.
        labels = labels.to(images.device)
        features, looked_at = self._features(images, self.training and bool(self.auxiliaries))
        losses = dict(loss_cls=self._cross_entropy(self._logits(features), labels))
        for layer, seen in looked_at.items():
            name = self.auxiliaries[layer]
            losses[f'loss_{name}'] = self.auxiliary_weight * self._cross_entropy(getattr(self, name)(seen), labels)
        return losses

    def _cross_entropy(self, logits: Tensor, labels: Tensor) -> Tensor:
        return nn.functional.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)

    def _features(self, images: Tensor, helped: bool) -> tuple[Tensor, dict[str, Tensor]]:
        """Returns the last features, and if ``helped`` what the auxiliary classifiers look at."""
        maps = self.backbone(images)
        names = [self.backbone.feature_info[index]['name'] for index in self.backbone.out_indices]
        return maps[-1], {name: seen for name, seen in zip(names, maps) if helped and name in self.auxiliaries}

    def view_scores(self, inputs: Tensor) -> Tensor:
        """Returns softmax scores (N, K), float32: the mean of the views of (N, V, 3, H, W), or of (N, 3, H, W)."""
        return softmax_of_views(self, inputs, self.chunk_size)

    def class_map(self, images: Tensor) -> Tensor:
        """Runs over whole images of any size: the linear layer becomes a convolution of 1x1 in front of the pool.

        Args:
            images: (N, 3, H, W), normalized; H and W are at least what the backbone takes, 31 for GoogLeNet.

        Returns:
            Logits (N, K, h, w) of every cell of the last map, whose place in the image the backbone's
            ``feature_info`` says. Their mean over the cells is what :meth:`forward` returns for the image.
        """
        features = self.backbone(images)[-1]
        return nn.functional.conv2d(features, self.fc.weight[:, :, None, None], self.fc.bias)

    def _logits(self, features: Tensor) -> Tensor:
        pooled = self.pool(features).flatten(1)  # (N, C)
        return self.fc(self.dropout(pooled))  # (N, K)

    def init_weights(self) -> None:
        """Loads the pretrained weights of ``init_cfg``, else lets the backbone do so and draws the linear layer."""
        for name in self.auxiliaries.values():  # No file that is loaded has them.
            getattr(self, name).init_weights()
        super().init_weights()
        fit_normalization(self)

    def init_random(self) -> None:
        """Lets the backbone load or draw its weights, and draws the linear layer."""
        self.backbone.init_weights()
        nn.init.trunc_normal_(self.fc.weight, std=0.01)
        nn.init.zeros_(self.fc.bias)

    def load_pretrained(self, source: str | Path) -> None:
        """Loads a checkpoint of this class: backbone, linear layer and normalization, all of them."""
        checkpoint = read_checkpoint(source)
        checkpoint['state_dict'] = without_auxiliaries(checkpoint['state_dict']) | {
            key: value for key, value in self.state_dict().items() if key.startswith(AUXILIARIES)
        }
        load_detector(self, source, checkpoint)


def softmax_of_views(network: nn.Module, inputs: Tensor, chunk_size: int) -> Tensor:
    """Returns the mean softmax (N, K), float32, of the views of (N, V, 3, H, W), or of (N, 3, H, W)."""
    views = inputs[:, None] if inputs.dim() == 4 else inputs
    chunks = views.flatten(0, 1).split(chunk_size)
    scores = torch.cat([network(chunk).float().softmax(dim=1) for chunk in chunks])  # (N V, K)
    return scores.unflatten(0, views.shape[:2]).mean(1)


def put_predictions(scores: Tensor, data_samples: Sequence[BaseDataElement] | None) -> list[BaseDataElement]:
    """Puts scores (N, K) and the best label into the samples of N images, or into new ones."""
    samples = list(data_samples) if data_samples is not None else [BaseDataElement() for _ in scores]
    for sample, score in zip(samples, scores, strict=True):
        sample.pred_score, sample.pred_label = score, score.argmax(dim=0, keepdim=True)
    return samples
