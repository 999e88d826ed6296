"""What the detection data sets have in common: classes, cleaning of boxes, and errors that say what to do."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from mmdet.datasets import BaseDetDataset
from mmengine.logging import print_log

from det_inception.formats.annotation_xml import clip_box
from det_inception.utils.errors import InputError, some


class DataError(InputError):
    """A data set that cannot be used; the message names the file and says what to do."""


@dataclass
class ImageRecord:
    """One image of a data set, as its files describe it.

    Attributes:
        image_id: What the metric and the submission know the image by.
        path: The image file.
        height: In pixels.
        width: In pixels.
        source: The annotation file, for messages.
        objects: (class name, continuous box x1 y1 x2 y2, ignored in the score) of each object.
        exhaustive: Whether all its objects are annotated, so that everything else is background.
    """

    image_id: int | str
    path: Path
    height: int
    width: int
    source: Path
    objects: list[tuple[str, tuple[float, float, float, float], bool]] = field(default_factory=list)
    exhaustive: bool = True


class DetectionDataset(BaseDetDataset):
    """Base of the data sets that read folders of images and annotations.

    Classes are those of ``metainfo['classes']``; where none are given they are read from the annotations, in
    alphabetical order. Boxes are cut to the image; what is left of less than a pixel is dropped, and counted in a
    warning.

    Args:
        ann_file: The list of images or the annotation file; relative to ``data_root``.
        unknown_classes: What to do with objects of a class that is not in ``classes``: ``'error'`` or ``'ignore'``.
        **kwargs: As for MMDetection's ``BaseDetDataset``: ``data_root``, ``data_prefix``, ``pipeline``,
            ``metainfo``, ``filter_cfg``, ``test_mode``, ...
    """

    def __init__(self, ann_file: str, unknown_classes: str = 'error', **kwargs) -> None:
        if unknown_classes not in ('error', 'ignore'):
            raise ValueError(f"unknown_classes is 'error' or 'ignore', not {unknown_classes!r}")
        self.unknown_classes = unknown_classes
        super().__init__(ann_file=ann_file, **kwargs)

    @property
    def is_annotated(self) -> bool:
        """Whether its images have annotations at all; a challenge keeps those of its test set."""
        return True

    @abstractmethod
    def read_records(self) -> Iterable[ImageRecord]:
        """Yields the images of ``ann_file``, in its order, with all their objects."""

    def read_class_names(self, records: list[ImageRecord]) -> tuple[str, ...]:
        """Returns the classes of a data set whose config names none."""
        return tuple(sorted({name for record in records for name, _, _ in record.objects}))

    def load_data_list(self) -> list[dict]:
        """Reads and cleans the annotations. ``metainfo['annotated']`` is False where there are none to be had.

        Raises:
            DataError: No image, no object that counts, an unknown class, or an image listed twice for a test.
        """
        records = list(self.read_records())
        if not records:
            raise DataError(f'{self.ann_file}: the data set has no images; add some or name another list.')
        if self.test_mode:  # In training, to list an image twice is a way to see it twice as often.
            _require_different(records, self.ann_file)
        if not self._metainfo.get('classes'):
            self._metainfo['classes'] = self.read_class_names(records)
            if not self._metainfo['classes']:
                raise DataError(
                    f'{self.ann_file}: none of its {len(records)} images has an annotated object, so there are no '
                    'classes to read from it; check the annotations or name the classes in the config.'
                )
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
                f'{self.ann_file}: {len(cleaned)} boxes are empty or leave their image; they were dropped or cut to '
                f'it (first: {cleaned[0]}).',
                'current',
                logging.WARNING,
            )
        if not self.is_annotated:
            self._metainfo['annotated'] = False
        elif all(instance['ignore_flag'] for entry in data_list for instance in entry['instances']):
            raise DataError(
                f'{self.ann_file}: none of its {len(records)} images has a usable object of the classes '
                f'{some(labels, 10)}; check the annotations and the classes.'
            )
        return data_list

    def filter_data(self) -> list[dict]:
        """Leaves out, in training, the images that ``filter_cfg`` names: without objects, or with a short side.

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
            and (entry['instances'] or not filter_cfg.get('filter_empty_gt', False))
        ]
        if not kept:
            raise DataError(f'{self.ann_file}: filter_cfg={dict(filter_cfg)} leaves no image; ask for less.')
        return kept

    def get_cat_ids(self, idx: int) -> list[int]:
        """Returns the labels of an image's objects, for MMDetection's samplers."""
        return [instance['bbox_label'] for instance in self.get_data_info(idx)['instances']]

    def _instances(self, record: ImageRecord, labels: dict[str, int], cleaned: list[str]) -> list[dict]:
        """Returns an image's objects as MMDetection wants them, and notes boxes that were cut or dropped."""
        instances = []
        for name, box, ignored in record.objects:
            if name not in labels:
                if self.unknown_classes == 'ignore':
                    continue
                raise DataError(
                    f'{record.source}: an object is of class {name!r}, which is not among the classes '
                    f"{some(labels, 10)}; add it to them, correct the file, or set unknown_classes='ignore'."
                )
            clipped = clip_box(box, record.width, record.height)
            if clipped != tuple(box):
                cleaned.append(f'{record.source}, {name} {tuple(round(value, 1) for value in box)}')
            if clipped is not None:
                instances.append(dict(bbox=list(clipped), bbox_label=labels[name], ignore_flag=int(ignored)))
        return instances


def _require_different(records: list[ImageRecord], ann_file: str) -> None:
    first: dict[int | str, Path] = {}
    for record in records:
        if record.image_id in first:
            raise DataError(
                f'{ann_file}: {first[record.image_id]} and {record.path} have the same id, {record.image_id!r}; '
                'list every image once, with an id of its own.'
            )
        first[record.image_id] = record.path


def read_list(path: str | Path) -> list[str]:
    """Returns the lines of a list of images, without blank ones.

    Raises:
        DataError: The list is missing or no text.
    """
    try:
        lines = Path(path).read_text(encoding='utf-8-sig').splitlines()  # Windows' editors put a mark before it.
    except OSError as error:
        raise DataError(
            f'{path}: the list of images cannot be read ({error.strerror or error}); check data_root and ann_file.'
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(
            f'{path}: the list of images is no text in UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8, '
            'one image a line.'
        ) from error
    return [line.strip() for line in lines if line.strip()]
