"""The auxiliary classifiers that help GoogLeNet to train (arXiv 1409.4842, section 5 and figure 3), and Inception v3's.

Shape legend: N images, C channels of the map, h and w its height and width, K classes.
"""

from __future__ import annotations

import math

from torch import Tensor, nn

from det_inception.models.backbones.googlenet import ConvUnit, caffe_xavier_init_, init_conv_, scale_channels
from det_inception.utils.errors import InputError

WINDOW, STEP = 5, 3


class AuxiliaryClassifier(nn.Module):
    """A small classifier on a map inside the network: its loss brings a gradient to the middle of it.

    Average pool 5x5 with stride 3, 1x1 convolution, linear, ReLU, dropout, linear.

    Args:
        in_channels: C.
        num_classes: K.
        map_size: h = w of the map while training; 14 for crops of 224. The paper's pool makes 4x4 of it.
        batch_norm: Whether the convolution has batch norm, as those of the network have.
        width: Multiplies the 128 channels of the convolution and the 1024 of the linear layer.
        dropout: Share that is set to zero before the last layer; the paper: 0.7.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        map_size: int = 14,
        batch_norm: bool = False,
        width: float = 1.0,
        dropout: float = 0.7,
    ) -> None:
        super().__init__()
        _require_side(map_size)
        channels, hidden = scale_channels(128, width), scale_channels(1024, width)
        self.map_size = map_size
        side = _pooled(map_size)
        # Rounded up, as Caffe does, and the window cut to the map: small crops leave less than a window.
        self.pool = nn.AvgPool2d(WINDOW, STEP, ceil_mode=True)
        self.conv = ConvUnit(in_channels, channels, 1, batch_norm)
        self.hidden = nn.Linear(channels * side * side, hidden)
        self.relu = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(hidden, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Returns logits (N, K) for a map (N, C, h, w)."""
        _require_map(x, self.map_size)
        x = self.conv(self.pool(x))  # 128, 4 x 4 for crops of 224
        x = self.relu(self.hidden(x.flatten(1)))  # 1024
        return self.fc(self.dropout(x))  # K

    def init_weights(self) -> None:
        """Draws random weights, as Caffe's GoogLeNet does where there is no batch norm."""
        init_conv_(self.conv.conv)
        caffe_xavier_init_(self.hidden, bias=0.2)
        caffe_xavier_init_(self.fc, bias=0.0)


class NormalizedAuxiliaryClassifier(nn.Module):
    """That of Inception v3 (arXiv 1512.00567, section 4): batch norm behind the fully connected layer too.

    Average pool 5x5 with stride 3, 1x1 convolution, a convolution of the whole map, which is the fully connected layer,
    both with batch norm, linear. The paper holds that it regularizes, more than that it brings a gradient.

    Args:
        in_channels: C.
        num_classes: K.
        map_size: h = w of the map while training; 17 in Inception v3. The pool makes 5x5 of it. Larger maps leave more
            than one place behind the second convolution, whose mean counts.
        width: Multiplies the 128 channels of the first convolution and the 768 of the second.
        dropout: Share that is set to zero before the last layer; none in the public networks.
    """

    def __init__(
        self, in_channels: int, num_classes: int, map_size: int = 17, width: float = 1.0, dropout: float = 0.0
    ) -> None:
        super().__init__()
        _require_side(map_size)
        channels, hidden = scale_channels(128, width), scale_channels(768, width)
        self.map_size = map_size
        self.pool = nn.AvgPool2d(WINDOW, STEP, ceil_mode=True)
        self.conv = ConvUnit(in_channels, channels, 1, batch_norm=True)
        self.hidden = ConvUnit(channels, hidden, min(WINDOW, _pooled(map_size)), batch_norm=True, padded=False)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(hidden, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Returns logits (N, K) for a map (N, C, h, w); in training mode of at least two images."""
        _require_map(x, self.map_size)
        x = self.hidden(self.conv(self.pool(x)))  # 768, 1 x 1 for maps of 17
        return self.fc(self.dropout(x.mean((2, 3))))  # K

    def init_weights(self) -> None:
        """Draws random weights."""
        init_conv_(self.conv.conv)
        init_conv_(self.hidden.conv)
        nn.init.trunc_normal_(self.fc.weight, std=0.01)
        nn.init.zeros_(self.fc.bias)


AUXILIARY_KINDS = dict(v1=AuxiliaryClassifier, v3=NormalizedAuxiliaryClassifier)
"""The kinds of auxiliary classifiers, by the network that brought them."""


def _require_side(map_size: int) -> None:
    if map_size < 3:
        raise ValueError(
            f'an auxiliary classifier needs a map of at least 3x3, which crops of 47 pixels give, not {map_size}'
        )


def _require_map(x: Tensor, side: int) -> None:
    if x.shape[-2:] != (side, side):
        raise InputError(
            f'the auxiliary classifiers were made for maps of {side}x{side} and the crops give '
            f'{x.shape[-2]}x{x.shape[-1]}; set model.auxiliary.crop_size to the side of the training crops.'
        )


def _pooled(map_size: int) -> int:
    """The side of a map behind the pool."""
    return max(0, math.ceil((map_size - WINDOW) / STEP)) + 1


def map_size(crop_size: int) -> int:
    """Returns the side of the maps of inception 4a to 4e for square crops of ``crop_size`` pixels."""
    side = (crop_size - 1) // 2 + 1  # the 7x7 convolution: stride 2, padded
    for _ in range(3):  # three max-pools 3x3 / 2, rounded up; the window's last start lies in the map
        side = max(math.ceil((side - 3) / 2), 0) + 1
    return side
