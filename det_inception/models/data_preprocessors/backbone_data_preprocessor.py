"""MMDetection's data preprocessor with the normalization of the backbone's weights."""

from __future__ import annotations

from mmdet.models.data_preprocessors import DetDataPreprocessor
from torch.nn import functional

from det_inception.models.data_preprocessors.normalization import NormalizationBuffers, require_normalization
from det_inception.registry import MODELS

SMALLEST = 32
"""A batch has at least this height and width in pixels, so that the networks leave a cell of it."""


@MODELS.register_module()
class BackboneDataPreprocessor(NormalizationBuffers, DetDataPreprocessor):
    """``DetDataPreprocessor`` whose ``mean``, ``std`` and ``bgr_to_rgb`` are persistent buffers.

    They come from the backbone's weights (:class:`~det_inception.engine.BackboneNormalizationHook`) or from a
    checkpoint of the model, and checkpoints carry them.

    Args:
        mean: None: from the weights. Three values, 0 to 255, in the order of the channels after ``bgr_to_rgb``, are
            refused if the weights need others.
        std: Likewise.
        bgr_to_rgb: Likewise.
        **kwargs: As for MMDetection's.
    """

    def forward(self, data: dict, training: bool = False) -> dict:
        """Does what MMDetection's does, and gives images of a few pixels a border on the right and below.

        Raises:
            InputError: Nothing has said yet how images are normalized.
        """
        require_normalization(self)
        data = super().forward(data, training)
        height, width = data['inputs'].shape[-2:]
        if min(height, width) < SMALLEST:
            border = 0, max(0, SMALLEST - width), 0, max(0, SMALLEST - height)
            data['inputs'] = functional.pad(data['inputs'], border, value=self.pad_value)
            for sample in data['data_samples'] or ():
                sample.set_metainfo(dict(batch_input_shape=tuple(data['inputs'].shape[-2:])))
        return data
