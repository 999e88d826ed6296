"""Selective search as a whole: properties, bad input, and agreement with the authors' code and with annotations."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io
from hypothesis import example, given, settings
from hypothesis import strategies as st

from det_inception.proposals.recall import best_overlaps
from det_inception.proposals.selective_search import MODES, _resized, selective_search, selective_search_parameters

images = st.tuples(
    st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 8, 256])
).map(
    lambda p: (np.random.default_rng(p[2]).integers(0, p[3], (p[0], p[1], 3)) * (255 // max(1, p[3] - 1))).astype(
        np.uint8
    )
)
widths = st.none() | st.integers(1, 90)


def scene(height: int = 120, width: int = 160) -> np.ndarray:
    """A drawn picture with textures, gradients and shapes."""
    rng = np.random.default_rng(3)
    image = np.linspace(40, 200, width)[None, :, None] * np.ones((height, 1, 3))
    image = cv2.rectangle(image.copy(), (20, 30), (60, 90), (30, 60, 220), -1)
    image = cv2.circle(image, (110, 60), 30, (200, 180, 20), -1)
    image = cv2.circle(image, (110, 60), 12, (20, 20, 20), -1)
    image[80:, 90:] += rng.normal(0, 25, (height - 80, width - 90, 1))
    return np.clip(image, 0, 255).astype(np.uint8)


def check(boxes: np.ndarray, image: np.ndarray) -> None:
    height, width = image.shape[:2]
    assert boxes.dtype == np.float32 and boxes.ndim == 2 and boxes.shape[1] == 4
    assert (boxes >= 0).all() and (boxes <= [width, height, width, height]).all()
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert len(np.unique(boxes, axis=0)) == len(boxes)


@settings(max_examples=60, deadline=None)
@given(images, widths, st.sampled_from(['fast', 'ilsvrc2014', 'iccv2011']))
@example(np.random.default_rng(977).integers(0, 256, (36, 36, 3)).astype(np.uint8), None, 'ilsvrc2014')
def test_boxes_are_sound(image: np.ndarray, width: int | None, mode: str) -> None:
    untouched = image.copy()
    boxes = selective_search(image, mode, width, threads=1)
    check(boxes, image)
    # the whole image is always among them, or in 'ilsvrc2014' a box that stands for it: near-duplicates are left out
    share = (boxes[:, 2:] - boxes[:, :2]).prod(1) / (image.shape[0] * image.shape[1])
    assert share.max() == 1 or (mode == 'ilsvrc2014' and share.max() > MODES[mode]['max_overlap'])
    assert np.array_equal(boxes, selective_search(image, mode, width, threads=3))
    assert np.array_equal(image, untouched)


@pytest.mark.parametrize('mode', sorted(MODES))
def test_modes(mode: str) -> None:
    image = scene()
    boxes = selective_search(image, mode, 200)
    check(boxes, image)
    assert np.array_equal(boxes, selective_search(image, mode, 200, threads=1))
    assert np.array_equal(boxes, selective_search(image, mode, 200, threads=2))
    # the drawn rectangle and disc are found
    assert (best_overlaps([boxes], [np.array([[20, 30, 61, 91], [80, 30, 141, 91]])], [len(boxes)]) > 0.75).all()


def test_random_state_of_numpy_is_left_alone() -> None:
    np.random.seed(1)
    first = selective_search(scene(), width=100)
    expected = np.random.RandomState(1).random_sample()
    assert np.random.random_sample() == expected
    assert np.array_equal(first, selective_search(scene(), width=100))


@pytest.mark.parametrize(
    ('shape', 'width'),
    [
        ((1, 1), 500),
        ((20, 20), 500),
        ((1, 300), 500),
        ((300, 1), 40),
        ((100, 3000), 500),
        ((3000, 100), 100),
        ((2, 900), 1),  # a height that rounds to 0
    ],
)
def test_extreme_shapes(shape: tuple[int, int], width: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    image = cv2.GaussianBlur(image, (0, 0), 3)
    check(selective_search(image, width=width), image)


def test_constant_image_gives_one_box() -> None:
    assert selective_search(np.full((30, 50, 3), 77, np.uint8)).tolist() == [[0, 0, 50, 30]]


def test_pure_noise() -> None:
    image = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    check(selective_search(image, width=None), image)


def test_gray_is_repeated() -> None:
    gray = scene()[:, :, 1]
    expected = selective_search(np.repeat(gray[:, :, None], 3, axis=2), width=120)
    assert np.array_equal(selective_search(gray, width=120), expected)
    assert np.array_equal(selective_search(gray[:, :, None], width=120), expected)


@pytest.mark.parametrize(
    'view',
    [
        lambda image: image[:, ::-1],
        lambda image: image[::2, 1::3],
        lambda image: image[:, :, ::-1],
        lambda image: image.transpose(1, 0, 2),
        lambda image: np.asfortranarray(image),
    ],
    ids=['mirrored', 'strided', 'channels', 'transposed', 'fortran'],
)
def test_non_contiguous_images(view) -> None:
    image = view(scene())
    read_only = np.ascontiguousarray(image)
    read_only.flags.writeable = False
    assert np.array_equal(selective_search(image, width=100), selective_search(read_only, width=100))


@pytest.mark.parametrize(
    ('image', 'error', 'message'),
    [
        (None, TypeError, 'not a NumPy array'),  # what cv2.imread gives for a file that is not there
        ([[1, 2], [3, 4]], TypeError, 'not a NumPy array'),
        (np.zeros((5, 5, 3)), TypeError, 'float64; give uint8'),
        (np.zeros((5, 5, 3), np.float32), TypeError, 'float32; give uint8'),
        (np.zeros((5, 5, 3), np.uint16), TypeError, 'uint16; give uint8'),
        (np.zeros((5, 5, 3), bool), TypeError, 'bool; give uint8'),
        (np.zeros((5, 5, 4), np.uint8), ValueError, 'alpha channel'),
        (np.zeros((5, 5, 2), np.uint8), ValueError, 'give \\(height, width, 3\\)'),
        (np.zeros(5, np.uint8), ValueError, 'give \\(height, width, 3\\)'),
        (np.zeros((1, 5, 5, 3), np.uint8), ValueError, 'give \\(height, width, 3\\)'),
        (np.zeros((0, 5, 3), np.uint8), ValueError, 'no pixel'),
        (np.zeros((5, 0), np.uint8), ValueError, 'no pixel'),
        (np.broadcast_to(np.uint8(0), (10**5, 10**5, 3)), ValueError, 'the limit is 178956970 pixels'),
    ],
)
def test_images_that_are_refused(image, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as info:
        selective_search(image)
    assert '\n' not in str(info.value) and str(info.value).endswith('.')


@pytest.mark.parametrize(
    ('arguments', 'error', 'message'),
    [
        (dict(mode='slow'), ValueError, "choose one of 'fast'"),
        (dict(mode=None), ValueError, "choose one of 'fast'"),
        (dict(mode=['fast']), ValueError, "choose one of 'fast'"),
        (dict(width=0), ValueError, 'at least 1'),
        (dict(width=-500), ValueError, 'at least 1'),
        (dict(width=500.0), TypeError, 'whole number'),
        (dict(width=True), TypeError, 'whole number'),
        (dict(width='500'), TypeError, 'whole number'),
        (dict(width=2**13), ValueError, 'smaller width'),
        (dict(width=10**400), ValueError, 'smaller number'),
        (dict(color_spaces=[]), ValueError, 'empty'),
        (dict(color_spaces='xyz'), ValueError, "choose from 'hsv'"),
        (dict(color_spaces=7), TypeError, 'list of names'),
        (dict(color_spaces=[[]]), ValueError, "choose from 'hsv'"),
        (dict(similarities=['CTSF', 'X']), ValueError, "choose from 'CTSF'"),
        (dict(ks=[]), ValueError, 'empty'),
        (dict(ks=[50, 0]), ValueError, 'above 0'),
        (dict(ks=float('nan')), ValueError, 'finite'),
        (dict(ks='50'), TypeError, 'give a number'),
        (dict(ks=[10**400]), ValueError, 'smaller number'),
        (dict(ks=float('inf')), ValueError, 'finite'),
        (dict(superpixel_size=10**10), ValueError, 'smaller number'),
        (dict(sigma=101), ValueError, 'over 100; give a smaller number'),
        (dict(superpixel_size=-1), ValueError, 'from 0 up'),
        (dict(sigma=0), ValueError, 'above 0'),
        (dict(min_size=-1), ValueError, 'from 0 up'),
        (dict(min_size=None), TypeError, 'give a number'),
        (dict(max_overlap=1.5), ValueError, 'at most 1'),
        (dict(max_overlap=0), ValueError, 'above 0'),
        (dict(threads=0), ValueError, 'at least 1'),
        (dict(threads=1.5), TypeError, 'whole number'),
    ],
)
def test_parameters_that_are_refused(arguments: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as info:
        selective_search(np.zeros((8, 8, 3), np.uint8), **arguments)
    assert '\n' not in str(info.value) and str(info.value).endswith('.')


def test_parameters_name_all_that_matters() -> None:
    parameters = selective_search_parameters('ilsvrc2014', min_size=20)
    assert json.loads(json.dumps(parameters)) == parameters
    assert parameters['ks'] == [100, 200] and parameters['min_size'] == 20
    # what they name, given as arguments, gives the same boxes
    arguments = {name: value for name, value in parameters.items() if name != 'method'}
    assert selective_search_parameters(**arguments) == parameters
    image = scene()
    assert np.array_equal(selective_search(image, **arguments), selective_search(image, 'ilsvrc2014', min_size=20))
    as_fast = selective_search(image, **arguments | dict(mode='fast'))
    assert np.array_equal(as_fast, selective_search(image, 'ilsvrc2014', min_size=20))


def test_one_name_will_do() -> None:
    image = scene()
    one = selective_search(image, color_spaces='lab', ks=80, similarities='S', width=None)
    assert np.array_equal(one, selective_search(image, color_spaces=['lab'], ks=[80], similarities=('S',), width=None))
    assert len(one) < len(selective_search(image, width=None))


def test_min_size_counts_scaled_pixels() -> None:
    image = scene()
    every = selective_search(image, width=320)
    some = selective_search(image, width=320, min_size=30)
    sides = (every[:, 2:] - every[:, :2]) * [320 / image.shape[1], 240 / image.shape[0]]
    assert np.array_equal(some, every[(sides >= 30 - 1e-3).all(axis=1)])
    assert 0 < len(some) < len(every)
    assert selective_search(image, min_size=1000).shape == (0, 4)


@pytest.mark.parametrize('max_overlap', [0.5, 0.9])
def test_max_overlap_keeps_the_better_box(max_overlap: float) -> None:
    image = scene()
    every = selective_search(image, width=None).astype(np.float64)
    kept: list[np.ndarray] = []
    for box in every:
        if not kept or best_overlaps([np.array(kept)], [box[None]], [len(kept)]).max() <= max_overlap:
            kept.append(box)
    assert np.array_equal(selective_search(image, width=None, max_overlap=max_overlap), np.array(kept, np.float32))
    assert len(kept) < len(every)


def test_superpixel_size_bounds_the_smallest_regions() -> None:
    boxes = selective_search(scene(), width=None, superpixel_size=400)
    assert ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) >= 400).all()


def test_boxes_are_returned_in_image_pixels() -> None:
    image = scene()
    doubled = cv2.resize(image, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    # at half its width the doubled image is the image again
    assert np.array_equal(selective_search(doubled, width=image.shape[1]), 2 * selective_search(image, width=None))


@pytest.fixture(scope='module')
def authors(shared_data: Path) -> tuple[np.ndarray, np.ndarray]:
    folder = shared_data / 'selective_search_reference'
    boxes = scipy.io.loadmat(folder / '000004_boxes.mat')['boxes'].astype(np.float64) + [0, 0, 1, 1]
    return cv2.imread(str(folder / '000004.jpg')), boxes


@pytest.mark.parametrize(
    ('mode', 'overlap', 'share'),
    [
        ('fast', 0.7, 0.75),
        # The boxes are of the method's first publication, whose superpixels come out exactly alike.
        ('iccv2011', 0.7, 0.95),
        ('iccv2011', 0.9999, 0.7),
    ],
)
def test_agrees_with_the_authors(authors: tuple, mode: str, overlap: float, share: float) -> None:
    image, expected = authors
    boxes = selective_search(image, mode)
    assert (best_overlaps([boxes], [expected], [len(expected)]) >= overlap).mean() >= share


def test_covers_annotated_objects(shared_data: Path) -> None:
    """An eighth of the images that benchmarks/selective_search.py measures in full."""
    folder = shared_data / 'coco' / 'coco128'
    annotations = json.loads((folder / 'annotations.json').read_text())
    truth = {image['id']: [] for image in annotations['images'][4::8]}
    for entry in annotations['annotations']:
        if entry['image_id'] in truth:
            x, y, w, h = entry['bbox']
            truth[entry['image_id']].append([x, y, x + w, y + h])
    images = [
        cv2.imread(str(folder / 'images' / image['file_name']))
        for image in annotations['images'][4::8]
        if truth[image['id']]
    ]
    truth_boxes = [np.array(boxes) for boxes in truth.values() if boxes]
    recall, number = {}, {}
    for mode in ('fast', 'ilsvrc2014'):
        boxes = [selective_search(image, mode) for image in images]
        boxes = [b[(b[:, 2:] - b[:, :2] >= 20).all(axis=1)] for b in boxes]
        recall[mode] = (best_overlaps(boxes, truth_boxes, [10_000]) >= 0.5).mean()
        number[mode] = np.mean([len(b) for b in boxes])
    # Over all images it is 0.707 with 2,531 boxes.
    assert recall['fast'] > 0.65 and number['fast'] < 2550
    assert recall['ilsvrc2014'] > recall['fast'] - 0.03
    assert 0.45 < number['ilsvrc2014'] / number['fast'] < 0.55


@pytest.mark.parametrize('shape, width', [((300, 1), 500), ((1000, 3), 500), ((4096, 64), 500), ((5000, 100), 100)])
def test_a_strip_is_not_enlarged_without_bounds(shape, width):
    """3 x 1000 pixels would be 500 x 166,667."""
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    scaled = _resized(image, width)
    height = scaled.shape[0]
    assert 0.9 < height * scaled.shape[1] / (8 * width**2) <= 1.02
    assert height / scaled.shape[1] == pytest.approx(shape[0] / shape[1], rel=0.02)
    assert _resized(image, None) is image
    assert np.prod(_resized(np.zeros((20_000_000, 1, 3), np.uint8), 500).shape[:2]) <= 8 * 500**2
    assert _resized(np.zeros((80, 10, 3), np.uint8), 50).shape == (400, 50, 3)


@pytest.mark.parametrize(
    'shape, width, possible',
    [
        ((3, 1130), 30_000, True),
        ((3, 1130), 65_535, False),  # 11 million pixels of 3,390 took 11 seconds.
        ((1000, 1500), 4800, True),
        ((1000, 1500), 6000, False),  # 24 million
        ((100, 100), 2048, True),
        ((100, 100), 2049, False),
    ],
)
def test_a_small_image_is_not_enlarged_to_the_work_of_a_large_one(shape, width, possible):
    image = np.zeros((*shape, 3), np.uint8)
    if possible:
        assert _resized(image, width).shape[1] == width
    else:
        with pytest.raises(ValueError, match='choose a smaller width'):
            _resized(image, width)
