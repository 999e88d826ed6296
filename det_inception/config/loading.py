"""Reads a config, and completes it by what the command line and the data say.

Configs are plain MMEngine configs, which say by themselves what is trained. Added are ``--cfg-options`` (see
:mod:`det_inception.config.overrides`), ``--data-root``, ``--weights`` and checkpoints (see
:mod:`det_inception.config.weights`), and the classes of data sets whose config names none.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import init_default_scope

from det_inception.config.classifier import complete_classifier, is_classifier
from det_inception.config.data import (
    LOADERS,
    config_classes,
    datasets,
    datasets_of,
    is_class_agnostic,
    read_classes,
    set_classes,
    spread_pipelines,
)
from det_inception.config.data_files import read_config_file
from det_inception.config.errors import ConfigError, explain_config_errors
from det_inception.config.overrides import apply_options, require_heeded_classes
from det_inception.config.ranges import require_ranges
from det_inception.config.weights import apply_checkpoints, apply_weights, checkpoint_list, is_score_file
from det_inception.utils.included import CONFIGS, advice, find_checkpoint, find_config

__all__ = [
    'LOADERS',
    'ConfigError',
    'checkpoint_list',
    'config_classes',
    'datasets',
    'datasets_of',
    'is_class_agnostic',
    'is_score_file',
    'load_config',
    'read_config',
]


def load_config(
    path: str | Path,
    *,
    options: Mapping | None = None,
    data_root: str | Path | None = None,
    weights: str | Path | None = None,
    checkpoint: str | Path | Sequence[str | Path] | None = None,
) -> Config:
    """Reads a config file and completes it.

    Args:
        path: The file, or the bare name of one of the project's configs.
        options: Settings that override the file's, dotted names allowed, as ``--cfg-options`` gives them.
        data_root: The folder of all data sets, instead of the config's.
        weights: What to start from instead of the config's ``init_cfg``, a file or an address; ``'none'``: random
            weights.
        checkpoint: A trained network to use: its classes and its variant override the config's. Several make an
            ensemble. Files of region scores stand for the networks that wrote them.

    Raises:
        ConfigError: The file is missing or no config.
        InputError: Data or weights that cannot be read.
    """
    cfg = read_config(path, options=options, data_root=data_root)
    with explain_config_errors(path):
        _complete(cfg, checkpoint_list(checkpoint), weights)
        require_heeded_classes(cfg, options or {})
    return cfg


def _complete(cfg: Config, checkpoints: Sequence[str | Path], weights: str | Path | None) -> None:
    """Completes a config by what data, checkpoints and weights say."""
    if is_classifier(cfg):
        if 'members' not in cfg.model:  # An ensemble that a config spells out is complete.
            complete_classifier(cfg, checkpoints, weights)
        return
    if cfg.get('synsets') is not None:
        raise ConfigError(
            f'{cfg.filename}: synsets are the classes of a classifier; name those of a detector in classes.'
        )
    if checkpoints:
        apply_checkpoints(cfg, checkpoints)
    elif weights is not None:
        apply_weights(cfg, str(weights))
    if not is_class_agnostic(cfg) and 'bbox_head' in {*cfg.model, *(cfg.model.get('roi_head') or {})}:
        _apply_classes_of_data(cfg)


def read_config(path: str | Path, *, options: Mapping | None = None, data_root: str | Path | None = None) -> Config:
    """Reads a config file and applies the command line's settings; opens neither data nor weights.

    Args:
        path: See :func:`load_config`.
        options: Likewise.
        data_root: Likewise.

    Raises:
        ConfigError: The file is missing or no config, or an option does not fit it.
    """
    path = find_config(path)
    if not path.is_file():
        raise ConfigError(f'{path}: no such config file; {advice(path, CONFIGS)}')
    try:
        cfg = read_config_file(path)
    except ConfigError:
        raise
    except Exception as error:  # The config is Python: anything may go wrong in it.
        reason = ' '.join(str(error).split())
        raise ConfigError(
            f'{path}: the config cannot be read ({type(error).__name__}: {reason}); correct it.'
        ) from error
    with explain_config_errors(path):
        # Places of the file that share a value get one of their own, so that each can be changed.
        cfg = Config(cfg.to_dict(), cfg_text=cfg.text, filename=cfg.filename)
        _enter_scope(cfg)
        _override(cfg, dict(options or {}), data_root)
    return cfg


def _enter_scope(cfg: Config) -> None:
    """Lets names without a scope mean MMDetection's, or those of the library that the config says."""
    scope = cfg.get('default_scope', 'mmdet')
    known = scope == 'mmdet' or (isinstance(scope, str) and scope.isidentifier() and importlib.util.find_spec(scope))
    if not known:
        raise ConfigError(f"{cfg.filename}: default_scope is {scope!r}, which is no installed library; use 'mmdet'.")
    init_default_scope(scope)


def _override(cfg: Config, options: dict, data_root: str | Path | None) -> None:
    """Applies the command line's settings."""
    if 'launcher' in options:
        raise ConfigError(f'{cfg.filename}: launcher is an option of its own; use --launcher {options["launcher"]}.')
    if 'default_scope' in options:
        cfg.default_scope = options['default_scope']
        _enter_scope(cfg)
    root = options.pop('data_root', None)
    root = root if data_root is None else str(data_root)
    if root is not None:
        for dataset in datasets(cfg):
            dataset.data_root = root
    apply_options(cfg, options)
    if isinstance(cfg.get('load_from'), str) and '://' not in cfg.load_from:
        cfg.load_from = str(find_checkpoint(cfg.load_from))
    if not isinstance(cfg.get('model'), dict):
        raise ConfigError(
            f'{cfg.filename}: the config describes no model; the project keeps complete ones in configs/.'
        )
    require_ranges(cfg)
    spread_pipelines(cfg)
    for name in LOADERS:
        loader = cfg.get(name)
        if loader is not None and not loader.get('num_workers'):
            loader.persistent_workers = False  # PyTorch refuses to keep workers that there are none of.


def _apply_classes_of_data(cfg: Config) -> None:
    """Takes the classes that neither config nor options name from the annotations of the training data."""
    unnamed = cfg.get('classes')
    if config_classes(cfg) is None:
        train = next(datasets_of(cfg, 'train_dataloader'), None)
        if unnamed is not None:
            raise ConfigError(
                f'{cfg.filename}: classes at the top level of a config does nothing; write metainfo=dict(classes=...) '
                "into its data sets and their number into the head's num_classes, or give --cfg-options classes=...."
            )
        if train is None:
            raise ConfigError(f'{cfg.filename}: names no classes and no training data to read them from; set classes.')
        set_classes(cfg, read_classes(cfg, train) or ())
