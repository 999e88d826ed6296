"""Makes the installed versions of Python, MMCV, MMEngine, PyTorch and Albumentations work together.

MMDetection 3.3 was written for an ``mmcv`` with compiled operators and for a PyTorch before 2.6. Importing this package
fixes these things, each only where it is needed:

* ``mmcv-lite`` has no compiled operators: :mod:`det_inception.compat.operators` stands in for them.
* PyTorch loads checkpoints with ``weights_only=True``, and MMEngine's own checkpoints hold ``HistoryBuffer`` objects:
  :mod:`det_inception.compat.checkpoint_classes` admits exactly the classes that such a checkpoint consists of.
* Albumentations asks the network for a newer version when it is imported, and MMEngine warns of what it does itself:
  :mod:`det_inception.compat.warnings` stops both.
* MMEngine and MMCV call ``pkgutil.find_loader``, which Python 3.14 has not:
  :mod:`det_inception.compat.standard_library` puts it back.
* MMEngine 0.11 loads checkpoints in a way that runs code: :mod:`det_inception.compat.checkpoint_classes` forbids it.
* MMEngine finds packages by ``pkg_resources``, which setuptools has no more: :mod:`det_inception.compat.packages`.
* MMEngine formats the config with each checkpoint, and takes a second: :mod:`det_inception.compat.config_text` does it
  in milliseconds.
* MMDetection has faults of its own: :mod:`det_inception.compat.amendments` mends each when MMDetection is imported.
"""

from det_inception.compat.amendments import amend_mmdetection
from det_inception.compat.checkpoint_classes import allow_checkpoint_classes, load_safely
from det_inception.compat.config_text import format_faster
from det_inception.compat.operators import install_operators
from det_inception.compat.packages import find_packages_by_importlib
from det_inception.compat.standard_library import restore_find_loader
from det_inception.compat.warnings import silence_albumentations, silence_warnings

__all__ = [
    'allow_checkpoint_classes',
    'amend_mmdetection',
    'find_packages_by_importlib',
    'format_faster',
    'install_operators',
    'load_safely',
    'restore_find_loader',
    'silence_albumentations',
    'silence_warnings',
]

silence_albumentations()
silence_warnings()
restore_find_loader()
install_operators()
allow_checkpoint_classes()
load_safely()
find_packages_by_importlib()
format_faster()
amend_mmdetection()
