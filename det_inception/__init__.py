"""The 2014 ILSVRC detection entry of GoogLeNet, in MMDetection 3.x; importing it registers every part."""

from det_inception import compat

compat.apply()  # before anything imports mmcv.ops

from det_inception import datasets, evaluation, models, precision, proposers  # noqa: E402
from det_inception.version import __version__  # noqa: E402

__all__ = ['__version__', 'compat', 'datasets', 'evaluation', 'models', 'precision', 'proposers']
