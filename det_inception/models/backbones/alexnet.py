"""AlexNet (Krizhevsky et al., 2012), the network of the first R-CNN, with fc6 and fc7.

=============  ======================  ===========  =====================================================
variant        channels                LRN          public weights
=============  ======================  ===========  =====================================================
torchvision    64, 192, 384, 256, 256  none         torchvision's ``alexnet``; crops of 224
caffe          96, 256, 384, 384, 256  before pool  Caffe's ``bvlc_alexnet``; crops of 227
caffenet       96, 256, 384, 384, 256  behind pool  Caffe's ``bvlc_reference_caffenet``, R-CNN's; crops of 227
=============  ======================  ===========  =====================================================

As in the paper, whose two GPUs each had half of the filters, conv2, conv4 and conv5 of the last two have two groups.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import ClassVar

from torch import Tensor

from det_inception.ilsvrc import RULES
from det_inception.models.backbones.plain import LRN, TORCHVISION, Conv, PlainBackbone, Pool, Stages
from det_inception.registry import MODELS


def _stages(widths: Sequence[int], groups: int, padding: int, between: Sequence[Pool | str], pool: Pool) -> Stages:
    one, two, three, four, five = widths
    fc = (Conv('fc6', 4096, 6, fc=True), Conv('fc7', 4096, 1, fc=True))
    thirds = (Conv('conv3', three, 3, 1, 1), Conv('conv4', four, 3, 1, 1, groups), Conv('conv5', five, 3, 1, 1, groups))
    return (
        ('conv1', (Conv('conv1', one, 11, 4, padding),)),
        ('conv2', (*between, Conv('conv2', two, 5, 1, 2, groups))),
        ('conv5', (*between, *thirds)),
        ('pool5', (pool,)),
        ('fc7', fc),
    )


FLOOR, CEIL = Pool(3, 2, ceil=False), Pool(3, 2)
VARIANTS = {
    'torchvision': _stages((64, 192, 384, 256, 256), 1, 2, (FLOOR,), FLOOR),
    'caffe': _stages((96, 256, 384, 384, 256), 2, 0, (LRN, CEIL), CEIL),
    'caffenet': _stages((96, 256, 384, 384, 256), 2, 0, (CEIL, LRN), CEIL),
}


@MODELS.register_module()
class AlexNet(PlainBackbone):
    """AlexNet up to fc7, as R-CNN had it behind the warped regions.

    Args:
        variant: See the table above. A file of weights tells torchvision's from Caffe's two, which have equal arrays.
        out_indices: Which stages' outputs ``forward`` returns, of 0 to 4: ``conv1`` (stride 4), ``conv2`` (8),
            ``conv5`` (256 channels, 16), ``pool5`` (256, 32), ``fc7`` (4096, 32; images of 224 have one cell).
        **kwargs: As for :class:`~det_inception.models.backbones.plain.PlainBackbone`.
    """

    torchvision_names: ClassVar[Mapping[str, str]] = {
        **{f'conv{number}': f'features.{place}' for number, place in zip((1, 2, 3, 4, 5), (0, 3, 6, 8, 10))},
        'fc6': 'classifier.1',
        'fc7': 'classifier.4',
    }
    testing: ClassVar[Mapping[str, dict]] = dict(torchvision=RULES['torchvision'], caffe=dict(RULES['caffe'], crop=227))

    def __init__(self, variant: str = 'caffenet', out_indices: Sequence[int] = (4,), **kwargs) -> None:
        if variant not in VARIANTS:
            raise ValueError(f'AlexNet has no variant {variant!r}; choose one of {", ".join(VARIANTS)}')
        self.variant = variant
        super().__init__(VARIANTS[variant], out_indices, **kwargs)

    @property
    def description(self) -> str:
        """Which AlexNet it is."""
        return f'AlexNet of the variant {self.variant!r}'

    @property
    def default_normalization(self) -> dict:
        """The normalization for random weights: that of the variant's public ones."""
        return copy.deepcopy(TORCHVISION if self.variant == 'torchvision' else self.normalizations['caffe'])

    @classmethod
    def _settings(cls, config: Mapping, layout: str, tensors: Mapping[str, Tensor]) -> dict:
        if tensors['conv1.weight'].shape[0] == 64:
            return dict(variant='torchvision')
        said = config.get('variant', 'caffenet')
        return dict(variant=said if said != 'torchvision' else 'caffenet')
