"""Config files that are data, YAML and JSON: unlike a Python file, a stranger's runs nothing."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import IO, Any

import yaml
from mmengine.config import Config
from mmengine.fileio import register_handler
from mmengine.fileio.handlers.yaml_handler import YamlHandler

from det_inception.config.errors import ConfigError
from det_inception.utils.yaml_keys import require_different_keys

SUFFIXES = ('.yaml', '.yml', '.json')
MAX_BYTES = 4 << 20
"""Longer files are no configs."""
MAX_VALUES = 1_000_000
"""As many settings as aliases of YAML may multiply a file's into."""
PACKAGES = ('det_inception', 'mmdet', 'mmengine', 'mmcv', 'mmpretrain')
"""What a config of data may import."""


class _Loader(yaml.SafeLoader):
    """Plain values, and tuples, which MMEngine itself writes."""


_Loader.add_constructor('tag:yaml.org,2002:python/tuple', lambda loader, node: tuple(loader.construct_sequence(node)))


@register_handler(['yaml', 'yml'])
class SafeYamlHandler(YamlHandler):
    """Takes the place of MMEngine's, whose YAML may call any function of Python."""

    def load_from_fileobj(self, file: IO, **kwargs: Any) -> object:
        """Reads YAML.

        Raises:
            ValueError: Its aliases multiply what it says without end.
            yaml.MarkedYAMLError: It says two things of one setting.
        """
        loader = _Loader(file)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            if _count(node, {}) > MAX_VALUES:  # Before anything is built of it, or hashed.
                raise ValueError('its aliases make more of it than a config can have')
            require_different_keys(node)
            return loader.construct_document(node)
        finally:
            loader.dispose()


def read_config_file(path: Path) -> Config:
    """Reads a config of whatever kind: ``.py``, or one of ``SUFFIXES``.

    A config of data that names a Python file as its ``_base_`` runs that file.

    Raises:
        ConfigError: The file is too long; or, as data, imports other packages than ``PACKAGES``, or has a ``type`` that
            is a path to code instead of a registered name.
    """
    if path.stat().st_size > MAX_BYTES:
        raise ConfigError(f'{path}: is longer than {MAX_BYTES >> 20} MiB and no config; name another file.')
    if path.suffix not in SUFFIXES:
        return Config.fromfile(str(path))
    cfg = Config.fromfile(str(path), import_custom_modules=False)
    modules = (cfg.get('custom_imports') or {}).get('imports') or ()
    modules = [modules] if isinstance(modules, str) else modules
    foreign = [name for name in modules if str(name).split('.')[0] not in PACKAGES]
    # MMEngine would import and call "os.system"; of MMDetection's own, "mmdet.ResNet" is a registered name.
    foreign += [name for name in _types(cfg.to_dict()) if '.' in str(name).removeprefix('mmdet.')]
    if foreign:
        raise ConfigError(
            f'{path}: names {foreign[0]!r}, code of its own, which only a config in Python (.py) may do; write one, or '
            'use registered names.'
        )
    for name in modules:
        importlib.import_module(name)
    return cfg


def _count(node: yaml.Node, known: dict[yaml.Node, float]) -> float:
    """Counts the values of a tree, each as often as it occurs; endless if it contains itself."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    if node not in known:
        known[node] = float('inf')
        pairs = node.value if isinstance(node, yaml.MappingNode) else zip(node.value)
        known[node] = 1 + sum(_count(part, known) for pair in pairs for part in pair)
    return known[node]


def _types(node: object) -> list:
    """Returns every ``type`` of a config."""
    if isinstance(node, dict):
        own = [node['type']] if 'type' in node else []
        return own + [name for value in node.values() for name in _types(value)]
    return [name for value in node for name in _types(value)] if isinstance(node, (list, tuple)) else []
