"""Networks whose layers follow one another: AlexNet, VGG-16, Network in Network.

Shape legend: N images or region crops, H and W their height and width.

Fully connected layers are written as convolutions of the size of their input, which is the same arithmetic: on crops of
the network's size their map has one cell, on larger images more.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

from mmengine.logging import print_log
from torch import Tensor, nn

from det_inception.models.backbones.base import Backbone, WeightsConfig, require_stages
from det_inception.models.backbones.googlenet import LocalResponseNorm
from det_inception.utils.errors import InputError
from det_inception.weights.files import CheckpointError, RawCheckpoint, read_raw
from det_inception.weights.fitting import fit_arrays, without_prefix
from det_inception.weights.layouts import SHARED_HEAD
from det_inception.weights.normalization import describe, stated_normalization

CAFFE = dict(mean=[104.0, 117.0, 123.0], std=[1.0, 1.0, 1.0], bgr_to_rgb=False)
TORCHVISION = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True)
"""What public weights were trained with."""


class Conv(NamedTuple):
    """A convolution with bias and ReLU; ``fc``: it is a fully connected layer, with dropout behind it."""

    name: str
    channels: int
    kernel: int
    stride: int = 1
    padding: int = 0
    groups: int = 1
    fc: bool = False


class Pool(NamedTuple):
    """A max-pool; ``ceil``: what is left over at the edges makes one more cell, as in Caffe."""

    kernel: int
    stride: int
    ceil: bool = True


LRN = 'lrn'
Stages = tuple[tuple[str, tuple[Conv | Pool | str, ...]], ...]
"""The stages: the name of each one's output, and its layers, in the order in which they run."""


