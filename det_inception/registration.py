"""Registers the project's parts as soon as PyTorch, MMEngine, MMCV or MMDetection is there, and not before.

``import det_inception`` promises that every part is registered. Proposals and score, though, need neither MMDetection
nor PyTorch, which take seconds to import and most of a gigabyte. So: where one of these libraries has been
imported, the parts are registered at once; else right behind the first import that brings one in. Until then a module
of this package costs what it needs itself.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

LIBRARIES = ('torch', 'mmengine', 'mmcv', 'mmdet')
PARTS = ('datasets', 'evaluation', 'models', 'precision', 'proposers')


def register_when_needed() -> None:
    """Registers all parts now, or as soon as one of the libraries is imported; called once by the package."""
    if any(name in sys.modules for name in LIBRARIES):
        _register()
    else:
        sys.meta_path.insert(0, _Watcher())


def _register() -> None:
    _amend()
    for part in PARTS:
        importlib.import_module(f'det_inception.{part}')


def _amend() -> None:
    """Makes the libraries work together; wants MMCV imported, and none of its modules that need operators."""
    importlib.import_module('det_inception.compat').apply()


class _Watcher(MetaPathFinder):
    """Sees the libraries come in.

    Finds nothing itself: it lets the others find, and counts how deep it is inside imports of the libraries and of this
    package. When the outermost of them has ended, no module is half done, and the parts can be imported.
    """

    def __init__(self) -> None:
        self.depth = 0
        self.searching = False

    def find_spec(self, fullname: str, path: object = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if self.searching or not (fullname in LIBRARIES or fullname.startswith('det_inception.')):
            return None
        self.searching = True
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self.searching = False
        if spec is not None and spec.loader is not None:
            self._watch(spec.loader, fullname)
        return spec

    def _watch(self, loader: object, fullname: str) -> None:
        execute = loader.exec_module

        def watched(module: ModuleType) -> None:
            self.depth += 1
            try:
                execute(module)
                if fullname == 'mmcv':
                    _amend()
            finally:
                self.depth -= 1
            if not self.depth and self in sys.meta_path and any(name in sys.modules for name in LIBRARIES):
                sys.meta_path.remove(self)
                _register()

        loader.exec_module = watched
