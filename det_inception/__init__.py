"""The 2014 ILSVRC detection entry of GoogLeNet, in MMDetection 3.x; importing it registers every part.

That is at once where PyTorch, MMEngine, MMCV or MMDetection has been imported, else with their import: so
``det_inception.proposals`` and ``det_inception.ilsvrc`` can be used alone.
"""

import importlib
from types import ModuleType

from det_inception import registration
from det_inception.version import __version__

__all__ = ['__version__', 'compat', *registration.PARTS]

registration.register_when_needed()


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return importlib.import_module(f'det_inception.{name}')
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
