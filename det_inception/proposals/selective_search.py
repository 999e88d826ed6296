"""Selective search: class-independent region proposals from many hierarchical groupings of superpixels.

Shapes: H, W image height and width; N proposals.

From: Uijlings et al., "Selective Search for Object Recognition", IJCV 2013; mode ``'ilsvrc2014'`` from Szegedy et al.,
"Going deeper with convolutions", section 8 (superpixels of twice the size).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

from .colour_spaces import COLOUR_SPACES, convert_colour
from .grouping import SIMILARITIES, describe_regions, group_regions, texture_bins
from .segmentation import MAX_PIXELS, SIGMA, build_graph, merge_pixels

MODES = {
    'fast': dict(colour_spaces=('hsv', 'lab'), ks=(50, 100), similarities=('CTSF', 'TSF')),
    'quality': dict(colour_spaces=COLOUR_SPACES, ks=(50, 100, 150, 300), similarities=('CTSF', 'TSF', 'F', 'S')),
    'ilsvrc2014': dict(colour_spaces=('hsv', 'lab'), ks=(100, 200), similarities=('CTSF', 'TSF')),
}
# Seed of the pseudo-random part of the priority; fixed, so that equal images give equal boxes in equal order.
_SEED = 2014
# Sorting the edges takes some 64 bytes a pixel and colour space; larger images take their colour spaces one by one.
_MAX_PIXELS_AT_ONCE = 4_000_000


def selective_search_parameters(
    mode: str = 'fast',
    width: int | None = 500,
    *,
    colour_spaces: Sequence[str] | None = None,
    ks: Sequence[float] | None = None,
    similarities: Sequence[str] | None = None,
    superpixel_size: float | None = None,
    sigma: float = SIGMA,
    min_size: float = 0,
) -> dict:
    """Full parameter set of a call of :func:`selective_search`, as plain Python values, to be kept with its boxes."""
    if mode not in MODES:
        raise ValueError(f'mode is {mode!r}; choose one of {", ".join(map(repr, MODES))}.')
    if width is not None:
        if isinstance(width, bool) or not isinstance(width, (int, np.integer)):
            raise TypeError(f'width is {width!r}; give a whole number of pixels, or None for the image as it is.')
        if width < 1:
            raise ValueError(f'width is {width}; give at least 1 pixel, or None for the image as it is.')
        width = int(width)
    chosen = dict(MODES[mode])
    for name, value, allowed in (
        ('colour_spaces', colour_spaces, COLOUR_SPACES),
        ('similarities', similarities, SIMILARITIES),
    ):
        if value is not None:
            chosen[name] = value
        for item in chosen[name]:
            if item not in allowed:
                raise ValueError(f'{name} has {item!r}; choose from {", ".join(map(repr, allowed))}.')
    if ks is not None:
        chosen['ks'] = ks
    return dict(
        method='selective_search',
        mode=mode,
        width=width,
        colour_spaces=list(chosen['colour_spaces']),
        ks=list(chosen['ks']),
        similarities=list(chosen['similarities']),
        superpixel_size=superpixel_size,
        sigma=float(sigma),
        min_size=min_size,
    )


def _checked_image(image) -> np.ndarray:
    if not isinstance(image, np.ndarray):
        raise TypeError(f'image is a {type(image).__name__}; give a NumPy array, as cv2.imread does.')
    if image.dtype != np.uint8:
        raise TypeError(f'image has dtype {image.dtype}; convert it to uint8 with values 0 to 255 first.')
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[:, :, 0]
    if image.ndim == 2:
        image = np.repeat(image[:, :, None], 3, axis=2)
    if image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f'image has shape {image.shape}; give (H, W, 3) in BGR order or (H, W) in grey.')
    if image.size == 0:
        raise ValueError(f'image has shape {image.shape}, which holds no pixel; check that the file was read.')
    return np.ascontiguousarray(image)


def _resized(image: np.ndarray, width: int | None) -> np.ndarray:
    if width is None or width == image.shape[1]:
        return image
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    interpolation = cv2.INTER_AREA if width < image.shape[1] else cv2.INTER_CUBIC
    return cv2.resize(image, (width, height), interpolation=interpolation)


def _search_segmentation(task):
    converted, texture, graph, k, min_size, similarities = task
    labels, count = merge_pixels(graph, k, min_size)
    regions = describe_regions(labels, count, converted, texture)
    return regions.boxes, [group_regions(regions, similarity)[0] for similarity in similarities]


def _prepare_colour_space(task):
    image, colour_space, sigma = task
    converted = convert_colour(image, colour_space)
    return converted, texture_bins(converted), build_graph(converted, sigma)


def selective_search(
    image: np.ndarray,
    mode: str = 'fast',
    width: int | None = 500,
    *,
    colour_spaces: Sequence[str] | None = None,
    ks: Sequence[float] | None = None,
    similarities: Sequence[str] | None = None,
    superpixel_size: float | None = None,
    sigma: float = SIGMA,
    min_size: float = 0,
    threads: int | None = None,
) -> np.ndarray:
    """Proposes boxes that may hold an object: float32 (N, 4), x1, y1, x2, y2 in pixels of ``image``, best first."""
    parameters = selective_search_parameters(
        mode,
        width,
        colour_spaces=colour_spaces,
        ks=ks,
        similarities=similarities,
        superpixel_size=superpixel_size,
        sigma=sigma,
        min_size=min_size,
    )
    image = _checked_image(image)
    small = _resized(image, parameters['width'])
    pixels = small.shape[0] * small.shape[1]
    if pixels >= MAX_PIXELS:
        raise ValueError(f'image has {pixels} pixels at width {small.shape[1]}; choose a smaller width.')
    threads = threads or os.cpu_count() or 1
    results = []
    spaces = parameters['colour_spaces']
    at_once = max(1, min(threads, _MAX_PIXELS_AT_ONCE // pixels))
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(spaces), at_once):
            prepared = list(
                pool.map(
                    _prepare_colour_space,
                    [(small, space, sigma) for space in spaces[start : start + at_once]],
                )
            )
            tasks = [
                (*space, k, k if superpixel_size is None else superpixel_size, parameters['similarities'])
                for space in prepared
                for k in parameters['ks']
            ]
            results += pool.map(_search_segmentation, tasks)
    boxes, priority = [], []
    for superpixels, hierarchies in results:
        for merged in hierarchies:
            boxes.append(merged)
            priority.append(np.arange(len(merged), 0, -1))
        boxes.append(superpixels)
        priority.append(np.full(len(superpixels), len(superpixels)))
    boxes = np.concatenate(boxes)
    priority = np.concatenate(priority) * np.random.RandomState(_SEED).random_sample(len(boxes))
    boxes = boxes[np.argsort(priority, kind='stable')]
    if min_size > 0:
        boxes = boxes[(boxes[:, 2:] - boxes[:, :2] >= min_size).all(axis=1)]
    _, first = np.unique(boxes, axis=0, return_index=True)
    boxes = boxes[np.sort(first)]
    scale = np.array([image.shape[1] / small.shape[1], image.shape[0] / small.shape[0]] * 2)
    return (boxes * scale).astype(np.float32).reshape(-1, 4)
