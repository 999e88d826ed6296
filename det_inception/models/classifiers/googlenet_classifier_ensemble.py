"""Several classifiers that judge the same crops: 6.67 % of 2014 were seven GoogLeNets (arXiv 1409.4842, section 7).

Shape legend: N images, V views (crops) of each, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from det_inception.models.classifiers.image_classifier import ImageClassifier, put_predictions
from det_inception.models.classifiers.timm_classifier import TimmClassifier
from det_inception.models.detectors.rcnn_ensemble import require_members
from det_inception.registry import MODELS
from det_inception.utils.errors import InputError


@MODELS.register_module()
class GoogLeNetClassifierEnsemble(BaseModel):
    """The mean of the members' softmax, over all views of an image.

    Members may differ in network, variant, width and normalization; not in the number of classes.

    Args:
        members: Configs of :class:`~det_inception.models.ImageClassifier`, ``GoogLeNetClassifier`` or
            ``TimmClassifier``, each with its ``data_preprocessor``.
        data_preprocessor: What stacks the crops; it must not normalize, since each member does for itself. None: a
            :class:`~det_inception.models.CropPreprocessor`.
        init_cfg: As in MMEngine.
    """

    def __init__(
        self, members: Sequence[dict], data_preprocessor: dict | None = None, init_cfg: dict | None = None
    ) -> None:
        super().__init__(data_preprocessor or dict(type='CropPreprocessor'), init_cfg)
        require_members(members, self.data_preprocessor)
        self.members: Sequence[ImageClassifier | TimmClassifier] = nn.ModuleList(
            MODELS.build(member) for member in members
        )
        classes = {member.num_classes for member in self.members}
        if len(classes) > 1:
            raise InputError(
                f'the members of the ensemble tell {" and ".join(map(str, sorted(classes)))} classes apart; average '
                'networks that know the same.'
            )

    def forward(
        self, inputs: Tensor, data_samples: Sequence[BaseDataElement] | None = None, mode: str = 'tensor'
    ) -> Tensor | list[BaseDataElement]:
        """Classifies images that are not normalized, 0 to 255.

        Args:
            inputs: (N, 3, H, W) or (N, V, 3, H, W).
            data_samples: One an image, or None.
            mode: ``'tensor'`` or ``'predict'``.

        Returns:
            ``'tensor'``: scores (N, K). ``'predict'``: as :meth:`ImageClassifier.forward`.

        Raises:
            InputError: It is to be trained.
        """
        if mode == 'loss':
            raise InputError('an ensemble is not trained as one; train its members, each with a seed of its own.')
        scores = torch.stack(
            [member.view_scores(member.data_preprocessor(dict(inputs=inputs))['inputs']) for member in self.members]
        ).mean(0)
        return put_predictions(scores, data_samples) if mode == 'predict' else scores
