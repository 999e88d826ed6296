"""Reads one split from end to end and notes what is wrong with its lists and annotations.

An error here is what the data sets of :mod:`det_inception.datasets` raise: both read with :mod:`det_inception.formats`.
What the base class of the data sets checks beyond that is checked here again.
"""

from __future__ import annotations

import os
from array import array
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from det_inception.formats import ImageRecord, read_split, usable_objects
from det_inception.utils.errors import InputError, some
from det_inception.validation.boxes import box_problems
from det_inception.validation.images import ImageFiles
from det_inception.validation.names import meant
from det_inception.validation.problems import ERROR, WARNING, Problems
from det_inception.validation.splits import CheckedSplit
from det_inception.validation.statistics import Statistics

MARKS = 'difficult (VOC: difficult, COCO: iscrowd or ignore)'
"""What objects that do not count are marked as."""

_LARGEST = 2**40  # as an image's side; a file may say anything


@dataclass
class Scan:
    """What was found in a split.

    Attributes:
        split: The split.
        classes: Those that a detector would learn from it, in their order.
        folder: The folder of its images.
        statistics: Its counts, of objects of these classes.
        images: Index of each image among the image files, in the order of the list.
        sizes: Height and width of each image as its annotation has it, one after the other; 0 where unknown.
        used: Whether each image takes part in training or testing.
        needs_proposals: Whether it does so with proposals: an image that is annotated in part is trained without.
    """

    split: CheckedSplit
    classes: tuple[str, ...]
    folder: Path
    statistics: Statistics = field(default_factory=Statistics)
    images: array = field(default_factory=lambda: array('q'))
    sizes: array = field(default_factory=lambda: array('q'))
    used: bytearray = field(default_factory=bytearray)
    needs_proposals: bytearray = field(default_factory=bytearray)

    def annotated_size(self, number: int) -> tuple[int, int]:
        """Returns height and width of the image of this number in the list."""
        return self.sizes[2 * number], self.sizes[2 * number + 1]

    def distinct_images(self) -> np.ndarray:
        """Returns the indices of its image files, each once."""
        return np.unique(np.array(self.images, np.int64))


def scan_split(split: CheckedSplit, classes: tuple[str, ...] | None, files: ImageFiles, problems: Problems) -> Scan:
    """Reads a split, adds its images to ``files`` and notes in ``problems`` what is wrong.

    The classes to be learned may be given instead of those that the split itself names or has.
    """
    return _Scanner(split, classes, files, problems).run()


