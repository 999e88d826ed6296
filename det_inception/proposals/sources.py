"""Where images and ground truth come from: folders, lists, Pascal VOC, COCO and ILSVRC DET layouts.

Shapes: G ground-truth boxes of an image; H, W height and width of an image.

An image is known by its key, its POSIX path relative to the image root. The root is, by layout:

    a folder                    the folder itself
    Pascal VOC                  <source>/JPEGImages
    ILSVRC DET of 2015 to 2017  <source>/Data/DET
    ILSVRC DET of 2014          <source>, with ILSVRC2013_DET_val, ILSVRC2014_DET_train and so on in it
    COCO (a .json file)         given by the caller
    a list (another file)       given by the caller, else the list's folder
"""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np

from det_inception.formats.annotation_xml import read_xml
from det_inception.proposals.errors import ProposalError
from det_inception.proposals.store import ImageIdentity, identify
from det_inception.utils.files import common_folder, reason
from det_inception.utils.images import IMAGE_SUFFIXES, ImageError, decode_image


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
        boxes: For each image that has a box, in the order of the names: its path (absolute where the image
            root is known), and float64 (G, 4), x1 y1 x2 y2 in continuous coordinates.
        left_out: Number of boxes that do not count: marked difficult or crowd, or empty.
    """

    boxes: dict[str, np.ndarray]
    left_out: int


def read_image(path: str | os.PathLike) -> tuple[np.ndarray, ImageIdentity]:
    """Reads an image as the detector will see it, and its identity in the same go.

    Args:
        path: The image's file.

    Returns:
        uint8 (H, W, 3) in BGR order, EXIF rotation applied; and the identity of the file.

    Raises:
        ImageError: The file cannot be read, ends early or is no image.
    """
    try:
        content = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise ImageError(f'{path}: the image cannot be read ({reason(error)}); check the path.') from error
    return decode_image(content, str(path)), identify(content)


def list_images(
    source: str | os.PathLike, image_root: str | os.PathLike | None = None, split: str | os.PathLike | None = None
) -> Images:
    """Lists the images of a data set.

    Args:
        source: A folder, the root of a Pascal VOC or ILSVRC DET layout, a COCO file (.json), or a text file
            with one
            image a line: its path, with or without extension, and perhaps a number behind it as in ILSVRC's
                lists.
        image_root: The folder with the images, for a COCO file or a list.
        split: Takes only the images of a list: the name of one in the data set's ImageSets folder, or a file.

    Returns:
        Root and keys.

    Raises:
        ProposalError: There is nothing of that name, no image, or a list or COCO file that cannot be
            understood.
    """
    source = _existing(source)
    if source.is_dir():
        if image_root is not None:
            raise ProposalError(f'{source} is a folder, which takes no --image-root; leave it out.')
        root = _image_folder(source)
        keys = _walk(root, IMAGE_SUFFIXES) if split is None else _listed(_read_list(_split_file(source, split)), root)
    elif source.suffix.lower() == '.json':
        root = _existing(image_root if image_root is not None else source.parent)
        keys = [image['file_name'] for image in _read_coco(source)['images']]
        if split is not None:
            keys = _chosen(keys, _read_list(_split_file(source.parent, split)))
    else:
        if split is not None:
            raise ProposalError(f'{source} is a list already, which takes no --split; leave it out.')
        entries = _read_list(source)
        root = _existing(image_root if image_root is not None else _common_folder(entries) or source.parent)
        keys = _listed(entries, root)
    keys = list(dict.fromkeys(keys))
    if not keys:
        suffixes = ' '.join(sorted(IMAGE_SUFFIXES))
        raise ProposalError(f'{source} has no images (looked in {root} for {suffixes}); give another folder or list.')
    return Images(root, keys)


def read_ground_truth(
    source: str | os.PathLike, image_root: str | os.PathLike | None = None, split: str | os.PathLike | None = None
) -> GroundTruth:
    """Reads the ground-truth boxes of a data set.

    Pascal VOC counts pixels from 1, ILSVRC DET from 0, both inclusive of the last; COCO is continuous.

    Args:
        source: The root of a Pascal VOC or ILSVRC DET layout, or a COCO file (.json).
        image_root: The folder with the images, for a COCO file; needed only where two images have the same
            name.
        split: Takes only the images of a list: the name of one in the data set's ImageSets folder, or a file.

    Returns:
        The boxes of each image that has one.

    Raises:
        InputError: The source is none of these, an annotation cannot be understood, or there is no box.
    """
    source = _existing(source)
    wanted = None if split is None else _read_list(_split_file(source if source.is_dir() else source.parent, split))
    if source.is_file():
        found = _coco_boxes(source, Path(image_root) if image_root is not None else None, wanted)
    else:
        found = _xml_boxes(source, wanted)
    boxes, left_out = {}, 0
    for path, image_boxes, counts in found:
        # Also what is not a number is no box.
        counts = counts & (image_boxes[:, 2] > image_boxes[:, 0]) & (image_boxes[:, 3] > image_boxes[:, 1])
        left_out += int((~counts).sum())
        if counts.any():
            boxes[path] = image_boxes[counts]
    if not boxes:
        where = f' of the split {split}' if split is not None else ''
        raise ProposalError(f'{source} has no ground-truth box{where}; give a data set with annotations.')
    return GroundTruth(dict(sorted(boxes.items())), left_out)


def _existing(path: str | os.PathLike) -> Path:
    path = Path(path)
    if not path.exists():
        raise ProposalError(f'There is no file or folder {path}; check the path.')
    return path.absolute()


def _image_folder(source: Path) -> Path:
    for folder in ('JPEGImages', 'Data/DET'):
        if (source / folder).is_dir():
            return source / folder
    return source


def _walk(root: Path, suffixes: Iterable[str]) -> list[str]:
    """Keys of all files of certain kinds; follows links to folders, but never in a circle."""
    keys, seen = [], set()
    for folder, folders, names in os.walk(root, followlinks=True):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        # Hidden names are no pictures, but what some systems leave beside them.
        folders[:] = sorted(name for name in folders if not name.startswith('.'))
        relative = PurePath(os.path.relpath(folder, root))
        keys += [
            (relative / name).as_posix()
            for name in names
            if not name.startswith('.') and os.path.splitext(name)[1].lower() in suffixes
        ]
    return sorted(keys)


def _split_file(source: Path, split: str | os.PathLike) -> Path:
    candidates = [source / 'ImageSets' / kind / f'{split}.txt' for kind in ('Main', 'DET')]
    candidates += [source / 'ImageSets' / f'{split}.txt', Path(split)]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise ProposalError(f'There is no split {split}: neither {candidates[0]} nor {candidates[1]} nor a file {split}.')


def _read_list(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding='utf-8-sig').splitlines()
    except (OSError, ValueError) as error:
        raise ProposalError(f'{path} cannot be read as a list of images: {reason(error)}.') from error
    entries = []
    for line in filter(None, (line.strip() for line in lines)):
        name, _, last = line.rpartition(' ')
        # ILSVRC's lists number their lines, VOC's say 1 or -1 for a class; a picture's name may contain spaces.
        if name and last.lstrip('-').isdigit():
            line = name.rstrip()
        entries.append(os.path.normpath(line).replace(os.sep, '/'))
    if not entries:
        raise ProposalError(f'{path} lists no images; write one path a line.')
    return entries


def _common_folder(entries: list[str]) -> str | None:
    if not all(os.path.isabs(entry) for entry in entries):
        return None
    return common_folder(entries)


def _has_image_suffix(entry: str) -> bool:
    return os.path.splitext(entry)[1].lower() in IMAGE_SUFFIXES


def _listed(entries: list[str], root: Path) -> list[str]:
    """Keys of what a list names, relative to a root."""
    relative = []
    for entry in entries:
        if os.path.isabs(entry):
            entry = os.path.relpath(entry, root).replace(os.sep, '/')
        if entry.startswith('../'):
            raise ProposalError(f'{entry} in the list lies outside the image root {root}; give another --image-root.')
        relative.append(entry)
    if all(_has_image_suffix(entry) for entry in relative):
        return relative
    return _chosen(_walk(root, IMAGE_SUFFIXES), relative)


def _chosen(keys: Iterable[str], entries: list[str]) -> list[str]:
    """The keys that a list names by the end of their path, with or without extension.

    They come in the list's order. What is named and not found stays in as it is, so that it is reported later.
    """
    found: dict[str, list[str]] = {entry: [] for entry in entries}
    for key in keys:
        for name in _ends(key):
            if name in found:
                found[name].append(key)
                break
    return [key for entry, matches in found.items() for key in matches or [entry]]


def _ends(key: str) -> Iterator[str]:
    names = key.split('/')
    for start in range(len(names)):
        end = '/'.join(names[start:])
        yield end
        yield os.path.splitext(end)[0]


def _read_coco(path: Path) -> dict:
    try:
        content = json.loads(path.read_bytes())
        images, annotations = content['images'], content.get('annotations', [])
        sound = all(isinstance(image['file_name'], str) and 'id' in image for image in images)
        for annotation in annotations:
            sound = sound and 'image_id' in annotation and np.array(annotation['bbox'], np.float64).shape == (4,)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ProposalError(f'{path} is no COCO annotation file ({type(error).__name__}: {reason(error)}).') from error
    if not sound:
        raise ProposalError(f'{path} is no COCO annotation file: an image or annotation lacks what COCO requires.')
    return content


_Found = Iterator[tuple[str, np.ndarray, np.ndarray]]


def _coco_boxes(path: Path, image_root: Path | None, wanted: list[str] | None) -> _Found:
    if path.suffix.lower() != '.json':
        raise ProposalError(f'{path} is neither a COCO file (.json) nor a folder in VOC or ILSVRC layout.')
    content = _read_coco(path)
    names = {image['id']: image['file_name'] for image in content['images']}
    chosen = set(names.values()) if wanted is None else set(_chosen(names.values(), wanted))
    by_image: dict[str, list[dict]] = {}
    for annotation in content.get('annotations', []):
        name = names.get(annotation['image_id'])
        if name is None:
            raise ProposalError(f'{path} has an annotation for image {annotation["image_id"]}, which it does not list.')
        if name in chosen:
            by_image.setdefault(name, []).append(annotation)
    for name, annotations in by_image.items():
        boxes = np.array([annotation['bbox'] for annotation in annotations], np.float64)
        boxes[:, 2:] += boxes[:, :2]
        counts = np.array([not annotation.get('iscrowd', 0) for annotation in annotations])
        yield (str(image_root.absolute() / name) if image_root is not None else name), boxes, counts


def _xml_boxes(source: Path, wanted: list[str] | None) -> _Found:
    chosen = None if wanted is None else set(wanted)
    for xml, image, counts_from in _annotation_files(source):
        if chosen is None or not chosen.isdisjoint(_ends(image)):
            yield (str(_image_folder(source) / image), *_xml_objects(xml, counts_from))


def _annotation_files(source: Path) -> Iterator[tuple[Path, str, int]]:
    """Annotations of a data set, each with its image's key and the number from which it counts pixels."""
    if (source / 'Annotations' / 'DET').is_dir():
        folder = source / 'Annotations' / 'DET'
        for name in _walk(folder, ['.xml']):
            yield folder / name, f'{name[:-4]}.JPEG', 0
        return
    if (source / 'Annotations').is_dir():
        # The names inside the annotations are often wrong; that of the file is not.
        images = {os.path.splitext(key)[0]: key for key in _walk(_image_folder(source), IMAGE_SUFFIXES)}
        for name in _walk(source / 'Annotations', ['.xml']):
            yield source / 'Annotations' / name, images.get(name[:-4], f'{name[:-4]}.jpg'), 1
        return
    folders = sorted(path for path in source.glob('ILSVRC*_DET_bbox_*') if path.is_dir())
    if not folders:
        raise ProposalError(
            f'{source} is no data set with annotations: it has neither Annotations nor ILSVRC*_DET_bbox_* folders.'
        )
    for folder in folders:
        for name in _walk(folder, ['.xml']):
            yield folder / name, f'{folder.name.replace("_bbox_", "_")}/{name[:-4]}.JPEG', 0


def _xml_objects(path: Path, counts_from: int) -> tuple[np.ndarray, np.ndarray]:
    boxes, counts = [], []
    for thing in read_xml(path).objects:
        x1, y1, x2, y2 = thing.box
        # An inclusive last pixel ends where the next one begins. In VOC files from other tools, empty boxes have equal
        # corners, which VOC itself never has.
        boxes.append((x1 - counts_from, y1 - counts_from, x2 + 1 - counts_from, y2 + 1 - counts_from))
        empty = counts_from == 1 and (x2 <= x1 or y2 <= y1)
        counts.append(not empty and not thing.difficult)
    return np.array(boxes, np.float64).reshape(-1, 4), np.array(counts, bool)
