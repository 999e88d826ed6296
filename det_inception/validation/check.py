"""Checks a data set: every part of it, its images, what the parts have in common, and its proposals."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from det_inception.formats import DataError, read_list, role, spellings, walk
from det_inception.utils.errors import some
from det_inception.validation.duplicates import equal_files, lookalikes
from det_inception.validation.images import ImageFiles
from det_inception.validation.names import similar_classes
from det_inception.validation.problems import ERROR, WARNING, Problems
from det_inception.validation.scan import Scan, scan_split
from det_inception.validation.splits import CheckedSplit
from det_inception.validation.stores import StoreCheck

_QUARTERS = 'turn it by 90 degrees and mirror it', 'turn it by 90 degrees'
_TURNS = {
    2: 'mirror it',
    3: 'turn it by 180 degrees',
    4: 'mirror it',
    5: _QUARTERS[0],
    6: _QUARTERS[1],
    7: _QUARTERS[0],
    8: _QUARTERS[1],
}
"""What each EXIF orientation does to an image."""


@dataclass(frozen=True)
class CheckResult:
    """What a check found.

    Attributes:
        scans: Of each split.
        problems: All that is wrong.
        readable: Of each split, how many of its images could be read; None where they were not.
    """

    scans: list[Scan]
    problems: Problems
    readable: list[int] | None


def check_data(
    splits: Sequence[CheckedSplit],
    *,
    classes_of_first: bool,
    images: bool = True,
    whole: bool = True,
    workers: int | None = None,
    progress: bool = True,
) -> CheckResult:
    """Checks a data set.

    Args:
        splits: Its parts, the training's first.
        classes_of_first: Whether the classes of the first are to be learned, and the others may have no more.
        images: Whether to read the images.
        whole: Whether these are all parts of it, so that an image or proposals that none of them
            uses are worth a word.
        workers: Number of threads that do; None: one a core.
        progress: Whether to show a progress bar on stderr.
    """
    problems, files = Problems(), ImageFiles()
    scans: list[Scan] = []
    for split in splits:
        classes = scans[0].classes if scans and classes_of_first else None
        scans.append(scan_split(split, classes, files, problems))
    _check_class_names(scans, problems)
    if whole:
        _check_unlisted(scans, files, problems)
    if images:
        files.look(workers, progress)
    else:
        files.look_for()
    for scan in scans:
        _check_images(scan, files, problems)
    _check_shared(scans, files, problems)
    _check_stores(scans, files, problems, whole)
    readable = [sum(index not in files.faults for index in scan.images) for scan in scans] if images else None
    return CheckResult(scans, problems, readable)


def _check_class_names(scans: list[Scan], problems: Problems) -> None:
    # The other splits may have no classes beyond those of the first; classes that were given were spelled with care.
    for scan in scans[:1] if scans[0].split.format.classes is None and scans[0].split.classes is None else []:
        counts = {name: entry.boxes + entry.ignored for name, entry in scan.statistics.classes.items()}
        counts = {name: counts.get(name, 0) for name in (*scan.classes, *counts)}
        for rare, often in similar_classes(counts):
            entry = scan.statistics.classes.get(rare)
            source = entry.first if entry else str(scan.split.files.source)
            text = (
                f'{source}: the class {rare!r} ({counts[rare]} objects) may be {often!r} ({counts[often]} objects); if '
                'so, write it so.'
            )
            problems.add('similar class', WARNING, scan.split.name, source, text)
    for scan in scans:
        if not scan.statistics.total('boxes'):
            continue  # said already
        found = scan.statistics.classes
        unused = [name for name in scan.classes if name not in found or not found[name].boxes]
        if unused:
            then = 'nothing to measure there' if scan.split.test_mode else 'nothing to learn there'
            source = scan.split.files.source
            text = f'{source}: no object is of {some(unused, 10)}: {then}; add some, or take them out of the classes.'
            problems.add('unused class', WARNING, scan.split.name, source, text)


def _check_unlisted(scans: list[Scan], files: ImageFiles, problems: Problems) -> None:
    """Notes images in the folders that no split has, and annotations without an image."""
    listed = {os.path.normpath(path) for path in files.paths}
    stems = {os.path.splitext(path)[0] for path in listed}
    folders: dict[Path, CheckedSplit] = {}
    for scan in scans:
        # ILSVRC's lists of other names may be meant to take a part of its images.
        names = [path.stem for path in scan.split.files.lists]
        if scan.split.format.name != 'ilsvrc' or names in ([], [scan.split.files.role]):
            folders.setdefault(scan.folder, scan.split)
    for folder, split in folders.items():
        found = walk(folder)
        if folder == split.files.root:  # There may be other things in it.
            parents = {os.path.dirname(path) for path in listed}
            found = [key for key in found if os.path.dirname(os.path.normpath(folder / key)) in parents]
        names = {os.path.splitext(key)[0] for key in found}
        entries = _list_entries(split)
        for key in found:
            path = os.path.normpath(folder / key)
            if path not in listed and entries.isdisjoint((key, os.path.splitext(key)[0])):
                text = f'{path}: no list names this image; add it to one if it is to be used.'
                problems.add('not listed', WARNING, '', path, text)
        suffix = split.format.annotation_suffix or '.xml'
        for key in walk(split.files.annotations, [suffix]) if split.files.annotations else ():
            name = os.path.splitext(key)[0]
            # That a listed image is missing is said already.
            if not (name in names or name in entries or os.path.normpath(folder / name) in stems):
                source = split.files.annotations / key
                text = f'{source}: there is no image of this name in {folder}; add it, or remove the annotation.'
                problems.add('not listed', WARNING, '', source, text)


def _list_entries(split: CheckedSplit) -> set[str]:
    """Returns what the lists of a VOC folder name, whether or not they are checked."""
    entries: set[str] = set()
    for path in (split.files.root / 'ImageSets' / 'Main').glob('*.txt') if split.format.name == 'voc' else ():
        try:
            entries.update(name for line in read_list(path) for name, _ in spellings(line))
        except DataError:
            continue
    return entries


def _check_images(scan: Scan, files: ImageFiles, problems: Problems) -> None:
    split = scan.split
    for number, index in enumerate(scan.images):
        path = files.paths[index]
        used = scan.used[number]
        severity = ERROR if used else WARNING
        fault = files.faults.get(index)
        if fault is not None:
            kind = 'missing image' if files.is_missing(index) else 'unreadable image'
            hint = files.hint(path) if kind == 'missing image' else ''
            problems.add(kind, severity, split.name, path, f'{fault.removesuffix(".")}{hint}.')
            continue
        annotated, actual = scan.annotated_size(number), tuple(files.sizes[index].tolist())
        if any(actual) and any(annotated) and annotated != actual:
            turned = '; perhaps its EXIF data turn it' if annotated == actual[::-1] else ''
            text = (
                f'{path}: the annotation takes the image to be {annotated[1]} x {annotated[0]}, and it is '
                f'{actual[1]} x {actual[0]}{turned}; correct the size in the annotation if its boxes fit this image, '
                'else replace the image.'
            )
            problems.add('image size', severity, split.name, path, text)
        elif (turn := _TURNS.get(int(files.orientations[index]))) and (
            # A size that is annotated as turned says that the boxes are, too.
            turn not in _QUARTERS or actual[0] == actual[1] or not split.format.states_sizes
        ):
            text = (
                f'{path}: its EXIF data {turn}, and so it is trained on; if its boxes were drawn into the picture as '
                'it is stored, as LabelImg does, remove its EXIF orientation.'
            )
            problems.add('turned', WARNING, split.name, path, text)


def _check_shared(scans: list[Scan], files: ImageFiles, problems: Problems) -> None:
    """Notes images that are in two splits of different use, under one name, as copies, or looking the same."""
    members = [scan.distinct_images() for scan in scans]
    copies = equal_files(files)
    copied = {index: group for group in copies for index in group}
    for (number, first), (other_number, second) in combinations(enumerate(scans), 2):
        if not _apart(first.split, second.split):
            continue
        ours, others = members[number], members[other_number]
        name, other_name = first.split.name, second.split.name
        for index in np.intersect1d(ours, others).tolist():
            path = files.paths[index]
            _note_shared(problems, 'shared image', other_name, path, f'{path}: is in {name} and in {other_name}')
        in_first, in_second = set(ours.tolist()), set(others.tolist())
        for group in copies:
            left, right = ([index for index in group if index in members] for members in (in_first, in_second))
            for index in right:
                if left and index not in in_first:
                    path, twin = files.paths[index], files.paths[left[0]]
                    text = f'{path}: the same file, byte for byte, is {twin} in {name}'
                    _note_shared(problems, 'shared image', other_name, path, text)
        for index, twin in lookalikes(files, others, ours):
            if index in in_first or any(copy in in_first for copy in copied.get(index, ())):
                continue
            path = files.paths[index]
            text = f'{path}: looks the same as {files.paths[twin]} in {name}'
            _note_shared(problems, 'looks the same', other_name, path, text)
    for scan, indices in zip(scans, members):
        within = set(indices.tolist())
        for group in copies:
            together = [index for index in group if index in within]
            for index in together[1:]:
                path = files.paths[index]
                text = (
                    f'{path}: the same file, byte for byte, is {files.paths[together[0]]}; leave one, above all if '
                    'their annotations differ.'
                )
                problems.add('same file', WARNING, scan.split.name, path, text)


def _note_shared(problems: Problems, kind: str, split: str, path: str, text: str) -> None:
    advice = 'take it out of one of them, else the score is better than the detector'
    problems.add(kind, WARNING, split, path, f'{text}; {advice}.')


def _apart(first: CheckedSplit, second: CheckedSplit) -> bool:
    """Whether two splits should have nothing in common: one is for training, or both are for different tests."""
    return first.test_mode != second.test_mode or (first.test_mode and role(first.name) != role(second.name))


def _check_stores(scans: list[Scan], files: ImageFiles, problems: Problems, whole: bool) -> None:
    stores = StoreCheck(problems)
    for scan in scans:
        paths = stores.open(scan.split.stores)
        if not paths:
            continue
        for number, index in enumerate(scan.images):
            if scan.needs_proposals[number] and index not in files.faults:
                stores.check(scan.split.name, paths, files, index, scan.annotated_size(number))
    stores.finish(whole)
