"""The classifier's pipeline steps: the random training crop, the crops of a test, their packing."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from det_inception.datasets import PackCrops, RandomCropAndDistort, TestCrops
from det_inception.datasets.crops import resize
from det_inception.ilsvrc import crop_plan
from det_inception.utils.errors import InputError


def ramp(height, width):
    """An image whose blue tells the column and whose green tells the row, in shares of 200; red is constant."""
    x, y = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    return np.dstack([20 + 200 * x, 20 + 200 * y, np.full_like(x, 128)]).astype(np.uint8)


def part(crop):
    """What share of the image a crop of :func:`ramp` shows: x1, y1, x2, y2 of 0 to 1, measured by its slopes."""
    values = (crop[:, :, :2].astype(float) - 20) / 200
    inner = values[4:-4, 4:-4]  # Interpolation bends the edges.
    side = len(crop)
    slope_x = (inner[:, -1, 0] - inner[:, 0, 0]).mean() / (side - 9) * side
    slope_y = (inner[-1, :, 1] - inner[0, :, 1]).mean() / (side - 9) * side
    return slope_x, slope_y


@pytest.fixture
def seeded():
    np.random.seed(5)


def drawn_by_hand(rng, height, width):
    """Draws area and aspect until the part lies in the image, as the paper's sentence is commonly understood."""
    while True:
        area, aspect = rng.uniform(0.08, 1), np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3)))
        if (area * aspect * height / width) ** 0.5 <= 1 and (area / aspect * width / height) ** 0.5 <= 1:
            return area, aspect


def test_crops_have_the_papers_areas_and_aspects_and_half_are_mirrored(seeded):
    step, image = RandomCropAndDistort(size=64, distortion=0), ramp(150, 200)
    shown = np.array([part(step.transform(dict(img=image))['img']) for _ in range(400)])
    widths, heights = abs(shown[:, 0]), shown[:, 1]
    areas, aspects = widths * heights, widths * 200 / (heights * 150)
    assert 0.06 < areas.min() < 0.12 and 0.85 < areas.max() < 1.04
    assert 0.7 < aspects.min() < 0.8 and 1.25 < aspects.max() < 1.42
    rng = np.random.default_rng(0)
    expected = np.array([drawn_by_hand(rng, 150, 200) for _ in range(4000)])
    quarters = [0.25, 0.5, 0.75]
    assert np.quantile(areas, quarters) == pytest.approx(np.quantile(expected[:, 0], quarters), abs=0.07)
    assert np.quantile(aspects, quarters) == pytest.approx(np.quantile(expected[:, 1], quarters), abs=0.07)
    assert 0.4 < (shown[:, 0] < 0).mean() < 0.6


def test_every_interpolation_is_drawn(seeded, monkeypatch):
    seen, original = [], cv2.resize
    step = RandomCropAndDistort(size=32, distortion=0)

    def watched(*arguments, **options):
        seen.append(options['interpolation'])
        return original(*arguments, **options)

    monkeypatch.setattr(cv2, 'resize', watched)
    for _ in range(200):
        step.transform(dict(img=ramp(100, 100)))
    counts = {kind: seen.count(kind) for kind in set(seen)}
    assert set(counts) == {cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_AREA, cv2.INTER_CUBIC}
    assert min(counts.values()) > 25


def test_distortion_changes_colors_and_zero_changes_none(seeded):
    image = np.full((40, 40, 3), (60, 90, 150), np.uint8)
    plain = RandomCropAndDistort(size=16, distortion=0).transform(dict(img=image))['img']
    assert (plain == (60, 90, 150)).all()
    step = RandomCropAndDistort(size=16, distortion=0.5)
    colors = np.array([step.transform(dict(img=image))['img'][0, 0] for _ in range(100)], float)
    assert (colors.std(axis=0) > 10).all()
    # The order of the channels is kept: red stays the strongest.
    assert (colors[:, 2] >= colors[:, 1]).all() and (colors[:, 1] >= colors[:, 0]).all()


