"""GoogLeNet as an image classifier: the network that the detection entry was pre-trained as.

Shape legend: N images, V views (crops) of each, C channels of the backbone's last stage, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from det_inception.models.backbones.googlenet import AUX_LAYERS, VARIANTS, caffe_xavier_init_
from det_inception.models.classifiers.auxiliary import AuxiliaryClassifier, map_size
from det_inception.models.data_preprocessors.normalization import fit_normalization
from det_inception.registry import MODELS
from det_inception.weights.files import CheckpointError
from det_inception.weights.initializer import PretrainedModule
from det_inception.weights.layouts import Weights


@MODELS.register_module()
class GoogLeNetClassifier(PretrainedModule, BaseModel):
    """Backbone, global average pool, dropout and a linear layer (Szegedy et al., arXiv 1409.4842, table 1).

    Args:
        num_classes: K.
        backbone: Config of the :class:`~det_inception.models.GoogLeNet`; its default ``out_indices`` (the last stage)
            are the ones needed.
        dropout: Share of the pooled features that training sets to zero.
        auxiliary: Settings of the two auxiliary classifiers, on inception 4a and 4d: ``loss_weight`` (the paper: 0.3
            each), ``dropout`` (0.7) and ``crop_size`` (224), the side of the training crops. They act in training mode
            alone. None: the network has none.
        chunk_size: So many crops go through the network at a time in ``'predict'``.
        data_preprocessor: Config of what normalizes and stacks the images in ``train_step``, ``val_step`` and
            ``test_step``, such as :class:`~det_inception.models.CropPreprocessor`; ``forward`` takes images that are
            normalized.
        init_cfg: ``dict(type='Pretrained', checkpoint=...)`` loads backbone and linear layer from anything that
            :func:`det_inception.weights.layouts.read_weights` reads; ``init_cfg`` of the backbone loads that alone.

    Example:
        >>> import torch
        >>> classifier = GoogLeNetClassifier(num_classes=10, backbone=dict(type='GoogLeNet', width=0.25))
        >>> classifier(torch.zeros(2, 3, 64, 64)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        num_classes: int,
        backbone: dict,
        dropout: float = 0.4,
        auxiliary: dict | None = None,
        chunk_size: int = 48,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        if chunk_size < 1:
            raise ValueError(f'chunk_size is a number of crops of at least 1, not {chunk_size}')
        self.backbone = MODELS.build(backbone).to(memory_format=torch.channels_last)
        if self.backbone.out_indices != (4,):
            raise ValueError(f'GoogLeNetClassifier needs out_indices=(4,), not {self.backbone.out_indices}')
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(self.backbone.out_channels[-1], num_classes)
        self.chunk_size = chunk_size
        self.auxiliaries: dict[str, str] = {}  # layer that is looked at -> name of the auxiliary classifier
        if auxiliary is not None:
            self._add_auxiliaries(num_classes, **auxiliary)
        fit_normalization(self)

    def _add_auxiliaries(
        self, num_classes: int, loss_weight: float = 0.3, dropout: float = 0.7, crop_size: int = 224
    ) -> None:
        self.auxiliary_weight = loss_weight
        for layer in AUX_LAYERS:
            name = layer.replace('inception', 'aux')
            auxiliary = AuxiliaryClassifier(
                self.backbone.aux_channels[layer],
                num_classes,
                map_size(crop_size),
                VARIANTS[self.backbone.variant].batch_norm,
                self.backbone.width,
                dropout,
            )
            setattr(self, name, auxiliary)
            self.auxiliaries[layer] = name

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
            mode the weighted ones of the auxiliary classifiers, ``loss_aux4a`` and ``loss_aux4d``. ``'predict'``: one
            element an image, the given or a new one, with ``pred_score`` (K,), the mean of the views' softmax, and
            ``pred_label`` (1,).

        Raises:
            ValueError: ``mode`` is none of the three, or ``'loss'`` has no ``data_samples``.
            InputError: The auxiliary classifiers were made for crops of another size.
        """
        if mode not in ('tensor', 'loss', 'predict'):
            raise ValueError(f"mode is 'tensor', 'loss' or 'predict', not {mode!r}")
        if mode == 'tensor':
            (features,) = self.backbone(inputs)
            return self._logits(features)
        if mode == 'predict':
            return put_predictions(self.view_scores(inputs), data_samples)
        if not data_samples:
            raise ValueError("mode 'loss' needs data_samples with a gt_label each")
        return self._losses(inputs, torch.stack([sample.gt_label.reshape(()) for sample in data_samples]))

    def _losses(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        # Not called "loss": MMEngine adds up what is called so, under that name.
        labels = labels.to(images.device)
        helped = self.training and bool(self.auxiliaries)
        (features,), aux = self.backbone.forward_with_aux(images) if helped else (self.backbone(images), {})
        losses = dict(loss_cls=nn.functional.cross_entropy(self._logits(features), labels))
        for layer, features in aux.items():
            name = self.auxiliaries[layer]
            loss = nn.functional.cross_entropy(getattr(self, name)(features), labels)
            losses[f'loss_{name}'] = self.auxiliary_weight * loss
        return losses

    def view_scores(self, inputs: Tensor) -> Tensor:
        """Returns softmax scores (N, K), float32: the mean of the views of (N, V, 3, H, W), or of (N, 3, H, W)."""
        views = inputs[:, None] if inputs.dim() == 4 else inputs
        chunks = views.flatten(0, 1).split(self.chunk_size)
        scores = torch.cat([self(chunk).float().softmax(dim=1) for chunk in chunks])  # (N V, K)
        return scores.unflatten(0, views.shape[:2]).mean(1)

    def class_map(self, images: Tensor) -> Tensor:
        """Runs over whole images of any size: the linear layer becomes a convolution of 1x1 in front of the pool.

        Args:
            images: (N, 3, H, W), normalized; H and W are at least 31.

        Returns:
            Logits (N, K, h, w) of every cell of the last map, whose place in the image the backbone's
            ``feature_info`` says. Their mean over the cells is what :meth:`forward` returns for the image.
        """
        (features,) = self.backbone(images)
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


def put_predictions(scores: Tensor, data_samples: Sequence[BaseDataElement] | None) -> list[BaseDataElement]:
    """Puts scores (N, K) and the best label into the samples of N images, or into new ones."""
    samples = list(data_samples) if data_samples is not None else [BaseDataElement() for _ in scores]
    for sample, score in zip(samples, scores, strict=True):
        sample.pred_score, sample.pred_label = score, score.argmax(dim=0, keepdim=True)
    return samples
