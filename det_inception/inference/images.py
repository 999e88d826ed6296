"""Which image files, videos and addresses a command is about."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from glob import glob
from pathlib import Path

from det_inception.formats.folders import walk
from det_inception.inference.sources import STANDARD_INPUT
from det_inception.inference.video import CAMERA
from det_inception.utils.downloads import is_address
from det_inception.utils.errors import InputError, counted, some
from det_inception.utils.images import IMAGE_SUFFIXES, UNREAD_SUFFIXES, VIDEO_SUFFIXES

_OTHER_ADDRESS = re.compile('[a-zA-Z][a-zA-Z0-9+.-]+:/')


@dataclass(frozen=True)
class PassedOver:
    """Files in the folders of a command that are not read.

    Attributes:
        videos: They take minutes each, so they are read where they are named themselves.
        photos: Of formats that are not read.
        others: How many other files there are.
    """

    videos: list[str] = field(default_factory=list)
    photos: list[str] = field(default_factory=list)
    others: int = 0

    def __str__(self) -> str:
        """As parts of a sentence; empty where nothing was passed over."""
        parts = []
        if self.videos:
            parts.append(f'{counted(len(self.videos), "video")} ({some(self.videos)}), read only if you name them')
        if self.photos:
            photos = counted(len(self.photos), 'photo of an unread format', 'photos of unread formats')
            parts.append(f'{photos} ({some(self.photos)}; convert to JPEG)')
        if self.others:
            parts.append(counted(self.others, 'other file'))
        return '; '.join(parts)


def find_images(patterns: Sequence[str | Path]) -> list[Path]:
    """Returns the files that paths, folders and globs name, each once, in order; folders are searched for images below.

    Raises:
        InputError: A path does not exist or is an address, or a folder or glob holds no image.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        path = Path(pattern)
        if os.path.isdir(path):
            files = [path / name for name in walk(path)]
        elif os.path.exists(path):
            files = [path]
        else:
            files = [Path(name) for name in sorted(glob(str(pattern), recursive=True)) if os.path.isfile(name)]
        if not files and _OTHER_ADDRESS.match(str(pattern)):
            raise InputError(f'{pattern}: such addresses are not read; download the image and name its file.')
        if not files:
            if unread := str(passed_over([pattern])):
                raise InputError(f'{pattern}: no image but {unread}.')
            kind = 'the folder holds no image' if os.path.isdir(path) else 'no such file, folder or match'
            raise InputError(f'{pattern}: {kind}; name images ({", ".join(IMAGE_SUFFIXES)}), folders or globs.')
        found.update(dict.fromkeys(files))
    return list(found)


def find_sources(patterns: Sequence[str]) -> list[str | Path]:
    """Does what :func:`find_images` does, and lets through what is no file: as texts, http and https addresses of
    images, cameras (``camera:0``), and ``-`` for standard input.

    Raises:
        InputError: As for :func:`find_images`.
    """
    found: dict[str | Path, None] = {}
    for pattern in patterns:
        special = is_address(pattern) or pattern.startswith(CAMERA) or pattern == STANDARD_INPUT
        found.update(dict.fromkeys([pattern] if special and not os.path.exists(pattern) else find_images([pattern])))
    return list(found)


def passed_over(patterns: Sequence[str | Path]) -> PassedOver:
    """Returns which files in the folders among some paths are not read."""
    suffix_of = {
        os.path.join(root, name): os.path.splitext(name)[1].lower()
        for root in patterns
        if os.path.isdir(root)
        for name in walk(root, None)
    }
    return PassedOver(
        videos=[name for name, suffix in suffix_of.items() if suffix in VIDEO_SUFFIXES],
        photos=[name for name, suffix in suffix_of.items() if suffix in UNREAD_SUFFIXES],
        others=sum(suffix not in (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES, *UNREAD_SUFFIXES) for suffix in suffix_of.values()),
    )
