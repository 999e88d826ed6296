"""Data sets in the folder layout of Pascal VOC: JPEGImages, Annotations, ImageSets/Main."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from det_inception.annotations import read_xml
from det_inception.datasets.detection import DataError, DetectionDataset, ImageRecord, read_list
from det_inception.images import IMAGE_SUFFIXES, image_size
from det_inception.registry import DATASETS


@DATASETS.register_module()
class VOCFolderDataset(DetectionDataset):
    """A data set of one's own in Pascal VOC's layout.

    ``ann_file`` lists the images, one name without suffix a line (what follows a blank is ignored, as in VOC's lists
    of one class). Image and XML are found by that name; what the XML says of file names is ignored. Objects marked
    difficult count neither for nor against a detector.

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
        names = [line.split()[0] for line in read_list(self.ann_file)]
        files = _files_by_stem(root / self.image_folder)
        for name in names:
            path = files.get(name)
            if path is None:
                raise DataError(
                    f'{root / self.image_folder / name}: no image of this name, with any of '
                    f'{", ".join(IMAGE_SUFFIXES)}; add it or take it out of {self.ann_file}.'
                )
            source = root / self.annotation_folder / f'{name}.xml'
            annotation = read_xml(source)
            height, width = annotation.height, annotation.width
            if not (height and width):
                height, width = image_size(path)
            objects = [
                (item.name, (item.box[0] - 1, item.box[1] - 1, item.box[2], item.box[3]), item.difficult)
                for item in annotation.objects
            ]
            yield ImageRecord(name, path, height, width, source, objects)


def _files_by_stem(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise DataError(f'{folder}: no such folder of images; check data_root.')
    return {
        str(path.relative_to(folder).with_suffix('')): path
        for path in sorted(folder.rglob('*'))
        if path.suffix.lower() in IMAGE_SUFFIXES
    }
