"""GoogLeNet as a backbone (Szegedy et al., "Going deeper with convolutions", arXiv 1409.4842, table 1).

Shape legend: N images or region crops, H and W their height and width; a comment behind a line of ``forward`` gives
channels and stride, for the network's full width.

Four variants, one table of modules:

=============  ==========================  =======================  ==================  ==============
variant        normalization               "5x5" branch             last max-pool       public weights
=============  ==========================  =======================  ==================  ==============
paper          LRN, biases                 5x5                      3x3 / 2             BVLC (Caffe)
batch_norm     batch norm, no biases       5x5                      3x3 / 2             none
torchvision    batch norm (eps 1e-3)       3x3 (their issue 906)    2x2 / 2             torchvision
tf_slim        batch norm without scale    3x3                      2x2 / 2             TF-slim
=============  ==========================  =======================  ==================  ==============
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from det_inception.models.backbones.base import Backbone, WeightsConfig, require_stages
from det_inception.registry import MODELS
from det_inception.weights.files import CheckpointError, RawCheckpoint
from det_inception.weights.layouts import NetworkLayout, Unit, Weights, convert_state_dict, read_weights
from det_inception.weights.normalization import describe


class InceptionWidths(NamedTuple):
    """Output channels of one module, in the order of the paper's table 1."""

    conv_1x1: int
    reduce_3x3: int
    conv_3x3: int
    reduce_5x5: int
    conv_5x5: int
    pool_proj: int

    @property
    def out(self) -> int:
        return self.conv_1x1 + self.conv_3x3 + self.conv_5x5 + self.pool_proj

    def scaled(self, width: float) -> InceptionWidths:
        return InceptionWidths(*(scale_channels(channels, width) for channels in self))


INCEPTION = {
    '3a': InceptionWidths(64, 96, 128, 16, 32, 32),
    '3b': InceptionWidths(128, 128, 192, 32, 96, 64),
    '4a': InceptionWidths(192, 96, 208, 16, 48, 64),
    '4b': InceptionWidths(160, 112, 224, 24, 64, 64),
    '4c': InceptionWidths(128, 128, 256, 24, 64, 64),
    '4d': InceptionWidths(112, 144, 288, 32, 64, 64),
    '4e': InceptionWidths(256, 160, 320, 32, 128, 128),
    '5a': InceptionWidths(256, 160, 320, 32, 128, 128),
    '5b': InceptionWidths(384, 192, 384, 48, 128, 128),
}

STAGES = (
    ('conv1', ('conv1',)),
    ('conv2', ('conv2_reduce', 'conv2')),
    ('inception3b', ('inception3a', 'inception3b')),
    ('inception4e', ('inception4a', 'inception4b', 'inception4c', 'inception4d', 'inception4e')),
    ('inception5b', ('inception5a', 'inception5b')),
)
"""The five stages, one a stride (2, 4, 8, 16, 32): the name of each one's output, and its modules."""

AUX_LAYERS = ('inception4a', 'inception4d')
"""The modules whose outputs the paper's auxiliary classifiers look at."""


class Variant(NamedTuple):
    """What tells the public GoogLeNets apart."""

    batch_norm: bool
    kernel_5x5: int
    last_pool: int
    same_padding: bool = False


VARIANTS = {
    'paper': Variant(batch_norm=False, kernel_5x5=5, last_pool=3),
    'batch_norm': Variant(batch_norm=True, kernel_5x5=5, last_pool=3),
    'torchvision': Variant(batch_norm=True, kernel_5x5=3, last_pool=2),
    'tf_slim': Variant(batch_norm=True, kernel_5x5=3, last_pool=2, same_padding=True),
}

NORMALIZATION = {
    'paper': dict(mean=[104.0, 117.0, 123.0], std=[1.0, 1.0, 1.0], bgr_to_rgb=False),
    'batch_norm': dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5], bgr_to_rgb=True),
    'torchvision': dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5], bgr_to_rgb=True),
    'tf_slim': dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5], bgr_to_rgb=True),
}
"""What the public weights of a variant were trained with. No public weights exist for ``batch_norm``; its entry is
this project's choice."""


