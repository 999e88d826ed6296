"""The ILSVRC DET data set, in the folders as it is shipped: Annotations/DET, Data/DET, ImageSets/DET."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from det_inception.datasets.annotation_cache import read_annotations
from det_inception.datasets.detection import DataError, DetectionDataset, ImageRecord, read_list
from det_inception.ilsvrc import DET_CLASSES, DET_WNIDS
from det_inception.ilsvrc.splits import BAD_IMAGES, is_training_image, limit_objects, read_train_lists
from det_inception.images import image_size
from det_inception.registry import DATASETS

_NAME_OF_WNID = dict(zip(DET_WNIDS, DET_CLASSES))


@DATASETS.register_module()
class ILSVRCDetDataset(DetectionDataset):
    """ILSVRC DET: classes are known by WNID in the annotations and by name here, in the official order.

    Images of the official training set are annotated for some classes only. When they are trained on they carry
    ``exhaustive=False``, on which ``LoadRegionProposals`` gives them no proposals: their objects are positive examples,
    and nothing of them is background (R-CNN's rule).

    Annotations are read once and then come from a cache in the user's cache folder.

    Args:
        ann_file: A list of images, e.g. ``'ImageSets/DET/val.txt'``: a line holds the image's name, without suffix and
            relative to the split's folder, and optionally its index in submission files. Or, for the training set,
            the folder of the lists a class: ``'ImageSets/DET'``, or the development kit's ``det_lists``.
        split: Folder below ``Data/DET`` and ``Annotations/DET``: ``'train'`` or ``'val'``.
        lists: Which images of the training lists: some of ``'positive'``, ``'partial'``, ``'negative'``, as they are
            for at least one class; see :data:`det_inception.ilsvrc.splits.LABELS`.
        max_objects_per_class: At most this many objects of each class, chosen at random: N of R-CNN's ``train_N``.
            Images of which no object is chosen are left out. None: all.
        seed: Another one chooses others.
        exhaustive: Whether all objects of every image are annotated; None: in all images but those of the official
            training set, which are known by their names.
        discard: Names of images to leave out; None: in training those known to be bad
            (:data:`det_inception.ilsvrc.splits.BAD_IMAGES`), in a test none, so that its score is the official one.
        cache_dir: Where the annotations are kept; None: ``det_inception/annotations`` in the user's cache folder;
            ``''``: nowhere.
        **kwargs: See :class:`DetectionDataset`. ``metainfo['classes']`` may name some of the 200 classes.
    """

    METAINFO = dict(classes=DET_CLASSES)

    def __init__(
        self,
        ann_file: str,
        split: str,
        lists: Sequence[str] = ('positive', 'partial'),
        max_objects_per_class: int | None = None,
        seed: int = 0,
        exhaustive: bool | None = None,
        discard: Sequence[str] | None = None,
        cache_dir: str | None = None,
        **kwargs,
    ) -> None:
        if max_objects_per_class is not None and max_objects_per_class < 1:
            raise DataError(f'max_objects_per_class must be at least 1 or None, not {max_objects_per_class}.')
        self.split, self.lists, self.exhaustive = split, lists, exhaustive
        self.max_objects_per_class, self.seed = max_objects_per_class, seed
        self.discard, self.cache_dir = discard, cache_dir
        super().__init__(ann_file=ann_file, **kwargs)

    def read_records(self) -> Iterator[ImageRecord]:
        """Yields the listed images; boxes become continuous: ILSVRC counts pixels from 0 and includes the last."""
        root = Path(self.data_root or '')
        images, folder = (root / kind / 'DET' / self.split for kind in ('Data', 'Annotations'))
        discard = (() if self.test_mode else BAD_IMAGES) if self.discard is None else self.discard
        listed = [entry for entry in self._listed() if Path(entry[0]).name not in discard]
        sources = [folder / f'{name}.xml' for name, _ in listed]
        annotations = read_annotations(sources, self.cache_dir)
        chosen = self._chosen([() if item is None else item.objects for item in annotations])
        for (name, image_id), source, annotation, objects in zip(listed, sources, annotations, chosen):
            if objects is None:
                continue
            path = images / f'{name}.JPEG'
            height = width = 0
            if annotation is not None:
                height, width = annotation.height, annotation.width
            elif not path.exists():  # Training images without an object have no annotation; val has all.
                raise DataError(f'{path}: neither image nor annotation exists; check data_root and {self.ann_file}.')
            if not (height and width):
                height, width = image_size(path)
            found = []
            for item in objects:
                x1, y1, x2, y2 = item.box
                found.append((self._class_of(item.name, source), (x1, y1, x2 + 1, y2 + 1), item.difficult))
            exhaustive = not is_training_image(name) if self.exhaustive is None else self.exhaustive
            yield ImageRecord(image_id, path, height, width, source, found, exhaustive)

    def _listed(self) -> list[tuple[str, int | str]]:
        """Name and id of each image of the list or lists."""
        if Path(self.ann_file).is_dir():
            lists = read_train_lists(self.ann_file, self.lists, len(DET_CLASSES))
            return [(lists.images[position], lists.images[position]) for position in lists.having(self.lists)]
        listed = []
        for line in read_list(self.ann_file):
            name, *index = line.split()
            listed.append((name, int(index[0]) if index and index[0].isdecimal() else name))
        return listed

    def _chosen(self, objects: list[tuple]) -> list[tuple | None]:
        """Of every image the objects to use; None for an image to leave out."""
        if self.max_objects_per_class is None:
            return objects
        names = [item.name for found in objects for item in found]
        _, class_ids = np.unique(names, return_inverse=True)
        kept = iter(limit_objects(class_ids, self.max_objects_per_class, self.seed).tolist())
        return [tuple(item for item in found if next(kept)) or None for found in objects]

    @staticmethod
    def _class_of(wnid: str, source: Path) -> str:
        if wnid not in _NAME_OF_WNID:
            raise DataError(
                f'{source}: an object is of {wnid!r}, which is none of the 200 WNIDs of ILSVRC DET; correct the file.'
            )
        return _NAME_OF_WNID[wnid]
