"""Puts off the import of a large library until something of it is used."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType


class DeferredModule(ModuleType):
    """Stands for a module that is imported when one of its names is asked for, or one of ``names`` is called.

    Args:
        name: The module's.
        names: Functions and classes that others import by name. These stand-ins can be called and nothing else.
    """

    def __init__(self, name: str, names: Sequence[str] = ()) -> None:
        super().__init__(name)
        self.__spec__, self.__path__ = ModuleSpec(name, None), []
        for callee in names:
            setattr(self, callee, _deferred_call(name, callee))

    def __getattr__(self, name: str) -> object:
        if sys.modules.get(self.__name__) is self:  # It is still being put off.
            raise AttributeError(f'module {self.__name__!r} is imported later, so it has no {name!r} yet')
        return getattr(importlib.import_module(self.__name__), name)


def _deferred_call(module: str, name: str) -> object:
    def call(*args: object, **kwargs: object) -> object:
        return getattr(importlib.import_module(module), name)(*args, **kwargs)

    call.__name__ = call.__qualname__ = name
    return call


@contextlib.contextmanager
def deferred_imports(modules: Mapping[str, Sequence[str]]) -> Iterator[None]:
    """Who imports one of these modules in the block gets a :class:`DeferredModule`.

    A library that is imported already, or is not installed, stays as it is.

    Args:
        modules: Names of modules, a package before its modules, and for each what others import from it by name.

    Example:
        >>> with deferred_imports({'wave': ['open']}):
        ...     import wave
        >>> 'wave' in sys.modules, wave.Error.__name__, 'wave' in sys.modules
        (False, 'Error', True)
    """
    loaded = {name.partition('.')[0] for name in sys.modules}
    tops = {name.partition('.')[0] for name in modules} - loaded
    tops = {top for top in tops if find_spec(top) is not None}
    ours = {name: DeferredModule(name, names) for name, names in modules.items() if name.partition('.')[0] in tops}
    for name, module in ours.items():
        parent, _, child = name.rpartition('.')
        if parent:
            setattr(ours[parent], child, module)
    sys.modules.update(ours)
    try:
        yield
    finally:
        for name, module in ours.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]
