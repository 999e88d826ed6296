"""Inception-ResNet v1 (Szegedy et al., arXiv 1602.07261, figures 10 to 14): inception with residual connections.

Shape legend: N images or region crops, H and W their height and width; a comment behind a line gives channels and
stride.

timm has only v2. Two variants:

=======  =============================  ======================================
variant  blocks C                       public weights
=======  =============================  ======================================
paper    5                              none
facenet  5, and one more without ReLU   FaceNet's, in PyTorch, under its names
=======  =============================  ======================================

A block adds what its branches say, times a scale, to what it was given (section 3.3). The paper found that networks
with more than 1000 filters "die" without it and has scales of 0.1 to 0.3; ``benchmarks/residual_scaling.py`` shows why.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from det_inception.models.backbones.base import Backbone, WeightsConfig, require_stages
from det_inception.registry import MODELS
from det_inception.weights.files import CheckpointError, read_raw
from det_inception.weights.fitting import fit_arrays, without_prefix
from det_inception.weights.normalization import stated_normalization

VARIANTS = ('paper', 'facenet')
NORMALIZATION = dict(mean=[127.5, 127.5, 127.5], std=[128.0, 128.0, 128.0], bgr_to_rgb=True)
"""What the public weights were trained with."""
SCALES = (0.17, 0.10, 0.20)
"""Of the blocks A, B and C in the public weights."""


class ConvUnit(nn.Module):
    """Convolution, batch norm and ReLU."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int | tuple[int, int], stride: int = 1, padding: bool = True
    ) -> None:
        super().__init__()
        sides = (kernel, kernel) if isinstance(kernel, int) else kernel
        reach = tuple(side // 2 if padding else 0 for side in sides)
        self.conv = nn.Conv2d(in_channels, out_channels, sides, stride, reach, bias=False)
        self.bn = nn.BatchNorm2d(out_channels, eps=1e-3)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.bn(self.conv(x)))


Branches = Sequence[Sequence[tuple[int, int | tuple[int, int]]]]
"""Each branch has the output channels and kernels of its convolutions."""


def _add_branches(block: nn.Module, channels: int, branches: Branches, halve: bool = False) -> list[str]:
    """Adds branches to a block, and returns their names; ``halve``: the last convolution of each halves the map."""
    names = []
    for number, branch in enumerate(branches):
        units, inside = [], channels
        for place, (out, kernel) in enumerate(branch):
            last = halve and place == len(branch) - 1
            units.append(ConvUnit(inside, out, kernel, 2 if last else 1, padding=not last))
            inside = out
        names.append(f'branch{number}')
        block.add_module(names[-1], units[0] if len(units) == 1 else nn.Sequential(*units))
    return names


class Residual(nn.Module):
    """A block: branches side by side, a 1x1 convolution to the channels of its input, scaled and added to that.

    Args:
        channels: Of input and output.
        branches: What stands side by side.
        scale: Of what is added.
        relu: Whether one is behind the sum.
    """

    def __init__(self, channels: int, branches: Branches, scale: float, relu: bool = True) -> None:
        super().__init__()
        self.scale = scale
        self.names = _add_branches(self, channels, branches)
        self.conv2d = nn.Conv2d(sum(branch[-1][0] for branch in branches), channels, 1)
        self.relu = nn.ReLU(inplace=True) if relu else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        said = self.conv2d(torch.cat([getattr(self, name)(x) for name in self.names], dim=1))
        return self.relu(x + self.scale * said)