SAME_PADDING = 'same_padding'
MODULES = ('reduced', 'naive')
"""Kinds of inception modules: those of figure 2b, which the entry had, and those of figure 2a."""


def scale_channels(channels: int, width: float) -> int:
    """Channels of a network that is ``width`` times as wide: a multiple of 8, at least 8; unchanged for 1."""
    return channels if width == 1 else max(8, int(channels * width / 8 + 0.5) * 8)


def init_conv_(module: nn.Conv2d) -> None:
    """Draws random weights: for batch norm where there is no bias, else those of Caffe's GoogLeNet."""
    if module.bias is None:
        nn.init.kaiming_normal_(module.weight, mode='fan_out', nonlinearity='relu')
    else:
        caffe_xavier_init_(module, bias=0.2)


def caffe_xavier_init_(module: nn.Conv2d | nn.Linear, bias: float) -> None:
    """Draws weights by Caffe's "xavier", which looks at the inputs alone, and sets the biases."""
    bound = (3 / module.weight[0].numel()) ** 0.5
    nn.init.uniform_(module.weight, -bound, bound)
    nn.init.constant_(module.bias, bias)


class LocalResponseNorm(nn.Module):
    """Local response normalization across channels as Caffe computes it (Krizhevsky et al., 2012, section 3.3).

    ``y = x / (k + alpha / size * sum of x^2 over the size nearest channels) ^ 0.75``. The same as
    ``torch.nn.LocalResponseNorm`` with beta 0.75, which pools over a five-dimensional view and is several times slower.
    """

    def __init__(self, size: int = 5, alpha: float = 1e-4, k: float = 1.0) -> None:
        super().__init__()
        if size % 2 == 0:
            raise ValueError(f'the window of a LocalResponseNorm is odd, not {size}')
        self.size, self.alpha, self.k = size, alpha, k

    def extra_repr(self) -> str:
        return f'size={self.size}, alpha={self.alpha}, beta=0.75, k={self.k}'

    def forward(self, x: Tensor) -> Tensor:
        reach, channels = self.size // 2, x.size(1)
        # Scaled before it is squared, so that float16 does not overflow.
        square = (x * (self.alpha / self.size) ** 0.5).square()
        padded = nn.functional.pad(square, (0, 0, 0, 0, reach, reach))
        total = self.k + sum(padded.narrow(1, offset, channels) for offset in range(self.size))
        # total ** -0.75, without the general and slow power.
        return x * (total * total.sqrt()).rsqrt()


