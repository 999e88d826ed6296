"""Finds out what kind of data set lies in a folder, and what its parts are."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from det_inception.utils.errors import InputError
from det_inception.validation.splits import Split

_ROLES = ('train', 'val', 'test')
# Other tasks' files that lie beside COCO's instances_*.json.
_NO_BOXES = ('captions', 'image_info', 'panoptic', 'person_keypoints', 'stuff')
_OF_ONE_CLASS = re.compile(r'train(_(pos|part|neg))?_\d+')
_NOT_BY_NAME = 'by its name not one of training, validation and test'
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Found:
    """A data set in a folder.

    Attributes:
        splits: Its parts, training first.
        passed_over: Lists and annotation files that were not taken, each with the reason.
    """

    splits: list[Split]
    passed_over: dict[str, str]


def find_splits(root: str | Path, image_root: str | Path | None = None) -> Found:
    """Finds the parts of a data set.

    Args:
        root: The root of a Pascal VOC or ILSVRC DET layout or of COCO files, or a COCO file.
        image_root: The folder with the images of COCO files, where it cannot be guessed.

    Raises:
        InputError: There is no such folder, or nothing known in it.
    """
    root = Path(root)
    image_root = None if image_root is None else Path(image_root)
    if image_root is not None and not image_root.is_dir():
        raise InputError(f'{image_root}: no such folder of images; check --image-root.')
    if root.is_file():
        if root.suffix.lower() != '.json':
            raise InputError(f'{root}: neither a folder nor a .json file in COCO format; give one of them.')
        folder = root.parent.parent if root.parent.name == 'annotations' else root.parent
        return _coco(folder, [root], image_root)
    if not root.is_dir():
        raise InputError(f'{root}: no such file or folder; check the path.')
    layout = _layout(root)
    if layout is None:
        raise InputError(f'{root}: {_what_else(root)}')
    if image_root is not None and layout != 'coco':
        raise InputError(f'{root}: the images of this layout lie in the folder itself; leave --image-root out.')
    if layout == 'coco':
        return _coco(root, _coco_files(root), image_root)
    return _voc(root) if layout == 'voc' else _ilsvrc(root)


def role(name: str) -> str | None:
    """Returns what a part of this name is for, ``'train'``, ``'val'`` or ``'test'``; None if the name does not say."""
    name = name.lower()
    if name.startswith('trainval'):
        return None
    found = [(name.index(role), role) for role in _ROLES if role in name]
    return min(found)[1] if found else None


def _layout(root: Path) -> str | None:
    if any((root / folder / 'DET').is_dir() for folder in ('ImageSets', 'Annotations', 'Data')):
        return 'ilsvrc'
    if (root / 'JPEGImages').is_dir() or (root / 'ImageSets' / 'Main').is_dir():
        return 'voc'
    return 'coco' if _coco_files(root) else None


def _what_else(root: Path) -> str:
    for folder in sorted([*root.glob('*/'), *root.glob('*/*/')]):
        if folder.is_dir() and _layout(folder):
            return f'no data set, but {folder} is one; give that.'
    known = (
        'Pascal VOC (ImageSets/Main, JPEGImages, Annotations), COCO (annotations/*.json) or ILSVRC DET (ImageSets/DET, '
        'Data/DET, Annotations/DET)'
    )
    if (root / 'labels').is_dir() or any(root.glob('*/labels')):
        return f"no data set that is known here, but perhaps YOLO's; convert it to {known}."
    return f'no data set that is known here; arrange it as {known}.'


def _voc(root: Path) -> Found:
    lists, passed_over = _voc_lists(root)
    folders = dict(images=root / 'JPEGImages', annotations=root / 'Annotations')
    if not lists:
        return Found([Split('all', 'voc', root, (), **folders)], passed_over)
    splits = [Split(path.stem, 'voc', root, (path,), test_mode=_is_test(path.stem), **folders) for path in lists]
    return Found(_training_first(splits), passed_over)


def _voc_lists(root: Path) -> tuple[list[Path], dict[str, str]]:
    found = {path.stem: path for path in sorted((root / 'ImageSets' / 'Main').glob('*.txt'))}
    passed_over = {}
    for stem in list(found):
        if any(stem.endswith(f'_{other}') for other in found if other != stem):
            passed_over[found.pop(stem).name] = 'a list of one class'
    named = [stem for stem in found if role(stem)]
    for stem in list(found) if named else []:
        if stem not in named:
            passed_over[found.pop(stem).name] = _NOT_BY_NAME
    return list(found.values()), passed_over


def _ilsvrc(root: Path) -> Found:
    lists = {path.stem: path for path in sorted((root / 'ImageSets' / 'DET').glob('*.txt'))}
    passed_over = {}
    of_classes = [stem for stem in lists if _OF_ONE_CLASS.fullmatch(stem)]
    splits = []
    if of_classes and 'train' not in lists:
        splits.append(_ilsvrc_split(root, 'train', tuple(lists[stem] for stem in sorted(of_classes, key=_by_number))))
    if of_classes:
        passed_over[f'{len(of_classes)} lists of one class'] = 'train.txt is there' if 'train' in lists else ''
    for stem, path in lists.items():
        if stem in of_classes:
            continue
        folder = role(stem)
        if folder is None:
            passed_over[path.name] = _NOT_BY_NAME
        elif folder == 'test' and not (root / 'Annotations' / 'DET' / 'test').is_dir():
            passed_over[path.name] = 'its annotations were never published'
        else:
            splits.append(_ilsvrc_split(root, stem, (path,)))
    passed_over = {name: reason for name, reason in passed_over.items() if reason}
    if not splits:
        raise InputError(
            f'{root / "ImageSets" / "DET"}: no list of images that is known; add train.txt and val.txt, one image a '
            'line.'
        )
    return Found(_training_first(splits), passed_over)


def _ilsvrc_split(root: Path, name: str, lists: tuple[Path, ...]) -> Split:
    folder = role(name)
    images, annotations = (root / kind / 'DET' / folder for kind in ('Data', 'Annotations'))
    return Split(name, 'ilsvrc', root, lists, images, annotations, test_mode=folder != 'train')


def _by_number(stem: str) -> tuple[str, int]:
    kind, _, number = stem.rpartition('_')
    return kind, int(number)


def _coco_files(root: Path) -> list[Path]:
    files = sorted((root / 'annotations').glob('*.json')) or sorted(root.glob('*.json'))
    return [path for path in files if path.is_file() and (path.parent.name == 'annotations' or _mentions_images(path))]


def _mentions_images(path: Path) -> bool:
    """Whether a JSON file may be one of COCO's and not somebody's settings: cheap, and true of half a file."""
    end = b''
    try:
        with open(path, 'rb') as file:
            while chunk := file.read(_CHUNK):
                if b'"images"' in end + chunk:
                    return True
                end = chunk[-8:]
    except OSError:
        return True  # That it cannot be read is worth saying.
    return False


def _coco(root: Path, files: Iterable[Path], image_root: Path | None) -> Found:
    files = list(files)
    passed_over = {path.name: 'no boxes by its name' for path in files if path.name.startswith(_NO_BOXES)}
    taken = [path for path in files if path.name not in passed_over]
    if not taken:
        raise InputError(f'{root}: {", ".join(passed_over)} and no file of objects; add one in COCO format.')
    splits = [
        Split(
            path.stem.removeprefix('instances_'), 'coco', root, (path,), image_root, None, test_mode=_is_test(path.stem)
        )
        for path in taken
    ]
    return Found(_training_first(splits), passed_over)


def _is_test(name: str) -> bool:
    return role(name) in ('val', 'test')


def _training_first(splits: list[Split]) -> list[Split]:
    order = ('train', None, 'val', 'test')
    return sorted(splits, key=lambda split: (order.index(role(split.name)), split.name))
