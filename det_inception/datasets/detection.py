"""Detection data sets over :mod:`det_inception.formats`: classes, cleaning of boxes, and errors that say what to do."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmdet.datasets import BaseDetDataset
from mmengine.logging import print_log

from det_inception.datasets.proposal_transforms import require_moved_proposals
from det_inception.formats import (
    FORMATS,
    ImageRecord,
    Split,
    SplitContent,
    choose_split,
    count_objects,
    find_part,
    place_objects,
    read_split,
    recognize,
    role,
    undivided,
)
from det_inception.formats.records import DataError
from det_inception.ilsvrc import balanced_split
from det_inception.registry import DATASETS
from det_inception.utils.errors import some


@DATASETS.register_module()
class DetectionDataset(BaseDetDataset):
    """A data set in any of the formats of :data:`det_inception.formats.FORMATS`.

    Classes are those of ``metainfo['classes']``; where none are given they are read from the data: those that the
    format lists, else those that occur, in alphabetical order. Boxes are cut to the image; what is left of less than a
    pixel is dropped, and counted in a warning. Objects that count neither for nor against a detector (difficult, crowd)
    have ``ignore_flag=1``; see :func:`det_inception.formats.records.usable_objects`.

    ``metainfo`` gets ``category_ids``, the numbers by which the annotation file knows the classes, where it does so.

    ``data_root`` is the folder of the data set, or the one file that describes it, such as ``data.yaml``.

    Args:
        ann_file: The list of images or the annotation file, relative to ``data_root``; ``''``: the one of ``split``.
        split: Name of the part, such as ``'train'``, where ``ann_file`` does not say it.
        format: Name of the format; None: found out from what lies in ``data_root``.
        prefer: Name of the format that is meant where a folder may be of several.
        val_share: Of a data set in one part, the share of its images, between 0 and 1, that is set aside for ``'val'``;
            ``'train'`` is the others. Every class is divided as the images are.
        val_seed: Another one sets others aside.
        unknown_classes: What to do with objects of a class that is not in ``classes``: ``'error'`` or ``'ignore'``.
        **kwargs: As for MMDetection's ``BaseDetDataset``: ``data_root``, ``data_prefix``, ``pipeline``,
            ``metainfo``, ``filter_cfg``, ``test_mode``, ...
    """

    def __init__(
        self,
        ann_file: str = '',
        split: str = 'train',
        format: str | None = None,
        prefer: str | None = None,
        val_share: float | None = None,
        val_seed: int = 0,
        unknown_classes: str = 'error',
        **kwargs,
    ) -> None:
        settings = dict(split=split, format=format, prefer=prefer, val_share=val_share, val_seed=val_seed)
        self._set_up(unknown_classes, kwargs, ann_file=ann_file, **settings)

    def _set_up(self, unknown_classes: str, kwargs: dict[str, Any], **settings) -> None:
        if unknown_classes not in ('error', 'ignore'):
            raise ValueError(f"unknown_classes is 'error' or 'ignore', not {unknown_classes!r}")
        require_moved_proposals(kwargs.get('pipeline') or ())
        self.unknown_classes = unknown_classes
        self._settings = {**kwargs, **settings}
        super().__init__(ann_file=settings['ann_file'], **kwargs)

    @classmethod
    def make_split(cls, settings: Mapping[str, Any]) -> Split:
        """Returns what a data set of these settings reads, without reading it.

        Args:
            settings: The arguments of the class, as a config has them.

        Raises:
            DataError: There is no such data set.
        """
        root, source = _root_and_source(settings)
        images, name = _image_prefix(settings), settings.get('split') or 'train'
        if source is not None and settings.get('val_share'):
            raise DataError(f'{source}: ann_file names a part already; leave val_share out.')
        if source is None:
            format = recognize(root, settings.get('format'), settings.get('prefer'))
            splits = format.splits(root, images).splits
            if settings.get('val_share') and name in ('train', 'val'):
                split = _set_aside(undivided(splits), name, settings['val_share'], settings.get('val_seed') or 0)
            else:
                split = choose_split(splits, name)
        else:
            by_file = source.suffix.lower() in ('.json', '.yaml', '.yml')
            format = recognize(source if by_file else root, settings.get('format'), settings.get('prefer'))
            splits = format.split_of(root, source, images)
            split = splits[0] if len(splits) == 1 else choose_split(splits, name)
        return split if settings.get('test_mode') else format.for_training(split)

    @property
    def is_annotated(self) -> bool:
        """Whether its images have annotations at all; a challenge keeps those of its test set."""
        return True

    def read_content(self, split: Split) -> SplitContent:
        """Opens its split."""
        return read_split(split)

    def load_data_list(self) -> list[dict]:
        """Reads and cleans the annotations. ``metainfo['annotated']`` is False where there are none to be had.

        Raises:
            DataError: No image, no object that counts, an unknown class, or an image listed twice for a test.
        """
        split = self.make_split(self._settings)
        source = str(split.source)
        listed = _root_and_source(self._settings)[1]
        if listed is not None and not listed.exists() and split.images != listed:
            print_log(f'{listed}: is not there; {split.lists[0] if split.lists else split.images} is taken.', 'current')
        content = self.read_content(split)
        records = list(content.records)
        for note in content.notes:
            print_log(note.message, 'current', logging.WARNING)
        if not records:
            raise DataError(f'{source}: the data set has no images; add some or name another list.')
        if self.test_mode:  # In training, to list an image twice is a way to see it twice as often.
            _require_different(records, source)
        if not self._metainfo.get('classes'):
            self._metainfo['classes'] = _class_names(content, records)
            if not self._metainfo['classes']:
                raise DataError(
                    f'{source}: none of its {len(records)} images has an annotated object, so there are no '
                    'classes to read from it; check the annotations or name the classes in the config.'
                )
        if twice := [name for name, count in Counter(self._metainfo['classes']).items() if count > 1]:
            raise DataError(f'{source}: the class {twice[0]!r} is named more than once; name each class once.')
        if content.class_ids is not None:
            numbers = dict(zip(content.classes, content.class_ids))
            self._metainfo['category_ids'] = tuple(map(numbers.get, self._metainfo['classes']))
        cleaned: list[str] = []
        labels = {name: label for label, name in enumerate(self._metainfo['classes'])}
        data_list = [
            dict(
                img_id=record.image_id,
                img_path=str(record.path),
                height=record.height,
                width=record.width,
                instances=self._instances(record, labels, cleaned),
                # A test is about what is annotated, whatever it is.
                exhaustive=record.exhaustive or self.test_mode,
            )
            for record in records
        ]
        if cleaned:
            print_log(
                f'{source}: {len(cleaned)} boxes are empty or leave their image; they were dropped or cut to it '
                f'(first: {cleaned[0]}).',
                'current',
                logging.WARNING,
            )
        if not self.is_annotated:
            self._metainfo['annotated'] = False
        elif not any(map(_has_object, data_list)):
            raise DataError(_no_object(source, data_list, labels))
        return data_list

    def filter_data(self) -> list[dict]:
        """Leaves out, in training, the images that ``filter_cfg`` names: without an object that counts, or too small.

        Raises:
            DataError: None is left.
        """
        if self.test_mode:
            return self.data_list
        filter_cfg = self.filter_cfg or {}
        kept = [
            entry
            for entry in self.data_list
            if min(entry['width'], entry['height']) >= filter_cfg.get('min_size', 0)
            and (_has_object(entry) or not filter_cfg.get('filter_empty_gt', False))
        ]
        if not kept:
            raise DataError(f'{self.ann_file}: filter_cfg={dict(filter_cfg)} leaves no image; ask for less.')
        return kept

    def get_cat_ids(self, idx: int) -> list[int]:
        """Returns the labels of an image's objects, for MMDetection's samplers."""
        return [instance['bbox_label'] for instance in self.get_data_info(idx)['instances']]

    def _instances(self, record: ImageRecord, labels: dict[str, int], cleaned: list[str]) -> list[dict]:
        """Returns an image's objects as MMDetection needs them, and notes boxes that were cut or dropped."""
        instances = []
        for item, placed in place_objects(record):
            if item.name not in labels:
                if self.unknown_classes == 'ignore':
                    continue
                raise DataError(
                    f'{record.source}: an object is of class {item.name!r}, which is not among the classes '
                    f"{some(labels, 10)}; add it to them, correct the file, or set unknown_classes='ignore'."
                )
            if placed is not item:
                cleaned.append(f'{record.source}, {item.name} {tuple(round(value, 1) for value in item.box)}')
            if placed is not None:
                instances.append(
                    dict(bbox=list(placed.box), bbox_label=labels[item.name], ignore_flag=int(item.ignored))
                )
        return instances


