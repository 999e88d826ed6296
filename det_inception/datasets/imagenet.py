"""Image classification data in ImageNet's layout: a folder a class, or a folder of images and a list of labels.

ROOT/train/n01440764/n01440764_10026.JPEG     the classes are the folders' names, in alphabetical order
ROOT/val/n01440764/ILSVRC2012_val_00000293.JPEG
ROOT/val.txt                                  where val/ is flat: "ILSVRC2012_val_00000293.JPEG n01440764" a line
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from mmengine.dataset import BaseDataset

from det_inception.formats.folders import is_folder
from det_inception.formats.lists import read_list
from det_inception.formats.records import DataError
from det_inception.registry import DATASETS
from det_inception.utils.errors import some
from det_inception.utils.images import IMAGE_SUFFIXES


@DATASETS.register_module()
class ImageNetDataset(BaseDataset):
    """Images with one label each.

    Classes are those of ``metainfo['classes']``; where none are given, the names of the class folders, sorted. That is
    the order of torchvision, of Caffe's ``synset_words.txt`` and of the public weights.

    Args:
        ann_file: ``''``: every image lies in the folder of its class. Else a list, relative to ``data_root``: one
            ``name label`` a line, the image's name relative to its folder, and its class as a name or, counted from 0,
            a number.
        data_prefix: ``dict(img_path=FOLDER)``, relative to ``data_root``: of the class folders, or of the listed
            images.
        **kwargs: As for MMEngine's ``BaseDataset``: ``data_root``, ``pipeline``, ``metainfo``, ``test_mode``, ...

    Raises:
        DataError: A folder or list that is missing, empty or does not fit; see the message.
    """

    def __init__(self, ann_file: str = '', **kwargs) -> None:
        lazy = kwargs.pop('lazy_init', False)
        super().__init__(ann_file=ann_file, lazy_init=True, **kwargs)
        if self._metainfo.get('classes') is None and not self.ann_file:
            # Known without a look at the images, of which there are 1.3 million.
            self._metainfo['classes'] = tuple(self._class_folders())
        if not lazy:
            self.full_init()

    @property
    def folder(self) -> Path:
        """Where the class folders or the listed images lie."""
        return Path(self.data_prefix.get('img_path') or '.')

    def load_data_list(self) -> list[dict]:
        """Returns ``img_path`` and ``gt_label`` of every image."""
        entries = list(self._listed() if self.ann_file else self._in_folders())
        return [dict(img_path=path, gt_label=label) for path, label in entries]

    # ------------------------------------------------------------------------------------------------ class folders

    def _in_folders(self) -> Iterator[tuple[str, int]]:
        classes, found = tuple(self._metainfo['classes']), self._class_folders()
        if strangers := [name for name in found if name not in classes]:
            raise DataError(
                f'{self.folder / strangers[0]}: is a folder of none of the {len(classes)} classes ({some(classes)}); '
                'take it away, or correct the classes.'
            )
        if not self.test_mode and (absent := [name for name in classes if name not in found]):
            raise DataError(
                f'{self.folder}: has no folder of class {absent[0]!r}; add one with images, or correct the classes.'
            )
        for label, name in enumerate(classes):
            if name in found:
                images = self._images(self.folder / name)
                if not images:
                    raise DataError(
                        f'{self.folder / name}: the class folder holds no image; add some, or remove it if there is '
                        'no such class.'
                    )
                yield from ((path, label) for path in images)

    def _class_folders(self) -> list[str]:
        try:
            with os.scandir(self.folder) as entries:
                names = sorted(entry.name for entry in entries if is_folder(entry) and not entry.name.startswith('.'))
        except OSError as error:
            raise DataError(
                f'{self.folder}: the folder of the classes cannot be read ({error.strerror}); check data_root and '
                'data_prefix.img_path.'
            ) from error
        if not names:
            raise DataError(
                f'{self.folder}: holds no folder a class; where the images lie side by side, name the list of their '
                'labels in ann_file.'
            )
        return names

    @staticmethod
    def _images(folder: Path) -> list[str]:
        with os.scandir(folder) as entries:
            return sorted(entry.path for entry in entries if entry.name.lower().endswith(IMAGE_SUFFIXES))

    # --------------------------------------------------------------------------------------------------------- list

    def _listed(self) -> Iterator[tuple[str, int]]:
        lines = read_list(self.ann_file)
        if not lines:
            raise DataError(f'{self.ann_file}: the list of labels is empty; write one image and its label a line.')
        classes = self._metainfo.get('classes')
        labels = {name: label for label, name in enumerate(classes or ())}
        there, seen = _Folders(), set()
        for number, line in enumerate(lines, start=1):
            name, _, word = line.rpartition(' ') if '\t' not in line else line.rpartition('\t')
            if not name.strip():
                raise DataError(
                    f'{self.ann_file}: line {number} is {line!r} and should be the name of an image, a blank and its '
                    "class; a list of numbers alone does not say whose they are, and the development kit's count the "
                    'classes in another order.'
                )
            name = name.strip()
            path = str(self.folder / name)
            if path not in there:
                raise DataError(
                    f'{self.ann_file}: line {number} lists {name}, which is not in {self.folder}; correct the list, or '
                    'name its folder in data_prefix.img_path.'
                )
            if self.test_mode and path in seen:
                raise DataError(f'{self.ann_file}: line {number} lists {name} for a second time; list it once.')
            seen.add(path)
            yield path, self._label(word, labels, classes, number)

    def _label(self, word: str, labels: dict[str, int], classes: Sequence[str] | None, number: int) -> int:
        if word in labels:
            return labels[word]
        if not word.isdecimal():
            known = f'which is not among the classes {some(classes)}' if classes else 'and no classes are known'
            raise DataError(
                f'{self.ann_file}: line {number} has the class {word!r}, {known}; correct it, or name the list of all '
                'classes with --cfg-options synsets=FILE.'
            )
        if classes and int(word) >= len(classes):
            raise DataError(
                f'{self.ann_file}: line {number} has the label {word}, and the {len(classes)} classes are 0 to '
                f'{len(classes) - 1}; correct it.'
            )
        return int(word)


class _Folders:
    """Whether files exist, with one look at every folder."""

    def __init__(self) -> None:
        self.names: dict[str, set[str]] = {}

    def __contains__(self, path: str) -> bool:
        folder, name = os.path.split(path)
        if folder not in self.names:
            try:
                self.names[folder] = set(os.listdir(folder))
            except OSError:
                self.names[folder] = set()
        return name in self.names[folder]


def read_synsets(path: str | Path) -> tuple[str, ...]:
    """Returns the classes of a list such as Caffe's ``synset_words.txt``: the first word of every line, in order.

    Raises:
        DataError: The list cannot be read, is empty, or names a class twice.
    """
    names = [line.split()[0] for line in read_list(path)]
    if not names:
        raise DataError(f'{path}: the list of classes is empty; write one a line, in the order of the outputs.')
    if twice := [name for name in names if names.count(name) > 1]:
        raise DataError(f'{path}: lists the class {twice[0]} more than once; write one a line.')
    return tuple(names)
