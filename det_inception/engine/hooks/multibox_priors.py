"""Priors of MultiBox from a training set, when a training starts that has none yet.

Shape legend: N objects of a data set.
"""

from __future__ import annotations

import numpy as np
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from det_inception.models.heads.multibox_head import MultiBoxHead
from det_inception.proposals.multibox import relative_boxes
from det_inception.registry import HOOKS
from det_inception.utils.errors import InputError


def dataset_boxes(dataset) -> np.ndarray:
    """Returns all objects of a data set as fractions of their images.

    Args:
        dataset: MMDetection's, of ``dict(height, width, instances)`` an image; its pipeline is not run. Objects with an
            ``ignore_flag`` are left out.

    Returns:
        float64 (N, 4).
    """
    boxes = [np.zeros((0, 4))]
    for index in range(len(dataset)):
        entry = dataset.get_data_info(index)
        found = [instance['bbox'] for instance in entry['instances'] if not instance.get('ignore_flag')]
        boxes.append(relative_boxes(np.array(found), entry['height'], entry['width']))
    return np.concatenate(boxes)


@HOOKS.register_module()
class MultiBoxPriorsHook(Hook):
    """Gives a MultiBox head that has no priors those of the training set, before the first step.

    A head that has them, from a file or from a checkpoint that is resumed, keeps them. Every process of a distributed
    training computes the same.
    """

    def before_train(self, runner: Runner) -> None:
        """Makes the priors.

        Raises:
            InputError: The model has no MultiBox head, or the training set too few boxes.
        """
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        head = getattr(model, 'bbox_head', None)
        if not isinstance(head, MultiBoxHead):
            raise InputError(
                f"MultiBoxPriorsHook: the config's {type(model).__name__} has no MultiBox head; take "
                'the hook out of custom_hooks.'
            )
        if head.has_priors:
            return
        boxes = dataset_boxes(runner.train_dataloader.dataset)
        head.set_priors(head.make_priors(boxes))
        print_log(f'{len(head.priors)} priors of MultiBox from {len(boxes)} boxes of the training set.', 'current')
