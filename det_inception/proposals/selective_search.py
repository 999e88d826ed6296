"""Selective search: region proposals, of no particular class, from many hierarchical groupings of superpixels.

Shape legend: H, W image height and width; N proposals.

An image is segmented in several color spaces and at several scales (``segmentation``); the superpixels of each
segmentation are grouped under several similarities (``grouping``); every region on the way proposes its box.

From: Uijlings et al., "Selective Search for Object Recognition", IJCV 2013, as R-CNN uses it (Girshick et al., "Rich
feature hierarchies", CVPR 2014, section 2.1); mode 'ilsvrc2014' from Szegedy et al., "Going deeper with convolutions",
CVPR 2015, section 8; mode 'iccv2011' from van de Sande et al., "Segmentation as Selective Search for Object
Recognition", ICCV 2011.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, NamedTuple

import cv2
import numpy as np

from det_inception.proposals.color_spaces import COLOR_SPACES, convert_color
from det_inception.proposals.errors import ProposalError
from det_inception.proposals.grouping import SIMILARITIES, TEXTURE_SIGMA, describe_regions, group_regions, texture_bins
from det_inception.proposals.segmentation import MAX_PIXELS, SIGMA, build_graph, merge_pixels, smooth
from det_inception.utils.compiled import compiled
from det_inception.utils.cores import available_cores
from det_inception.utils.images import MAX_PIXELS as LARGEST_IMAGE

MODES: dict[str, dict[str, Any]] = {
    # 2 color spaces x 2 k x 2 similarities = 8 hierarchies: "Fast" in the paper's table 5, and what R-CNN uses.
    'fast': dict(color_spaces=('hsv', 'lab'), ks=(50, 100), similarities=('CTSF', 'TSF'), max_overlap=1),
    # 5 x 4 x 4 = 80 hierarchies: "Quality" in the same table.
    'quality': dict(
        color_spaces=('hsv', 'lab', 'rgi', 'h', 'intensity'),
        ks=(50, 100, 150, 300),
        similarities=('CTSF', 'TSF', 'F', 'S'),
        max_overlap=1,
    ),
    # Superpixels of twice the size. Doubling alone halves the boxes of ``fast``, but also misses 4 to 5 in 100 objects
    # that ``fast`` finds. A third color space finds most of them again, and leaving out near-duplicates, which find
    # next to nothing, brings the number back to half.
    'ilsvrc2014': dict(
        color_spaces=('hsv', 'lab', 'rgb'), ks=(100, 200), similarities=('CTSF', 'TSF'), max_overlap=0.85
    ),
    # 4 x 2 x 1 = 8 hierarchies of the method's first publication.
    'iccv2011': dict(
        color_spaces=('rgb', 'hsv', 'rgi', 'opponent'), ks=(100, 200), similarities=('TS',), max_overlap=1
    ),
}
# Seed of the random part of the priority; fixed, so that equal images give equal boxes in equal order.
_SEED = 2014
# A strip that is higher than so many times its width becomes no larger than one of this shape: 3 x 1000 pixels would be
# 500 x 166,667, and take 12 GB.
_MAX_ASPECT = 8
# An image is enlarged to at most so many pixels, which take 4 GB; a small one to at most so many times its own, or to
# so many as take few seconds.
_MAX_ENLARGED, _MAX_TIMES_ENLARGED, _ALWAYS_ENLARGED = 2**24, 16, 2**22
_LARGEST_NUMBER = 10**9
# Sorting the edges of one color space takes about 64 bytes a pixel; so many pixels are sorted at a time.
_PIXELS_AT_ONCE = 4_000_000


def _chosen(name: str, value: Any, default: tuple, allowed: Iterable[str]) -> list[str]:
    """Names out of a fixed set, one or several."""
    if value is None:
        return list(default)
    if not isinstance(value, Iterable):
        raise TypeError(f'{name} is {value!r}; give one name or a list of names.')
    names = [value] if isinstance(value, str) else list(value)
    if not names:
        raise ValueError(f'{name} is empty; give at least one of {", ".join(map(repr, allowed))}.')
    for entry in names:
        if not isinstance(entry, str) or entry not in allowed:
            raise ValueError(f'{name} has {entry!r}; choose from {", ".join(map(repr, allowed))}.')
    return names


def _number(name: str, value: Any, zero: bool = False, largest: float = _LARGEST_NUMBER) -> float:
    """A finite number above 0, or from 0 up with ``zero``; whole numbers stay whole."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f'{name} is {value!r}; give a number.')
    if not 0 <= value < math.inf or (value == 0 and not zero):
        raise ValueError(f'{name} is {value}; give a finite number {"from 0 up" if zero else "above 0"}.')
    if value > largest:
        raise ValueError(f'{name} is over {largest}; give a smaller number.')
    return int(value) if isinstance(value, Integral) else float(value)


