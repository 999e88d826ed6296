"""YOLO: ``data.yaml``, images, and one text file of normalized boxes an image.

Shape legend: a label line is ``class cx cy w h``, centre and size of a box as shares of the image's width and height.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from det_inception.formats.base import Format, FoundSplits, Note, Split, SplitContent, training_first
from det_inception.formats.cache import read_image_sizes
from det_inception.formats.folders import any_case, files_of, walk
from det_inception.formats.lists import ImageNames, list_text, read_list, spellings
from det_inception.formats.records import Box, DataError, ImageRecord, ObjectRecord
from det_inception.utils.errors import ErrorHandler, raise_error, some
from det_inception.utils.images import IMAGE_SUFFIXES

_PARTS = ('train', 'val', 'valid', 'test')
_DIVIDED = 'split.yaml'
_FILES = (_DIVIDED, 'data.yaml', 'data.yml', 'dataset.yaml')  # the first that is there, before any other name
_MAX_YAML_BYTES = 1 << 20  # ImageNet's names have 0.04 MB
_MAX_LABEL_BYTES = 32 << 20
_CLASSES = 'classes'  # what LabelImg and Label Studio call the text beside the labels that names the classes
_FAR_OUTSIDE = 2  # beyond this a number is no share of a width, but pixels


class YOLO(Format):
    """The layout of YOLOv5 and later.

    ``data.yaml`` has ``names`` (a list, or a dict by class) and the parts ``train``, ``val`` and ``test``: each a
    folder, a list of images, or several of them, below ``path`` or beside the file. The labels of ``.../images/a.jpg``
    are in ``.../labels/a.txt``; of an image that lies in no ``images`` folder, beside it. An image without that file
    has no objects. Of a polygon its bounding box is taken.
    """

    name = 'yolo'
    title = 'YOLO layout'
    layout = 'YOLO (data.yaml, images, labels)'
    states_sizes = False

    def claim(self, path: Path) -> str | None:
        if path.is_file():
            return path.name if path.suffix.lower() in ('.yaml', '.yml') else None
        files = _description_files(path)
        return files[0].name if files else None

    def splits(self, path: Path, image_root: Path | None = None) -> FoundSplits:
        source = path if path.is_file() else _description_file(path)
        description = _Description(source)
        passed_over = {}
        splits = []
        for name in description.parts:
            if name == 'test' and not any(description.find(entry) for entry in description.parts[name]):
                passed_over[name] = f'{some(description.parts[name])} is not there'
            else:
                splits.append(Split(name, self.name, source.parent, (source,)))
        if not splits:
            raise DataError(f'{source}: it names no images; add "train: images/train" and "val: images/val".')
        return FoundSplits(training_first(splits), passed_over)

    def split_of(self, root: Path, source: Path | None, image_root: Path | None = None) -> list[Split]:
        if source is None or source.suffix.lower() in ('.yaml', '.yml'):
            return self.splits(source or root).splits
        return [Split(source.stem, self.name, root, (source,))]

    def read(self, split: Split, on_error: ErrorHandler = raise_error) -> SplitContent:
        """See :meth:`Format.read`. The sizes of the images are read from them, once."""
        (source,) = split.lists
        notes: list[Note] = []
        try:
            if source.suffix.lower() in ('.yaml', '.yml'):
                description = _Description(source)
                entries = description.entries(split.name)
            else:
                description = _Description(_description_file(split.root))
                entries = [str(source.absolute())]
        except DataError as error:
            on_error('list', source, error)
            return SplitContent(iter(()), None, split.root)
        reader = _Reader(description, source, on_error, notes)
        classes = tuple(description.names.values())
        return SplitContent(reader.records(entries), classes, split.root, notes)

    def divide(
        self, split: Split, members: Mapping[str, Sequence[int]], records: Sequence[ImageRecord]
    ) -> dict[Path, str]:
        """See :meth:`Format.divide`. The parts of a ``data.yaml`` are lists, and a ``split.yaml`` that names them."""
        import yaml

        (source,) = split.lists
        if source.suffix.lower() not in ('.yaml', '.yml'):
            return super().divide(split, members, records)
        files = {
            source.with_name(f'{name}.txt'): list_text(f'./{records[position].image_id}' for position in positions)
            for name, positions in members.items()
        }
        content = {key: value for key, value in _load_yaml(source).items() if key not in (*_PARTS, 'path')}
        content |= {name: f'{name}.txt' for name in members}
        return files | {source.with_name(_DIVIDED): yaml.safe_dump(content, sort_keys=False, allow_unicode=True)}

    def as_in_file(self, box: Box, height: int, width: int) -> tuple[float, ...]:
        x1, y1, x2, y2 = box
        return (x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height

    def hint(self, path: Path) -> str | None:
        labels = next((folder for folder in (path / 'labels', *path.glob('*/labels')) if folder.is_dir()), None)
        if labels is None:
            return None
        return (
            f'{labels} is there, as YOLO has it, but no data.yaml; write one with "train: images/train", "val: '
            'images/val" and "names: [...]".'
        )


class _Description:
    """A ``data.yaml``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        content = _load_yaml(path)
        self.names = _names(content, path)
        self.has_keypoints = 'kpt_shape' in content
        self.parts: dict[str, list[str]] = {}
        for part in _PARTS:
            entries = content.get(part)
            if not entries or entries in ('null', '~'):
                continue
            entries = entries if isinstance(entries, list) else [entries]
            if not all(isinstance(entry, str) for entry in entries):
                raise DataError(f'{path}: {part} is {entries}, not the path of a folder or list; correct it.')
            self.parts[part] = entries
        base = content.get('path')
        self.bases = [path.parent]
        if isinstance(base, str) and base and os.path.isdir(path.parent / base):
            self.bases.insert(0, path.parent / base)

    def entries(self, part: str) -> list[str]:
        if part not in self.parts:
            raise DataError(f'{self.path}: has no {part}; its parts are {some(self.parts) or "none"}.')
        return self.parts[part]

    def find(self, entry: str) -> Path | None:
        """Where an entry of a part is: at its place, else, with a path of another machine, beside the file."""
        return next(filter(os.path.exists, self.places(entry)), None) or self.find_beside(entry)

    def places(self, entry: str) -> list[Path]:
        return [base / entry for base in self.bases]

    def find_beside(self, entry: str) -> Path | None:
        parts = [part for part in entry.replace('\\', '/').split('/') if part not in ('', '.', '..')]
        ends = (self.path.parent.joinpath(*parts[start:]) for start in range(len(parts)))
        return next(filter(os.path.exists, ends), None)


