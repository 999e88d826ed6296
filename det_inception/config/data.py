"""The data sets of a config, their pipelines, and the classes that data and model share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from mmengine.config import Config

from det_inception.config.errors import ConfigError
from det_inception.registry import DATASETS

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def datasets(cfg: Config) -> Iterator[dict]:
    """Yields the settings of every data set of a config, also of those inside wrappers such as ``RepeatDataset``."""
    for name in LOADERS:
        yield from datasets_of(cfg, name)


def datasets_of(cfg: Config, name: str) -> Iterator[dict]:
    """Yields the settings of the data sets of one of the :data:`LOADERS`."""
    return (node for node in _nodes(cfg, name) if not {'dataset', 'datasets'} & node.keys())


def pipeline_steps(cfg: Config, kind: str, loaders: Sequence[str] = LOADERS) -> Iterator[dict]:
    """Yields the steps of one type in the loaders' pipelines, also of those inside ``ProposalBroadcaster``."""
    for name in loaders:
        for node in _nodes(cfg, name):
            for outer in node.get('pipeline') or ():
                yield from (step for step in (outer, *outer.get('transforms', ())) if step['type'] == kind)


def spread_pipelines(cfg: Config) -> None:
    """Gives the pipeline of every ``SharedPipelineDataset`` to its parts."""
    for name in LOADERS:
        for node in _nodes(cfg, name):
            if node.get('type') == 'SharedPipelineDataset':
                pipeline = node.pop('pipeline', [])
                for part in node['datasets']:
                    part.setdefault('pipeline', Config(dict(copy=pipeline)).to_dict()['copy'])


def _nodes(cfg: Config, name: str) -> Iterator[dict]:
    """Yields a loader's data set, and those that it wraps."""
    loader = cfg.get(name)
    if loader is None:
        return
    if not isinstance(loader, dict) or not isinstance(loader.get('dataset'), dict):
        raise ConfigError(f'{cfg.filename}: {name} has no dataset; give it one, or set {name}=None.')
    nodes = [loader['dataset']]
    while nodes:
        node = nodes.pop(0)
        yield node
        nodes[:0] = [node['dataset']] if 'dataset' in node else node.get('datasets', ())


# ---------------------------------------------------------------------------------------------------------- classes


def is_class_agnostic(cfg: Config) -> bool:
    """Whether a config's model knows objects only, whatever the classes of its data."""
    return cfg.model.get('type') == 'MultiBox'


def config_classes(cfg: Config) -> tuple[str, ...] | None:
    """Returns the classes that the first data set of a config names; None if its files are to tell them."""
    first = next(datasets(cfg), None)
    return None if first is None else _named_classes(first)


def read_classes(cfg: Config, settings: dict) -> tuple[str, ...] | None:
    """Returns the classes of a data set, from its files where its settings name none."""
    classes = _named_classes(settings)
    if classes is None:
        classes = DATASETS.build(dict(settings, pipeline=[])).metainfo.get('classes')
    return None if classes is None else tuple(classes)


def set_classes(cfg: Config, classes: Iterable[str]) -> None:
    """Sets the classes of every data set, and the size of the model's head.

    Raises:
        ConfigError: They are no names, or the model has classes of its own.
    """
    if cfg.model.get('type') == 'ImageNetRCNN':
        raise ConfigError(
            f"{cfg.filename}: this detector's classes are ImageNet's; set model.class_set instead of classes."
        )
    names = (classes,) if isinstance(classes, str) else classes
    if (
        not isinstance(names, (list, tuple))
        or not names
        or not all(type(name) in (str, int) and name != '' for name in names)
    ):
        raise ConfigError(f'{cfg.filename}: classes is {classes!r} and should be names, such as classes=cat,dog.')
    classes = tuple(map(str, names))  # The command line reads a name such as 7 as a number.
    if twice := [name for name, count in Counter(classes).items() if count > 1]:
        raise ConfigError(f'{cfg.filename}: classes has {twice[0]!r} more than once; name each class once.')
    for dataset in datasets(cfg):
        dataset['metainfo'] = dict(dataset.get('metainfo') or {}, classes=classes)
    if is_class_agnostic(cfg):
        return
    for part in (cfg.model, cfg.model.get('bbox_head'), (cfg.model.get('roi_head') or {}).get('bbox_head')):
        for head in part if isinstance(part, (list, tuple)) else [part]:  # A cascade has several.
            if head is not None and 'num_classes' in head:
                head['num_classes'] = len(classes)


def _named_classes(settings: dict) -> tuple[str, ...] | None:
    classes = (settings.get('metainfo') or {}).get('classes')
    if classes is None:
        kind = settings.get('type')
        kind = DATASETS.get(kind) if isinstance(kind, str) else kind
        classes = getattr(kind, 'METAINFO', {}).get('classes')
    if classes is None:
        return None
    return (classes,) if isinstance(classes, str) else tuple(classes)
