"""The ILSVRC DET data set, in the folders as it is shipped: Annotations/DET, Data/DET, ImageSets/DET."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from det_inception.datasets.detection import DetectionDataset
from det_inception.formats import FORMATS, ILSVRCDetSplit, ImageRecord, SplitContent, read_split
from det_inception.formats.records import DataError
from det_inception.ilsvrc import BAD_IMAGES, DET_CLASSES, DET_SYNSETS, limit_objects
from det_inception.registry import DATASETS

_WNID_OF_NAME = {synset.name: synset.wnid for synset in DET_SYNSETS}


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
            the folder of the lists of the classes: ``'ImageSets/DET'``, or the development kit's ``det_lists``.
        split: Folder below ``Data/DET`` and ``Annotations/DET``: ``'train'``, ``'val'``, or ``'test'``, of which there
            are no annotations: a test of it writes a submission.
        lists: Which images of the training lists: some of ``'positive'``, ``'partial'``, ``'negative'``, as they are
            for at least one class; see :data:`det_inception.formats.ilsvrc_lists.LABELS`.
        max_objects_per_class: At most this many objects of each class, chosen at random: N of R-CNN's ``train_N``.
            Images of which no object is chosen are left out. None: all.
        seed: Another one chooses others.
        exhaustive: Whether all objects of every image are annotated; None: in all images but those of the official
            training set, which are known by their names.
        discard: Names of images to leave out; None: in training those known to be bad
            (:data:`det_inception.ilsvrc.BAD_IMAGES`), in a test none, so that its score is the official one.
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
        unknown_classes: str = 'error',
        **kwargs,
    ) -> None:
        if max_objects_per_class is not None and max_objects_per_class < 1:
            raise DataError(f'max_objects_per_class must be at least 1 or None, not {max_objects_per_class}.')
        self.max_objects_per_class, self.seed = max_objects_per_class, seed
        self._set_up(
            unknown_classes,
            kwargs,
            ann_file=ann_file,
            split=split,
            lists=lists,
            exhaustive=exhaustive,
            discard=discard,
            cache_dir=cache_dir,
        )

    @classmethod
    def make_split(cls, settings: Mapping[str, Any]) -> ILSVRCDetSplit:
        root = Path(settings.get('data_root') or '')
        _require_ilsvrc(root)
        images, annotations = (root / kind / 'DET' / settings['split'] for kind in ('Data', 'Annotations'))
        discard = settings.get('discard')
        if discard is None:
            discard = () if settings.get('test_mode') else BAD_IMAGES
        return ILSVRCDetSplit(
            settings['split'],
            'ilsvrc',
            root,
            (root / settings['ann_file'],),
            images,
            annotations,
            labels=tuple(settings.get('lists') or ('positive', 'partial')),
            discard=tuple(discard),
            exhaustive=settings.get('exhaustive'),
            cache_dir=settings.get('cache_dir'),
        )

    @property
    def is_annotated(self) -> bool:
        """Whether there is a folder of annotations, which the test set lacks."""
        split = self.make_split(self._settings)
        return not self.test_mode or split.name != 'test' or split.annotations.is_dir()

    def read_content(self, split: ILSVRCDetSplit) -> SplitContent:
        """Opens its split; with ``max_objects_per_class``, only the chosen objects and the images that have one."""
        content = read_split(split)
        if self.max_objects_per_class is not None:
            content.records = iter(self._limited(list(content.records)))
        return content

    def _limited(self, records: Sequence[ImageRecord]) -> list[ImageRecord]:
        names = [_WNID_OF_NAME[item.name] for record in records for item in record.objects]
        _, class_ids = np.unique(names, return_inverse=True)
        chosen = iter(limit_objects(class_ids, self.max_objects_per_class, self.seed).tolist())
        records = [replace(record, objects=[item for item in record.objects if next(chosen)]) for record in records]
        return [record for record in records if record.objects]


def _require_ilsvrc(root: Path) -> None:
    """Refuses a folder that is a data set in another layout."""
    if not root.is_dir() or FORMATS['ilsvrc'].claim(root) is not None:
        return
    found = {format.title: what for format in FORMATS.values() if (what := format.claim(root)) is not None}
    for title, what in found.items():
        raise DataError(
            f'{root}: is a data set in {title} ({what}), and the config is for the lists of ILSVRC DET; use one for '
            'data of your own, such as googlenet_faster-rcnn_voc, which takes every layout.'
        )
