"""The 2014 ILSVRC detection entry of GoogLeNet, in MMDetection 3.x.

Importing this package alone registers nothing and costs nothing: :mod:`det_inception.proposals`,
:mod:`det_inception.ilsvrc` and :mod:`det_inception.formats` need neither PyTorch nor MMDetection.
"""

import importlib

from det_inception.version import __version__

__all__ = ['__version__', 'register_all_modules']

REGISTERING_ROOMS = ('models', 'datasets', 'evaluation', 'engine')
"""What configs list in ``custom_imports``, each as ``det_inception.NAME``."""


def register_all_modules() -> None:
    """Enters every part of this project in MMDetection's registries.

    A config does the same by ``custom_imports``. MMDetection's own ``register_all_modules`` has the same name.
    """
    for room in REGISTERING_ROOMS:
        importlib.import_module(f'{__name__}.{room}')