class PlainBackbone(Backbone):
    """What such networks have in common; each says its layers.

    Args:
        stages: Its layers.
        out_indices: Which stages' outputs ``forward`` returns; None: the last. Those behind are not built.
        frozen_stages: Stages 0 to ``frozen_stages`` keep their weights; -1: none do.
        norm_eval: For batch norms, which these networks have none of.
        dropout: Share of the outputs of a fully connected layer that training sets to zero.
        init_cfg: ``dict(type='Pretrained', checkpoint=...)`` with a file or an address; None: random weights.
    """

    torchvision_names: ClassVar[Mapping[str, str]] = {}
    """To each layer, its name in torchvision's file."""
    normalizations: ClassVar[Mapping[str, dict]] = dict(caffe=CAFFE, torchvision=TORCHVISION)
    testing: ClassVar[Mapping[str, dict]] = {}
    """To each layout of public weights: what it wants of images."""

    def __init__(
        self,
        stages: Stages,
        out_indices: Sequence[int] | None = None,
        frozen_stages: int = -1,
        norm_eval: bool = False,
        dropout: float = 0.5,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        names = [name for name, _ in stages]
        out_indices = (len(stages) - 1,) if out_indices is None else tuple(out_indices)
        require_stages(type(self).__name__, names, out_indices, frozen_stages, max(out_indices, default=-1))
        self.out_indices, self.frozen_stages, self.norm_eval = out_indices, frozen_stages, norm_eval
        self.relu, self.lrn, self.dropout = nn.ReLU(inplace=True), LocalResponseNorm(), nn.Dropout(dropout)
        self._stages = stages[: max(out_indices) + 1]

        channels, stride, center, info = 3, 1, 0.5, []
        for number, (name, layers) in enumerate(stages):
            for layer in layers:
                if layer == LRN:
                    continue
                padding = layer.padding if isinstance(layer, Conv) else 0
                center += ((layer.kernel - 1) / 2 - padding) * stride
                stride *= layer.stride
                if isinstance(layer, Conv):
                    if number < len(self._stages):
                        settings = dict(stride=layer.stride, padding=padding, groups=layer.groups)
                        self.add_module(layer.name, nn.Conv2d(channels, layer.channels, layer.kernel, **settings))
                    channels = layer.channels
            info.append(dict(name=name, channels=channels, stride=stride, first_center=center))
        self.feature_info = tuple(info)
        self._finish()

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Returns the features of the stages in ``out_indices``.

        Raises:
            InputError: The images are so small that a layer sees less than its kernel.
        """
        outputs, x = [], images
        for _, layers in self._stages:
            for layer in layers:
                if layer == LRN:
                    x = self.lrn(x)
                    continue
                padding = layer.padding if isinstance(layer, Conv) else 0
                if min(x.shape[-2:]) + 2 * padding < layer.kernel:
                    raise InputError(
                        f'images of {images.shape[-1]}x{images.shape[-2]} pixels are too small for '
                        f'{type(self).__name__}, of whose layers {getattr(layer, "name", "a pool")} looks at '
                        f'{layer.kernel}x{layer.kernel} cells and gets {x.shape[-1]}x{x.shape[-2]}; make '
                        'region_warp.size or the images larger.'
                    )
                if isinstance(layer, Pool):
                    x = nn.functional.max_pool2d(x, layer.kernel, layer.stride, ceil_mode=layer.ceil)
                else:
                    x = self.relu(getattr(self, layer.name)(x))
                    x = self.dropout(x) if layer.fc else x
            outputs.append(x)
        return tuple(outputs[index] for index in self.out_indices)

    def init_random(self) -> None:
        """Draws weights, see :func:`draw_weights`."""
        draw_weights(self)

    def _frozen_modules(self) -> list[nn.Module]:
        layers = [layer for _, layers in self._stages[: self.frozen_stages + 1] for layer in layers]
        return [getattr(self, layer.name) for layer in layers if isinstance(layer, Conv)]

    # ------------------------------------------------------------------------------------------------------- weights

    @classmethod
    def config_from_pretrained(cls, config: Mapping, source: str) -> WeightsConfig:
        """Returns what the layout of a file says: what it wants of images, and in a subclass the variant."""
        raw = read_raw(source)
        layout, tensors = cls._named_by_us(raw, source)
        normalization = stated_normalization(raw.meta, raw.tensors) or cls.normalizations[layout]
        settings = cls._settings(config, layout, tensors)
        return WeightsConfig(settings, copy.deepcopy(normalization), copy.deepcopy(cls.testing.get(layout)))

    @classmethod
    def config_from_checkpoint(cls, config: Mapping, checkpoint: Mapping, path: str | Path) -> WeightsConfig:
        """Returns the normalization that a checkpoint states, and in a subclass the variant."""
        layout, tensors = cls._named_by_us(RawCheckpoint(checkpoint['state_dict'], checkpoint['meta']), str(path))
        stated = super().config_from_checkpoint(config, checkpoint, path)
        return stated._replace(settings=cls._settings(config, layout, tensors))

    def load_pretrained(self, source: str | Path) -> None:
        """Loads the weights of torchvision, of Caffe or of the class; the classifier's last layer is left out."""
        found, self.normalization = self.read_weights(source, self.state_dict(), self.description)
        self.load_state_dict(found)
        print_log(
            f'{self.description}: loaded the weights of {source}; they need images in {describe(self.normalization)}',
            'current',
        )

    @classmethod
    def read_weights(
        cls, source: str | Path, wanted: Mapping[str, Tensor], description: str
    ) -> tuple[dict[str, Tensor], dict]:
        """Returns some of the network's arrays out of a file, and the normalization that belongs to it.

        Args:
            source: A file or an address.
            wanted: To each name of this class, an array of the shape that it must have.
            description: Of the network, for messages.

        Raises:
            InputError: The file cannot be read, or lacks one of them.
        """
        raw = read_raw(source)
        layout, tensors = cls._named_by_us(raw, str(source))
        found = fit_arrays(
            wanted,
            tensors,
            source,
            lambda what: CheckpointError(
                f'{source}: is no {description} ({what}); name its weights, or correct the config.'
            ),
        )
        stated = stated_normalization(raw.meta, raw.tensors)
        return found, copy.deepcopy(stated or cls.normalizations[layout])

    @classmethod
    def _settings(cls, config: Mapping, layout: str, tensors: Mapping[str, Tensor]) -> dict:
        """Settings that follow from a file."""
        return {}

    @classmethod
    def _named_by_us(cls, raw: RawCheckpoint, name: str) -> tuple[str, dict[str, Tensor]]:
        """Returns a file's layout, and its arrays under this class's names, which are Caffe's."""
        own, theirs = f'{cls.first_layer}.weight', f'{cls.torchvision_names.get(cls.first_layer)}.weight'
        first, tensors = without_prefix(raw.tensors, theirs, own)
        if first == own:
            return 'caffe', {key.removeprefix(SHARED_HEAD): value for key, value in tensors.items()}
        if first == theirs:
            ours = {name: own for own, name in cls.torchvision_names.items()}
            split = ((*key.rpartition('.')[::2], value) for key, value in tensors.items())
            return 'torchvision', {f'{ours[layer]}.{kind}': value for layer, kind, value in split if layer in ours}
        raise CheckpointError(
            f'{name}: holds {len(raw.tensors)} arrays and no {cls.__name__}, whose first layer is {own}'
            f'{f" or {theirs}" if cls.torchvision_names else ""}; name its weights.'
        )

    first_layer: ClassVar[str] = 'conv1'


def draw_weights(network: nn.Module) -> None:
    """Draws weights of convolutions that keep the size of the signal through ReLUs (He et al., arXiv 1502.01852)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity='relu')
            nn.init.zeros_(module.bias)