class _Scanner:
    def __init__(
        self, split: CheckedSplit, classes: tuple[str, ...] | None, files: ImageFiles, problems: Problems
    ) -> None:
        self.split, self.files, self.problems = split, files, problems
        self.source = split.files.source
        self.add_error = problems.on_error(split.name)
        self.faulty: set[str] = set()  # files of which something is left out
        self.content = read_split(split.files, self.on_error)
        given = classes or split.classes or self.content.classes
        self.known = None if given is None else frozenset(given)
        self.scan = Scan(split, given or (), self.content.images)
        self.unknown: Counter[tuple[str, str]] = Counter()
        self.first_of_id: dict[object, int] = {}
        self.number_of_ids = 0
        self.listed: set[int] = set()

    def on_error(self, kind: str, file: str | os.PathLike, error: InputError) -> None:
        self.faulty.add(os.fspath(file))
        if kind == 'missing image' and (hint := self.files.hint(file)):
            error = InputError(f'{str(error).removesuffix(".")}{hint}.')
        self.add_error(kind, file, error)

    def note(self, kind: str, severity: str, file: str | os.PathLike, text: str) -> None:
        self.problems.add(kind, severity, self.split.name, file, f'{file}: {text}')

    def run(self) -> Scan:
        for record in self.content.records:
            self.see(record)
        for note in self.content.notes:
            self.problems.add(note.kind, WARNING, self.split.name, note.file, note.message)
        if self.known is None:
            self.scan.classes = tuple(sorted(self.scan.statistics.classes))
        self.check_classes()
        self.check_whole()
        return self.scan

    def see(self, record: ImageRecord) -> None:
        scan, split = self.scan, self.split
        shares_file = record.source in split.files.lists  # One annotation file for all images.
        number = self.files.add(record.path)
        self.check_listed_once(record, number)
        for kind, text in box_problems(record, split.format):
            self.note(kind, WARNING, record.source, f'{record.path.name}: {text}' if shares_file else text)
        if self.known is not None:
            self.unknown.update(
                (str(record.source), item.name) for item in record.objects if item.name not in self.known
            )
            record.objects = [item for item in record.objects if item.name in self.known]
        left = scan.statistics.add(record)
        enough = min(record.width, record.height) >= split.min_size
        # If its annotation cannot be read, there may be objects.
        half_read = not shares_file and not self.faulty.isdisjoint((str(record.source), str(record.path)))
        scan.used.append(split.test_mode or half_read or (enough and (left > 0 or not split.filter_empty)))
        scan.needs_proposals.append(scan.used[-1] and (split.test_mode or record.exhaustive))
        scan.images.append(number)
        scan.sizes.extend(max(-1, min(side, _LARGEST)) for side in (record.height, record.width))
        if half_read:
            return
        if split.test_mode:
            if split.format.name == 'ilsvrc' and not left and not os.path.exists(record.source):
                text = 'there is no annotation, so that the image counts as one without objects; add it.'
                self.note('annotation', WARNING, record.source, text)
            return
        if not enough:
            text = f'the image of {record.width} x {record.height} is left out of training, being smaller than asked.'
            self.note('image size', WARNING, record.path, text)
        elif not left:
            reason, advice = 'the boxes of its objects are all dropped', 'correct them'
            if not record.objects:
                reason, advice = 'the image has no object', 'annotate what it shows, if there is something'
            elif any(item.ignored for item in usable_objects(record)):
                reason, advice = f'all its objects are marked as {MARKS}', 'unmark some if they are to be learned'
            then = 'it is left out of training' if split.filter_empty else 'it shows background alone'
            self.note('no object', WARNING, record.path, f'{reason}, so that {then}; {advice}.')

    def check_listed_once(self, record: ImageRecord, number: int) -> None:
        """Notes an image that came before. (COCO's reader itself complains of equal ids.)"""
        first = self.first_of_id.setdefault(record.image_id, number)
        if len(self.first_of_id) > self.number_of_ids:
            self.number_of_ids += 1
            if number in self.listed:
                text = f'{record.path} is there under two ids; leave one, else its objects are divided between them.'
                self.note('listed twice', WARNING, self.source, text)
            self.listed.add(number)
            return
        # In training it is a way to see an image twice as often; a test would count its objects twice.
        severity, then = (ERROR, 'list it once') if self.split.test_mode else (WARNING, 'it counts twice in training')
        if first == number:
            text = f'{record.path} is listed more than once; {then}.'
        else:
            text = (
                f'{self.files.paths[first]} and {record.path} have the same id, {record.image_id!r}; give each one '
                'of its own.'
            )
        self.note('listed twice', severity, self.source, text)

    def check_classes(self) -> None:
        severity = WARNING if self.split.ignore_unknown else ERROR
        then = 'they are passed over' if self.split.ignore_unknown else 'add it to them, or correct the file'
        for (source, name), count in self.unknown.items():
            close = meant(name, self.scan.classes)
            hint = f' (did you mean {close!r}?)' if close else ''
            text = (
                f'{count} {"object" if count == 1 else "objects"} of class {name!r}, which is not among the classes '
                f'{some(self.scan.classes, 10)}{hint}; {then}.'
            )
            self.note('unknown class', severity, source, text)

    def check_whole(self) -> None:
        """Notes what the data set as a whole is refused for."""
        scan, source = self.scan, self.source
        images = scan.statistics.images
        if not images:
            if not self.faulty:
                self.note('list', ERROR, source, 'the data set has no images; add some, or name another list.')
        elif not scan.classes:
            text = f'none of its {images} images has an annotated object, so there are no classes to learn.'
            self.note('no object', ERROR, source, text)
        elif not scan.statistics.total('boxes'):
            text = f'none of its {images} images has a usable object of the classes {some(scan.classes, 10)}'
            if ignored := scan.statistics.total('ignored'):
                text += f': all {ignored} are marked as {MARKS}; set these marks to 0.'
            else:
                text += '; check the annotations and the classes.'
            self.note('no object', ERROR, source, text)
        elif (ignored := scan.statistics.total('ignored')) > (boxes := scan.statistics.total('boxes')):
            text = (
                f'{ignored} of {ignored + boxes} objects are marked as {MARKS}, so that they count neither for nor '
                'against a detector; some programs mark single objects as crowds: set these marks to 0 if they should '
                'count.'
            )
            self.note('ignored', WARNING, source, text)
        if images and scan.classes and scan.statistics.total('boxes') and not any(scan.used):
            self.note('no object', ERROR, source, 'filter_cfg leaves no image for training; ask for less.')
