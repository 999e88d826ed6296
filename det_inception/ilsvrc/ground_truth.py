"""Ground truth of the ILSVRC detection challenge: annotations, image lists and blacklists.

Annotations come as a folder of XML files, as a tar archive of them, or as the development kit's MATLAB file
(``ILSVRC2015_det_validation_ground_truth.mat``). All three give the same :class:`AnnotationTable`.

Shape legend: M objects, I images, C classes, B blacklisted pairs. Boxes are ``xmin ymin xmax ymax``, pixel indices
counted from 0 with the last pixel included, as the files have them.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from det_inception.formats import annotation_xml as xml
from det_inception.formats.lists import numbered_lines, split_number
from det_inception.formats.synsets import DET_CLASSES, DET_SYNSETS
from det_inception.ilsvrc.scoring import AnnotationTable
from det_inception.utils.errors import InputError, some
from det_inception.utils.mat_files import MatError, Value, read_mat
from det_inception.utils.text_files import Inflated, explain_read_errors, open_text

_MATLAB_FIELDS = ('gt_img_ids', 'gt_obj_labels', 'gt_obj_bboxes', 'num_pos_per_class')


def read_image_list(path: str | os.PathLike) -> dict[str, int]:
    """Reads an image list such as ``det_lists/val.txt``.

    Args:
        path: Lines ``<image name> <index>``, or ``<image name>`` alone, which numbers them from 1. The first line
            says which. Names have no suffix; folders before the name are dropped.

    Returns:
        Name to index, in the order of the file.

    Raises:
        InputError: If the list is empty, a line is malformed, or a name or an index comes twice.
    """
    indices: dict[str, int] = {}
    first_line: dict[int, int] = {}
    lines = numbered_lines(path)
    first = split_number(lines[0][1])[1] if lines else None
    has_index = first is not None and first >= 0
    for number, line in lines:
        name, index = split_number(line) if has_index else (line, len(indices) + 1)  # A name may contain blanks.
        if index is None or index < 0:
            raise InputError(f'{path}: line {number} is not "<image name> <index>" like the first.')
        name = PurePosixPath(name).name
        if name in indices:
            raise InputError(f'{path}: line {number} lists {name} a second time; remove one of the two.')
        if index in first_line:
            raise InputError(f'{path}: lines {first_line[index]} and {number} have the same index {index}.')
        indices[name] = index
        first_line[index] = number
    if not indices:
        raise InputError(f'{path}: the image list is empty; was the right file given?')
    return indices


def read_blacklist(path: str | os.PathLike, classes: Sequence[str] = DET_CLASSES) -> np.ndarray:
    """Reads a blacklist such as ``ILSVRC2014_det_validation_blacklist.txt``.

    Args:
        path: Lines ``<image index> <WordNet id>``, or no line at all. The index is that of the image list, which for
            the official file is ``det_lists/val.txt``.
        classes: The C classes in the order of their ids. A class is found by its name or, if it is one of the 200, by
            its WordNet id.

    Returns:
        int64 (B, 2): image index and class id.

    Raises:
        InputError: If a line is malformed or names an unknown class.
    """
    class_ids = class_ids_by_name(classes)
    pairs = []
    with open_text(path) as text:
        for number, line in enumerate(text, start=1):
            index, *name = line.split(maxsplit=1) or ('', '')
            if not index:
                continue
            if not index.isdecimal() or not name:
                raise InputError(f'{path}: line {number} is not "<image index> <WordNet id>".')
            class_id = class_ids.get(name[0].strip())
            if class_id is None:
                raise InputError(
                    f'{path}: line {number} names the class {name[0].strip()!r}, which is not among the '
                    f'{len(classes)} classes.'
                )
            pairs.append((int(index), class_id))
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def read_class_names(path: str | os.PathLike) -> tuple[str, ...]:
    """Reads the C class names of a text file, one a line, in the order of the class ids.

    Raises:
        InputError: If there is none, or one comes twice.
    """
    with open_text(path) as text:
        names = [line.strip() for line in text if line.strip()]
    if not names or len(set(names)) != len(names):
        raise InputError(f'{path}: the class list is empty or names a class twice; write one name a line.')
    return tuple(names)


def class_ids_by_name(classes: Sequence[str]) -> dict[str, int]:
    """Returns every name under which a class may appear in a file, to its id, 1 to C.

    Classes of the challenge are found by name, with blanks or underscores, and by WordNet id.

    Args:
        classes: The C classes in the order of their ids, by name or by WordNet id.
    """
    aliases = {synset.name: synset for synset in DET_SYNSETS} | {synset.wnid: synset for synset in DET_SYNSETS}
    class_ids: dict[str, int] = {}
    for class_id, name in enumerate(classes, start=1):
        synset = aliases.get(name.replace(' ', '_'))
        spellings = () if synset is None else (synset.name, synset.name.replace('_', ' '), synset.wnid)
        for spelling in (name, *spellings):
            class_ids.setdefault(spelling, class_id)
    return class_ids


def read_ground_truth(
    path: str | os.PathLike, image_list: Mapping[str, int] | None = None, classes: Sequence[str] = DET_CLASSES
) -> AnnotationTable:
    """Reads the ground truth of many images.

    Args:
        path: A folder of XML files (searched with its subfolders), a tar archive of them (plain or compressed), or the
            development kit's ``.mat`` file.
        image_list: Name to index of the images to evaluate, from :func:`read_image_list`; annotations of other images
            are left out. None: all images. Those of the ``.mat`` file have indices of their own; XML files are numbered
            from 1 in the order of their names, which for the validation set is the order of ``val.txt``. The ``.mat``
            file holds no names, so a list for it must have exactly its indices.
        classes: The C classes in the order of their ids.

    Returns:
        The images and their objects. Difficult objects are among them: the official evaluator ignores the flag.

    Raises:
        InputError: There is no annotation, a listed image has none, a file is damaged, a box is reversed, or an object
            is of an unknown class. The message names the file.
    """
    path = Path(path)
    if path.is_dir():
        return _from_annotations(path, _folder_annotations(path, image_list), image_list, classes)
    with explain_read_errors(path), open(path, 'rb') as file:
        head = file.read(128)
    if path.suffix.lower() == '.mat' or head.startswith(b'MATLAB'):
        return _from_matlab(path, image_list, classes)
    return _from_annotations(path, _tar_annotations(path, image_list), image_list, classes)


# ------------------------------------------------------------------------------------------------------ XML


def _folder_annotations(folder: Path, image_list: Mapping[str, int] | None) -> Iterator[tuple[str, str, bytes]]:
    """Yields image name, source and content of the XML files that are wanted."""
    for file in sorted(folder.rglob('*.xml')):
        if image_list is None or file.stem in image_list:
            with explain_read_errors(file), open(file, 'rb') as content:
                yield file.stem, str(file), content.read(xml.MAX_XML_BYTES + 1)


def _tar_annotations(path: Path, image_list: Mapping[str, int] | None) -> Iterator[tuple[str, str, bytes]]:
    """The same from an archive, in one pass and without unpacking it to disk."""
    try:
        with explain_read_errors(path), Inflated(path) as file, tarfile.open(fileobj=file, mode='r:') as archive:
            for member in archive:
                name = PurePosixPath(member.name)
                if not member.isfile() or name.suffix != '.xml':
                    continue
                if image_list is None or name.stem in image_list:
                    content = archive.extractfile(member).read(xml.MAX_XML_BYTES + 1)
                    yield name.stem, f'{path}:{member.name}', content
            # tarfile takes a cut or overwritten header for the end; the real end is a block of zeros.
            archive.fileobj.seek(archive.offset)
            if archive.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                raise EOFError('it has no end mark')
            while archive.fileobj.read(1 << 20):  # only at its own end does a compressed file check its checksum
                pass
    except tarfile.ReadError:
        raise InputError(
            f'{path}: neither a folder of XML files nor a complete tar archive nor a .mat file; give one of these, '
            'and if it is one, fetch it again.'
        ) from None


def _from_annotations(
    path: Path, files: Iterator[tuple[str, str, bytes]], image_list: Mapping[str, int] | None, classes: Sequence[str]
) -> AnnotationTable:
    class_ids = class_ids_by_name(classes)
    annotations: dict[str, tuple[xml.AnnotatedObject, ...]] = {}
    for name, source, data in files:
        if name in annotations:
            raise InputError(f'{path}: two annotations of the image {name} (one is {source}); remove one of the two.')
        objects = xml.parse_annotation(data, source).objects
        _require_scorable(objects, class_ids, len(classes), source)
        annotations[name] = objects

    if image_list is None:
        if not annotations:
            raise InputError(f'{path}: holds no .xml file; give the folder or archive of the annotations.')
        image_list = {name: index for index, name in enumerate(sorted(annotations), start=1)}
    missing = [name for name in image_list if name not in annotations]
    if missing:
        raise InputError(
            f'{path}: no annotation for {len(missing)} of the {len(image_list)} listed images '
            f'({some(missing, 3)}); give the image list that belongs to these annotations.'
        )
    objects = [(index, item) for name, index in image_list.items() for item in annotations[name]]
    return AnnotationTable(
        image_ids=list(image_list.values()),
        object_image_ids=[index for index, _ in objects],
        class_ids=[class_ids[item.name] for _, item in objects],
        boxes=[item.box for _, item in objects],
        class_names=classes,
        image_names=list(image_list),
    )


def _require_scorable(
    objects: Sequence[xml.AnnotatedObject], class_ids: Mapping[str, int], num_classes: int, source: str
) -> None:
    for number, item in enumerate(objects, start=1):
        if item.box[0] > item.box[2] or item.box[1] > item.box[3]:
            raise InputError(
                f'{source}: object {number} ({item.name}) has the reversed box {item.box}; correct the annotation.'
            )
        if item.name not in class_ids:
            raise InputError(
                f'{source}: the class {item.name!r} is not among the {num_classes} classes; give the list of classes '
                'that these annotations were made for.'
            )


# --------------------------------------------------------------------------------------------------- MATLAB


def _from_matlab(path: Path, image_list: Mapping[str, int] | None, classes: Sequence[str]) -> AnnotationTable:
    try:
        with explain_read_errors(path):
            content = read_mat(path.read_bytes(), _MATLAB_FIELDS)
        missing = [field for field in _MATLAB_FIELDS if field not in content]
        if missing:
            raise MatError(f'it has no variable {missing[0]}')
        image_ids, promised = (_whole_numbers(content[field]) for field in ('gt_img_ids', 'num_pos_per_class'))
        labels = [_whole_numbers(cell) for cell in _cells(content['gt_obj_labels'])]
        boxes = [_matlab_boxes(cell) for cell in _cells(content['gt_obj_bboxes'])]
        counts = [len(cell) for cell in labels]
        # MATLAB ends a cell array at the last image that has objects.
        if counts != [len(cell) for cell in boxes] or len(counts) > len(image_ids):
            raise MatError('its variables do not fit together')
        counts += [0] * (len(image_ids) - len(counts))
        class_ids = np.concatenate([*labels, np.zeros(0, np.int64)])
        if len(class_ids) and not 1 <= class_ids.min() <= class_ids.max() <= len(promised):
            raise MatError('it has an object of an unknown class')
        if not np.array_equal(np.bincount(class_ids, minlength=len(promised) + 1)[1:], promised):
            raise MatError('it does not have as many objects as it says')
    except MatError as error:
        raise InputError(
            f'{path}: not the complete ground truth of the development kit ({error}); give '
            'ILSVRC2015_det_validation_ground_truth.mat as it was published, or the XML files.'
        ) from None
    names: Sequence[str] = ()
    if image_list is not None:
        by_index = {index: name for name, index in image_list.items()}
        if set(by_index) != set(image_ids.tolist()):
            raise InputError(
                f'{path}: holds {len(image_ids)} numbered images without names, and the image list numbers '
                f'{len(image_list)} others; score a part of the images with their XML files instead.'
            )
        names = [by_index[index] for index in image_ids.tolist()]
    try:
        return AnnotationTable(
            image_ids=image_ids,
            object_image_ids=np.repeat(image_ids, counts),
            class_ids=class_ids,
            boxes=np.concatenate([*boxes, np.zeros((0, 4))]),
            class_names=classes,
            image_names=names,
        )
    except InputError as error:
        raise InputError(f'{path}: {error}') from None


def _cells(value: Value) -> np.ndarray:
    if not isinstance(value, np.ndarray) or value.dtype != object:
        raise MatError('a variable is no cell array')
    return value.ravel()


def _numbers(value: Value) -> np.ndarray:
    """float64, finite."""
    if not isinstance(value, np.ndarray) or value.dtype == object or not np.isfinite(value).all():
        raise MatError('a variable is not made of numbers')
    return value.astype(np.float64)


def _whole_numbers(value: Value) -> np.ndarray:
    """int64 of one dimension. The file stores small unsigned integers, which would wrap around in arithmetic."""
    numbers = _numbers(value).ravel()
    if (numbers != np.rint(numbers)).any() or (np.abs(numbers) > 2**53).any():
        raise MatError('a number is not whole')
    return numbers.astype(np.int64)


def _matlab_boxes(cell: Value) -> np.ndarray:
    """(M, 4) from MATLAB's (4, M); a cell without objects is (0, 0)."""
    boxes = _numbers(cell)
    if boxes.size == 0:
        return np.zeros((0, 4))
    if boxes.ndim != 2 or boxes.shape[0] != 4:
        raise MatError(f'a cell of boxes has the shape {boxes.shape}')
    return boxes.T
