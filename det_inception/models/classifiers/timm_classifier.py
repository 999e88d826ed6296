"""A whole network of timm, its own classifier included, to test public weights with this project's crops.

Shape legend: N images, V views (crops) of each, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmengine.logging import print_log
from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement
from torch import Tensor

from det_inception.models.backbones.timm_backbone import (
    ADDRESS,
    classifier_layers,
    create_pretrained,
    current_name,
    is_keras_file,
    read_timm,
    require_known,
    require_timm,
    timm_settings,
)
from det_inception.models.classifiers.image_classifier import put_predictions, softmax_of_views
from det_inception.registry import MODELS
from det_inception.utils.errors import InputError


@MODELS.register_module()
class TimmClassifier(BaseModel):
    """A network of timm as it classifies. It is tested, not trained: a classifier of one's own is an ImageClassifier.

    Args:
        num_classes: K.
        model_name: As for :class:`~det_inception.models.TimmBackbone`.
        chunk_size: So many crops go through the network at a time.
        data_preprocessor: Config of what normalizes and stacks the crops, with the ``mean`` and ``std`` that the
            weights want.
        init_cfg: As in MMEngine.

    Raises:
        InputError: timm is missing or does not know the network.
    """

    def __init__(
        self,
        num_classes: int,
        model_name: str,
        chunk_size: int = 48,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        timm = require_timm()
        require_known(timm, model_name)
        self.num_classes, self.model_name, self.chunk_size = num_classes, current_name(model_name), chunk_size
        self.network = timm.create_model(self.model_name, num_classes=num_classes)

    def forward(
        self, inputs: Tensor, data_samples: Sequence[BaseDataElement] | None = None, mode: str = 'tensor'
    ) -> Tensor | list[BaseDataElement]:
        """Classifies images; see :meth:`ImageClassifier.forward`.

        Raises:
            InputError: It is to be trained.
        """
        if mode == 'loss':
            raise InputError("timm's classifiers are tested here; model.type=ImageClassifier trains one.")
        return self.network(inputs) if mode == 'tensor' else put_predictions(self.view_scores(inputs), data_samples)

    def view_scores(self, inputs: Tensor) -> Tensor:
        """Returns softmax scores (N, K), float32: the mean of the views of (N, V, 3, H, W), or of (N, 3, H, W)."""
        return softmax_of_views(self, inputs, self.chunk_size)

    def load_pretrained(self, source: str | Path) -> None:
        """Loads timm's weights, all of them, from a file or ``timm://``.

        Raises:
            InputError: timm cannot load it, or it is of another network.
        """
        overlay = dict(num_classes=self.num_classes)
        if str(source) != ADDRESS:
            overlay['state_dict'], _ = _read_classifier(self.model_name, str(source))
        loaded = create_pretrained(
            self.model_name, str(source), num_classes=self.num_classes, pretrained_cfg_overlay=overlay
        )
        self.network.load_state_dict(loaded.state_dict())
        print_log(f'TimmClassifier: loaded the weights of {self.model_name} from {source}', logger='current')


def count_classes(model_name: str, source: str | Path) -> int:
    """Returns how many classes timm's weights of a network tell apart.

    Args:
        model_name: Of the network.
        source: A file of its weights, or ``timm://``.

    Raises:
        InputError: The file is of Keras or of another network, or holds no classifier.
    """
    require_known(require_timm(), model_name)
    if str(source) == ADDRESS:
        return timm_settings(model_name).num_classes
    return _read_classifier(model_name, str(source))[1]


def _read_classifier(model_name: str, source: str) -> tuple[dict[str, Tensor], int]:
    """Returns the arrays of a file under timm's names, and how many classes they tell apart."""
    if is_keras_file(source):
        raise InputError(f"{source}: is of Keras, whose classifier is not read; test timm's weights, or {ADDRESS}.")
    found = read_timm(current_name(model_name), source)
    bias = found.get(f'{(*classifier_layers(timm_settings(model_name).to_dict()), "")[0]}.bias')
    if bias is None:
        raise InputError(f'{source}: holds a network without its classifier; name a file that classifies.')
    return found, bias.numel()
