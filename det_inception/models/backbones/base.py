"""What every backbone of this project offers; nothing outside this folder asks which one it has.

To add a backbone with weights of its own: one file beside this one with a subclass of :class:`Backbone`, and its import
in ``det_inception/models/__init__.py``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from det_inception.models.backbones.fusing import FuseResult, fuse_batch_norms
from det_inception.weights.initializer import PretrainedModule
from det_inception.weights.normalization import stated_normalization

if TYPE_CHECKING:
    from typing_extensions import Self


class NetworkPart(PretrainedModule):
    """A part of a network whose first modules, or batch-norm statistics, may stay as they are in training.

    Attributes:
        norm_eval: Batch norm uses, and keeps, its stored statistics in training too.
    """

    norm_eval: bool

    def _frozen_modules(self) -> list[nn.Module]:
        """The modules that do not learn."""
        return []

    def _finish(self) -> None:
        """Fixes the weights and the batch-norm statistics of those modules; for the end of ``__init__``.

        And puts the channels last in memory: then convolutions return them so, and a processor is up to twice as fast.
        """
        self.to(memory_format=torch.channels_last)
        for module in self._frozen_modules():
            module.eval()
            module.requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        """Sets training mode; frozen modules, and with ``norm_eval`` all batch norms, stay in evaluation mode."""
        super().train(mode)
        if mode:
            for module in self._frozen_modules():
                module.eval()
            if self.norm_eval:
                for module in self.modules():
                    if isinstance(module, nn.modules.batchnorm._BatchNorm):
                        module.eval()
        return self

    def _example(self) -> Tensor:
        """An input that runs through all modules: (1, C, H, W)."""
        return torch.zeros(1, 3, 128, 128)

    def fuse(self) -> FuseResult:
        """Makes batch norms part of the convolutions before them, in place; from then on it is for inference only.

        Returns:
            How many were fused, and the names of those that stay, which the log says too.
        """
        parameter = next(self.parameters())
        return fuse_batch_norms(self, self._example().to(parameter))


class WeightsConfig(NamedTuple):
    """What a file of weights says about a config.

    Attributes:
        settings: Of the backbone, such as ``variant`` and ``width``.
        normalization: ``mean``, ``std`` and ``bgr_to_rgb`` of the images, where the file says it.
        testing: How a classifier with the weights is tested, a rule of :mod:`det_inception.ilsvrc.crops`, where it is
            known.
    """

    settings: dict
    normalization: dict | None
    testing: dict | None = None


class Backbone(NetworkPart):
    """A network from the image to feature maps.

    Shape legend: N images or region crops, H and W their height and width.

    Attributes:
        feature_info: One dict a stage, for all stages: ``name``; ``channels``; ``stride``; ``first_center``: cell j
            looks at pixel ``stride j + first_center``, the middle of its receptive field (continuous coordinates), None
            where that is unknown.
        out_indices: The stages whose outputs ``forward`` returns.
        normalization: The ``mean``, ``std`` and ``bgr_to_rgb`` that belong to the loaded weights; None before any
            are loaded.
    """

    feature_info: tuple[dict, ...]
    out_indices: tuple[int, ...]
    normalization: dict | None = None

    @property
    def out_channels(self) -> tuple[int, ...]:
        """Channels of the returned stages, in order."""
        return tuple(self.feature_info[index]['channels'] for index in self.out_indices)

    @property
    def first_center(self) -> float | None:
        """Where the first cell of the last returned stage looks."""
        return self.feature_info[self.out_indices[-1]]['first_center']

    @property
    def description(self) -> str:
        """Which network it is, in a few words."""
        return type(self).__name__

    @property
    @abstractmethod
    def default_normalization(self) -> dict:
        """The normalization for random weights."""

    @abstractmethod
    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Returns the features of the stages in ``out_indices``.

        Args:
            images: (N, 3, H, W), normalized as the weights need it.
        """

    @classmethod
    @abstractmethod
    def config_from_pretrained(cls, config: Mapping, source: str) -> WeightsConfig:
        """Returns what pretrained weights, which :meth:`load_pretrained` will load, say about a config.

        Args:
            config: The backbone's settings, as far as the weights do not say them.
            source: A file or an address.

        Raises:
            InputError: The weights cannot be read, or are of another network.
        """

    @classmethod
    def config_from_checkpoint(cls, config: Mapping, checkpoint: Mapping, path: str | Path) -> WeightsConfig:
        """Returns what the checkpoint of a trained detector says about its config.

        Args:
            config: The backbone's settings.
            checkpoint: As :func:`det_inception.weights.checkpoints.read_checkpoint` returns it.
            path: Its file, for messages.

        Raises:
            InputError: It is of another network.
        """
        return WeightsConfig({}, stated_normalization(checkpoint['meta'], checkpoint['state_dict']))


def require_stages(kind: str, names: Sequence[str], out_indices: Sequence[int], frozen_stages: int, last: int) -> None:
    """Refuses stages that a network does not have.

    Args:
        kind: The network's class, for messages.
        names: Of its stages.
        out_indices: Those to return.
        frozen_stages: The last stage to freeze; -1: none.
        last: The last stage that can be frozen.

    Raises:
        ValueError: It has no such stages.
    """
    if not out_indices or any(index not in range(len(names)) for index in out_indices):
        raise ValueError(f'out_indices of {kind} are stages 0 to {len(names) - 1}, not {tuple(out_indices)}')
    if frozen_stages not in range(-1, last + 1):
        raise ValueError(f'frozen_stages of {kind} is -1 (none) to {last}, not {frozen_stages}')
