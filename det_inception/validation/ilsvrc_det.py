"""Reads ILSVRC DET as it is shipped, going on after a fault: Annotations/DET, Data/DET, ImageSets/DET.

A list's line is the image's name without suffix, relative to the split's folder, and perhaps a number: its index in
submission files or, in the lists of one class that come with the training images, whether it shows that class.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from det_inception.annotations import AnnotationError, read_xml
from det_inception.datasets.detection import DataError, ImageRecord, read_list
from det_inception.errors import Complain, InputError
from det_inception.ilsvrc import DET_CLASSES, DET_SYNSETS, DET_WNIDS
from det_inception.ilsvrc.splits import read_train_lists
from det_inception.images import ImageError, image_size

_NAME_OF_WNID = dict(zip(DET_WNIDS, DET_CLASSES))
_WNID_OF_NAME = {synset.name.casefold(): synset.wnid for synset in DET_SYNSETS}


def ilsvrc_records(
    lists: tuple[Path, ...],
    images: Path,
    annotations: Path,
    complain: Complain,
    labels: Sequence[str] = ('positive', 'partial'),
    discard: Sequence[str] = (),
) -> Iterator[ImageRecord]:
    """Reads the images of a split.

    Args:
        lists: One list, or several (those of the classes), which are put together and may name an image more than once.
        images: The split's folder of images.
        annotations: The split's folder of XML files; images without an object have none.
        complain: Hears of every fault; see :data:`det_inception.errors.Complain`.
        labels: Of a folder of training lists, which images; see ``ILSVRCDetDataset``.
        discard: Names of images to leave out.

    Yields:
        The images in the order of the lists; boxes are continuous.
    """
    seen: set[str] = set()
    for path in lists:
        try:
            if path.is_dir():
                found = read_train_lists(path, labels)
                lines = [found.images[position] for position in found.having(labels)]
            else:
                lines = read_list(path)
        except InputError as error:
            complain('list', path, error)
            continue
        for line in lines:
            name, *index = line.split()
            if Path(name).name in discard:
                continue
            if len(lists) > 1:
                if name in seen:
                    continue
                seen.add(name)
                index = []  # Not an index, but whether the image shows the list's class.
            record = _read_record(name, index, path, images, annotations, complain)
            if record is not None:
                yield record


def _read_record(
    name: str, index: list[str], listed_in: Path, images: Path, annotations: Path, complain: Complain
) -> ImageRecord | None:
    path = images / f'{name}.JPEG'
    source = annotations / f'{name}.xml'
    height = width = 0
    objects = []
    if source.exists():
        try:
            annotation = read_xml(source, complain)
            height, width = annotation.height, annotation.width
            objects = [
                (_NAME_OF_WNID[item.name], _continuous(item.box), item.difficult)
                for item in annotation.objects
                if item.name in _NAME_OF_WNID
            ]
            for wnid in dict.fromkeys(item.name for item in annotation.objects if item.name not in _NAME_OF_WNID):
                complain('unknown class', source, _unknown(wnid, source))
        except AnnotationError as error:
            complain('annotation', source, error)
    elif not path.exists():
        error = DataError(f'{path}: neither image nor annotation exists; add them, or take it out of {listed_in}.')
        complain('missing image', path, error)
        return None
    if not (height and width):
        try:
            height, width = image_size(path)
        except ImageError as error:
            complain('unreadable image', path, error)
    image_id = int(index[0]) if index and index[0].isdecimal() else name
    return ImageRecord(image_id, path, height, width, source, objects)


def _continuous(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = box
    return x1, y1, x2 + 1, y2 + 1


def _unknown(wnid: str, source: Path) -> DataError:
    meant = _WNID_OF_NAME.get(wnid.casefold().replace(' ', '_'))
    advice = f'write the WNID {meant}' if meant else 'correct the file'
    return DataError(f'{source}: an object is of {wnid!r}, which is none of the 200 WNIDs of ILSVRC DET; {advice}.')