class _Reader:
    """Reads the images of one part."""

    def __init__(self, description: _Description, source: Path, on_error: ErrorHandler, notes: list[Note]) -> None:
        self.description, self.source, self.on_error, self.notes = description, source, on_error, notes
        self.root = description.path.parent
        self.names_below: ImageNames | None = None
        self.polygons = self.moved = self.labeled = 0

    def records(self, entries: list[str]) -> Iterator[ImageRecord]:
        paths = [path for entry in self._located(entries) for path in self._images(entry)]
        sizes = read_image_sizes(paths, on_error=self.on_error)
        folders: dict[Path, set[Path]] = {}
        for path, (height, width) in zip(paths, sizes):
            key = os.path.relpath(path, self.root).replace(os.sep, '/')
            source = self._label_file(path, key)
            folders.setdefault(source.parent, set()).add(path.parent)
            yield ImageRecord(key, path, height, width, source, self._objects(source, height, width))
        self._say_unused(folders)
        if paths and not self.labeled:
            self._note('annotation', f'none of the {len(paths)} images has a label file such as {source}.')
        if paths and any(key.startswith('../') for key in (os.path.relpath(path, self.root) for path in paths[:1])):
            self._note('list', f'its images lie outside its folder, in {os.path.dirname(paths[0])}.')

    def _note(self, kind: str, text: str) -> None:
        self.notes.append(Note(kind, self.source, f'{self.source}: {text}'))

    def _located(self, entries: list[str]) -> Iterator[Path]:
        used: dict[Path, str] = {}
        for part, others in self.description.parts.items():
            for entry in others:
                if not any(map(os.path.exists, self.description.places(entry))):
                    place = self.description.find_beside(entry)
                    if place is not None and used.setdefault(place, entry) != entry:
                        error = DataError(
                            f'{self.source}: neither {used[place]!r} nor {entry!r} of {part} is there, and both may be '
                            f'{place}; correct the paths.'
                        )
                        self.on_error('list', self.source, error)
                        return
        for entry in entries:
            path = self.description.find(entry)
            if path is None:
                error = DataError(
                    f'{self.source}: there is no {entry!r}, neither at {self.description.places(entry)[0]} nor beside '
                    'the file; correct the path, or "path".'
                )
                self.on_error('list', self.source, error)
                continue
            if path not in self.description.places(entry):
                self._note('list', f'there is no {entry!r}, perhaps a path of another machine; {path} is taken.')
            yield path

    def _images(self, path: Path) -> Iterator[Path]:
        if path.is_dir():
            yield from (path / key for key in walk(path))
            return
        try:
            lines = read_list(path)
        except DataError as error:
            self.on_error('list', path, error)
            return
        for line in lines:
            found = self._find(line, path)
            if found is not None:
                yield found
                continue
            error = DataError(f'{path}: there is no image {line}; add it or take it out of the list.')
            self.on_error('missing image', Path(line), error)

    def _find(self, line: str, listed_in: Path) -> Path | None:
        bases = [listed_in.parent, *self.description.bases]
        names = [name for name, _ in spellings(line)]
        for name in names:
            for base in bases:
                if os.path.isfile(base / name):
                    return base / name
        if self.names_below is None:
            self.names_below = ImageNames(self.description.bases[0])
        try:
            found = self.names_below.find(line)
        except DataError:  # Of another machine, or above the folder.
            found = []
        if len(found) == 1:
            return self.names_below.root / found[0]
        place = next(filter(None, map(self.description.find_beside, names)), None)
        if place is not None and not self.moved:
            self.moved = 1
            text = f'there is no {line!r}, perhaps a path of another machine; {place} is taken, and so for others.'
            self.notes.append(Note('list', listed_in, f'{listed_in}: {text}'))
        return place

    def _label_file(self, path: Path, key: str) -> Path:
        """Where the labels of an image are: the last ``images`` of its path is ``labels``, or else beside it."""
        candidates = [any_case(self.root / _to_labels(key)), any_case(Path(_to_labels(path.absolute().as_posix())))]
        return next(filter(os.path.exists, candidates), candidates[0])

    def _say_unused(self, images: Mapping[Path, set[Path]]) -> None:
        """Notes label files of no image: another spelling of its name makes an image one without objects.

        Args:
            images: The folders of images that have their labels in a folder.
        """
        for labels, folders in images.items():
            stems = {path.stem for folder in folders for path in files_of(folder, *IMAGE_SUFFIXES)}
            unused = [path.name for path in files_of(labels, '.txt') if path.stem not in stems | {_CLASSES}]
            if labels not in folders and unused:
                text = f'{labels}: holds labels of no image that is there ({some(unused)}); call them as the image.'
                self.notes.append(Note('annotation', labels, text))

    def _objects(self, source: Path, height: int, width: int) -> list[ObjectRecord]:
        try:
            with open(source, 'rb') as file:
                content = file.read(_MAX_LABEL_BYTES + 1)
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            self._fault(source, f'the labels cannot be read ({error}); replace the file')
            return []
        self.labeled += 1
        if len(content) > _MAX_LABEL_BYTES:
            self._fault(source, f'more than {_MAX_LABEL_BYTES >> 20} MB are no labels; remove the file')
            return []
        try:
            lines = content.decode('utf-8-sig').splitlines()
        except UnicodeDecodeError:
            self._fault(source, 'the labels are no text in UTF-8; save them so')
            return []
        objects = []
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                label, box, is_polygon = parse_label(line, self.description.has_keypoints)
            except ValueError as error:
                self._fault(source, f'line {number} {error}')
                continue
            if is_polygon and not self.polygons:
                self.polygons = 1
                text = f'line {number} is a polygon; its bounding box is taken, and so of all others.'
                self.notes.append(Note('annotation', source, f'{source}: {text}'))
            name = self.description.names.get(label)
            if name is None:
                known = ', '.join(map(str, sorted(self.description.names)))
                known = known if len(known) < 30 else f'{min(self.description.names)} to {max(self.description.names)}'
                text = f'line {number} is of class {label}, and {self.description.path} names {known}'
                self._fault(source, f'{text}; correct one of the two', 'unknown class')
                continue
            x1, y1, x2, y2 = box
            objects.append(ObjectRecord(name, (x1 * width, y1 * height, x2 * width, y2 * height)))
        return objects

    def _fault(self, source: Path, text: str, kind: str = 'annotation') -> None:
        self.on_error(kind, source, DataError(f'{source}: {text}.'))


