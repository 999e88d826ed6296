"""BN-Inception, the network of batch normalization's paper (Ioffe and Szegedy, arXiv 1502.03167, figure 5).

Shape legend: N images or region crops, H and W their height and width; a comment behind a line of ``forward`` gives
channels and stride.

GoogLeNet with batch norm, two 3x3 convolutions where it had one of 5x5, average pools inside most modules, and modules
3c and 4e that halve the map themselves: they have stride 2, no 1x1 branch, and pass their pooled input on. timm has
no such network, so it is written here. Two variants:

=======  =======================  ==================  ==========================
variant  pool projection, 4c, 4d  convolutions        public weights
=======  =======================  ==================  ==========================
paper    96, as in figure 5       without bias        none
caffe    128                      with bias           ``bn_inception-*.pth``
=======  =======================  ==================  ==========================
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from det_inception.models.backbones.base import Backbone, WeightsConfig, require_stages
from det_inception.registry import MODELS
from det_inception.weights.files import CheckpointError, read_raw
from det_inception.weights.fitting import fit_arrays, without_prefix
from det_inception.weights.normalization import stated_normalization


class Widths(NamedTuple):
    """Output channels of one module, in the order of figure 5; ``pool_proj`` 0 passes the pooled input on."""

    conv_1x1: int
    reduce_3x3: int
    conv_3x3: int
    reduce_double: int
    double: int
    pool: str
    pool_proj: int

    def out(self, in_channels: int) -> int:
        return self.conv_1x1 + self.conv_3x3 + self.double + (self.pool_proj or in_channels)


FIGURE_5 = {
    '3a': Widths(64, 64, 64, 64, 96, 'avg', 32),
    '3b': Widths(64, 64, 96, 64, 96, 'avg', 64),
    '3c': Widths(0, 128, 160, 64, 96, 'max', 0),
    '4a': Widths(224, 64, 96, 96, 128, 'avg', 128),
    '4b': Widths(192, 96, 128, 96, 128, 'avg', 128),
    '4c': Widths(160, 128, 160, 128, 160, 'avg', 96),
    '4d': Widths(96, 128, 192, 160, 192, 'avg', 96),
    '4e': Widths(0, 128, 192, 192, 256, 'max', 0),
    '5a': Widths(352, 192, 320, 160, 224, 'avg', 128),
    '5b': Widths(352, 192, 320, 192, 224, 'max', 128),
}
VARIANTS = ('paper', 'caffe')
STAGES = (
    ('conv1', ('conv1',)),
    ('conv2', ('conv2_reduce', 'conv2')),
    ('inception3b', ('inception3a', 'inception3b')),
    ('inception4d', ('inception3c', 'inception4a', 'inception4b', 'inception4c', 'inception4d')),
    ('inception5b', ('inception4e', 'inception5a', 'inception5b')),
)
"""The five stages, one a stride (2, 4, 8, 16, 32): the name of each one's output, and its modules."""
FIRST_CENTERS = (0.5, 2.5, 6.5, 6.5, 6.5)
"""Where each stage's first cell looks: the first two pools have no padding, the strided convolutions have it."""
FIRST = 'conv1.conv.weight'
NORMALIZATION = dict(mean=[104.0, 117.0, 128.0], std=[1.0, 1.0, 1.0], bgr_to_rgb=False)
"""What the public weights were trained with."""


