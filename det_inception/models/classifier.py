"""GoogLeNet as an image classifier: the network that the detection entry was pre-trained as.

Shape legend: N images, C channels of the backbone's last stage, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from det_inception.registry import MODELS


@MODELS.register_module()
class GoogLeNetClassifier(BaseModel):
    """Backbone, global average pool, dropout and a linear layer (Szegedy et al., arXiv 1409.4842, table 1).

    Args:
        num_classes: K.
        backbone: Config of the :class:`~det_inception.models.googlenet.GoogLeNet`; its default ``out_indices`` (the
            last stage) are the ones needed.
        dropout: Share of the pooled features that training sets to zero.
        data_preprocessor: Config of what normalises and stacks the images in ``train_step``, ``val_step`` and
            ``test_step``; ``forward`` takes images that are normalised.
        init_cfg: ``dict(type='Pretrained', checkpoint=...)`` loads backbone and linear layer from anything that
            :func:`det_inception.checkpoints.read_weights` reads; ``init_cfg`` of the backbone loads that alone.

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
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        self.backbone = MODELS.build(backbone)
        if self.backbone.out_indices != (4,):
            raise ValueError(f'GoogLeNetClassifier needs out_indices=(4,), not {self.backbone.out_indices}')
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(self.backbone.out_channels[-1], num_classes)

    def forward(
        self, inputs: Tensor, data_samples: Sequence[BaseDataElement] | None = None, mode: str = 'tensor'
    ) -> Tensor | dict[str, Tensor] | list[BaseDataElement]:
        """Classifies images.

        Args:
            inputs: (N, 3, H, W), normalised.
            data_samples: One an image; ``'loss'`` reads the label from its ``gt_label``, an integer tensor of one
                value.
            mode: What to return.

        Returns:
            ``'tensor'``: logits (N, K). ``'loss'``: a dict with the mean cross entropy. ``'predict'``: one element an
            image, the given or a new one, with ``pred_score`` (K,), which sums to 1, and ``pred_label`` (1,).

        Raises:
            ValueError: ``mode`` is none of the three, or ``'loss'`` has no ``data_samples``.
        """
        if mode not in ('tensor', 'loss', 'predict'):
            raise ValueError(f"mode is 'tensor', 'loss' or 'predict', not {mode!r}")
        if mode == 'loss' and not data_samples:
            raise ValueError("mode 'loss' needs data_samples with a gt_label each")
        logits = self._logits(inputs)
        if mode == 'tensor':
            return logits
        if mode == 'loss':
            labels = torch.stack([sample.gt_label.reshape(()) for sample in data_samples]).to(logits.device)
            return dict(loss=nn.functional.cross_entropy(logits, labels))
        samples = list(data_samples) if data_samples is not None else [BaseDataElement() for _ in logits]
        for sample, score in zip(samples, logits.softmax(dim=1), strict=True):
            sample.pred_score, sample.pred_label = score, score.argmax(dim=0, keepdim=True)
        return samples

    def _logits(self, images: Tensor) -> Tensor:
        (features,) = self.backbone(images)  # (N, C, H / 32, W / 32)
        pooled = self.pool(features).flatten(1)  # (N, C)
        return self.fc(self.dropout(pooled))  # (N, K)

    def init_weights(self) -> None:
        """Loads the pretrained weights of ``init_cfg``, else lets the backbone do so and draws the linear layer."""
        if self.init_cfg is None:
            self.backbone.init_weights()
            nn.init.normal_(self.fc.weight, std=0.01)
            nn.init.zeros_(self.fc.bias)
        elif self.init_cfg['type'] == 'Pretrained':
            from det_inception.checkpoints import load_classifier

            load_classifier(self, self.init_cfg['checkpoint'])
        else:
            super().init_weights()
        self._is_init = True
