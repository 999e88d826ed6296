"""Imports MMDetection without two large libraries that few models use. The rooms that use MMDetection import this."""

from __future__ import annotations

import det_inception.compat  # noqa: F401  (before MMDetection)
from det_inception.compat.deferred import deferred_imports

# Three of MMDetection's parts want them; they make a third of the time that its import takes.
_LARGE = {
    'albumentations': ['Compose'],
    'sklearn': [],
    'sklearn.mixture': [],
    'sklearn.gaussian_process': ['GaussianProcessRegressor'],
    'sklearn.gaussian_process.kernels': ['RBF'],
}

with deferred_imports(_LARGE):
    import mmdet.datasets
    import mmdet.evaluation
    import mmdet.models  # noqa: F401