def test_steps_draw_apart_from_each_other(seeded):
    """Given one seed, Albumentations' steps all draw the same number: small crops would always be dark."""
    step = RandomCropAndDistort(size=64, distortion=0.3)
    stripes = np.repeat(np.tile(np.repeat([60, 100], 8), 12)[:, None], 200, axis=1).astype(np.uint8)
    sizes, shades = [], []
    for _ in range(300):
        crop = step.transform(dict(img=np.dstack([stripes] * 3)))['img'][:, 0, 0].astype(float)
        sizes.append((np.diff(crop > (crop.min() + crop.max()) / 2) != 0).sum())  # how many stripes are seen
        shades.append((crop.min() + crop.max()) / 2)
    assert np.std(sizes) > 2 and np.std(shades) > 8
    assert abs(np.corrcoef(sizes, shades)[0, 1]) < 0.2


def test_numpys_seed_decides():
    step, image = RandomCropAndDistort(size=24), ramp(60, 80)
    draws = []
    for seed in (1, 1, 2):
        np.random.seed(seed)
        draws.append([step.transform(dict(img=image))['img'] for _ in range(3)])
    assert all((a == b).all() for a, b in zip(draws[0], draws[1]))
    assert any((a != b).any() for a, b in zip(draws[0], draws[2]))
    assert (draws[0][0] != draws[0][1]).any()


@pytest.mark.parametrize('shape', [(1, 1), (3, 200), (20, 10)])
def test_images_smaller_than_the_crop_are_enlarged(shape):
    image = np.full((*shape, 3), (10, 100, 200), np.uint8)
    for step in (RandomCropAndDistort(size=48), RandomCropAndDistort(size=48, distortion=0)):
        assert step.transform(dict(img=image))['img'].shape == (48, 48, 3)
    if max(shape) <= 50 * min(shape):
        crops = TestCrops(144, 48).transform(dict(img=image))['img']
        assert crops.shape == (144, 48, 48, 3) and (crops == (10, 100, 200)).all()


@pytest.mark.parametrize(
    'arguments', [dict(interpolations=()), dict(interpolations=('lanczos',)), dict(distortion=1.5)]
)
def test_misuse_is_refused(arguments):
    with pytest.raises(ValueError):
        RandomCropAndDistort(**arguments)


@pytest.mark.parametrize(('height', 'width'), [(120, 90), (90, 120), (100, 100)])
@pytest.mark.parametrize('number', [1, 10, 144])
def test_test_crops_are_cut_where_the_plan_says(height, width, number):
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    crops = TestCrops(number, size=56).transform(dict(img=image))['img']
    plan = crop_plan(height, width, number, size=56)
    assert crops.shape == (number, 56, 56, 3)
    for crop, (tall, wide), (x1, y1, x2, y2), mirrored in zip(crops, *plan):
        cut = resize(image, tall, wide)[y1:y2, x1:x2]
        expected = resize(cut, 56, 56)
        assert (crop == (expected[:, ::-1] if mirrored else expected)).all()


def test_an_absurd_shape_is_refused_by_name():
    with pytest.raises(InputError, match=r'strip\.png: an image of 101x2 pixels is more than 50 times as long'):
        TestCrops(144).transform(dict(img=np.zeros((2, 101, 3), np.uint8), img_path='strip.png'))
    with pytest.raises(InputError, match='tested with 1, 10, 144 crops, not 12'):
        TestCrops(12)


def test_packing_keeps_the_layout():
    image = np.random.default_rng(0).integers(0, 256, (2, 5, 6, 3), dtype=np.uint8)
    packed = PackCrops().transform(dict(img=image, img_path='a.jpg', gt_label=3, ori_shape=(9, 9)))
    assert packed['inputs'].shape == (2, 3, 5, 6) and (packed['inputs'].movedim(1, -1).numpy() == image).all()
    sample = packed['data_samples']
    assert sample.gt_label.tolist() == [3] and sample.img_path == 'a.jpg'
    assert 'gt_label' not in PackCrops().transform(dict(img=image[0]))['data_samples']
