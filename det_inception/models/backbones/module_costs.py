"""What inception modules cost, naive (arXiv 1409.4842, figure 2a) and reduced (2b): counted in built networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from det_inception.models.backbones.googlenet import INCEPTION, GoogLeNet
from det_inception.utils.errors import InputError


class Cost(NamedTuple):
    """Of a part of a network, for one image.

    Attributes:
        name: Of the part.
        channels: Of its output.
        side: Of its output in cells.
        parameters: Weights and biases.
        weights: The same without biases.
        multiply_adds: Of its convolutions.
    """

    name: str
    channels: int
    side: int
    parameters: int
    weights: int
    multiply_adds: int


def module_costs(modules: str = 'reduced', size: int = 224) -> list[Cost]:
    """Returns the costs of the paper's nine modules, and of the network up to and with them.

    Args:
        modules: ``'reduced'`` or ``'naive'``.
        size: Side of the image in pixels.

    Raises:
        InputError: The image is too small for the network.
    """
    if size < 31:
        raise InputError(f'an image of {size} pixels is too small for GoogLeNet, which halves it five times; use 224.')
    with torch.device('meta'):
        network = GoogLeNet(modules=modules).eval()
        parts = {name: getattr(network, f'inception{name}') for name in INCEPTION}
        return _costs({**parts, 'conv1 to 5b': network}, network, torch.zeros(1, 3, size, size))


def worked_examples() -> list[Cost]:
    """Returns the costs of layers on 192 channels of 28 x 28, as module 3a has them, plain and through a reduction."""

    def conv(inside: int, out: int, kernel: int) -> nn.Conv2d:
        return nn.Conv2d(inside, out, kernel, padding=kernel // 2)

    with torch.device('meta'):
        layers: Sequence[tuple[str, nn.Sequential]] = (
            ('96 filters of 3x3', nn.Sequential(conv(192, 96, 3))),
            ('64 filters of 1x1, then 96 of 3x3', nn.Sequential(conv(192, 64, 1), conv(64, 96, 3))),
            ('32 filters of 5x5', nn.Sequential(conv(192, 32, 5))),
            ('16 filters of 1x1, then 32 of 5x5', nn.Sequential(conv(192, 16, 1), conv(16, 32, 5))),
            ('32 filters of 3x3, then 32 of 3x3', nn.Sequential(conv(192, 32, 3), conv(32, 32, 3))),
        )
        images = torch.zeros(1, 192, 28, 28)
        return [cost for name, layer in layers for cost in _costs({name: layer}, layer, images)]


def _costs(parts: dict[str, nn.Module], network: nn.Module, images: Tensor) -> list[Cost]:
    outputs: dict[nn.Module, Tensor] = {}
    hooks = [
        module.register_forward_hook(lambda module, given, output: outputs.update({module: output}))
        for module in network.modules()
    ]
    with torch.no_grad():
        network(images)
    for hook in hooks:
        hook.remove()
    costs = []
    for name, part in parts.items():
        convs = [module for module in part.modules() if isinstance(module, nn.Conv2d)]
        output = outputs[part][-1] if isinstance(outputs[part], tuple) else outputs[part]
        costs.append(
            Cost(
                name,
                channels=output.shape[1],
                side=output.shape[-1],
                parameters=sum(parameter.numel() for parameter in part.parameters()),
                weights=sum(conv.weight.numel() for conv in convs),
                multiply_adds=sum(conv.weight.numel() * outputs[conv][0, 0].numel() for conv in convs),
            )
        )
    return costs
