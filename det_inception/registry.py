"""The registries that the project's parts are entered in.

They are MMDetection's own, not children of them: so ``type='GoogLeNet'`` works in every MMDetection config, under its
default scope ``mmdet``, as soon as ``det_inception`` is imported.
"""

from mmdet.registry import DATASETS, HOOKS, METRICS, MODELS, OPTIM_WRAPPERS, TASK_UTILS, TRANSFORMS

import det_inception.compat  # noqa: F401  (first: MMDetection cannot be imported without it)

__all__ = ['DATASETS', 'HOOKS', 'METRICS', 'MODELS', 'OPTIM_WRAPPERS', 'TASK_UTILS', 'TRANSFORMS']
