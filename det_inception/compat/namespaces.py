"""A module with some of its names replaced, for one other module alone."""

from __future__ import annotations

from types import ModuleType


class Namespace:
    """Has the names that are given, and all others of a module.

    Example:
        >>> import math
        >>> rounded = Namespace(math, pi=3)
        >>> rounded.pi, rounded.floor(2.5)
        (3, 2)
    """

    def __init__(self, module: ModuleType, **names: object) -> None:
        self.__dict__.update(names, _module=module)

    def __getattr__(self, name: str) -> object:
        return getattr(self._module, name)
