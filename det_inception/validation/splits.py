"""The parts of a data set, whatever its layout: what each consists of, how it is used, and its images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from det_inception.datasets.coco import category_names, coco_records, read_json
from det_inception.datasets.detection import DataError, ImageRecord
from det_inception.datasets.voc import voc_records
from det_inception.ilsvrc import BAD_IMAGES, DET_CLASSES
from det_inception.utils.errors import ErrorHandler, InputError
from det_inception.validation.ilsvrc_det import ilsvrc_records

LAYOUTS = {'voc': 'Pascal VOC layout', 'coco': 'COCO format', 'ilsvrc': 'ILSVRC DET'}
_SAMPLE = 50  # images by which the folder of a COCO file is recognized


@dataclass(frozen=True)
class Split:
    """A part of a data set.

    Attributes:
        name: ``'train'``, ``'val'``, ...
        layout: One of :data:`LAYOUTS`.
        root: The data set's folder.
        lists: The list of images, or the JSON file. Several are ILSVRC's lists of single classes; none means all images
            of the folder.
        images: Folder of the images; None: to be found among the folders that belong to a COCO file by custom.
        annotations: Folder of the XML files; None for COCO.
        test_mode: Whether the detector is tested on it, so that images without objects stay in and none may be listed
            twice.
        filter_empty: Whether images without objects are left out of training.
        min_size: Images with a shorter side are left out of training.
        classes: To be learned; None: those that the part itself has.
        ignore_unknown: Whether objects of other classes are passed over.
        stores: The proposal stores in which its images are looked for, in turn.
        labels: Of a folder of ILSVRC's training lists, which images; see ``ILSVRCDetDataset``.
        discard: Names of ILSVRC's images that are left out; None: as ``ILSVRCDetDataset`` does.
        exhaustive: Whether all objects of ILSVRC's images are annotated; None: as ``ILSVRCDetDataset`` has it.
    """

    name: str
    layout: str
    root: Path
    lists: tuple[Path, ...]
    images: Path | None
    annotations: Path | None
    test_mode: bool = False
    filter_empty: bool = True
    min_size: int = 0
    classes: tuple[str, ...] | None = None
    ignore_unknown: bool = False
    stores: tuple[Path, ...] = ()
    labels: tuple[str, ...] = ('positive', 'partial')
    discard: tuple[str, ...] | None = None
    exhaustive: bool | None = None

    @property
    def source(self) -> Path:
        """The file or folder to name where the part as a whole is meant."""
        return self.lists[0] if len(self.lists) == 1 else self.root


@dataclass(frozen=True)
class Content:
    """What a split's files hold.

    Attributes:
        records: Its images.
        classes: The classes that its layout or file gives; None: those that occur.
        images: The folder of its images.
        annotations: The content of its JSON file; None in other layouts.
    """

    records: Iterator[ImageRecord]
    classes: tuple[str, ...] | None
    images: Path
    annotations: dict | None = None


def select_splits(splits: Sequence[Split], names: Sequence[str]) -> list[Split]:
    """Returns the splits of these names, in their own order.

    Raises:
        InputError: There is none of a name.
    """
    known = [split.name for split in splits]
    if unknown := [name for name in names if name not in known]:
        raise InputError(f'there is no part {unknown[0]!r} in the data set; name some of {", ".join(known)}.')
    return [split for split in splits if split.name in names]


def open_split(split: Split, on_error: ErrorHandler) -> Content:
    """Opens a split; its images are read when they are asked for.

    Args:
        split: The split.
        on_error: Hears of every fault, now and while the images are read.
    """
    if split.layout == 'voc':
        listed = split.lists[0] if split.lists else None
        return Content(voc_records(listed, split.images, split.annotations, on_error), None, split.images)
    if split.layout == 'ilsvrc':
        discard = (() if split.test_mode else BAD_IMAGES) if split.discard is None else split.discard
        records = ilsvrc_records(
            split.lists, split.images, split.annotations, on_error, split.labels, discard, split.exhaustive
        )
        return Content(records, DET_CLASSES, split.images)
    source = split.lists[0]
    try:
        content = read_json(source)
    except DataError as error:
        on_error('list', source, error)
        return Content(iter(()), None, split.images or split.root)
    folder = split.images or image_folder(split.root, source, content)
    classes = tuple(dict.fromkeys(category_names(content, source, on_error).values()))
    return Content(coco_records(content, source, folder, on_error), classes, folder, content)


def image_folder(root: Path, source: Path, content: dict) -> Path:
    """Finds the images of a COCO file by trying some of them in the folders where they usually lie."""
    images = content.get('images')
    names = [image.get('file_name') for image in images if isinstance(image, dict)] if isinstance(images, list) else []
    names = [name for name in names if isinstance(name, str)]
    names = names[:: max(1, len(names) // _SAMPLE)]
    tag = source.stem.removeprefix('instances_')  # instances_val2017.json
    tags = [tag, tag.rstrip('0123456789'), tag.rpartition('_')[2]]
    folders = [*(root / tag for tag in tags), *(root / 'images' / tag for tag in tags)]
    folders += [root / 'images', root / 'JPEGImages', source.parent, root]
    existing = [folder for folder in dict.fromkeys(folders) if folder.is_dir()]
    return max(existing, key=lambda folder: _number_of_files(folder, names), default=root)


def _number_of_files(folder: Path, names: Sequence[str]) -> int:
    return sum((folder / name).is_file() for name in names)
