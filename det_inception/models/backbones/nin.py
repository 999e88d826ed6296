"""Network in Network (Lin et al., arXiv 1312.4400): 1x1 convolutions behind each convolution, no fully connected layer.

The paper has no network for ImageNet; this is its authors' for Caffe, ``nin_imagenet``.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import ClassVar

from det_inception.ilsvrc import RULES
from det_inception.models.backbones.plain import CAFFE, Conv, PlainBackbone, Pool
from det_inception.registry import MODELS

_POOL = Pool(3, 2)
STAGES = (
    ('cccp2', (Conv('conv1', 96, 11, 4), Conv('cccp1', 96, 1), Conv('cccp2', 96, 1))),
    ('cccp4', (_POOL, Conv('conv2', 256, 5, 1, 2), Conv('cccp3', 256, 1), Conv('cccp4', 256, 1))),
    ('cccp6', (_POOL, Conv('conv3', 384, 3, 1, 1), Conv('cccp5', 384, 1), Conv('cccp6', 384, 1))),
    ('cccp7-1024', (_POOL, Conv('conv4-1024', 1024, 3, 1, 1), Conv('cccp7-1024', 1024, 1))),
)


@MODELS.register_module()
class NIN(PlainBackbone):
    """Network in Network without its last 1x1 convolution, which classifies.

    Args:
        out_indices: Which stages' outputs ``forward`` returns, of 0 to 3: ``cccp2`` (96 channels, stride 4), ``cccp4``
            (256, 8), ``cccp6`` (384, 16), ``cccp7-1024`` (1024, 32).
        **kwargs: As for :class:`~det_inception.models.backbones.plain.PlainBackbone`.
    """

    normalizations: ClassVar[Mapping[str, dict]] = dict(caffe=CAFFE)
    testing: ClassVar[Mapping[str, dict]] = dict(caffe=RULES['caffe'])

    def __init__(self, out_indices: Sequence[int] = (3,), **kwargs) -> None:
        super().__init__(STAGES, out_indices, **kwargs)

    @property
    def default_normalization(self) -> dict:
        """The normalization for random weights: that of the public ones."""
        return copy.deepcopy(CAFFE)
