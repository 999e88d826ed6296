"""fc6 and fc7 of AlexNet or VGG-16 behind the region operation of Fast and Faster R-CNN.

Shape legend: R regions, C channels of the map, P the side of a region.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from det_inception.models.backbones.base import NetworkPart
from det_inception.models.backbones.plain import PlainBackbone, draw_weights
from det_inception.registry import MODELS
from det_inception.utils.errors import InputError


@MODELS.register_module()
class FullyConnectedSharedHead(NetworkPart):
    """The fully connected layers of a plain network on the features of regions: MMDetection's ``shared_head``.

    The region operation takes the place of the network's last pool, as in Fast R-CNN (Girshick, arXiv 1504.08083): the
    backbone ends before it (``out_indices=(4,)`` of VGG-16, ``(2,)`` of AlexNet).

    Args:
        network: ``'VGG16'`` or ``'AlexNet'``, or another class with fully connected layers at its end.
        dropout: Share of the outputs of each layer that training sets to zero.
        norm_eval: For batch norms, which these networks have none of.
        init_cfg: As for the network; its last layers are taken out of the weights.
        **settings: The network's own, such as ``variant``.
    """

    def __init__(
        self,
        network: str = 'VGG16',
        dropout: float = 0.5,
        norm_eval: bool = False,
        init_cfg: dict | None = None,
        **settings: object,
    ) -> None:
        super().__init__(init_cfg)
        self.kind = MODELS.get(network)
        if not (isinstance(self.kind, type) and issubclass(self.kind, PlainBackbone)):
            raise ValueError(f'{network!r} has no fully connected layers; choose VGG16 or AlexNet')
        with torch.device('meta'):
            whole = self.kind(**settings)
        _, layers = whole._stages[-1]
        if not all(getattr(layer, 'fc', False) for layer in layers):
            raise ValueError(f'{network!r} has no fully connected layers; choose VGG16 or AlexNet')
        self.norm_eval, self.description = norm_eval, whole.description
        self.in_channels, self.side = whole.feature_info[-2]['channels'], layers[0].kernel
        self.names = [layer.name for layer in layers]
        self.relu, self.dropout = nn.ReLU(inplace=True), nn.Dropout(dropout)
        channels = self.in_channels
        for layer in layers:
            self.add_module(layer.name, nn.Conv2d(channels, layer.channels, layer.kernel))
            channels = layer.channels

    def forward(self, features: Tensor) -> Tensor:
        """Returns (R, 4096, 1, 1) for features of regions (R, C, P, P): P is 7 for VGG-16 and 6 for AlexNet.

        Raises:
            InputError: The regions have another size.
        """
        if features.shape[-2:] != (self.side, self.side):
            raise InputError(
                f'fc6 of {self.description} takes regions of {self.side}x{self.side} cells and gets '
                f'{features.shape[-1]}x{features.shape[-2]}; set output_size of the roi_layer to {self.side}.'
            )
        for name in self.names:
            features = self.dropout(self.relu(getattr(self, name)(features)))
        return features

    def load_pretrained(self, source: str | Path) -> None:
        """Takes the layers out of a file of the whole network."""
        self.load_state_dict(self.kind.read_weights(source, self.state_dict(), self.description)[0])

    def init_random(self) -> None:
        """Draws weights as the network does."""
        draw_weights(self)

    def _example(self) -> Tensor:
        return torch.zeros(1, self.in_channels, self.side, self.side)
