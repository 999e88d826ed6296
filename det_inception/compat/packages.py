"""How MMEngine before 0.11 finds installed packages, without ``pkg_resources``, which setuptools has no more.

It does so for each ``_base_ = 'mmdet::...'`` of a config, and for ``get_config`` and ``get_model``.
"""

from __future__ import annotations

import importlib.util
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path


def find_packages_by_importlib() -> None:
    """Replaces MMEngine's functions where they would fail."""
    import mmengine.config.config
    import mmengine.hub.hub
    import mmengine.utils
    from mmengine.utils import package_utils

    if 'pkg_resources' not in package_utils.is_installed.__code__.co_names or importlib.util.find_spec('pkg_resources'):
        return
    own = dict(is_installed=is_installed, get_installed_path=get_installed_path, package2module=package2module)
    for module in (package_utils, mmengine.utils, mmengine.config.config, mmengine.hub.hub):
        for name, function in own.items():
            if hasattr(module, name):
                setattr(module, name, function)


def is_installed(package: str) -> bool:
    """Whether there is such a distribution, or such a module."""
    try:
        distribution(package)
    except PackageNotFoundError:
        spec = importlib.util.find_spec(package)
        return spec is not None and spec.origin is not None
    return True


def get_installed_path(package: str) -> str:
    """Returns the folder of a package.

    Args:
        package: A distribution or a module, such as ``'mmcv-lite'`` or ``'mmcv'``.

    Raises:
        PackageNotFoundError: There is none.
    """
    spec = importlib.util.find_spec(package2module(package))
    if spec is None or spec.origin is None:
        raise PackageNotFoundError(package)
    return str(Path(spec.origin).parent)


def package2module(package: str) -> str:
    """Returns the module that a distribution is imported by.

    Raises:
        PackageNotFoundError: There is no such distribution, and no such module.
    """
    if package.isidentifier() and importlib.util.find_spec(package) is not None:
        return package
    names = (distribution(package).read_text('top_level.txt') or '').split()
    if not names:
        raise ValueError(f'{package} does not say by which name it is imported')
    return names[0]
