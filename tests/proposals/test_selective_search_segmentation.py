"""Color conversion and graph-based segmentation, against plain Python and the authors' own superpixels."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st

from det_inception.proposals.color_spaces import COLOR_SPACES, convert_color
from det_inception.proposals.grouping import describe_regions, texture_bins
from det_inception.proposals.segmentation import (
    build_graph,
    draw_segmentation,
    gaussian_taps,
    merge_pixels,
    segment,
    smooth,
)

images = st.tuples(st.integers(1, 24), st.integers(1, 24), st.integers(0, 2**32 - 1), st.sampled_from([2, 8, 256])).map(
    lambda p: (np.random.default_rng(p[2]).integers(0, p[3], (p[0], p[1], 3)) * (255 // (p[3] - 1))).astype(np.uint8)
)


def pixel(*bgr: int) -> np.ndarray:
    return np.array([[bgr]], np.uint8)


@pytest.mark.parametrize(
    ('color_space', 'bgr', 'expected'),
    [
        ('hsv', (0, 0, 255), (0, 255, 255)),
        ('hsv', (0, 255, 0), (85, 255, 255)),
        ('hsv', (255, 0, 0), (170, 255, 255)),
        # magenta leaning to red: a hue just under 1, which OpenCV's full-range HSV has at 254 too, its usual one at 179
        ('hsv', (5, 0, 255), (254, 255, 255)),
        ('hsv', (77, 77, 77), (0, 0, 77)),
        ('hsv', (0, 0, 0), (0, 0, 0)),
        # MATLAB: applycform(uint8([...]), makecform('srgb2lab'))
        ('lab', (255, 255, 255), (255, 128, 128)),
        ('lab', (0, 0, 0), (0, 128, 128)),
        ('lab', (0, 0, 255), (138, 209, 198)),
        ('lab', (255, 0, 0), (75, 196, 16)),
        ('rgi', (0, 0, 0), (85, 85, 0)),
        ('rgi', (0, 0, 255), (255, 0, 76)),
        ('rgi', (200, 200, 200), (85, 85, 200)),
        ('h', (0, 255, 0), (85, 85, 85)),
        ('intensity', (0, 255, 0), (150, 150, 150)),
        ('intensity', (255, 255, 255), (255, 255, 255)),
        ('rgb', (1, 2, 3), (3, 2, 1)),
        # one pixel has no range to be stretched to
        ('opponent', (1, 2, 3), (0, 0, 0)),
    ],
)
def test_color_of_one_pixel(color_space: str, bgr: tuple, expected: tuple) -> None:
    assert convert_color(pixel(*bgr), color_space)[0, 0].tolist() == list(expected)


def test_hue_follows_matlab_rounding() -> None:
    """Every color of a coarse cube, against MATLAB's rgb2hsv and im2uint8 written with NumPy."""
    steps = np.arange(0, 256, 5, dtype=np.uint8)
    image = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 52, 3)
    b, g, r = np.moveaxis(image / 255, -1, 0)
    high = np.max([r, g, b], axis=0)
    spread = high - np.min([r, g, b], axis=0)
    divisor = np.where(spread == 0, 1, spread)
    hue = (g - b) / divisor
    hue = np.where(high == g, 2 + (b - r) / divisor, hue)
    hue = np.where(high == b, 4 + (r - g) / divisor, hue) / 6
    hue = np.where(hue < 0, hue + 1, hue) * (spread > 0)
    saturation = spread / np.where(high == 0, 1, high)
    expected = np.floor(np.stack([hue, saturation, high], axis=-1) * 255 + 0.5).astype(np.uint8)
    assert np.array_equal(convert_color(image, 'hsv'), expected)


def test_unknown_color_space() -> None:
    with pytest.raises(ValueError, match='choose one of'):
        convert_color(pixel(0, 0, 0), 'HSV')


@pytest.mark.parametrize('sigma', [0.3, 0.8, 2.5])
def test_smooth_is_a_convolution_with_repeated_borders(sigma: float) -> None:
    image = np.random.default_rng(0).integers(0, 256, (9, 13, 3), np.uint8)
    taps = gaussian_taps(sigma)
    kernel = np.concatenate([taps[:0:-1], taps]).astype(np.float64)
    expected = image.astype(np.float64)
    for axis in (0, 1):
        expected = scipy.ndimage.correlate1d(expected, kernel, axis, mode='nearest')
    assert kernel.sum() == pytest.approx(1)
    np.testing.assert_allclose(smooth(image, sigma), np.moveaxis(expected, -1, 0), atol=1e-4)


def edges_in_plain_python(smoothed: np.ndarray) -> list[tuple]:
    _, height, width = smoothed.shape
    edges = []
    for y in range(height):
        for x in range(width):
            for dy, dx in ((0, 1), (1, 0), (1, 1), (-1, 1)):
                if 0 <= y + dy < height and x + dx < width:
                    d = smoothed[:, y, x] - smoothed[:, y + dy, x + dx]
                    weight = np.sqrt(np.float32(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]))
                    edges.append((weight, y * width + x, (y + dy) * width + x + dx))
    return sorted(edges, key=lambda edge: edge[0])


