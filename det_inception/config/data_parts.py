"""The parts of a data set as a config names them: exactly what its training and testing would read."""

from __future__ import annotations

import os.path as osp
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mmengine.config import Config

from det_inception.config.loading import LOADERS, ConfigError, datasets_of
from det_inception.formats import ILSVRCDetSplit, Split
from det_inception.ilsvrc import BAD_IMAGES
from det_inception.validation import CheckedSplit

_FORMAT_OF = {'VOCFolderDataset': 'voc', 'COCOFormatDataset': 'coco', 'ILSVRCDetDataset': 'ilsvrc'}


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
            if kind not in _FORMAT_OF:
                passed_over[f'{loader}: {kind}'] = f'none of {", ".join(_FORMAT_OF)}'
                continue
            if not isinstance(settings.get('ann_file'), str):
                passed_over[f'{loader}: {kind}'] = 'it has no ann_file of a single name'
                continue
            split = _split(cfg, name, _FORMAT_OF[kind], settings)
            # Most configs test on what they validate on.
            if not any(_same_data(split, other) for other in splits):
                splits[split] = None
    if not splits:
        reasons = '; '.join(f'{name} is {reason}' for name, reason in passed_over.items()) or 'it has no data loader'
        raise ConfigError(f'{cfg.filename}: names no data set that can be checked ({reasons}).')
    return list(splits), passed_over


def _same_data(first: CheckedSplit, second: CheckedSplit) -> bool:
    def key(split: CheckedSplit) -> tuple:
        return replace(split.files, name=''), split.test_mode, split.classes, split.stores

    return key(first) == key(second)


def _split(cfg: Config, name: str, format_name: str, settings: Mapping) -> CheckedSplit:
    test_mode = bool(settings.get('test_mode', False))
    classes = cfg.get('classes') or (settings.get('metainfo') or {}).get('classes')
    classes = (classes,) if isinstance(classes, str) else classes
    filter_cfg = settings.get('filter_cfg') or {}
    return CheckedSplit(
        _files(name, format_name, settings, test_mode),
        test_mode=test_mode,
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


def _files(name: str, format_name: str, settings: Mapping, test_mode: bool) -> Split:
    root = settings.get('data_root') or ''
    source = Path(osp.join(root, settings['ann_file']))
    if format_name == 'voc':
        images, annotations = (
            settings.get('image_folder', 'JPEGImages'),
            settings.get('annotation_folder', 'Annotations'),
        )
        return Split(name, format_name, Path(root), (source,), Path(root, images), Path(root, annotations))
    if format_name == 'coco':
        folder = (settings.get('data_prefix') or {}).get('img')
        return Split(name, format_name, Path(root), (source,), Path(osp.join(root, folder or '')))
    images, annotations = (Path(root, kind, 'DET', settings.get('split', 'train')) for kind in ('Data', 'Annotations'))
    discard = settings.get('discard')
    if discard is None:
        discard = () if test_mode else BAD_IMAGES
    labels = tuple(settings.get('lists') or ('positive', 'partial'))
    return ILSVRCDetSplit(
        name,
        format_name,
        Path(root),
        (source,),
        images,
        annotations,
        labels=labels,
        discard=tuple(discard),
        exhaustive=settings.get('exhaustive'),
    )