class Reduction(nn.Module):
    """Halves the map: branches of convolutions, of which the last has stride 2, beside a max-pool."""

    def __init__(self, channels: int, branches: Branches) -> None:
        super().__init__()
        self.names = _add_branches(self, channels, branches, halve=True)
        self.pool = nn.MaxPool2d(3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([*(getattr(self, name)(x) for name in self.names), self.pool(x)], dim=1)


BLOCK_A = (((32, 1),), ((32, 1), (32, 3)), ((32, 1), (32, 3), (32, 3)))
BLOCK_B = (((128, 1),), ((128, 1), (128, (1, 7)), (128, (7, 1))))
BLOCK_C = (((192, 1),), ((192, 1), (192, (1, 3)), (192, (3, 1))))
REDUCTION_A = (((384, 3),), ((192, 1), (192, 3), (256, 3)))
REDUCTION_B = (((256, 1), (384, 3)), ((256, 1), (256, 3)), ((256, 1), (256, 3), (256, 3)))
STAGES = (
    ('conv2d_2b', ('conv2d_1a', 'conv2d_2a', 'conv2d_2b')),
    ('conv2d_4a', ('pool', 'conv2d_3b', 'conv2d_4a')),
    ('repeat_1', ('conv2d_4b', 'repeat_1')),
    ('repeat_2', ('mixed_6a', 'repeat_2')),
    ('repeat_3', ('mixed_7a', 'repeat_3', 'block8')),
)
"""The five stages, one a stride (2, 4, 8, 16, 32): the name of each one's output, and its modules."""
CHANNELS = (64, 192, 256, 896, 1792)
FIRST_CENTERS = (3.5, 9.5, 13.5, 21.5, 37.5)
"""Where each stage's first cell looks; what halves the map has no padding."""


@MODELS.register_module()
class InceptionResNetV1(Backbone):
    """The convolutional part of Inception-ResNet v1, from the image to its last block.

    Args:
        variant: ``'paper'`` or ``'facenet'``, see the table above.
        scales: Of what the blocks A, B and C add; 1: as it is.
        out_indices: Which stages' outputs ``forward`` returns, of 0 to 4: ``conv2d_2b`` (64 channels, stride 2),
            ``conv2d_4a`` (192, 4), ``repeat_1`` (256, 8), ``repeat_2`` (896, 16), ``repeat_3`` (1792, 32).
        frozen_stages: Stages 0 to ``frozen_stages`` keep their weights and their batch-norm statistics; -1: none do.
        norm_eval: Batch norm uses, and keeps, its stored statistics in training too.
        init_cfg: ``dict(type='Pretrained', checkpoint=...)`` with FaceNet's file or a ``state_dict`` of this class;
            None: random weights.
    """

    def __init__(
        self,
        variant: str = 'paper',
        scales: Sequence[float] = SCALES,
        out_indices: Sequence[int] = (4,),
        frozen_stages: int = -1,
        norm_eval: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if variant not in VARIANTS:
            raise ValueError(f'InceptionResNetV1 has no variant {variant!r}; choose one of {", ".join(VARIANTS)}')
        if len(scales) != 3 or not all(0 < scale <= 1 for scale in scales):
            raise ValueError(f'scales are three numbers in (0, 1], of the blocks A, B and C, not {scales!r}')
        names = [name for name, _ in STAGES]
        require_stages('InceptionResNetV1', names, out_indices, frozen_stages, len(STAGES) - 1)
        self.variant, self.scales, self.out_indices = variant, tuple(scales), tuple(out_indices)
        self.frozen_stages, self.norm_eval = frozen_stages, norm_eval
        a, b, c = self.scales
        self.conv2d_1a = ConvUnit(3, 32, 3, stride=2, padding=False)
        self.conv2d_2a = ConvUnit(32, 32, 3, padding=False)
        self.conv2d_2b = ConvUnit(32, 64, 3)  # 64, /2
        self.pool = nn.MaxPool2d(3, stride=2)
        self.conv2d_3b = ConvUnit(64, 80, 1)
        self.conv2d_4a = ConvUnit(80, 192, 3, padding=False)  # 192, /4
        self.conv2d_4b = ConvUnit(192, 256, 3, stride=2, padding=False)
        self.repeat_1 = nn.Sequential(*(Residual(256, BLOCK_A, a) for _ in range(5)))  # 256, /8
        self.mixed_6a = Reduction(256, REDUCTION_A)
        self.repeat_2 = nn.Sequential(*(Residual(896, BLOCK_B, b) for _ in range(10)))  # 896, /16
        self.mixed_7a = Reduction(896, REDUCTION_B)
        self.repeat_3 = nn.Sequential(*(Residual(1792, BLOCK_C, c) for _ in range(5)))  # 1792, /32
        self.block8 = Residual(1792, BLOCK_C, 1.0, relu=False) if variant == 'facenet' else nn.Identity()
        self.feature_info = tuple(
            dict(name=name, channels=CHANNELS[index], stride=2 ** (index + 1), first_center=FIRST_CENTERS[index])
            for index, name in enumerate(names)
        )
        self._finish()

    @property
    def description(self) -> str:
        """Which variant it is."""
        return f'Inception-ResNet v1 of the variant {self.variant!r}'

    @property
    def default_normalization(self) -> dict:
        """The normalization for random weights: that of the public ones."""
        return copy.deepcopy(NORMALIZATION)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Returns the features of the stages in ``out_indices``; for all five H and W are at least 75."""
        stages, x = [], images
        for _, names in STAGES[: max(self.out_indices) + 1]:
            for name in names:
                x = getattr(self, name)(x)
            stages.append(x)
        return tuple(stages[index] for index in self.out_indices)

    def init_random(self) -> None:
        """Draws weights for batch norm."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity='relu')
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def _frozen_modules(self) -> list[nn.Module]:
        return [getattr(self, name) for _, names in STAGES[: self.frozen_stages + 1] for name in names]

    # ------------------------------------------------------------------------------------------------------- weights

    @classmethod
    def config_from_pretrained(cls, config: Mapping, source: str) -> WeightsConfig:
        """Returns the variant by the blocks of the file, and the normalization of the public weights."""
        raw = read_raw(source)
        stated = stated_normalization(raw.meta, raw.tensors)
        return WeightsConfig(dict(variant=_variant(raw.tensors)), stated or copy.deepcopy(NORMALIZATION))

    @classmethod
    def config_from_checkpoint(cls, config: Mapping, checkpoint: Mapping, path: str | Path) -> WeightsConfig:
        """Returns the variant by the blocks, and what the checkpoint says of its normalization."""
        stated = super().config_from_checkpoint(config, checkpoint, path)
        return stated._replace(settings=dict(variant=_variant(checkpoint['state_dict'])))

    def load_pretrained(self, source: str | Path) -> None:
        """Loads FaceNet's weights, or the class's own, and notes their normalization; a classifier is left out."""
        raw = read_raw(source)
        first, given = without_prefix(raw.tensors, 'conv2d_1a.conv.weight')
        if (found := _variant(raw.tensors)) != self.variant and first:
            raise CheckpointError(
                f'{source}: holds the {found!r} variant of Inception-ResNet v1 and the config asks for '
                f'{self.variant!r}; set model.backbone.variant={found!r} or name another file.'
            )
        found = fit_arrays(
            self.state_dict(),
            given,
            source,
            lambda what: CheckpointError(
                f'{source}: is no Inception-ResNet v1 of the variant {self.variant!r} ({what}); name its weights.'
            ),
        )
        self.load_state_dict(found)
        self.normalization = stated_normalization(raw.meta, raw.tensors) or copy.deepcopy(NORMALIZATION)
        print_log(f'{self.description}: loaded the weights of {source}', 'current')


def _variant(tensors: Mapping[str, Tensor]) -> str:
    return 'facenet' if any(key.endswith('block8.conv2d.weight') for key in tensors) else 'paper'
