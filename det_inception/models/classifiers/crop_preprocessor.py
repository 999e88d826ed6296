"""Normalizes and stacks the crops of images, without ever leaving the channels-last layout.

Shape legend: N images, V views (crops) of each, H and W of a crop.
"""

from __future__ import annotations

import torch
from mmengine.model import ImgDataPreprocessor
from torch import Tensor

from det_inception.models.data_preprocessors.normalization import NormalizationBuffers
from det_inception.registry import MODELS
from det_inception.utils.errors import InputError


@MODELS.register_module()
class CropPreprocessor(NormalizationBuffers, ImgDataPreprocessor):
    """MMEngine's ``ImgDataPreprocessor`` for crops of one size, also for several of each image.

    What reads crops gives them as height, width, channel, and convolutions are fastest on this layout; so they stay
    in it: the result has the shape that PyTorch wants and channels-last strides.

    Args:
        mean: None: from the backbone's weights, as in
            :class:`~det_inception.models.BackboneDataPreprocessor`; without a backbone, crops stay as they are. Three
            values, 0 to 255, in the order of the channels after ``bgr_to_rgb``, are refused if the weights need others.
        std: Likewise.
        bgr_to_rgb: Whether to reverse the order of the channels.
    """

    def forward(self, data: dict, training: bool = False) -> dict:
        """Returns ``inputs`` as (N, 3, H, W) or (N, V, 3, H, W), float32 if normalized, and ``data_samples``.

        Args:
            data: ``inputs``: N tensors (3, H, W) or (V, 3, H, W), or these stacked.
            training: Has no influence.

        Raises:
            InputError: The crops differ in size or number.
        """
        data = self.cast_data(data)
        images = [image.movedim(-3, -1) for image in data['inputs']]
        if any(image.shape != images[0].shape for image in images):
            sizes = ' and '.join(sorted({'x'.join(map(str, image.shape[:-1])) for image in images}))
            raise InputError(f'the images of a batch differ in size ({sizes}); let the pipeline crop them to one.')
        data['inputs'] = self.normalize(torch.stack(images)).movedim(-1, -3)
        data.setdefault('data_samples', None)
        return data

    def normalize(self, images: Tensor) -> Tensor:
        """Normalizes images (..., H, W, 3)."""
        if self._channel_conversion:
            images = images.flip(-1)
        if not self._enable_normalize:
            return images
        # By rows: an inner loop over three channels would take ten times as long.
        width = images.size(-2)
        mean, std = (getattr(self, name).flatten().repeat(width) for name in ('mean', 'std'))
        rows = images.flatten(-2).to(mean.dtype, copy=True)  # The caller's values stay.
        return rows.sub_(mean).div_(std).unflatten(-1, (width, 3))