@DATASETS.register_module()
class VOCFolderDataset(DetectionDataset):
    """A data set of one's own in Pascal VOC's layout; see :class:`det_inception.formats.voc.VOC`.

    ``ann_file`` lists the images, one name a line; see :mod:`det_inception.formats.lists`. Where there is no such list,
    the part of its name is taken that ``data_root`` has in whatever layout.

    Args:
        ann_file: E.g. ``'ImageSets/Main/train.txt'``, relative to ``data_root``; ``''``: all images of the folder.
        image_folder: Relative to ``data_root``.
        annotation_folder: Relative to ``data_root``; it may be the folder of the images.
        **kwargs: See :class:`DetectionDataset`.
    """

    def __init__(
        self,
        ann_file: str = '',
        image_folder: str = 'JPEGImages',
        annotation_folder: str = 'Annotations',
        unknown_classes: str = 'error',
        **kwargs,
    ) -> None:
        folders = dict(image_folder=image_folder, annotation_folder=annotation_folder)
        self._set_up(unknown_classes, kwargs, ann_file=ann_file, **folders)

    @classmethod
    def make_split(cls, settings: Mapping[str, Any]) -> Split:
        root, source = _root_and_source(settings)
        images = root / settings.get('image_folder', 'JPEGImages')
        annotations = root / settings.get('annotation_folder', 'Annotations')
        if (elsewhere := _part_elsewhere(root, source)) is not None:
            return elsewhere
        (split,) = FORMATS['voc'].split_of(root, source)
        return replace(split, images=images, annotations=annotations)


