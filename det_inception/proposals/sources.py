"""The images of a data set and the boxes to be found in them, in any format of :mod:`det_inception.formats`.

Shape legend: G ground-truth boxes of an image; H, W height and width of an image.

An image is known by its key, its POSIX path relative to the image root. The root is, by layout:

    a folder, YOLO              the folder itself
    Pascal VOC, LabelMe         <source>/JPEGImages, or the folder that its images are in
    ILSVRC DET of 2015 to 2017  <source>/Data/DET
    ILSVRC DET of 2014          <source>, with ILSVRC2013_DET_val, ILSVRC2014_DET_train and so on in it
    COCO (a .json file)         given by the caller, else the file's folder
    a list (another file)       given by the caller, else the list's folder
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from det_inception.formats import (
    Format,
    ImageNames,
    ImageRecord,
    SplitContent,
    choose_split,
    claimed_by,
    plain_name,
    read_list,
    read_split,
    recognize,
    usable_objects,
)
from det_inception.proposals.errors import ProposalError
from det_inception.proposals.records import ImageIdentity, identify
from det_inception.utils.errors import InputError
from det_inception.utils.files import common_folder
from det_inception.utils.images import IMAGE_SUFFIXES, decode_image, read_image_file


@dataclass(frozen=True)
class Images:
    """Images of a data set.

    Attributes:
        root: The folder that the keys start from.
        keys: Their keys in the source's order (sorted, for a folder), none twice. Not every one need exist.
    """

    root: Path
    keys: list[str]


@dataclass(frozen=True)
class GroundTruth:
    """The boxes to be found.

    Attributes:
        boxes: For each image that has a box that counts, in the order of the names: its path (absolute where the image
            root is known), and float64 (G, 4), ``x1 y1 x2 y2`` in continuous coordinates, cut to the image.
        left_out: Number of boxes that do not count; see :func:`det_inception.formats.records.usable_objects`.
    """

    boxes: dict[str, np.ndarray]
    left_out: int


def read_image(path: str | os.PathLike) -> tuple[np.ndarray, ImageIdentity]:
    """Reads an image as the detector will see it, uint8 (H, W, 3) BGR, EXIF rotation applied, and the file's identity.

    Raises:
        ImageError: The file cannot be read, ends early or is no image.
    """
    content = read_image_file(path)
    return decode_image(content, str(path)), identify(content)


def list_images(
    source: str | os.PathLike,
    image_root: str | os.PathLike | None = None,
    split: str | os.PathLike | None = None,
    format_name: str | None = None,
) -> Images:
    """Lists the images of a data set.

    Args:
        source: A folder, the root of a data set, the file that describes one (COCO's .json, YOLO's data.yaml), an
            image, or a list of images; see :mod:`det_inception.formats.lists`.
        image_root: The folder with the images, for a COCO file or a list. None: where they usually lie from there.
        split: Takes only the images of a part: its name, or a list of images.
        format_name: One of :data:`~det_inception.formats.FORMATS`, where a folder may be several.

    Raises:
        InputError: There is nothing of that name, no image, two formats claim the folder, or a list or file cannot be
            understood.
    """
    source = _existing(source)
    if source.is_dir() and image_root is not None:
        raise ProposalError(f'{source} is a folder, which takes no --image-root; leave it out.')
    format = claimed_by(source) if format_name is None else recognize(source, format_name)
    listed = None if split is None else _list_file(source, split)
    if source.is_dir():
        root = source if format is None else format.image_root(source)
        if split is None or listed is not None:
            keys = _listed(ImageNames(root), listed)
        elif format is None:
            place = source / 'ImageSets' / 'Main' / f'{split}.txt'
            raise ProposalError(f'There is no split {split}: neither {place} nor a file {split}.')
        else:
            part = choose_split(format.splits(source).splits, str(split))
            keys = _keys_of([read_split(part, _pass_over_images)], root)
    elif format is not None:
        named = None if image_root is None else _existing(image_root)
        splits = format.split_of(source.parent, source, named if format.takes_image_root else None)
        if split is not None and listed is None:
            splits = [choose_split(splits, str(split))]
        contents = [read_split(part, _pass_over_images) for part in splits]
        # Its file knows where they are, or finds them.
        root = contents[0].images if format.takes_image_root and contents else named or source.parent
        keys = _keys_of(contents, root)
        if listed is not None:
            keys = _listed(ImageNames(root, keys), listed)
    elif source.suffix.lower() in IMAGE_SUFFIXES:
        root = source.parent
        if split is not None or image_root is not None:
            option = '--split' if split is not None else '--image-root'
            raise ProposalError(f'{source} is one image, which takes no {option}; leave it out.')
        keys = [source.name]
    else:
        if split is not None:
            raise ProposalError(f'{source} is a list already, which takes no --split; leave it out.')
        lines = read_list(source)
        if not lines:
            raise ProposalError(f'{source} lists no images; write one path a line.')
        common = common_folder(lines) if all(map(os.path.isabs, lines)) else source.parent
        root = _existing(image_root if image_root is not None else common)
        keys = _listed(ImageNames(root), source)
    keys = list(dict.fromkeys(keys))
    if not keys:
        suffixes = ' '.join(sorted(IMAGE_SUFFIXES))
        raise ProposalError(f'{source} has no images (looked in {root} for {suffixes}); give another folder or list.')
    return Images(root, keys)


def read_ground_truth(
    source: str | os.PathLike,
    image_root: str | os.PathLike | None = None,
    split: str | os.PathLike | None = None,
    format_name: str | None = None,
) -> GroundTruth:
    """Reads the ground-truth boxes of a data set.

    Args:
        source: The root of a data set, or the file that describes one (COCO's .json, YOLO's data.yaml).
        image_root: The folder with the images, for a COCO file; needed only where two images have the same name.
        split: Takes only the images of a part: its name, or a list of images.
        format_name: One of :data:`~det_inception.formats.FORMATS`, where a folder may be several.

    Returns:
        The boxes of each image that has one that counts. An image that is missing has none.

    Raises:
        InputError: The source is none of these, an annotation cannot be understood, or there is no box.
    """
    source = _existing(source)
    format = recognize(source, format_name)
    root = None if image_root is None else Path(image_root).absolute()
    boxes, left_out = {}, 0
    for name, record in _annotated(source, format, root, split):
        usable = [item.box for item in usable_objects(record) if not item.ignored]
        left_out += len(record.objects) - len(usable)
        if usable:
            boxes[name] = np.array(usable, np.float64)
    if not boxes:
        where = f' of the split {split}' if split is not None else ''
        raise ProposalError(f'{source} has no ground-truth box{where}; give a data set with annotations.')
    return GroundTruth(dict(sorted(boxes.items())), left_out)


def _existing(path: str | os.PathLike) -> Path:
    path = Path(path)
    if not path.exists():
        raise ProposalError(f'There is no file or folder {path}; check the path.')
    return path.absolute()


def _list_file(source: Path, split: str | os.PathLike) -> Path | None:
    """The list that a split's name stands for; None if there is none, and it is a part of the data set by its name."""
    root = source if source.is_dir() else source.parent
    folders = [root / 'ImageSets' / 'Main', root / 'ImageSets' / 'DET', root / 'ImageSets']
    candidates = [*(folder / f'{split}.txt' for folder in folders), Path(split)]
    return next((path for path in candidates if path.is_file()), None)


