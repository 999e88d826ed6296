"""RegionWarp against a slow plain implementation."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from det_inception.models import RegionWarp


def plain_warp(image, box, size, context):
    """Every pixel on its own: scale the box about its center, walk the crop, mix the four nearest pixels."""
    channels, height, width = image.shape
    scale = size / (size - 2 * context)
    cx, cy = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    w, h = (box[2] - box[0]) * scale, (box[3] - box[1]) * scale
    crop = np.zeros((channels, size, size))
    for row in range(size):
        for column in range(size):
            x = cx - w / 2 + (column + 0.5) * w / size
            y = cy - h / 2 + (row + 0.5) * h / size
            if not (0 <= x < width and 0 <= y < height):
                continue
            x, y = x - 0.5, y - 0.5  # from edges to pixel centers
            x0, y0 = math.floor(x), math.floor(y)
            for ny, wy in ((y0, y0 + 1 - y), (y0 + 1, y - y0)):
                for nx, wx in ((x0, x0 + 1 - x), (x0 + 1, x - x0)):
                    pixel = image[:, min(max(ny, 0), height - 1), min(max(nx, 0), width - 1)]
                    crop[:, row, column] += wy * wx * pixel
    return crop


coordinate = st.floats(-30, 60, allow_nan=False, width=32)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 30),
    st.integers(1, 30),
    st.lists(st.tuples(coordinate, coordinate, st.floats(0, 50), st.floats(0, 50)), min_size=1, max_size=3),
    st.sampled_from([(8, 0), (9, 2), (16, 1)]),
)
def test_equals_the_plain_implementation(height, width, boxes, shape):
    size, context = shape
    generator = torch.Generator().manual_seed(height * 31 + width)
    images = torch.randn(2, 3, height + 3, width + 2, generator=generator, dtype=torch.float64)
    boxes = np.array([(x, y, x + w, y + h) for x, y, w, h in boxes])
    rois = torch.cat([torch.ones(len(boxes), 1, dtype=torch.float64), torch.from_numpy(boxes)], dim=1)
    # The second image is padded by 3 rows and 2 columns, which no crop may show.
    crops = RegionWarp(size, context)(images, rois, [(height + 3, width + 2), (height, width)])
    for crop, box in zip(crops.numpy(), boxes):
        expected = plain_warp(images[1, :, :height, :width].numpy(), box, size, context)
        difference = np.abs(crop - expected)
        # A position that lies on the image's edge to the last digit may fall on either side of it.
        assert np.mean(difference > 1e-6) < 0.02 and np.median(difference) < 1e-9


def test_context_is_sixteen_pixels_of_the_crop():
    image = torch.zeros(1, 1, 400, 400)
    image[:, :, 100:292, 100:292] = 1  # a box of 192 pixels becomes 192 of the crop's 224
    crop = RegionWarp()(image, torch.tensor([[0.0, 100, 100, 292, 292]]), [(400, 400)])[0, 0]
    assert torch.all(crop[16:208, 16:208] == 1)
    assert torch.all(crop[:16] == 0) and torch.all(crop[:, 208:] == 0)


@pytest.mark.parametrize(
    ('box', 'window'),
    [
        # In MATLAB's pixels, which count from 1, the first and the last that belong to the window:
        # 11 to 38: 25 - 16 = 9 and 25 + 16 = 41.
        ((10, 20, 38, 48), (8, 18, 41, 51)),
        # 1 to 28: 15 - 16 = -1 and 15 + 16 = 31.
        ((0, 0, 28, 28), (-2, -2, 31, 31)),
        # 4 to 10: 7.5 - 4 = 3.5, which becomes 4, and 11.5, which becomes 12.
        ((3, 3, 10, 10), (3, 3, 12, 12)),
        # 1 to 7: 4.5 - 4 = 0.5, which becomes 1, and 8.5, which becomes 9.
        ((0, 0, 7, 7), (0, 0, 9, 9)),
    ],
)
def test_windows_of_whole_pixels_are_those_of_rcnn(box, window):
    warp = RegionWarp(size=32, context=2, whole_pixels=True)
    assert warp.windows(torch.tensor([box], dtype=torch.float32)).tolist() == [list(map(float, window))]
    assert 'whole_pixels=True' in repr(warp)


def test_a_crop_of_whole_pixels_copies_them():
    image = torch.arange(3 * 40 * 40, dtype=torch.float32).view(1, 3, 40, 40)
    # Without context, pixels 3 to 17 become 3 to 18: 16 of them.
    crop = RegionWarp(size=16, context=0, whole_pixels=True)(image, torch.tensor([[0, 3.0, 5, 18, 20]]), [(40, 40)])
    torch.testing.assert_close(crop[0], image[0, :, 5:21, 3:19], rtol=1e-5, atol=0.01)


def test_outside_the_image_is_the_mean():
    image = torch.ones(1, 3, 50, 60)
    crop = RegionWarp(size=32, context=8)(image, torch.tensor([[0.0, 0, 0, 60, 50]]), [(50, 60)])[0]
    assert torch.all(crop[:, 8:24, 8:24] == 1)
    assert torch.all(crop[:, :8] == 0) and torch.all(crop[:, :, 24:] == 0)


def test_a_crop_does_not_depend_on_the_rest_of_the_batch():
    torch.manual_seed(0)
    image = torch.randn(3, 40, 30)
    box = torch.tensor([[0.0, 5, 20, 29.5, 39.5]])
    alone = RegionWarp(32, 4)(image[None], box, [(40, 30)])
    batch = torch.randn(2, 3, 90, 80)
    batch[1, :, :40, :30] = image
    box[0, 0] = 1
    beside = RegionWarp(32, 4)(batch, box, [(90, 80), (40, 30)])
    assert torch.equal(alone, beside)


def test_the_order_of_regions_is_kept_and_there_may_be_none():
    images = torch.stack([torch.full((3, 20, 20), float(number)) for number in (1, 2)])
    rois = torch.tensor([[1.0, 2, 2, 10, 10], [0, 2, 2, 10, 10], [1, 0, 0, 20, 20]])
    crops = RegionWarp(8, 0)(images, rois, [(20, 20)] * 2)
    assert crops.mean((1, 2, 3)).tolist() == [2, 1, 2]
    assert RegionWarp(8, 0)(images, rois[:0], [(20, 20)] * 2).shape == (0, 3, 8, 8)


@pytest.mark.parametrize('interpolation', ['bilinear', 'bicubic', 'nearest'])
def test_every_interpolation_copies_pixels_at_scale_one(interpolation):
    image = torch.randn(1, 3, 24, 24)
    crop = RegionWarp(16, 0, interpolation)(image, torch.tensor([[0.0, 4, 5, 20, 21]]), [(24, 24)])
    torch.testing.assert_close(crop[0], image[0, :, 5:21, 4:20], atol=1e-5, rtol=1e-5)


def test_bad_options_are_refused():
    with pytest.raises(ValueError, match='no room'):
        RegionWarp(32, 16)
    with pytest.raises(ValueError, match='bilinear, bicubic, nearest'):
        RegionWarp(interpolation='lanczos')
