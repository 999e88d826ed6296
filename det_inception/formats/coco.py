"""COCO: one JSON file of images, annotations and categories."""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from det_inception.formats.base import (
    NOT_BY_NAME,
    Format,
    FoundSplits,
    Note,
    Split,
    SplitContent,
    role,
    sized,
    training_first,
)
from det_inception.formats.folders import files_of
from det_inception.formats.labelme import is_labelme
from det_inception.formats.records import Box, DataError, ImageRecord, ObjectRecord, is_marked
from det_inception.utils.errors import ErrorHandler, raise_error

# Other tasks' files that lie beside COCO's instances_*.json.
_NO_BOXES = ('captions', 'image_info', 'panoptic', 'person_keypoints', 'stuff')
# What a value of another kind than the format has raises when it is used.
_WRONG_CONTENT = (KeyError, TypeError, ValueError, AttributeError, OverflowError)
_PARTS = ('train', 'valid', 'val', 'test')
_MANY = 50  # .json files; where there are more, each is of an image
_SAMPLE = 50  # images by which the folder of a file is recognized
_CHUNK = 1 << 20
_UNNAMED = 'object'  # the class of all objects of a file without categories


class COCO(Format):
    """COCO's JSON files: in ``annotations``, in the folder itself, or in ``train``, ``valid`` and ``test``.

    Boxes are ``x y width height``, continuous. Categories of one name are one class.
    """

    name = 'coco'
    title = 'COCO format'
    layout = 'COCO (.json files in annotations/, in the folder itself or in train/)'
    takes_image_root = True
    reads_lists = False

    def claim(self, path: Path) -> str | None:
        if path.is_file():
            return path.name if path.suffix.lower() == '.json' else None
        return next((str(file.relative_to(path)) for file in self._files(path)), None)

    def splits(self, path: Path, image_root: Path | None = None) -> FoundSplits:
        root, files = (_root_of(path), [path]) if path.is_file() else (path, self._files(path))
        passed_over = {file.name: 'no boxes by its name' for file in files if file.name.startswith(_NO_BOXES)}
        taken = [file for file in files if file.name not in passed_over]
        if not taken:
            raise DataError(f'{path}: {", ".join(passed_over)} and no file of objects; add one in COCO format.')
        splits = [split for file in taken for split in self.split_of(root, file, image_root)]
        if any(split.role == 'train' for split in splits):
            passed_over |= {split.source.name: NOT_BY_NAME for split in splits if split.role is None}
            splits = [split for split in splits if split.role is not None]
        return FoundSplits(training_first(splits), passed_over)

    def split_of(self, root: Path, source: Path | None, image_root: Path | None = None) -> list[Split]:
        if source is None:
            return self.splits(root, image_root).splits
        of_part = source.name.startswith('_annotations') or (source.parent != root and source.parent.name in _PARTS)
        name = source.parent.name if of_part else source.stem
        return [Split(name.removeprefix('instances_'), self.name, root, (source,), image_root)]

    def read(self, split: Split, on_error: ErrorHandler = raise_error) -> SplitContent:
        (source,) = split.lists
        try:
            content = read_json(source)
        except DataError as error:
            on_error('list', source, error)
            return SplitContent(iter(()), None, split.images or split.root)
        folder = split.images or _image_folder(split.root, source, content)
        notes: list[Note] = []
        names = category_names(content, source, on_error)
        records = _records(content, source, folder, names, on_error, notes)
        if names is None:
            return SplitContent(records, None, folder, notes)
        ids: dict[str, Hashable] = {}
        for identity, name in _without_group(content, names).items():
            ids.setdefault(name, identity)
        return SplitContent(records, tuple(ids), folder, notes, tuple(ids.values()))

    def divide(
        self, split: Split, members: Mapping[str, Sequence[int]], records: Sequence[ImageRecord]
    ) -> dict[Path, str]:
        """See :meth:`Format.divide`. Each part is a complete file."""
        (source,) = split.lists
        content = read_json(source)
        part_of = {records[position].image_id: name for name, positions in members.items() for position in positions}
        # Not beside a file of a part of its own, whose folder's name would name all of them.
        folder = split.root / 'annotations' if source.parent.name in _PARTS else source.parent
        files = {}
        for name in members:
            piece = dict(
                content,
                images=[image for image in content['images'] if part_of[image['id']] == name],
                annotations=[item for item in content.get('annotations', ()) if part_of.get(_image_id(item)) == name],
            )
            files[folder / f'{name}.json'] = json.dumps(piece)
        return files

    def as_in_file(self, box: Box, height: int, width: int) -> tuple[float, ...]:
        x1, y1, x2, y2 = box
        return x1, y1, x2 - x1, y2 - y1

    def _files(self, root: Path) -> list[Path]:
        files = [path for path in _json_files(root / 'annotations') if not is_labelme(path)]
        places = [] if files else [*(root / part for part in _PARTS), root]
        others = [path for place in places for path in _json_files(place)]
        return files or [path for path in others if not is_labelme(path) and _mentions_images(path)]