def _listed(names: ImageNames, listed: Path | None) -> list[str]:
    """Keys of what a list names, in its order; of all images, where it is None.

    What is named and not found stays in as it is, so that it is reported later.
    """
    if listed is None:
        return names.keys
    return [key for line in read_list(listed) for key in names.find(line) or [plain_name(line)]]


def _keys_of(contents: list[SplitContent], root: Path) -> list[str]:
    return [_key(record.path, root) for content in contents for record in content.records]


def _key(path: Path, root: Path) -> str:
    return os.path.relpath(path, root).replace(os.sep, '/')


def _annotated(
    source: Path, format: Format, image_root: Path | None, split: str | os.PathLike | None
) -> Iterator[tuple[str, ImageRecord]]:
    """Yields the annotated images of a data set with the names that ground truth has for them."""
    root = source if source.is_dir() else source.parent
    listed = None if split is None else _list_file(source, split)
    chosen = listed if format.reads_lists else None
    if split is not None and listed is None:
        splits = [choose_split(format.splits(source, image_root).splits, str(split))]
    else:
        splits = format.split_of(root, chosen or (source if source.is_file() else None), image_root)
    for part in splits:
        content = read_split(part, _pass_over_images)
        records = list(content.records)
        # The file of COCO may lie anywhere; only the caller knows where its images are.
        named_by_file = format.takes_image_root and image_root is None and source.is_file()
        names = [_key(record.path, content.images) for record in records]
        if listed is not None and chosen is None:
            known = ImageNames(content.images, names)
            wanted = {key for line in read_list(listed) for key in known.find(line)}
            records = [record for record, name in zip(records, names) if name in wanted]
        for record in records:
            yield _key(record.path, content.images) if named_by_file else str(record.path), record


def _pass_over_images(kind: str, file: str | os.PathLike, error: InputError) -> None:
    """Goes on where boxes do not depend on it: images that are missing, classes without names, no annotation."""
    if kind in ('missing image', 'unreadable image', 'classes'):
        return
    if kind == 'annotation' and not os.path.exists(file):
        return
    raise error