def parse_label(line: str, has_keypoints: bool = False) -> tuple[int, Box, bool]:
    """Reads a line of labels.

    Args:
        line: ``class cx cy w h``, or the corners of a polygon, ``class x y x y x y ...``.
        has_keypoints: Whether key points come after the box, which are left out.

    Returns:
        The class; ``x1 y1 x2 y2`` as shares of width and height; whether it was a polygon.

    Raises:
        ValueError: It is something else; the message is the rest of a sentence.

    Example:
        >>> parse_label('3 0.5 0.5 0.2 0.4')
        (3, (0.4, 0.3, 0.6, 0.7), False)
        >>> parse_label('0 0.1 0.2 0.5 0.2 0.3 0.9')[1:]
        ((0.1, 0.2, 0.5, 0.9), True)
    """
    try:
        label, *numbers = map(float, line.split())
    except ValueError:
        raise ValueError(f'is {line.strip()[:60]!r}, no numbers; write "class cx cy w h"') from None
    if has_keypoints:
        numbers = numbers[:4]
    is_polygon = len(numbers) >= 6 and len(numbers) % 2 == 0
    if len(numbers) != 4 and not is_polygon:
        raise ValueError(f'has {len(numbers)} numbers after the class; write "class cx cy w h", or a polygon')
    if not (label.is_integer() and label >= 0):
        raise ValueError(f'is of class {label:g}; write a whole number from 0')
    # Also catches infinities and NaN.
    if not all(abs(number) <= _FAR_OUTSIDE for number in numbers):
        raise ValueError(
            'has numbers far outside 0 to 1, perhaps pixels; divide x and w by the width of the image, y and h by its '
            'height'
        )
    if is_polygon:
        xs, ys = numbers[::2], numbers[1::2]
        return int(label), (min(xs), min(ys), max(xs), max(ys)), True
    x, y, width, height = numbers
    corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return int(label), tuple(round(side, 12) for side in corners), False


