"""Splits a data set of any format into parts over which every class is spread as the images are.

Shape legend: I images, C classes, P parts.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from det_inception.formats import (
    FORMATS,
    ImageRecord,
    Split,
    choose_split,
    count_objects,
    read_split,
    recognize,
    undivided,
)
from det_inception.ilsvrc import balanced_split, imbalance, rcnn_val_split, read_blacklist, read_image_list
from det_inception.utils.errors import InputError
from det_inception.utils.files import write_texts

_SHOWN = 20  # classes in the table


@dataclass(frozen=True)
class Division:
    """A data set in parts; nothing is written yet.

    Attributes:
        files: What makes up the parts: each file and its content.
        names: The P parts.
        shares: Their shares of the images, as they were asked for.
        classes: The C classes, in alphabetical order.
        counts: int64 (I, C), objects of each class in each image.
        parts: int64 (I,), each image's part, 0 to P - 1.
    """

    files: dict[Path, str]
    names: tuple[str, ...]
    shares: tuple[float, ...]
    classes: tuple[str, ...]
    counts: np.ndarray
    parts: np.ndarray

    def table(self) -> str:
        """Returns the objects of each class in each part as text, the class furthest from its share first."""
        worst = imbalance(self.counts, self.parts, self.shares)
        width = max([len('class'), *map(len, self.classes)])
        lines = [f'{"class":{width}}' + ''.join(f'{name:>9}' for name in self.names) + '  furthest from its share']
        for label in np.argsort(-worst, kind='stable')[:_SHOWN]:
            numbers = (self.counts[self.parts == part, label].sum() for part in range(len(self.names)))
            lines.append(f'{self.classes[label]:{width}}{"".join(f"{n:9d}" for n in numbers)}  {worst[label]:.1%}')
        if len(self.classes) > _SHOWN:
            lines.append(f'... and {len(self.classes) - _SHOWN} classes that are closer to it')
        images = ', '.join(f'{name} {np.sum(self.parts == part)}' for part, name in enumerate(self.names))
        return '\n'.join([*lines, f'images: {images}'])


def divide(
    source: str | Path,
    shares: Mapping[str, float],
    seed: int = 0,
    annotations: Path | None = None,
    image_root: Path | None = None,
    format_name: str | None = None,
) -> Division:
    """Splits a data set: a list of images, a file in COCO format, or the training part of a folder or a YOLO file.

    The images and objects are those that training reads, and what training refuses is refused here.

    Args:
        source: The folder of a data set, the file that describes one, or a list in the folders of one.
        shares: Names of the P parts and their shares of the images.
        seed: Another seed gives another division.
        annotations: The folder of the XML files; None: where the format has it.
        image_root: The folder of the images; None: where the format has it.
        format_name: One of :data:`~det_inception.formats.FORMATS`; None: recognized.

    Raises:
        InputError: The source is of no known format, its files are faulty, it is divided already, an image is listed
            twice, or there are fewer images than parts.
    """
    source = Path(source)
    if not source.exists():
        raise InputError(f'{source}: no such file or folder; give a data set, a list of images or a COCO file.')
    split = _split_of(source, annotations, image_root, format_name)
    records = list(read_split(split).records)
    if twice := _first_twice(records):
        raise InputError(
            f'{source}: lists an image twice ({twice}); it could come into two parts. Remove one of the two.'
        )
    classes, counts = count_objects(records)
    parts = balanced_split(counts, tuple(shares.values()), seed)
    members = {name: np.flatnonzero(parts == part).tolist() for part, name in enumerate(shares)}
    files = FORMATS[split.format].divide(split, members, records)
    return Division(files, tuple(shares), tuple(shares.values()), classes, counts, parts)


def divide_like_rcnn(val: str | Path, val2: str | Path, blacklist: str | Path) -> dict[Path, str]:
    """Returns the lists of R-CNN's ``val1`` and ``val2`` beside ``val``, each with the official indices.

    They come from the official list of the validation set and its blacklist, and the published list of ``val2``.
    """
    halves = rcnn_val_split(read_image_list(val), read_image_list(val2), read_blacklist(blacklist))
    return {
        Path(val).with_name(f'{name}.txt'): ''.join(f'{image} {index}\n' for image, index in half.items())
        for name, half in zip(('val1', 'val2'), halves)
    }


def write_parts(files: Mapping[Path, str], force: bool = False) -> None:
    """Writes the files of a division, all or none.

    Raises:
        InputError: One is there already with another content, and not ``force``.
    """
    for path, content in files.items():
        if path.exists() and not force and not _holds(path, content):
            raise InputError(f'{path}: is there already; write over it with --force, or name the parts otherwise.')
    write_texts(files)


def _holds(path: Path, content: str) -> bool:
    try:
        return path.read_text(encoding='utf-8') == content
    except (OSError, UnicodeDecodeError):
        return False


def _split_of(source: Path, annotations: Path | None, image_root: Path | None, format_name: str | None) -> Split:
    if source.is_dir():
        split = undivided(recognize(source, format_name).splits(source, image_root).splits)
    elif any(format.claim(source) for format in FORMATS.values()):
        splits = recognize(source, format_name).splits(source).splits
        split = splits[0] if len(splits) == 1 else choose_split(splits, 'train')
    else:
        folders = Path(os.path.abspath(source)).parents[:4]
        root = next((root for root in folders if any(format.claim(root) for format in FORMATS.values())), None)
        if root is not None:
            found = recognize(root, format_name).split_of(root, source)
            if len(found) > 1 and annotations is None:
                raise InputError(
                    f'{source}: its images may be in {found[0].images} or {found[1].images}; begin its name with train '
                    'or val, or name the folder of their annotations with --annotations.'
                )
            split = next((split for split in found if split.annotations == annotations), found[0])
        elif annotations is not None and image_root is not None:
            split = Split(source.stem, 'voc', source.parent, (source,))
        else:
            raise InputError(
                f'{source}: is in the folders of no known data set; name those of its annotations and images with '
                '--annotations and --image-root.'
            )
    return replace(split, annotations=annotations or split.annotations, images=image_root or split.images)


def _first_twice(records: list[ImageRecord]) -> Path | None:
    seen: set[Path] = set()
    return next((record.path for record in records if record.path in seen or seen.add(record.path)), None)