def read_json(path: str | Path) -> dict:
    """Reads a file of COCO's format, of which it checks no more than that it is a JSON object.

    Raises:
        DataError: The file cannot be read, or is something else.
    """
    try:
        content = json.loads(Path(path).read_bytes())
    except OSError as error:
        raise DataError(
            f'{path}: the annotation file cannot be read ({error.strerror or error}); check data_root and ann_file.'
        ) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f'{path}: the annotation file is no valid JSON ({error}); correct it.') from error
    if not isinstance(content, dict):
        raise DataError(f'{path}: the annotation file holds no JSON object; COCO\'s format begins with {{"images": ...')
    return content


def category_names(
    content: dict, source: str | Path, on_error: ErrorHandler = raise_error
) -> dict[Hashable, str] | None:
    """Returns the names of a file's categories by their ids; None if it has no categories.

    Args:
        content: From :func:`read_json`.
        source: The file's name, for messages.
        on_error: Hears of missing categories (of the kind ``'classes'``), of some without id or name, and of one id for
            two names.
    """
    categories = _part(content, 'categories', source, on_error, 'classes')
    if not categories and not isinstance(content.get('categories'), list):
        return None
    names: dict[Hashable, str] = {}
    for number, category in enumerate(categories):
        try:
            identity, name = category['id'], _class_name(category['name'])
            first = names.setdefault(identity, name)
        except _WRONG_CONTENT as error:
            on_error('annotation', source, _unlike_coco(source, f'number {number} of its categories', error))
            continue
        if first != name:
            error = DataError(
                f'{source}: the category id {identity!r} means {first!r} and {name!r}; give each an id of its own.'
            )
            on_error('ids', source, error)
    return names


def _without_group(content: dict, names: dict[Hashable, str]) -> dict[Hashable, str]:
    """The categories without that of id 0 which only groups the others, as Roboflow writes it."""
    if 0 not in names or len(names) == 1:
        return names
    groups = [item.get('supercategory') for item in content['categories'] if isinstance(item, dict)]
    annotations = content.get('annotations')
    items = annotations if isinstance(annotations, list) else ()  # Else the caller says so.
    used = any(isinstance(item, dict) and item.get('category_id') == 0 for item in items)
    return names if used or names[0] not in groups else {key: name for key, name in names.items() if key != 0}


def _records(
    content: dict,
    source: Path,
    folder: Path,
    names: dict[Hashable, str] | None,
    on_error: ErrorHandler,
    notes: list[Note],
) -> Iterator[ImageRecord]:
    objects = _objects_by_image(content, source, names, on_error, notes)
    seen: dict[Hashable, int] = {}
    for number, image in enumerate(_part(content, 'images', source, on_error)):
        try:
            identity, name = image['id'], image['file_name']
            height, width = (int(image.get(side) or 0) for side in ('height', 'width'))
            path = _inside(folder, name, source)
            first = seen.setdefault(identity, number)
        except DataError as error:
            on_error('annotation', source, error)
            continue
        except _WRONG_CONTENT as error:
            on_error('annotation', source, _unlike_coco(source, f'number {number} of its images', error))
            continue
        if first != number:  # To which of the two would its objects belong?
            error = DataError(
                f'{source}: {content["images"][first]["file_name"]} and {name} have the same image id, {identity!r}; '
                'list every image once, with an id of its own.'
            )
            on_error('ids', source, error)
            continue
        height, width = sized(height, width, path, on_error)
        yield ImageRecord(identity, path, height, width, source, objects.pop(identity, []))
    for identity, left in objects.items():
        if left:
            error = DataError(
                f'{source}: {len(left)} annotations are of the image id {identity!r}, which is not among its images; '
                'correct the file.'
            )
            on_error('ids', source, error)


def _inside(folder: Path, name: str, source: Path) -> Path:
    r"""The path of an image, which must lie in the folder; ``\` may stand for ``/``.

    Of a path of another machine (``C:\me\images\a.jpg``, ``../images/a.jpg``) the longest end that is there is taken.
    """
    if '\\' in name and not os.path.exists(folder / name):
        name = name.replace('\\', '/')
    path = folder / name
    relative = os.path.relpath(path, folder) if os.path.isabs(name) else os.path.normpath(name)
    is_outside = relative == '..' or relative.startswith(f'..{os.sep}')
    if is_outside or name[1:3] == ':/':
        parts = [part for part in name.split('/') if part not in ('', '.', '..')]
        ends = (folder.joinpath(*parts[start:]) for start in range(len(parts)))
        path = next(filter(os.path.isfile, ends), path)
        if is_outside and path == folder / name:
            raise DataError(
                f'{source}: the image {name!r} lies outside the folder of images {folder}; name the folder that holds '
                'all of them, or correct the file.'
            )
    return path