def _whole(name: str, value: Any, otherwise: str) -> int | None:
    """A whole number of at least 1, or None."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f'{name} is {value!r}; give a whole number, or None for {otherwise}.')
    if value < 1:
        raise ValueError(f'{name} is {value}; give a whole number of at least 1, or None for {otherwise}.')
    if value > _LARGEST_NUMBER:
        raise ValueError(f'{name} is over {_LARGEST_NUMBER}; give a smaller number.')
    return int(value)


def selective_search_parameters(
    mode: str = 'fast',
    width: int | None = 500,
    *,
    color_spaces: str | Sequence[str] | None = None,
    ks: float | Sequence[float] | None = None,
    similarities: str | Sequence[str] | None = None,
    superpixel_size: float | None = None,
    sigma: float = SIGMA,
    max_overlap: float | None = None,
    min_size: float = 0,
) -> dict[str, Any]:
    """Returns the full parameters of a call of ``selective_search`` as values that JSON has, to be kept with the boxes.

    Args:
        mode: 'fast' (8 hierarchies), 'quality' (80), 'ilsvrc2014' (fast with superpixels of twice the size: half the
            boxes) or 'iccv2011' (the method's first publication). See ``MODES``.
        width: Width in pixels to which the image is scaled first; ``None`` leaves it as it is. Superpixels have their
            least size in scaled pixels, so this is what "large" and "small" refer to.
        color_spaces: Names out of ``COLOR_SPACES`` instead of the mode's.
        ks: Scales of the segmentation instead of the mode's.
        similarities: Names out of ``SIMILARITIES`` instead of the mode's.
        superpixel_size: Least number of pixels of a superpixel; ``None`` takes the k of each segmentation.
        sigma: Standard deviation in scaled pixels of the Gaussian before segmentation.
        max_overlap: Boxes that overlap a better one by more than this intersection over union are left out; 1 keeps all
            but exact duplicates. ``None`` takes the mode's: 0.85 for 'ilsvrc2014', else 1.
        min_size: Boxes with a side under this many pixels of the scaled image are left out. R-CNN takes 20 at width
            500; 0 keeps all.

    Raises:
        TypeError: If a parameter is of the wrong kind.
        ValueError: If a parameter has a value that makes no sense.

    Example:
        >>> selective_search_parameters('ilsvrc2014')['ks']
        [100, 200]
    """
    if not isinstance(mode, str) or mode not in MODES:
        raise ValueError(f'mode is {mode!r}; choose one of {", ".join(map(repr, MODES))}.')
    defaults = MODES[mode]
    if ks is None:
        ks = defaults['ks']
    ks = list(ks) if isinstance(ks, Iterable) else [ks]
    if not ks:
        raise ValueError('ks is empty; give at least one number, such as 100.')
    max_overlap = defaults['max_overlap'] if max_overlap is None else _number('max_overlap', max_overlap)
    if max_overlap > 1:
        raise ValueError(f'max_overlap is {max_overlap}; give at most 1, which keeps all boxes.')
    return dict(
        method='selective_search',
        mode=mode,
        width=_whole('width', width, 'the width of the image itself'),
        color_spaces=_chosen('color_spaces', color_spaces, defaults['color_spaces'], COLOR_SPACES),
        ks=[_number('k', k) for k in ks],
        similarities=_chosen('similarities', similarities, defaults['similarities'], SIMILARITIES),
        superpixel_size=None if superpixel_size is None else _number('superpixel_size', superpixel_size, zero=True),
        sigma=_number('sigma', sigma, largest=100),
        max_overlap=max_overlap,
        min_size=_number('min_size', min_size, zero=True),
    )


def _checked_image(image: Any) -> np.ndarray:
    """The image as contiguous uint8 (H, W, 3)."""
    if not isinstance(image, np.ndarray):
        raise TypeError(
            f'image is of type {type(image).__name__}, not a NumPy array; check that the file was read, and give what '
            'cv2.imread returns.'
        )
    if image.dtype != np.uint8:
        raise TypeError(f'image has dtype {image.dtype}; give uint8 with values from 0 to 255.')
    shape = image.shape
    if math.prod(shape[:2]) > LARGEST_IMAGE:
        raise ValueError(f'image has shape {shape}, and the limit is {LARGEST_IMAGE} pixels; give a smaller one.')
    if image.ndim == 3 and shape[2] == 4:
        raise ValueError(
            f'image has shape {shape}, with an alpha channel; blend it with a background of your choice, or drop it '
            'with image[:, :, :3].'
        )
    if image.ndim == 3 and shape[2] == 1:
        image = image[:, :, 0]
    if image.ndim == 2:
        image = np.repeat(image[:, :, None], 3, axis=2)
    if image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f'image has shape {shape}; give (height, width, 3) in BGR order, or (height, width) in gray.')
    if image.size == 0:
        raise ValueError(f'image has shape {shape}, which holds no pixel; check that the file was read.')
    return np.ascontiguousarray(image)


def _resized(image: np.ndarray, width: int | None) -> np.ndarray:
    """The image at a given width, its aspect ratio kept as far as whole pixels allow; narrower if it is a strip."""
    if width is None:
        return image
    own_height, own_width = image.shape[:2]
    most_pixels = _MAX_ASPECT * width**2
    if own_height > _MAX_ASPECT * own_width:
        width = max(1, int(width * math.sqrt(_MAX_ASPECT * own_width / own_height)))
    height = min(max(1, round(own_height * width / own_width)), most_pixels // width)
    if (height, width) == (own_height, own_width):
        return image
    own_pixels = own_height * own_width
    most_enlarged = min(_MAX_ENLARGED, max(_ALWAYS_ENLARGED, _MAX_TIMES_ENLARGED * own_pixels))
    if height * width > max(most_enlarged, own_pixels):
        raise ValueError(f'image would have {width} x {height} pixels at width {width}; choose a smaller width.')
    # Area averaging also where it enlarges: there it interpolates, but keeps the edges between pixels steeper than
    # other methods, and of those it gave the best recall.
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


class _ColorSpace(NamedTuple):
    """What all scales of one color space share."""

    image: np.ndarray  # uint8 (H, W, 3)
    texture: np.ndarray  # uint8 (H, W, 12)
    edges: np.ndarray  # uint64 (E,)


def _prepare(image: np.ndarray, color_space: str, sigma: float) -> _ColorSpace:
    converted = convert_color(image, color_space)
    smoothed = smooth(converted, sigma)
    texture = texture_bins(smoothed if sigma == TEXTURE_SIGMA else smooth(converted, TEXTURE_SIGMA))
    return _ColorSpace(converted, texture, build_graph(smoothed))


def _hierarchies(
    space: _ColorSpace, k: float, superpixel_size: float | None, similarities: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Boxes of one segmentation and of its groupings, int32 (M, 4), and their ranks, int64 (M,).

    The rank of a region is 1 for the whole image, 2 for the merge before it, and so on; superpixels come last.
    """
    labels, count = merge_pixels(space.edges, *space.image.shape[:2], k, superpixel_size)
    regions = describe_regions(labels, count, space.image, space.texture)
    boxes = [group_regions(regions, similarity)[0] for similarity in similarities]
    ranks = [np.arange(count - 1, 0, -1)] * len(boxes)
    return np.concatenate([*boxes, regions.boxes]), np.concatenate([*ranks, np.full(count, count)])


@compiled(nogil=True)
def _distinct(boxes, areas, by_area, max_overlap):
    """Which boxes overlap no better box that is itself kept by more than ``max_overlap``: bool (N,)."""
    count = boxes.shape[0]
    keep = np.ones(count, np.bool_)
    position = np.empty(count, np.int64)
    for i in range(count):
        position[by_area[i]] = i
    for i in range(count):
        if not keep[i]:
            continue
        # The overlap of two boxes is at most the ratio of their areas, so only boxes of about this size matter.
        for direction in (-1, 1):
            at = position[i] + direction
            while 0 <= at < count:
                j = by_area[at]
                if min(areas[i], areas[j]) <= max_overlap * max(areas[i], areas[j]):
                    break
                if j > i and keep[j]:
                    width = min(boxes[i, 2], boxes[j, 2]) - max(boxes[i, 0], boxes[j, 0])
                    height = min(boxes[i, 3], boxes[j, 3]) - max(boxes[i, 1], boxes[j, 1])
                    if width > 0 and height > 0:
                        shared = width * height
                        keep[j] = shared <= max_overlap * (areas[i] + areas[j] - shared)
                at += direction
    return keep


def _map(pool: ThreadPoolExecutor | None, function: Callable, *arguments: Sequence) -> list:
    return list(map(function, *arguments) if pool is None else pool.map(function, *arguments))


def selective_search(
    image: np.ndarray,
    mode: str = 'fast',
    width: int | None = 500,
    *,
    threads: int | None = None,
    **options: Any,
) -> np.ndarray:
    """Proposes boxes that may hold an object of any class.

    Args:
        image: uint8 (H, W, 3), BGR as ``cv2.imread`` gives it; (H, W) and (H, W, 1) are taken as gray. Need not be
            contiguous.
        mode: 'fast', 'quality', 'ilsvrc2014' or 'iccv2011'; see :func:`selective_search_parameters`.
        width: Width in pixels to which the image is scaled first; ``None`` leaves it as it is. An image that is higher
            than 8 times its width is scaled to the area of one that is 8 times as high.
        threads: At most so many hierarchies are computed at a time; ``None`` takes the number of available cores. The
            boxes are the same with any number.
        **options: The other arguments of :func:`selective_search_parameters`.

    Returns:
        float32 (N, 4): x1, y1, x2, y2 in pixels of ``image``, as continuous coordinates (x2 is the last column's index
        + 1), best first, none twice, none empty, all inside the image. Best first means: late merges first, each rank
        multiplied by a random number (section 4.2 of the paper), from a generator with a fixed seed. N is at least 1
        unless ``min_size`` exceeds the image. Equal images give equal boxes.

    Raises:
        TypeError: If ``image`` is not a uint8 array, or a parameter is of the wrong kind.
        ValueError: If the image has a wrong shape, an alpha channel or no pixel, or a parameter makes no sense.

    Example:
        >>> image = np.zeros((40, 60, 3), np.uint8)
        >>> image[10:30, 20:40] = 255
        >>> boxes = selective_search(image, width=None)
        >>> [20, 10, 40, 30] in boxes.tolist()
        True
    """
    parameters = selective_search_parameters(mode, width, **options)
    threads = _whole('threads', threads, 'the number of available cores') or available_cores()
    image = _checked_image(image)
    scaled = _resized(image, parameters['width'])
    height, width = scaled.shape[:2]
    if height * width >= MAX_PIXELS:
        raise ValueError(f'image has {width} x {height} pixels; scale it down with the width argument.')

    spaces, ks, superpixel_size = parameters['color_spaces'], parameters['ks'], parameters['superpixel_size']
    at_once = max(1, min(threads, _PIXELS_AT_ONCE // (height * width)))
    found = []
    with ThreadPoolExecutor(min(threads, at_once * len(ks))) if threads > 1 else nullcontext() as pool:
        for start in range(0, len(spaces), at_once):
            names = spaces[start : start + at_once]
            prepared = _map(pool, lambda name: _prepare(scaled, name, parameters['sigma']), names)
            tasks = [(space, k, superpixel_size, parameters['similarities']) for space in prepared for k in ks]
            found += _map(pool, lambda task: _hierarchies(*task), tasks)

    boxes = np.concatenate([boxes for boxes, _ in found])
    ranks = np.concatenate([ranks for _, ranks in found])
    # RandomState, not Generator: NumPy promises that its numbers never change.
    boxes = boxes[np.argsort(ranks * np.random.RandomState(_SEED).random_sample(len(ranks)), kind='stable')]
    # Corners as two whole numbers a box: sorting rows would take as long as all the rest of this function.
    corners = boxes.astype(np.int64)
    codes = (corners[:, 1] * (width + 1) + corners[:, 0]) * ((height + 1) * (width + 1)) + (
        corners[:, 3] * (width + 1) + corners[:, 2]
    )
    _, first = np.unique(codes, return_index=True)
    boxes = boxes[np.sort(first)]

    if parameters['min_size'] > 0:
        boxes = boxes[(boxes[:, 2:] - boxes[:, :2] >= parameters['min_size']).all(axis=1)]
    if parameters['max_overlap'] < 1:
        areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1, dtype=np.int64)
        boxes = boxes[_distinct(boxes, areas, np.argsort(areas, kind='stable'), parameters['max_overlap'])]
    # The two sides have their own scales, since the height was rounded.
    return (boxes * np.array([image.shape[1] / width, image.shape[0] / height] * 2)).astype(np.float32)


@dataclass(frozen=True)
class SelectiveSearch:
    """Selective search as :class:`~det_inception.proposals.methods.ProposalMethod`.

    Attributes:
        mode: See :func:`selective_search`.
        width: See :func:`selective_search`.
        min_size: Boxes with a shorter side are dropped; in pixels of the resized image, as in R-CNN.
    """

    mode: str = 'fast'
    width: int | None = 500
    min_size: float = 20

    def __post_init__(self) -> None:
        try:
            selective_search_parameters(self.mode, self.width, min_size=self.min_size)
        except (TypeError, ValueError) as error:
            raise ProposalError(str(error)) from error

    def __call__(self, image: np.ndarray) -> tuple[np.ndarray, None]:
        return selective_search(image, self.mode, self.width, min_size=self.min_size), None

    @property
    def parameters(self) -> dict[str, Any]:
        """All that the boxes depend on."""
        return selective_search_parameters(self.mode, self.width, min_size=self.min_size)
