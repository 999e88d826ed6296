"""The parts of a data set as a config names them: exactly what its training and testing would read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mmengine.config import Config

from det_inception.config.loading import LOADERS, ConfigError, datasets_of
from det_inception.datasets import DetectionDataset
from det_inception.formats import Split
from det_inception.registry import DATASETS
from det_inception.validation import CheckedSplit


def config_splits(cfg: Config) -> tuple[list[CheckedSplit], dict[str, str]]:
    """Returns the parts that a config's data loaders read, each once.

    Args:
        cfg: From :func:`det_inception.config.loading.read_config`.

    Returns:
        The splits, the training's first; and what was passed over, with the reason.

    Raises:
        ConfigError: The config names no data set that is known here.
    """
    splits: dict[CheckedSplit, None] = {}
    passed_over: dict[str, str] = {}
    for loader in LOADERS:
        parts = list(datasets_of(cfg, loader))
        for number, settings in enumerate(parts, start=1):
            name = loader.removesuffix('_dataloader') + (f' {number}' if len(parts) > 1 else '')
            kind = settings.get('type')
            dataset = DATASETS.get(kind) if isinstance(kind, str) else None
            if dataset is None or not issubclass(dataset, DetectionDataset):
                passed_over[f'{loader}: {kind}'] = 'no data set of this project'
                continue
            if not isinstance(settings.get('ann_file', ''), str):
                passed_over[f'{loader}: {kind}'] = 'without an ann_file of a single name'
                continue
            split = _checked(cfg, name, dataset.make_split(settings), settings)
            if split.files.role == 'test' and split.files.annotations and not split.files.annotations.is_dir():
                passed_over[f'{loader}: {kind}'] = 'a test set whose annotations are not there'
                continue
            # Most configs test on what they validate on.
            if not any(_same_data(split, other) for other in splits):
                splits[split] = None
    if not splits:
        reasons = '; '.join(f'{name} is {reason}' for name, reason in passed_over.items()) or 'it has no data loader'
        raise ConfigError(f'{cfg.filename}: names no data set that can be checked ({reasons}).')
    return list(splits), passed_over


def _same_data(first: CheckedSplit, second: CheckedSplit) -> bool:
    def key(split: CheckedSplit) -> tuple:
        return split.files, split.test_mode, split.classes, split.stores

    return key(first) == key(second)


def _checked(cfg: Config, name: str, files: Split, settings: Mapping) -> CheckedSplit:
    classes = (settings.get('metainfo') or {}).get('classes')
    classes = (classes,) if isinstance(classes, str) else classes
    filter_cfg = settings.get('filter_cfg') or {}
    return CheckedSplit(
        name,
        files,
        test_mode=bool(settings.get('test_mode', False)),
        filter_empty=bool(filter_cfg.get('filter_empty_gt', False)),
        min_size=filter_cfg.get('min_size', 0),
        classes=None if classes is None else tuple(classes),
        ignore_unknown=settings.get('unknown_classes') == 'ignore',
        stores=tuple(
            Path(step['store'])
            for step in settings.get('pipeline') or []
            if step.get('type') == 'LoadRegionProposals' and step.get('store')
        ),
    )
