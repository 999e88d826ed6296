"""What MMEngine and MMCV call and newer versions of Python have not."""

from __future__ import annotations

import importlib.util
import pkgutil
from importlib.abc import Loader


def restore_find_loader() -> None:
    """Puts back ``pkgutil.find_loader``, gone since Python 3.14: both packages look for MMCV's operators with it."""
    if not hasattr(pkgutil, 'find_loader'):
        pkgutil.find_loader = _find_loader


def _find_loader(name: str) -> Loader | None:
    spec = importlib.util.find_spec(name)
    return None if spec is None else spec.loader