def _to_labels(path: str) -> str:
    parts = path.split('/')
    if 'images' in parts[:-1]:
        parts[len(parts) - 2 - parts[-2::-1].index('images')] = 'labels'
    return os.path.splitext('/'.join(parts))[0] + '.txt'


def _description_files(root: Path) -> list[Path]:
    named = [root / name for name in _FILES if (root / name).is_file()]
    named = [path for path in named if path.name != _DIVIDED or _describes(path)]
    if named:
        return named[:1]
    return [path for path in files_of(root, '.yaml', '.yml')[:20] if _describes(path)]


def _description_file(root: Path) -> Path:
    files = _description_files(root)
    if len(files) != 1:
        found = f'there are {", ".join(path.name for path in files)}' if files else 'there is none'
        raise DataError(f'{root}: YOLO needs one data.yaml, and {found}; name the file itself.')
    return files[0]


def _describes(path: Path) -> bool:
    try:
        content = _load_yaml(path)
    except DataError:
        return False
    return 'names' in content and any(part in content for part in _PARTS)


def _load_yaml(path: Path) -> dict[str, Any]:
    import yaml  # Comes with MMEngine; only this format needs it.

    from det_inception.utils.yaml_keys import require_different_keys

    try:
        with open(path, 'rb') as file:
            content = file.read(_MAX_YAML_BYTES + 1)
    except OSError as error:
        raise DataError(f'{path}: cannot be read ({error.strerror or error}); check data_root and ann_file.') from error
    if len(content) > _MAX_YAML_BYTES:
        raise DataError(f'{path}: more than {_MAX_YAML_BYTES >> 20} MB are no data.yaml; name the right file.')
    try:
        loader = yaml.BaseLoader(content)  # Only text: a class may be "no" or "12".
        document = loader.get_single_node()
        require_different_keys(document)
        loaded = None if document is None else loader.construct_document(document)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = ' '.join(str(error).split())[:200]
        raise DataError(f'{path}: is no valid YAML ({reason}); correct it.') from error
    if not isinstance(loaded, dict):
        raise DataError(f'{path}: holds no "train: ...", "val: ..." and "names: ..."; write them, one a line.')
    return loaded


def _names(content: dict[str, Any], path: Path) -> dict[int, str]:
    """The names of the classes by their numbers."""
    names = content.get('names')
    try:
        if isinstance(names, dict):
            found = {int(number): name for number, name in names.items()}
        else:
            found = dict(enumerate(names if isinstance(names, list) else ()))
    except (TypeError, ValueError):
        found = {}
    if not found or len(found) < len(names) or not all(isinstance(name, str) for name in found.values()):
        raise DataError(f'{path}: names is no list of names, nor a dict of them by number; write "names: [cat, dog]".')
    if unnamed := [number for number, name in found.items() if not name.strip()]:
        raise DataError(f'{path}: names has no name for class {unnamed[0]}; give it one.')
    first: dict[str, int] = {}
    for number, name in found.items():
        if first.setdefault(name, number) != number:
            raise DataError(
                f'{path}: names has {name!r} twice, as {first[name]} and {number}; give each class a name of its own.'
            )
    count = content.get('nc')
    if isinstance(count, str) and count.isdecimal() and int(count) != len(found):
        raise DataError(f'{path}: nc is {count}, and names has {len(found)}; correct one of the two.')
    return found