def _objects_by_image(
    content: dict, source: Path, names: dict[Hashable, str] | None, on_error: ErrorHandler, notes: list[Note]
) -> dict[Hashable, list[ObjectRecord]]:
    objects: dict[Hashable, list[ObjectRecord]] = defaultdict(list)
    annotations = _part(content, 'annotations', source, on_error) if 'annotations' in content else []
    ids = Counter(repr(item.get('id')) for item in annotations if isinstance(item, dict))
    for identity, count in ids.items():
        if count > 1 and identity != 'None':
            text = f'{count} annotations have the id {identity}; it does no harm here, but does to other programs.'
            notes.append(Note('ids', source, f'{source}: {text}'))
    for number, annotation in enumerate(annotations):
        try:
            ignore = is_marked(annotation.get('ignore'))
            if ignore and annotation.get('bbox') is None:
                continue
            x, y, width, height = _numbers(annotation['bbox'])
            box = (x, y, x + width, y + height)
            if not all(abs(value) < 1e9 for value in box):  # JSON as Python reads it knows NaN.
                raise ValueError(f'the box {annotation["bbox"]} is none')
            name, category = _UNNAMED, None
            if names is not None:
                category = annotation['category_id']
                name = names.get(category)
            of_image = objects[annotation['image_id']]
        except _WRONG_CONTENT as error:
            on_error('annotation', source, _unlike_coco(source, _named(number, annotation), error))
            continue
        if name is None:
            error = DataError(
                f'{source}: {_named(number, annotation)} is of the category id {category!r}, which is not among its '
                'categories; correct the file.'
            )
            on_error('ids', source, error)
            continue
        of_image.append(ObjectRecord(name, box, ignore, is_marked(annotation.get('iscrowd'))))
    return objects


def _class_name(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)) or not str(value).strip():
        raise ValueError(f'{value!r} is no name')
    return str(value)


def _numbers(box: object) -> list[float]:
    if not isinstance(box, list):  # Of a text, each digit would be a number.
        raise ValueError(f'the box {box!r} is no list')
    return [float(value) for value in box]


def _part(content: dict, name: str, source: str | Path, on_error: ErrorHandler, kind: str = 'annotation') -> list[Any]:
    part = content.get(name)
    if isinstance(part, list):
        return part
    reason = 'is missing' if part is None else f'is no list but a {type(part).__name__}'
    error = DataError(
        f'{source}: this is not COCO\'s format ("images", "annotations" and "categories" that refer to each other): '
        f'{name!r} {reason}; correct the file.'
    )
    on_error(kind, source, error)
    return []


def _image_id(annotation: dict) -> Hashable:
    """The image of an annotation; of one that is passed over it may be anything."""
    identity = annotation.get('image_id')
    return identity if isinstance(identity, Hashable) else None


def _named(number: int, annotation: object) -> str:
    identity = annotation.get('id') if isinstance(annotation, dict) else None
    return f'number {number} of its annotations' if identity is None else f'the annotation of id {identity!r}'


def _unlike_coco(source: str | Path, part: str, error: Exception) -> DataError:
    return DataError(
        f"{source}: {part} is not as COCO's format has it ({type(error).__name__} {error}); correct the file."
    )


def _json_files(folder: Path) -> list[Path]:
    files = sorted(files_of(folder, '.json'), key=lambda path: (role(path.stem) is None, path.name))
    return sorted(files[:_MANY])


def _root_of(path: Path) -> Path:
    return path.parent.parent if path.parent.name == 'annotations' else path.parent


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


def _image_folder(root: Path, source: Path, content: dict) -> Path:
    """Finds the images of a file by trying some of them in the folders where they usually lie."""
    images = content.get('images')
    names = [image.get('file_name') for image in images if isinstance(image, dict)] if isinstance(images, list) else []
    names = [name.replace('\\', '/') for name in names if isinstance(name, str)]
    names = names[:: max(1, len(names) // _SAMPLE)]
    tag = source.stem.removeprefix('instances_')  # instances_val2017.json
    tags = [tag, tag.rstrip('0123456789'), tag.rpartition('_')[2]]
    folders = [*(root / tag for tag in tags), *(root / 'images' / tag for tag in tags)]
    folders += [root / 'images', root / 'JPEGImages', root / 'data', source.parent, root]
    folders += [root / part for part in _PARTS]
    existing = [folder for folder in dict.fromkeys(folders) if folder.is_dir()]
    usual = max(existing, key=lambda folder: _number_of_files(folder, names), default=root)
    if not names or _number_of_files(usual, names):
        return usual
    others = [folder for place in (root / 'images', root) for folder in islice(sorted(place.glob('*/')), _MANY)]
    other = max(others, key=lambda folder: _number_of_files(folder, names), default=usual)
    return other if _number_of_files(other, names) else usual


def _number_of_files(folder: Path, names: Sequence[str]) -> int:
    return sum(os.path.isfile(folder / name) for name in names)