class ConvUnit(nn.Sequential):
    """Convolution, batch norm and ReLU."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, bias: bool, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=bias)
        self.norm = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)


class Module(nn.Module):
    """One inception module with a double 3x3 branch."""

    def __init__(self, in_channels: int, widths: Widths, bias: bool) -> None:
        super().__init__()
        stride = 1 if widths.pool_proj else 2
        self.conv_1x1 = ConvUnit(in_channels, widths.conv_1x1, 1, bias) if widths.conv_1x1 else None
        self.reduce_3x3 = ConvUnit(in_channels, widths.reduce_3x3, 1, bias)
        self.conv_3x3 = ConvUnit(widths.reduce_3x3, widths.conv_3x3, 3, bias, stride)
        self.reduce_double = ConvUnit(in_channels, widths.reduce_double, 1, bias)
        self.double_1 = ConvUnit(widths.reduce_double, widths.double, 3, bias)
        self.double_2 = ConvUnit(widths.double, widths.double, 3, bias, stride)
        if stride == 2:
            # Caffe's pool without padding, rounded up; what it sees is never negative, so zeros on the far side give
            # odd maps the size that the convolutions with padding 1 give them, and change nothing for even ones.
            self.pool = nn.Sequential(nn.ZeroPad2d((0, 2, 0, 2)), nn.MaxPool2d(3, stride=2))
        else:
            kind = nn.AvgPool2d if widths.pool == 'avg' else nn.MaxPool2d
            self.pool = kind(3, stride=1, padding=1)
        self.pool_proj = ConvUnit(in_channels, widths.pool_proj, 1, bias) if widths.pool_proj else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        branches = [] if self.conv_1x1 is None else [self.conv_1x1(x)]
        branches += [
            self.conv_3x3(self.reduce_3x3(x)),
            self.double_2(self.double_1(self.reduce_double(x))),
            self.pool_proj(self.pool(x)),
        ]
        return torch.cat(branches, dim=1)


@MODELS.register_module()
class BNInception(Backbone):
    """The convolutional part of BN-Inception, from the image to inception 5b.

    Args:
        variant: ``'paper'`` or ``'caffe'``, see the table above.
        out_indices: Which stages' outputs ``forward`` returns, of 0 to 4: ``conv1`` (64 channels, stride 2),
            ``conv2`` (192, 4), ``inception3b`` (320, 8), ``inception4d`` (576, 16; 608 for ``'caffe'``),
            ``inception5b`` (1024, 32).
        frozen_stages: Stages 0 to ``frozen_stages`` keep their weights and their batch-norm statistics; -1: none do.
        norm_eval: Batch norm uses, and keeps, its stored statistics in training too.
        init_cfg: ``dict(type='Pretrained', checkpoint=...)`` with a PyTorch file: the public one for ``'caffe'``, or
            a ``state_dict`` of this class; None: random weights.

    """

    def __init__(
        self,
        variant: str = 'paper',
        out_indices: Sequence[int] = (4,),
        frozen_stages: int = -1,
        norm_eval: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if variant not in VARIANTS:
            raise ValueError(f'BNInception has no variant {variant!r}; choose one of {", ".join(VARIANTS)}')
        require_stages('BNInception', [name for name, _ in STAGES], out_indices, frozen_stages, len(STAGES) - 1)
        self.variant, self.out_indices = variant, tuple(out_indices)
        self.frozen_stages, self.norm_eval = frozen_stages, norm_eval
        bias = variant == 'caffe'
        self.conv1 = ConvUnit(3, 64, 7, bias, stride=2)
        self.conv2_reduce = ConvUnit(64, 64, 1, bias)
        self.conv2 = ConvUnit(64, 192, 3, bias)
        self.pool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        channels = 192
        stage_channels = {'conv1': 64, 'conv2': channels}
        for name, widths in FIGURE_5.items():
            if variant == 'caffe' and name in ('4c', '4d'):
                widths = widths._replace(pool_proj=128)
            setattr(self, f'inception{name}', Module(channels, widths, bias))
            channels = stage_channels[f'inception{name}'] = widths.out(channels)
        self.feature_info = tuple(
            dict(name=name, channels=stage_channels[name], stride=2 ** (index + 1), first_center=FIRST_CENTERS[index])
            for index, (name, _) in enumerate(STAGES)
        )
        self._finish()

    @property
    def default_normalization(self) -> dict:
        """The normalization for random weights: that of the public ones."""
        return copy.deepcopy(NORMALIZATION)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Returns the features of the stages in ``out_indices``."""
        stages = []
        x = images
        for number, (_, names) in enumerate(STAGES[: max(self.out_indices) + 1]):
            if number in (1, 2):
                x = self.pool(x)  # /4, /8; the later stages halve the map in their first module
            for name in names:
                x = getattr(self, name)(x)
            stages.append(x)
        return tuple(stages[index] for index in self.out_indices)

    def init_random(self) -> None:
        """Draws weights for batch norm."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode='fan_out', nonlinearity='relu')
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def _frozen_modules(self) -> list[nn.Module]:
        return [getattr(self, name) for _, names in STAGES[: self.frozen_stages + 1] for name in names]

    # ------------------------------------------------------------------------------------------------------- weights

    @classmethod
    def config_from_pretrained(cls, config: Mapping, source: str) -> WeightsConfig:
        """Returns the variant, by its biases, and the normalization that the file says or the public weights have."""
        raw = read_raw(source)
        first, tensors = without_prefix(raw.tensors, public_name(FIRST), FIRST)
        stated = stated_normalization(raw.meta, raw.tensors)
        if first == FIRST:
            return WeightsConfig(dict(variant='caffe' if 'conv1.conv.bias' in tensors else 'paper'), stated)
        return (
            WeightsConfig(dict(variant='caffe'), stated or copy.deepcopy(NORMALIZATION))
            if first
            else WeightsConfig({}, None)
        )

    @classmethod
    def config_from_checkpoint(cls, config: Mapping, checkpoint: Mapping, path: str | Path) -> WeightsConfig:
        """Returns the variant, by its biases, and what the checkpoint says of its normalization."""
        biased = 'backbone.conv1.conv.bias' in checkpoint['state_dict']
        stated = super().config_from_checkpoint(config, checkpoint, path)
        return stated._replace(settings=dict(variant='caffe' if biased else 'paper'))

    def load_pretrained(self, source: str | Path) -> None:
        """Loads the public weights, or the class's own, and notes their normalization; a classifier is left out."""
        raw = read_raw(source)
        first, tensors = without_prefix(raw.tensors, public_name(FIRST), FIRST)
        public, own = first != FIRST, self.state_dict()
        given = {key: tensors[name] for key in own if (name := public_name(key) if public else key) in tensors}

        def refuse(what: str) -> CheckpointError:
            return CheckpointError(
                f'{source}: is no BN-Inception of the variant {self.variant!r} ({what}); name its weights, or set '
                "model.backbone.variant to the file's (the public files are of the variant 'caffe')."
            )

        self.load_state_dict(fit_arrays(own, given, source, refuse))
        stated = stated_normalization(raw.meta, raw.tensors)
        self.normalization = stated or (copy.deepcopy(NORMALIZATION) if public else None)
        print_log(f'BNInception: loaded the weights of {source}', logger='current')


_PUBLIC_NAMES = {
    'conv_1x1': '1x1',
    'reduce_3x3': '3x3_reduce',
    'conv_3x3': '3x3',
    'reduce_double': 'double_3x3_reduce',
    'double_1': 'double_3x3_1',
    'double_2': 'double_3x3_2',
    'pool_proj': 'pool_proj',
}
_PUBLIC_STEM = {'conv1': 'conv1_7x7_s2', 'conv2_reduce': 'conv2_3x3_reduce', 'conv2': 'conv2_3x3'}


def public_name(key: str) -> str:
    """Returns what the public weights call an entry of the ``state_dict``.

    Example:
        >>> public_name('inception3a.double_1.norm.running_mean')
        'inception_3a_double_3x3_1_bn.running_mean'
    """
    *unit, part, entry = key.split('.')
    base = _PUBLIC_STEM[unit[0]] if len(unit) == 1 else f'inception_{unit[0][-2:]}_{_PUBLIC_NAMES[unit[1]]}'
    return f'{base}_bn.{entry}' if part == 'norm' else f'{base}.{entry}'
