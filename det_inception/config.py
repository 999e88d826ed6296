"""Reads a config and completes it: where the data lie, which weights to start from, which classes there are.

Configs are plain MMEngine configs. What would have to be written in several of their places stands once at the top
level, and is carried to these places here:

* ``data_root``: to every data set.
* ``classes``: to every data set's ``metainfo`` and the head's ``num_classes``; None reads them from the training data.
* ``weights``: to the backbone's ``init_cfg`` and ``variant`` and to the normalisation in ``data_preprocessor``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import init_default_scope

from det_inception.errors import InputError
from det_inception.registry import DATASETS

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


class ConfigError(InputError):
    """A config that cannot be used."""


def load_config(
    path: str | Path,
    *,
    options: Mapping | None = None,
    data_root: str | Path | None = None,
    weights: str | Path | None = None,
    classes: tuple[str, ...] | None = None,
) -> Config:
    """Reads a config file and completes it.

    Args:
        path: The file.
        options: Settings that override the file's, dotted names allowed, as ``--cfg-options`` gives them.
        data_root: Overrides the config's ``data_root``.
        weights: Overrides the config's ``weights``.
        classes: Overrides the config's ``classes``, e.g. with those of a trained checkpoint.

    Raises:
        ConfigError: The file is missing or no config.
        InputError: Data or weights that cannot be read.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigError(f'{path}: no such config file; the project keeps its own in configs/.')
    try:
        cfg = Config.fromfile(str(path))
    except Exception as error:  # The config is Python: anything may go wrong in it.
        raise ConfigError(
            f'{path}: the config cannot be read ({type(error).__name__}: {error}); correct it.'
        ) from error
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    if options:
        cfg.merge_from_dict(dict(options))
    if data_root is not None:
        cfg.data_root = str(data_root)
    if cfg.get('data_root') is not None:
        for dataset in datasets(cfg):
            dataset.data_root = cfg.data_root
    if weights is not None:
        cfg.weights = str(weights)
    if cfg.get('weights') is not None and 'backbone' in cfg.get('model', {}):
        _use_weights(cfg)
    if classes is not None:
        cfg.classes = tuple(classes)
    if 'classes' in cfg:
        _use_classes(cfg)
    return cfg


def datasets(cfg: Config) -> Iterator[dict]:
    """Yields the settings of every data set of a config, also of those inside wrappers such as ``RepeatDataset``."""
    for name in LOADERS:
        loader = cfg.get(name)
        if loader is not None:
            yield from _unwrapped(loader.dataset)


def _unwrapped(dataset: dict) -> Iterator[dict]:
    if 'dataset' in dataset:
        yield from _unwrapped(dataset.dataset)
    elif 'datasets' in dataset:
        for part in dataset.datasets:
            yield from _unwrapped(part)
    else:
        yield dataset


def _use_weights(cfg: Config) -> None:
    """Sets variant and normalisation to those of the weights, which are loaded when the model is initialised."""
    from det_inception.checkpoints import read_weights

    weights = read_weights(cfg.weights)
    cfg.model.backbone.update(
        variant=weights.variant,
        width=weights.width,
        init_cfg=dict(type='Pretrained', checkpoint=str(cfg.weights)),
    )
    cfg.model.data_preprocessor.update(weights.normalisation)


def _use_classes(cfg: Config) -> None:
    if cfg.classes is None:
        loader = cfg.get('train_dataloader')
        if loader is None:
            raise ConfigError(
                f'{cfg.filename}: names no classes and no training data to read them from; set classes.'
            )
        settings = dict(next(_unwrapped(loader.dataset)), pipeline=[])
        cfg.classes = tuple(DATASETS.build(settings).metainfo['classes'])
    for dataset in datasets(cfg):
        dataset.metainfo = dict(classes=tuple(cfg.classes))
    for head in (cfg.model.get('bbox_head'), cfg.model.get('roi_head', {}).get('bbox_head')):
        if head is not None:
            head.num_classes = len(cfg.classes)