@DATASETS.register_module()
class COCOFormatDataset(DetectionDataset):
    """A data set of one's own in COCO's format; see :class:`det_inception.formats.coco.COCO`.

    Differs from MMDetection's ``CocoDataset`` in that classes may come from the file, that labels follow the order of
    ``classes`` whatever the order of the file, and in its error messages.

    Args:
        ann_file: The JSON file, relative to ``data_root``. Where there is none, the part of its name is taken that
            ``data_root`` has in whatever layout.
        **kwargs: See :class:`DetectionDataset`; ``data_prefix=dict(img=...)`` is the folder of the images.
    """

    def __init__(self, ann_file: str, unknown_classes: str = 'error', **kwargs) -> None:
        self._set_up(unknown_classes, kwargs, ann_file=ann_file)

    @classmethod
    def make_split(cls, settings: Mapping[str, Any]) -> Split:
        root, source = _root_and_source(settings)
        if (elsewhere := _part_elsewhere(root, source)) is not None:
            return elsewhere
        (split,) = FORMATS['coco'].split_of(root, source, _image_prefix(settings) or root)
        return split


@DATASETS.register_module()
class YOLODataset(DetectionDataset):
    """A data set of one's own in YOLO's layout; see :class:`det_inception.formats.yolo.YOLO`.

    Args:
        ann_file: Relative to ``data_root``.
        split: ``'train'``, ``'val'`` or ``'test'`` of ``ann_file``.
        **kwargs: See :class:`DetectionDataset`.
    """

    def __init__(
        self, ann_file: str = 'data.yaml', split: str = 'train', unknown_classes: str = 'error', **kwargs
    ) -> None:
        self._set_up(unknown_classes, kwargs, ann_file=ann_file, split=split)

    @classmethod
    def make_split(cls, settings: Mapping[str, Any]) -> Split:
        root, source = _root_and_source({'ann_file': 'data.yaml', **settings})
        return choose_split(FORMATS['yolo'].split_of(root, source), settings.get('split', 'train'))


def _root_and_source(settings: Mapping[str, Any]) -> tuple[Path, Path | None]:
    root = Path(settings.get('data_root') or '')
    return root, root / settings['ann_file'] if settings.get('ann_file') else None


def _part_elsewhere(root: Path, source: Path | None) -> Split | None:
    """The part of a data set whose list is not where the config says; None if there is nothing to be found."""
    if source is None or source.exists() or role(source.stem) is None:
        return None
    try:
        return find_part(root, role(source.stem))
    except DataError:
        return None


def _set_aside(split: Split, name: str, share: float, seed: int) -> Split:
    """Returns the images of a split that are set aside to validate on, or the others.

    Raises:
        DataError: The share is none, or there are fewer than two images.
    """
    if not isinstance(share, (int, float)) or not 0 < share < 1:
        raise DataError(f'val_share is {share!r} and should be between 0 and 1, such as 0.2.')
    # What cannot be read is left out here; whoever reads the split says so.
    records = list(read_split(split, lambda *_: None).records)
    if len(records) < 2:
        raise DataError(f'{split.source}: {len(records)} images cannot be divided; add images.')
    parts = balanced_split(count_objects(records)[1], (1 - share, share), seed, tries=4)
    members = tuple(position for position, part in enumerate(parts.tolist()) if part == (name == 'val'))
    return replace(split, name=name, members=members)


def _image_prefix(settings: Mapping[str, Any]) -> Path | None:
    prefix = (settings.get('data_prefix') or {}).get('img')
    return Path(settings.get('data_root') or '', prefix) if prefix else None


def _class_names(content: SplitContent, records: Sequence[ImageRecord]) -> tuple[str, ...]:
    if content.classes is not None:
        return content.classes
    return tuple(sorted({item.name for record in records for item in record.objects}))


def _has_object(entry: dict) -> bool:
    """Whether an image has an object that counts."""
    return any(not instance['ignore_flag'] for instance in entry['instances'])


def _no_object(source: str, data_list: Sequence[dict], labels: Mapping[str, int]) -> str:
    text = f'{source}: none of its {len(data_list)} images has a usable object of the classes {some(labels, 10)}'
    ignored = sum(len(entry['instances']) for entry in data_list)
    if ignored:
        return (
            f'{text}: all {ignored} are marked as difficult (VOC: difficult, COCO: iscrowd or ignore), and so count '
            'neither for nor against a detector; set these marks to 0.'
        )
    return f'{text}; check the annotations and the classes.'


def _require_different(records: Sequence[ImageRecord], source: str) -> None:
    first: dict[int | str, Path] = {}
    for record in records:
        if record.image_id in first:
            raise DataError(
                f'{source}: {first[record.image_id]} and {record.path} have the same id, {record.image_id!r}; '
                'list every image once, with an id of its own.'
            )
        first[record.image_id] = record.path
