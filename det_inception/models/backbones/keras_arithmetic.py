"""What Keras computes differently from timm in the networks whose weights it publishes.

- Batch norm adds 1e-3 to the variance; timm's Xception adds 1e-5.
- The average pools inside Inception v3 leave the padding out of the mean; timm counts it.
- The max-pools of Xception are padded as TensorFlow does, whose odd rest goes to the right and below.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

EPSILON = 1e-3


class SameMaxPool(nn.MaxPool2d):
    """A max-pool 3x3 with stride 2 and TensorFlow's padding: half of the input's size, rounded up, comes out."""

    def __init__(self) -> None:
        super().__init__(3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """Returns (N, C, h, w) for (N, C, H, W)."""
        height, width = (1 + side % 2 for side in x.shape[-2:])
        sides = (width // 2, width - width // 2, height // 2, height - height // 2)
        return super().forward(nn.functional.pad(x, sides, value=float('-inf')))


def use_keras_arithmetic(network: nn.Module, model_name: str) -> None:
    """Lets a network of timm compute as Keras does.

    Args:
        network: Changed in place.
        model_name: timm's name of it, one of :data:`det_inception.weights.keras.NETWORKS`.
    """
    for name, module in list(network.named_modules()):
        if isinstance(module, nn.BatchNorm2d):
            module.eps = EPSILON
        elif model_name == 'inception_v3' and name.rpartition('.')[2] == 'branch_pool':
            module.register_forward_pre_hook(_without_padding)
        elif model_name == 'legacy_xception':
            for inner, child in module.named_children():
                if isinstance(child, nn.MaxPool2d):
                    setattr(module, inner, SameMaxPool())


def _without_padding(module: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
    """Turns a mean over 3x3 cells, zeros of the padding among them, into one over those that there are."""
    (pooled,) = inputs
    ones = torch.ones_like(pooled[:1, :1])
    return (pooled / nn.functional.avg_pool2d(ones, 3, stride=1, padding=1),)