def segment_in_plain_python(smoothed: np.ndarray, k: float, min_size: float) -> np.ndarray:
    _, height, width = smoothed.shape
    component = {p: {p} for p in range(height * width)}
    limit = dict.fromkeys(component, np.float32(k))
    edges = edges_in_plain_python(smoothed)

    def merge(a: set, b: set) -> set:
        union = a | b
        for p in union:
            component[p] = union
        return union

    for weight, p, q in edges:
        a, b = component[p], component[q]
        if a is not b and weight <= limit[min(a)] and weight <= limit[min(b)]:
            union = merge(a, b)
            limit[min(union)] = weight + np.float32(k / len(union))
    for _, p, q in edges:
        a, b = component[p], component[q]
        if a is not b and (len(a) < min_size or len(b) < min_size):
            merge(a, b)
    numbers: dict[int, int] = {}
    labels = [numbers.setdefault(id(component[p]), len(numbers)) for p in range(height * width)]
    return np.array(labels).reshape(height, width)


@settings(max_examples=60, deadline=None)
@given(images, st.sampled_from([1, 20, 100, 600]), st.sampled_from([0, 4, 30]))
def test_segmentation_matches_plain_python(image: np.ndarray, k: float, min_size: int) -> None:
    smoothed = smooth(image)
    labels, count = merge_pixels(build_graph(smoothed), *image.shape[:2], k, min_size)
    assert np.array_equal(labels, segment_in_plain_python(smoothed, k, min_size))
    assert count == labels.max() + 1


@settings(max_examples=60, deadline=None)
@given(images, st.sampled_from([5, 50, 500]))
def test_superpixels_are_connected_and_large_enough(image: np.ndarray, k: float) -> None:
    labels = segment(image, k)
    sizes = np.bincount(labels.ravel())
    assert len(sizes) == 1 or sizes.min() >= k
    for label in range(len(sizes)):
        assert scipy.ndimage.label(labels == label, np.ones((3, 3)))[1] == 1
    # labels are numbered as a scan by rows meets them
    _, first = np.unique(labels, return_index=True)
    assert (np.diff(first) > 0).all() and labels[0, 0] == 0


def test_edges_are_sorted_and_complete() -> None:
    image = np.random.default_rng(1).integers(0, 256, (7, 5, 3), np.uint8)
    smoothed = smooth(image)
    edges = build_graph(smoothed)
    weights = (edges >> np.uint64(32)).astype(np.uint32).view(np.float32)
    first = (edges & np.uint64(0xFFFFFFFF)) >> np.uint64(2)
    expected = edges_in_plain_python(smoothed)
    assert weights.tolist() == [weight for weight, _, _ in expected]
    assert first.tolist() == [p for _, p, _ in expected]


@pytest.mark.parametrize('shape', [(1, 1), (1, 9), (9, 1), (20, 20)])
def test_constant_image_is_one_superpixel(shape: tuple[int, int]) -> None:
    assert (segment(np.full((*shape, 3), 90, np.uint8)) == 0).all()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(image=np.zeros((4, 4, 3))), 'give uint8'),
        (dict(image=np.zeros((4, 4), np.uint8)), 'give uint8'),
        (dict(image=np.zeros((0, 4, 3), np.uint8)), 'at least one pixel'),
        (dict(image=np.zeros((4, 4, 3), np.uint8), k=0), 'above 0'),
        (dict(image=np.zeros((4, 4, 3), np.uint8), sigma=-1), 'above 0'),
    ],
)
def test_segment_refuses(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        segment(**arguments)


def test_draw_segmentation() -> None:
    image = np.zeros((6, 8, 3), np.uint8)
    image[:, 4:] = (30, 60, 90)
    labels = np.repeat([[0, 0, 0, 0, 1, 1, 1, 1]], 6, axis=0).astype(np.int32)
    picture = draw_segmentation(image, labels)
    assert picture.dtype == np.uint8 and picture.shape == image.shape
    # away from the border a superpixel has its mean color, at the border a third of it
    assert picture[3, 7].tolist() == [30, 60, 90] and picture[3, 4].tolist() == [10, 20, 30]


@pytest.mark.parametrize('k', [100, 200])
@pytest.mark.parametrize('color_space', ['rgb', 'hsv', 'rgi', 'opponent'])
def test_every_superpixel_is_one_of_the_authors(shared_data: Path, color_space: str, k: int) -> None:
    """The boxes of all superpixels are, to the pixel, among those the authors' MATLAB code gave for the same photo."""
    folder = shared_data / 'selective_search_reference'
    image = convert_color(cv2.imread(str(folder / '000004.jpg')), color_space)
    authors = scipy.io.loadmat(folder / '000004_boxes.mat')['boxes'].astype(int) + [0, 0, 1, 1]
    smoothed = smooth(image)
    labels, count = merge_pixels(build_graph(smoothed), *image.shape[:2], k, k)
    boxes = describe_regions(labels, count, image, texture_bins(smoothed)).boxes
    assert set(COLOR_SPACES) >= {color_space} and count > 100
    assert {tuple(box) for box in boxes.tolist()} <= {tuple(box) for box in authors.tolist()}
