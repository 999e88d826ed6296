"""The ILSVRC DET data set, in the folders as it is shipped: Annotations/DET, Data/DET, ImageSets/DET."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from det_inception.annotations import read_xml
from det_inception.datasets.detection import DataError, DetectionDataset, ImageRecord, read_list
from det_inception.ilsvrc import DET_CLASSES, DET_WNIDS
from det_inception.images import image_size
from det_inception.registry import DATASETS

_NAME_OF_WNID = dict(zip(DET_WNIDS, DET_CLASSES))


@DATASETS.register_module()
class ILSVRCDetDataset(DetectionDataset):
    """ILSVRC DET: classes are known by WNID in the annotations and by name here, in the official order.

    Args:
        ann_file: E.g. ``'ImageSets/DET/val.txt'``: a line holds the image's name, without suffix and relative to the
            split's folder, and optionally its index in submission files.
        split: Folder below ``Data/DET`` and ``Annotations/DET``: ``'train'`` or ``'val'``.
        **kwargs: See :class:`DetectionDataset`. ``metainfo['classes']`` may name some of the 200 classes.
    """

    METAINFO = dict(classes=DET_CLASSES)

    def __init__(self, ann_file: str, split: str, **kwargs) -> None:
        self.split = split
        super().__init__(ann_file=ann_file, **kwargs)

    def read_records(self) -> Iterator[ImageRecord]:
        """Yields the listed images; boxes become continuous: ILSVRC counts pixels from 0 and includes the last."""
        root = Path(self.data_root or '')
        images = root / 'Data' / 'DET' / self.split
        annotations = root / 'Annotations' / 'DET' / self.split
        for line in read_list(self.ann_file):
            name, *index = line.split()
            path = images / f'{name}.JPEG'
            source = annotations / f'{name}.xml'
            height = width = 0
            objects = []
            if source.exists():  # Training images without an object have no file.
                annotation = read_xml(source)
                height, width = annotation.height, annotation.width
                for item in annotation.objects:
                    x1, y1, x2, y2 = item.box
                    objects.append((self._class_of(item.name, source), (x1, y1, x2 + 1, y2 + 1), item.difficult))
            elif not path.exists():
                raise DataError(f'{path}: neither image nor annotation exists; check data_root and {self.ann_file}.')
            if not (height and width):
                height, width = image_size(path)
            image_id = int(index[0]) if index and index[0].isdecimal() else name
            yield ImageRecord(image_id, path, height, width, source, objects)

    @staticmethod
    def _class_of(wnid: str, source: Path) -> str:
        if wnid not in _NAME_OF_WNID:
            raise DataError(
                f'{source}: an object is of {wnid!r}, which is none of the 200 WNIDs of ILSVRC DET; correct the file.'
            )
        return _NAME_OF_WNID[wnid]
