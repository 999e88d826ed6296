"""Data sets in the folder layout of Pascal VOC: JPEGImages, Annotations, ImageSets/Main."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from det_inception.annotations import read_xml
from det_inception.datasets.detection import DataError, DetectionDataset, ImageRecord, read_list
from det_inception.images import IMAGE_SUFFIXES, image_size
from det_inception.registry import DATASETS

_NUMBER_BEHIND = re.compile(r'\s+-?\d+$')


@DATASETS.register_module()
class VOCFolderDataset(DetectionDataset):
    """A data set of one's own in Pascal VOC's layout.

    ``ann_file`` lists the images, one name a line, with or without suffix; a number behind it is ignored, as VOC's
    lists of one class have it. Image and XML are found by that name; what the XML says of file names is ignored.
    Objects marked difficult count neither for nor against a detector.

    Args:
        ann_file: E.g. ``'ImageSets/Main/train.txt'``, relative to ``data_root``.
        image_folder: Relative to ``data_root``.
        annotation_folder: Relative to ``data_root``.
        **kwargs: See :class:`DetectionDataset`.
    """

    def __init__(
        self,
        ann_file: str,
        image_folder: str = 'JPEGImages',
        annotation_folder: str = 'Annotations',
        **kwargs,
    ) -> None:
        self.image_folder, self.annotation_folder = image_folder, annotation_folder
        super().__init__(ann_file=ann_file, **kwargs)

    def read_records(self) -> Iterator[ImageRecord]:
        """Yields the listed images; boxes become continuous: VOC counts pixels from 1 and includes the last."""
        root = Path(self.data_root or '')
        images = root / self.image_folder
        files = _files_by_name(images)
        for line in read_list(self.ann_file):
            found = files.get(line) or files.get(_NUMBER_BEHIND.sub('', line))
            if not found:
                raise DataError(
                    f'{images / line}: no image of this name, with any of {", ".join(IMAGE_SUFFIXES)}; add it or take '
                    f'it out of {self.ann_file}.'
                )
            if len(found) > 1:
                raise DataError(f'{self.ann_file}: {line} may be {found[0]} or {found[1]}; list it with its suffix.')
            path = images / found[0]
            name = Path(found[0]).with_suffix('').as_posix()
            source = root / self.annotation_folder / f'{name}.xml'
            annotation = read_xml(source)
            height, width = annotation.height, annotation.width
            if not (height and width):
                height, width = image_size(path)
            objects = [(item.name, _continuous(item.box), item.difficult) for item in annotation.objects]
            yield ImageRecord(name, path, height, width, source, objects)


def _continuous(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = box
    # Equal corners would be a box of one pixel; VOC itself has none, and other tools write empty boxes so.
    return (x1 - 1, y1 - 1, x2, y2) if x2 > x1 and y2 > y1 else box


def _files_by_name(folder: Path) -> dict[str, list[str]]:
    """Returns the images below a folder by their relative path, and by that without its suffix."""
    if not folder.is_dir():
        raise DataError(f'{folder}: no such folder of images; check data_root.')
    files: dict[str, list[str]] = {}
    for path in sorted(folder.rglob('*')):
        if path.suffix.lower() in IMAGE_SUFFIXES:
            path = path.relative_to(folder)
            for name in (path, path.with_suffix('')):
                files.setdefault(name.as_posix(), []).append(path.as_posix())
    return files