class ConvUnit(nn.Sequential):
    """Convolution, batch norm (where the variant has it) and ReLU."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, batch_norm: bool, stride: int = 1, padded: bool = True
    ) -> None:
        super().__init__()
        padding = kernel // 2 if padded else 0
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding=padding, bias=not batch_norm)
        self.norm = nn.BatchNorm2d(out_channels, eps=1e-3) if batch_norm else nn.Identity()
        self.relu = nn.ReLU(inplace=True)


class SamePadding(nn.Module):
    """TensorFlow's padding in front of a layer of stride 2: half of the input's size, rounded up, comes out.

    What is needed is divided over both sides, an odd rest goes to the right and below. Zeros will do for a max-pool,
    too: it sees what a ReLU gives.
    """

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.kernel = kernel

    def extra_repr(self) -> str:
        return f'kernel={self.kernel}'

    def forward(self, x: Tensor) -> Tensor:
        height, width = (max(self.kernel - 2 + side % 2, 0) for side in x.shape[-2:])
        return nn.functional.pad(x, (width // 2, width - width // 2, height // 2, height - height // 2))


class Inception(nn.Module):
    """One inception module: four branches side by side (the paper's figure 2b)."""

    def __init__(self, in_channels: int, widths: InceptionWidths, variant: Variant) -> None:
        super().__init__()
        norm = variant.batch_norm
        self.conv_1x1 = ConvUnit(in_channels, widths.conv_1x1, 1, norm)
        self.reduce_3x3 = ConvUnit(in_channels, widths.reduce_3x3, 1, norm)
        self.conv_3x3 = ConvUnit(widths.reduce_3x3, widths.conv_3x3, 3, norm)
        self.reduce_5x5 = ConvUnit(in_channels, widths.reduce_5x5, 1, norm)
        self.conv_5x5 = ConvUnit(widths.reduce_5x5, widths.conv_5x5, variant.kernel_5x5, norm)
        self.pool = nn.MaxPool2d(3, stride=1, padding=1)
        self.pool_proj = ConvUnit(in_channels, widths.pool_proj, 1, norm)

    def forward(self, x: Tensor) -> Tensor:
        branches = (
            self.conv_1x1(x),
            self.conv_3x3(self.reduce_3x3(x)),
            self.conv_5x5(self.reduce_5x5(x)),
            self.pool_proj(self.pool(x)),
        )
        return torch.cat(branches, dim=1)


class NaiveInception(nn.Module):
    """The naive inception module (figure 2a): nothing is reduced, and the pooled input is passed on as it is.

    So every module has more channels than the one before, and the next one's 3x3 and 5x5 pay for them.
    """

    def __init__(self, in_channels: int, widths: InceptionWidths, variant: Variant) -> None:
        super().__init__()
        norm = variant.batch_norm
        self.conv_1x1 = ConvUnit(in_channels, widths.conv_1x1, 1, norm)
        self.conv_3x3 = ConvUnit(in_channels, widths.conv_3x3, 3, norm)
        self.conv_5x5 = ConvUnit(in_channels, widths.conv_5x5, variant.kernel_5x5, norm)
        self.pool = nn.MaxPool2d(3, stride=1, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat((self.conv_1x1(x), self.conv_3x3(x), self.conv_5x5(x), self.pool(x)), dim=1)


def build_inception(modules: str, in_channels: int, widths: InceptionWidths, variant: Variant) -> nn.Module:
    """Returns an inception module of a kind of :data:`MODULES`."""
    kind = Inception if modules == 'reduced' else NaiveInception
    return kind(in_channels, widths, variant)


def inception_channels(modules: str, in_channels: int, widths: InceptionWidths) -> int:
    """Returns the output channels of an inception module."""
    return widths.out if modules == 'reduced' else in_channels + widths.out - widths.pool_proj


def require_modules(modules: str) -> None:
    """Refuses a kind of inception module that there is not."""
    if modules not in MODULES:
        raise ValueError(f'GoogLeNet has no modules {modules!r}; choose one of {", ".join(MODULES)}')


@MODELS.register_module()
class GoogLeNet(Backbone):
    """The convolutional part of GoogLeNet, from the image to inception 5b.

    Args:
        variant: ``'paper'`` (LRN and biases: the network of the paper and of the BVLC weights), ``'batch_norm'`` (the
            same with batch norm instead of LRN and biases), ``'torchvision'`` (exactly torchvision's) or ``'tf_slim'``
            (TF-slim's ``inception_v1``: the same but for TensorFlow's padding).
        out_indices: Which stages' outputs ``forward`` returns, of 0 to 4: ``conv1`` (64 channels, stride 2),
            ``conv2`` (192, 4), ``inception3b`` (480, 8), ``inception4e`` (832, 16), ``inception5b`` (1024, 32). Those
            behind the last of them are not built.
        frozen_stages: Stages 0 to ``frozen_stages`` keep their weights and their batch-norm statistics; -1: none do.
        norm_eval: Batch norm uses, and keeps, its stored statistics in training too.
        width: Multiplies every channel count; 1 is the paper's network.
        modules: ``'reduced'`` or ``'naive'``: modules without the 1x1 convolutions in front of 3x3 and 5x5 and behind
            the pool, to compare; the channels of later stages are then 832, 3344 and 4944 instead of those above.
        init_cfg: ``dict(type='Pretrained', checkpoint=...)`` with any file or address that
            :func:`det_inception.weights.layouts.read_weights` reads, ``'torchvision://googlenet'`` among them.

    Attributes:
        aux_channels: Channels of the maps of :data:`AUX_LAYERS`, by name.

    Example:
        >>> import torch
        >>> network = GoogLeNet(out_indices=(3, 4))
        >>> [tuple(feature.shape) for feature in network(torch.zeros(1, 3, 224, 224))]
        [(1, 832, 14, 14), (1, 1024, 7, 7)]
    """

    def __init__(
        self,
        variant: str = 'paper',
        out_indices: Sequence[int] = (4,),
        frozen_stages: int = -1,
        norm_eval: bool = False,
        width: float = 1.0,
        modules: str = 'reduced',
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if variant not in VARIANTS:
            raise ValueError(f'GoogLeNet has no variant {variant!r}; choose one of {", ".join(VARIANTS)}')
        require_modules(modules)
        names = [name for name, _ in STAGES]
        require_stages('GoogLeNet', names, out_indices, frozen_stages, max(out_indices, default=-1))
        if not 0 < width <= 4:
            raise ValueError(f'width multiplies the channels and lies in (0, 4], not {width}')
        self.variant, self.width, self.out_indices, self.kind = variant, width, tuple(out_indices), modules
        self.frozen_stages, self.norm_eval = frozen_stages, norm_eval

        kind = VARIANTS[variant]
        conv1, conv2 = scale_channels(64, width), scale_channels(192, width)
        needed = {name for _, modules in STAGES[: max(self.out_indices) + 1] for name in modules}
        self.conv1 = ConvUnit(3, conv1, 7, kind.batch_norm, stride=2, padded=not kind.same_padding)
        if 'conv2' in needed:
            self.conv2_reduce = ConvUnit(conv1, conv1, 1, kind.batch_norm)
            self.conv2 = ConvUnit(conv1, conv2, 3, kind.batch_norm)
        channels = conv2
        stage_channels = {'conv1': conv1, 'conv2': conv2}  # of every module's output
        for name, widths in INCEPTION.items():
            widths = widths.scaled(width)
            if f'inception{name}' in needed:
                setattr(self, f'inception{name}', build_inception(modules, channels, widths, kind))
            channels = stage_channels[f'inception{name}'] = inception_channels(modules, channels, widths)
        self.pool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.last_pool = nn.MaxPool2d(kind.last_pool, stride=2, ceil_mode=True)
        self.padding = nn.Identity()
        if kind.same_padding:
            self.padding = SamePadding(7)
            self.pool, self.last_pool = (
                nn.Sequential(SamePadding(kernel), nn.MaxPool2d(kernel, stride=2)) for kernel in (3, kind.last_pool)
            )
            # The arrays are those of 'torchvision'; this one tells checkpoints apart.
            self.register_buffer(SAME_PADDING, torch.tensor(True))
        self.lrn = nn.Identity() if kind.batch_norm else LocalResponseNorm()

        # The pools have no padding, so each moves the first cell's center on, which else would be half a stride.
        # TensorFlow's padding is lopsided where a side is even; these are for sides that 32 divides.
        centers = [1.5 if kind.same_padding else 0.5]
        for kernel in (3, 3, 3, kind.last_pool):
            centers.append(centers[-1] + (kernel - 1) / 2 * 2 ** len(centers))
        self.feature_info = tuple(
            dict(name=name, channels=stage_channels[name], stride=2 ** (index + 1), first_center=centers[index])
            for index, (name, _) in enumerate(STAGES)
        )
        self.aux_channels = {name: stage_channels[name] for name in AUX_LAYERS}
        self._finish()

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Returns the features of the stages in ``out_indices``; for all five stages H and W are at least 31."""
        return self._run(images, {})

    @property
    def description(self) -> str:
        """Which GoogLeNet it is, in a few words."""
        kind = VARIANTS[self.variant]
        owners = dict(paper="the paper's ", torchvision="torchvision's ", tf_slim="TF-slim's ")
        whose = f'{owners.get(self.variant, "")}GoogLeNet'
        norm, kernel = 'batch norm' if kind.batch_norm else 'LRN', kind.kernel_5x5
        narrower = '' if self.width == 1 else f', width {self.width:g}'
        naive = '' if self.kind == 'reduced' else ', naive modules'
        return f'{whose} ({norm}, {kernel}x{kernel} kernels in the 5x5 branch{narrower}{naive})'

    @property
    def default_normalization(self) -> dict:
        """The normalization for random weights: that of the variant's public ones."""
        return copy.deepcopy(NORMALIZATION[self.variant])

    def forward_with_aux(self, images: Tensor) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
        """Returns what :meth:`forward` does, and the maps that auxiliary classifiers look at while training.

        Returns:
            The features of the stages in ``out_indices``; and, by the names in :data:`AUX_LAYERS`, the outputs of
            inception 4a (512 channels at full width) and 4d (528), both of stride 16. ``out_indices`` must reach
            stage 3.
        """
        aux = dict.fromkeys(AUX_LAYERS)
        return self._run(images, aux), aux

    def _run(self, images: Tensor, aux: dict[str, Tensor | None]) -> tuple[Tensor, ...]:
        """Runs the network and fills in the maps that ``aux`` names; others are freed as soon as they can be."""
        stages = []
        # Channels last in memory, in which a processor is twice as fast and half precision on a GPU faster.
        x = self.padding(images.contiguous(memory_format=torch.channels_last))
        for number, (_, names) in enumerate(STAGES[: max(self.out_indices) + 1]):
            if number == 1:
                x = self.lrn(self.pool(x))  # 64, /4
            elif number == 2:
                x = self.pool(self.lrn(x))  # 192, /8
            elif number == 3:
                x = self.pool(x)  # 480, /16
            elif number == 4:
                x = self.last_pool(x)  # 832, /32
            for name in names:
                x = getattr(self, name)(x)
                if name in aux:
                    aux[name] = x
            stages.append(x)
        return tuple(stages[index] for index in self.out_indices)

    def init_random(self) -> None:
        """Draws weights that let the variant train."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                init_conv_(module)

    def _frozen_modules(self) -> list[nn.Module]:
        return [getattr(self, name) for _, names in STAGES[: self.frozen_stages + 1] for name in names]

    # ------------------------------------------------------------------------------------------------------- weights

    @classmethod
    def read_weights(cls, source: str | Path) -> Weights:
        """Reads the weights of a GoogLeNet, see :func:`det_inception.weights.layouts.read_weights`."""
        return read_weights(source, LAYOUT, NAIVE_LAYOUT)

    @classmethod
    def config_from_pretrained(cls, config: Mapping, source: str) -> WeightsConfig:
        """Returns variant, width and normalization of the file."""
        return _config(config, cls.read_weights(source))

    @classmethod
    def config_from_checkpoint(cls, config: Mapping, checkpoint: Mapping, path: str | Path) -> WeightsConfig:
        """Returns variant, width and normalization of the checkpoint."""
        raw = RawCheckpoint(checkpoint['state_dict'], checkpoint['meta'])
        return _config(config, convert_state_dict(raw, str(path), LAYOUT, NAIVE_LAYOUT))

    def load_pretrained(self, source: str | Path | Weights) -> None:
        """Loads what :meth:`read_weights` reads, or returned, and notes its normalization."""
        weights = source if isinstance(source, Weights) else self.read_weights(source)
        if weights.variant != self.variant:
            raise CheckpointError(
                f'{weights.source}: holds the {weights.variant!r} variant of GoogLeNet and the config asks for '
                f'{self.variant!r}; set model.backbone.variant={weights.variant!r} or give weights of that variant.'
            )
        if (modules := weights.settings.get('modules', 'reduced')) != self.kind:
            raise CheckpointError(
                f'{weights.source}: holds a GoogLeNet of {modules} modules and the config asks for {self.kind} ones; '
                f'set model.backbone.modules={modules!r} or give weights of such modules.'
            )
        own = self.state_dict()
        if any(weights.backbone[key].shape != value.shape for key, value in own.items()):
            raise CheckpointError(
                f'{weights.source}: holds a GoogLeNet of width {weights.width:g} and the config asks for '
                f'{self.width:g}; set model.backbone.width={weights.width:g} or give weights of that width.'
            )
        self.load_state_dict({key: weights.backbone[key] for key in own})
        self.normalization = copy.deepcopy(weights.normalization)
        print_log(
            f'GoogLeNet: loaded the {weights.variant!r} weights of {weights.source}; they need images in '
            f'{describe(weights.normalization)}',
            logger='current',
        )


def network_settings(config: Mapping, weights: Weights) -> dict:
    """Returns which GoogLeNet weights are of; the kind of its modules only if a config says or needs another."""
    modules = weights.settings.get('modules', 'reduced')
    said = dict(variant=weights.variant, width=weights.width)
    return said if config.get('modules', 'reduced') == modules else said | dict(modules=modules)


def _config(config: Mapping, weights: Weights) -> WeightsConfig:
    return WeightsConfig(network_settings(config, weights), weights.normalization, weights.testing)


def _units() -> tuple[Unit, ...]:
    """The convolutions in the order in which they run, with the names that Caffe and torchvision give them."""
    branches = (
        ('conv_1x1', '1x1', 'branch1', 'Branch_0/Conv2d_0a_1x1'),
        ('reduce_3x3', '3x3_reduce', 'branch2.0', 'Branch_1/Conv2d_0a_1x1'),
        ('conv_3x3', '3x3', 'branch2.1', 'Branch_1/Conv2d_0b_3x3'),
        ('reduce_5x5', '5x5_reduce', 'branch3.0', 'Branch_2/Conv2d_0a_1x1'),
        ('conv_5x5', '5x5', 'branch3.1', 'Branch_2/Conv2d_0b_3x3'),
        ('pool_proj', 'pool_proj', 'branch4.1', 'Branch_3/Conv2d_0b_1x1'),
    )
    units = [
        Unit('conv1', 'conv1/7x7_s2', 'conv1', 64, 'InceptionV1/Conv2d_1a_7x7'),
        Unit('conv2_reduce', 'conv2/3x3_reduce', 'conv2', 64, 'InceptionV1/Conv2d_2b_1x1'),
        Unit('conv2', 'conv2/3x3', 'conv3', 192, 'InceptionV1/Conv2d_2c_3x3'),
    ]
    for key, widths in INCEPTION.items():
        mixed = f'InceptionV1/Mixed_{key[0]}{chr(ord(key[1]) + 1)}'  # TF-slim counts the pool before them as a.
        for own, caffe, theirs, slim in branches:
            slim = 'Branch_2/Conv2d_0a_3x3' if (key, own) == ('5a', 'conv_5x5') else slim  # Its name there, by mistake.
            names = f'inception{key}.{own}', f'inception_{key}/{caffe}', f'inception{key}.{theirs}'
            units.append(Unit(*names, getattr(widths, own), f'{mixed}/{slim}'))
    return tuple(units)


LAYOUT = NetworkLayout(
    name='GoogLeNet',
    units=_units(),
    build=lambda variant, width: GoogLeNet(variant, width=width),
    variants={
        name: (variant.batch_norm, variant.kernel_5x5, variant.same_padding) for name, variant in VARIANTS.items()
    },
    marker=SAME_PADDING,
    telling='inception3a.conv_5x5',
    normalization=NORMALIZATION,
    scale_channels=scale_channels,
    caffe_trunk=('conv1/', 'conv2/', 'inception_'),
    caffe_classifier='loss3/classifier',
    slim_trunk='InceptionV1/',
)
"""How the public weights of GoogLeNet are recognized."""

NAIVE_LAYOUT = replace(
    LAYOUT,
    name='GoogLeNet of naive modules',
    units=tuple(unit for unit in LAYOUT.units if not unit.own.endswith(('reduce_3x3', 'reduce_5x5', 'pool_proj'))),
    build=lambda variant, width: GoogLeNet(variant, width=width, modules='naive'),
    settings=dict(modules='naive'),
    lacking='.reduce_3x3.',
)
"""The same of this project's own with naive modules, of which there are no public weights."""
