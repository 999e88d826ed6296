"""Training and testing from a config: hooks, optimizer wrapper, distributed runs."""

import det_inception.compat  # noqa: F401  (first: MMDetection cannot be imported without it)
from det_inception.engine.hooks.average_losses import AverageLossesHook
from det_inception.engine.hooks.average_weights import AverageWeightsHook
from det_inception.engine.hooks.backbone_normalization import BackboneNormalizationHook
from det_inception.engine.hooks.checkpoint import CheckpointHook
from det_inception.engine.hooks.divergence import StopOnDivergenceHook
from det_inception.engine.hooks.draw_detections import DrawDetectionsHook
from det_inception.engine.hooks.early_stopping import StopWithoutGainHook
from det_inception.engine.hooks.multibox_priors import MultiBoxPriorsHook
from det_inception.engine.hooks.polyak_average import PolyakAverageHook
from det_inception.engine.hooks.resume_settings import ResumeSettingsHook
from det_inception.engine.hooks.transfer_head import TransferHeadHook
from det_inception.engine.loops import ReshufflingTrainLoop
from det_inception.engine.optim_wrapper import CPUAmpOptimWrapper

__all__ = [
    'AverageLossesHook',
    'AverageWeightsHook',
    'BackboneNormalizationHook',
    'CPUAmpOptimWrapper',
    'CheckpointHook',
    'DrawDetectionsHook',
    'MultiBoxPriorsHook',
    'PolyakAverageHook',
    'ReshufflingTrainLoop',
    'ResumeSettingsHook',
    'StopOnDivergenceHook',
    'StopWithoutGainHook',
    'TransferHeadHook',
]
