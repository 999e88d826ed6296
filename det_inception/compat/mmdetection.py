"""MMDetection 3.3's own faults, amended where the installed version has them. Importing this imports MMDetection.

The rooms that use MMDetection import this. A program with MMDetection alone may do so too:
``import det_inception.compat.mmdetection``.
"""

from __future__ import annotations

import numpy as np

from det_inception.compat.deferred import deferred_imports
from det_inception.compat.namespaces import Namespace

# Three of MMDetection's parts want them, which few models use; they make a third of the time that its import takes.
_LARGE = {
    'albumentations': ['Compose'],
    'sklearn': [],
    'sklearn.mixture': [],
    'sklearn.gaussian_process': ['GaussianProcessRegressor'],
    'sklearn.gaussian_process.kernels': ['RBF'],
}

with deferred_imports(_LARGE):
    from mmdet.datasets.transforms import text_transformers
    from mmdet.evaluation.functional import ytviseval
    from mmdet.models.dense_heads import SSDHead


def amend_ssd() -> None:
    """Lets SSD predict: every head is asked for its ``loss_cls``, and SSD's has none."""
    if 'loss_cls' not in SSDHead.__init__.__code__.co_names and not hasattr(SSDHead, 'loss_cls'):
        SSDHead.loss_cls = None


def amend_numpy_names() -> None:
    """Gives two modules names that NumPy has not in some versions: ``float`` (1.24 on), ``long`` (1.24 to 1.26)."""
    for module, name, kind in ((ytviseval, 'float', float), (text_transformers, 'long', int)):
        if isinstance(module.np, type(np)) and not hasattr(np, name):
            module.np = Namespace(np, **{name: kind})


amend_ssd()
amend_numpy_names()
