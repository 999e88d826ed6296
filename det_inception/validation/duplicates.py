"""Finds equal files and images that look the same.

Shape legend: P images, C x C cells of a thumbnail.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from det_inception.validation.images import ImageFiles

# What another compression, size or small correction of one image leaves: on average so many of 256 gray levels a
# cell, and so small a part of the image's own contrast (strong compression or half the size: mostly below 0.05;
# photos of different things: above 0.35). Frames of a film that follow each other pass as well, and should.
_MAX_DIFFERENCE = 4.0
_MAX_OF_CONTRAST = 0.15
_MAX_ASPECT = 1.02
_NEIGHBOURS = 4
_COARSE = 4  # cells a side of the descriptor by which neighbors are found


def equal_files(files: ImageFiles) -> list[list[int]]:
    """Returns the groups of images whose files have the same bytes, each in the order of the images."""
    read = np.flatnonzero(files.file_sizes)
    order = read[np.lexsort((read, files.fingerprints[read], files.file_sizes[read]))]
    keys = np.stack([files.file_sizes[order].astype(np.uint64), files.fingerprints[order]], axis=1)
    starts = np.flatnonzero((keys[1:] != keys[:-1]).any(axis=1)) + 1
    return [group.tolist() for group in np.split(order, starts) if len(group) > 1]


def lookalikes(files: ImageFiles, ours: np.ndarray, others: np.ndarray) -> list[tuple[int, int]]:
    """Returns pairs of images that look the same though their files differ.

    Args:
        files: The images, read.
        ours: Indices of some of them.
        others: Indices of those to compare with.

    Returns:
        For each of ``ours`` that looks like one of ``others``: the two indices.
    """
    ours, others = (indices[files.file_sizes[indices] > 0] for indices in (ours, others))
    if not (len(ours) and len(others)):
        return []
    tree = cKDTree(_descriptors(files.thumbnails[others]))
    _, nearest = tree.query(
        _descriptors(files.thumbnails[ours]),
        k=min(_NEIGHBOURS, len(others)),
        p=np.inf,
        # What differs by this in one of the 16 parts of the image could still pass, but does not in practice.
        distance_upper_bound=2 * _MAX_DIFFERENCE,
    )
    nearest = nearest.reshape(len(ours), -1)
    pairs = []
    for index, neighbors in zip(ours.tolist(), nearest):
        for other in others[neighbors[neighbors < len(others)]].tolist():
            is_copy = files.identity(index) == files.identity(other)
            if other != index and not is_copy and look_the_same(files, index, other):
                pairs.append((index, other))
                break
    return pairs


def look_the_same(files: ImageFiles, first: int, second: int) -> bool:
    """Whether two images differ by no more than another compression or size of one image would."""
    height, width = files.sizes[first]
    other_height, other_width = files.sizes[second]
    aspect = (width * other_height) / (height * other_width)
    if not 1 / _MAX_ASPECT <= aspect <= _MAX_ASPECT:
        return False
    a, b = (files.thumbnails[index].astype(np.float64) for index in (first, second))
    difference = np.abs(a - b).mean()
    return bool(difference <= _MAX_DIFFERENCE and difference <= _MAX_OF_CONTRAST * max(a.std(), b.std()))


def _descriptors(thumbnails: np.ndarray) -> np.ndarray:
    count, cells, _ = thumbnails.shape
    step = cells // _COARSE
    return thumbnails.reshape(count, _COARSE, step, _COARSE, step).mean(axis=(2, 4)).reshape(count, -1)
