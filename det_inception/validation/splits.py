"""The parts of a data set that are checked, and how training or testing uses each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from det_inception.formats import FORMATS, DataError, Format, Split, choose_split, recognize, undivided
from det_inception.utils.errors import InputError


@dataclass(frozen=True)
class CheckedSplit:
    """A split and its use.

    Attributes:
        name: ``'train'``, ``'val'``, ..., for messages.
        files: What it consists of.
        test_mode: Whether the detector is tested on it, so that images without objects stay in and none may be listed
            twice.
        filter_empty: Whether images without objects are left out of training.
        min_size: Images with a shorter side, in pixels, are left out of training.
        classes: To be learned; None: those that the part itself has.
        ignore_unknown: Whether objects of other classes are passed over.
        stores: The proposal stores in which its images are looked up, in turn.
    """

    name: str
    files: Split
    test_mode: bool = False
    filter_empty: bool = True
    min_size: int = 0
    classes: tuple[str, ...] | None = None
    ignore_unknown: bool = False
    stores: tuple[Path, ...] = ()

    @property
    def format(self) -> Format:
        """The format of its annotations."""
        return FORMATS[self.files.format]


def find_splits(
    root: str | Path, image_root: str | Path | None = None, format_name: str | None = None
) -> tuple[list[CheckedSplit], dict[str, str]]:
    """Finds the parts of a data set of any format.

    Args:
        root: The data set's folder, or the one file that describes it.
        image_root: The folder of the images of COCO files, where it cannot be guessed.
        format_name: One of :data:`~det_inception.formats.FORMATS`; None: recognized.

    Returns:
        The parts, training first; and the lists and annotation files that were not taken, each with the reason.

    Raises:
        InputError: There is no such folder, nothing known in it, or more than one format claims it.
    """
    root = Path(root)
    image_root = None if image_root is None else Path(image_root)
    if image_root is not None and not image_root.is_dir():
        raise InputError(f'{image_root}: no such folder of images; check --image-root.')
    format = recognize(root, format_name)
    if image_root is not None and not format.takes_image_root:
        raise InputError(f'{root}: {format.title} says itself where its images are; leave --image-root out.')
    found = format.splits(root, image_root)
    return [_used_by_its_name(split) for split in found.splits], found.passed_over


def select_splits(splits: Sequence[CheckedSplit], names: Sequence[str]) -> list[CheckedSplit]:
    """Returns the splits of these names, in their own order.

    Raises:
        InputError: There is none of a name.
    """
    known = [split.name for split in splits]
    if unknown := [name for name in names if name not in known]:
        raise InputError(f'there is no part {unknown[0]!r} in the data set; name some of {", ".join(known)}.')
    return [split for split in splits if split.name in names]


def missing_parts(splits: Sequence[CheckedSplit], val_share: float | None = None) -> str | None:
    """Says what a training on a data set's folder would be refused for; None if it finds its parts.

    Args:
        splits: All parts of the data set.
        val_share: The share of its images that the training sets aside to validate on.
    """
    files = [split.files for split in splits]
    try:
        if val_share:
            undivided(files)
        else:
            for name in ('train', 'val'):
                choose_split(files, name)
    except DataError as error:
        return str(error)
    return None


def _used_by_its_name(split: Split) -> CheckedSplit:
    test_mode = split.role in ('val', 'test')
    return CheckedSplit(split.name, split if test_mode else FORMATS[split.format].for_training(split), test_mode)
