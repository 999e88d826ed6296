"""Changes a module of another package as soon as somebody imports it, without importing it before."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


class _Watcher(MetaPathFinder):
    """Finds nothing itself; lets the other finders find, and is there when what they have found is executed."""

    def __init__(self) -> None:
        self.before: dict[str, Callable[[], None]] = {}
        self.behind: dict[str, Callable[[ModuleType], None]] = {}

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        prepare = self.before.pop(name, None)
        if prepare is not None:
            prepare()
        if name not in self.behind:
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(name, path, target)
            if spec is not None:
                if spec.loader is not None:
                    _follow(spec.loader, self.behind[name])
                return spec
        return None


_WATCHER = _Watcher()


def before_import(module: str, prepare: Callable[[], None]) -> None:
    """Calls a function before a module is imported for the first time; not at all if that is over."""
    if module not in sys.modules:
        _watch()
        _WATCHER.before[module] = prepare


def when_imported(module: str, amend: Callable[[ModuleType], None]) -> None:
    """Calls a function with a module each time it has been executed; at once if it is imported already.

    Example:
        >>> when_imported('colorsys', lambda module: setattr(module, 'amended', True))
        >>> import colorsys
        >>> colorsys.amended
        True
    """
    if module in sys.modules:
        amend(sys.modules[module])
    _watch()
    _WATCHER.behind[module] = amend


def _watch() -> None:
    if _WATCHER not in sys.meta_path:
        sys.meta_path.insert(0, _WATCHER)


def _follow(loader: Loader, amend: Callable[[ModuleType], None]) -> None:
    execute = loader.exec_module

    def execute_and_amend(module: ModuleType) -> None:
        execute(module)
        amend(module)

    loader.exec_module = execute_and_amend
