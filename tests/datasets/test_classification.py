"""The classifier's pipeline steps: the random training crop, the crops of a test, their packing."""

from __future__ import annotations

import functools

import cv2
import numpy as np
import pytest
from PIL import Image
from torchvision.transforms import _presets as transforms
from torchvision.transforms import functional

from det_inception.datasets import PackCrops, RandomCropAndDistort, TestCrops
from det_inception.datasets.crops import resize
from det_inception.ilsvrc import RULES, crop_plan
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


# ------------------------------------------------------------------------- 1 and 10 crops as the weights were tested

NOISE = np.random.default_rng(1).integers(0, 256, (384, 512, 3), dtype=np.uint8)


def crops_by(rule, number=1, image=NOISE, size=224):
    return TestCrops(number, size, rule=rule).transform(dict(img=image))['img']


@pytest.mark.parametrize('image', [NOISE, NOISE.swapaxes(0, 1), NOISE[:100, :125]], ids=['wide', 'tall', 'small'])
def test_torchvisions_rule_is_torchvisions_transform(image):
    preset = transforms.ImageClassification(crop_size=224)
    resize = functools.partial(functional.resize, interpolation=preset.interpolation, antialias=preset.antialias)
    expected = functional.center_crop(resize(Image.fromarray(image), preset.resize_size), preset.crop_size)
    assert abs(crops_by('torchvision', image=image)[0].astype(int) - np.asarray(expected)).max() <= 1


def test_caffes_rule_ignores_the_aspect_ratio():
    """As its ``convert_imageset`` does with ``-resize_height=256 -resize_width=256``: OpenCV's default."""
    squashed = cv2.resize(NOISE, (256, 256))
    assert (crops_by('caffe')[0] == squashed[16:240, 16:240]).all()
    ten = crops_by('caffe', 10)
    corners = [squashed[y : y + 224, x : x + 224] for y in (0, 32) for x in (0, 32)]
    for number, corner in enumerate([*corners, squashed[16:240, 16:240]]):
        assert (ten[2 * number] == corner).all() and (ten[2 * number + 1] == corner[:, ::-1]).all()


def test_tf_slims_rule_is_tensorflows_arithmetic():
    """``central_crop`` of 87.5 %, then ``resize_bilinear`` with ``align_corners=False``, pixel by pixel."""
    top, left = 24, 32  # int((384 - 336) / 2), int((512 - 448) / 2)
    window = NOISE[top : 384 - top, left : 512 - left].astype(float)
    crop = crops_by('tf_slim')[0].astype(float)
    for y, x in ((0, 0), (0, 223), (223, 0), (223, 223), (100, 57), (31, 200)):
        v, u = y * 336 / 224, x * 448 / 224
        y1, x1 = int(v), int(u)
        y2, x2 = min(y1 + 1, 335), min(x1 + 1, 447)
        upper = window[y1, x1] + (window[y1, x2] - window[y1, x1]) * (u - x1)
        lower = window[y2, x1] + (window[y2, x2] - window[y2, x1]) * (u - x1)
        assert crop[y, x] == pytest.approx(upper + (lower - upper) * (v - y1), abs=0.51)
    ten = crops_by('tf_slim', 10)
    assert (ten[8] == crop).all() and (ten[9] == crop[:, ::-1]).all()
    assert ten[0][0, 0] == pytest.approx(NOISE[0, 0]) and ten[6][223, 223] == pytest.approx(NOISE[382, 510], abs=90)


def test_rules_say_nothing_about_144_crops_and_keep_their_share_at_other_sizes():
    assert (crops_by('caffe', 144, size=32) == crops_by('paper', 144, size=32)).all()
    assert (crops_by('caffe', size=56)[0] == cv2.resize(NOISE, (64, 64))[4:60, 4:60]).all()
    assert (crops_by(None) == crops_by('paper')).all() and (crops_by(None) != crops_by('caffe')).any()


@pytest.mark.parametrize(
    ('rule', 'said'),
    [
        ('slim', "is one of paper, caffe, torchvision, tf_slim or a dict, not 'slim'"),
        (dict(resize='squash'), 'has resize, side, crop, interpolation, and this one is'),
        (dict(RULES['caffe'], side=200), 'has the crop 224 and the side 200; both are pixels'),
        (dict(RULES['caffe'], side=1e9), 'the side at least the crop'),
        (dict(RULES['caffe'], resize='pad'), "resize in the rule of a test is one of .*, not 'pad'"),
        (dict(RULES['caffe'], interpolation='lanczos'), 'interpolation in the rule of a test is one of'),
    ],
)
def test_what_is_no_rule_is_refused(rule, said):
    with pytest.raises(InputError, match=said):
        TestCrops(1, rule=rule)


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
