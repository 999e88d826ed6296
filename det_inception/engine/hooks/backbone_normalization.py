"""The normalization of the backbone's weights, for every detector, MMDetection's own included."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from det_inception.models.data_preprocessors.normalization import (
    NormalizationBuffers,
    fit_normalization,
    require_normalization,
)
from det_inception.registry import HOOKS
from det_inception.weights.checkpoints import unwrapped
from det_inception.weights.normalization import add_normalization, describe


@HOOKS.register_module()
class BackboneNormalizationHook(Hook):
    """Copies ``model.backbone.normalization`` into the data preprocessor before training starts.

    A checkpoint of the whole model brings its own. One of version 0.1, whose preprocessor had no buffers, says its
    normalization in ``meta``: it is put where the model looks for it.
    """

    priority = 'VERY_HIGH'

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Completes a checkpoint of version 0.1; MMEngine calls this before it loads it into the model."""
        preprocessor = unwrapped(runner.model).data_preprocessor
        if isinstance(preprocessor, NormalizationBuffers) and 'state_dict' in checkpoint:
            add_normalization(checkpoint['state_dict'], checkpoint.get('meta') or {})

    def before_train(self, runner: Runner) -> None:
        """Copies the normalization; MMEngine calls this when weights and checkpoint have been loaded.

        Raises:
            InputError: The config names another normalization than the weights need, or nothing names one.
        """
        model = unwrapped(runner.model)
        fit_normalization(model)
        if isinstance(model.data_preprocessor, NormalizationBuffers):
            require_normalization(model.data_preprocessor)
            said = describe(model.data_preprocessor.normalization)
            print_log(f'Images are normalized as the {model.data_preprocessor.origin} says: {said}.', 'current')
