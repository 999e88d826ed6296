"""VGG-16 (Simonyan and Zisserman, arXiv 1409.1556, configuration D) with fc6 and fc7, as R-CNN had it."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import ClassVar

from det_inception.ilsvrc import RULES
from det_inception.models.backbones.plain import TORCHVISION, Conv, PlainBackbone, Pool, Stages
from det_inception.registry import MODELS

_POOL = Pool(2, 2, ceil=False)
_BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))


def _stages() -> Stages:
    blocks = []
    for number, (channels, count) in enumerate(_BLOCKS, start=1):
        convs = [Conv(f'conv{number}_{place}', channels, 3, 1, 1) for place in range(1, count + 1)]
        blocks.append((convs[-1].name, (*([_POOL] if number > 1 else []), *convs)))
    fc = (Conv('fc6', 4096, 7, fc=True), Conv('fc7', 4096, 1, fc=True))
    return (*blocks, ('pool5', (_POOL,)), ('fc7', fc))


STAGES = _stages()


@MODELS.register_module()
class VGG16(PlainBackbone):
    """VGG-16 up to fc7.

    Args:
        out_indices: Which stages' outputs ``forward`` returns, of 0 to 6: ``conv1_2`` (64 channels, stride 1),
            ``conv2_2`` (128, 2), ``conv3_3`` (256, 4), ``conv4_3`` (512, 8), ``conv5_3`` (512, 16), ``pool5`` (512,
            32), ``fc7`` (4096, 32; images of 224 have one cell).
        **kwargs: As for :class:`~det_inception.models.backbones.plain.PlainBackbone`.
    """

    first_layer: ClassVar[str] = 'conv1_1'
    torchvision_names: ClassVar[Mapping[str, str]] = {
        **{
            f'conv{block + 1}_{layer + 1}': f'features.{sum(2 * count + 1 for _, count in _BLOCKS[:block]) + 2 * layer}'
            for block, (_, layers) in enumerate(_BLOCKS)
            for layer in range(layers)
        },
        'fc6': 'classifier.0',
        'fc7': 'classifier.3',
    }
    normalizations: ClassVar[Mapping[str, dict]] = dict(
        caffe=dict(mean=[103.939, 116.779, 123.68], std=[1.0, 1.0, 1.0], bgr_to_rgb=False), torchvision=TORCHVISION
    )
    testing: ClassVar[Mapping[str, dict]] = dict(
        torchvision=RULES['torchvision'], caffe=dict(RULES['paper'], interpolation='bilinear')
    )

    def __init__(self, out_indices: Sequence[int] = (6,), **kwargs) -> None:
        super().__init__(STAGES, out_indices, **kwargs)

    @property
    def default_normalization(self) -> dict:
        """The normalization for random weights: torchvision's."""
        return copy.deepcopy(TORCHVISION)
