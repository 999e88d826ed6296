"""The crops of a test image: their number, their places, and what holds for images of every size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from det_inception.ilsvrc import CROPS, crop_plan
from det_inception.utils.errors import InputError

SIDES = st.integers(1, 2000)


def rows(plan):
    return list(zip(map(tuple, plan.sizes.tolist()), map(tuple, plan.boxes.tolist()), plan.mirrored.tolist()))


def by_hand(height, width, scale):
    """The 36 crops of one scale of a 224 network, as the paper's sentence lists them."""
    long = round(max(height, width) * scale / min(height, width))
    size = (long, scale) if height > width else (scale, long)
    for place in (0, (long - scale) // 2, long - scale):
        x, y = (0, place) if height > width else (place, 0)
        end, half = scale - 224, (scale - 224) // 2
        for dx, dy in ((0, 0), (end, 0), (0, end), (end, end), (half, half)):
            box = (x + dx, y + dy, x + dx + 224, y + dy + 224)
            yield from ((size, box, mirrored) for mirrored in (False, True))
        yield from ((size, (x, y, x + scale, y + scale), mirrored) for mirrored in (False, True))


@pytest.mark.parametrize(
    ('height', 'width'),
    [
        (375, 500),  # landscape
        (500, 375),  # portrait
        (300, 300),  # square: the three squares are one
        (333, 500),  # the longer side is not whole before it is rounded
        (10, 17),  # smaller than a crop
        (1, 1),
    ],
)
def test_144_crops_are_those_of_the_paper(height, width):
    expected = [row for scale in (256, 288, 320, 352) for row in by_hand(height, width, scale)]
    assert len(expected) == 144
    assert rows(crop_plan(height, width)) == expected


def test_one_and_ten_crops_of_a_landscape():
    assert rows(crop_plan(256, 320, number=1)) == [((256, 320), (48, 16, 272, 240), False)]
    boxes = [box for _, box, _ in rows(crop_plan(256, 320, number=10))]
    left, right, center = 32, 64, 48
    expected = [(left, 0), (right, 0), (left, 32), (right, 32), (center, 16)]
    assert boxes == [(x, y, x + 224, y + 224) for x, y in expected for _ in range(2)]


@given(SIDES, SIDES, st.sampled_from(CROPS), st.sampled_from([224, 96, 64, 33, 1]))
def test_crops_lie_in_the_image_and_are_square(height, width, number, size):
    if max(height, width) > 50 * min(height, width):
        with pytest.raises(InputError, match='more than 50 times'):
            crop_plan(height, width, number, size)
        return
    sizes, boxes, mirrored = plan = crop_plan(height, width, number, size)
    assert len(sizes) == len(boxes) == len(mirrored) == number
    x1, y1, x2, y2 = boxes.T
    assert (x1 >= 0).all() and (y1 >= 0).all() and (x2 <= sizes[:, 1]).all() and (y2 <= sizes[:, 0]).all()
    assert (x2 - x1 == y2 - y1).all() and set(x2 - x1) <= {size, *sizes.min(axis=1)}
    assert (sizes.min(axis=1) >= size).all()
    # The aspect ratio is kept as well as whole pixels keep it.
    short, long = sizes.min(axis=1), sizes.max(axis=1)
    assert (abs(long - short * max(height, width) / min(height, width)) <= 0.5).all()
    assert mirrored.sum() == (0 if number == 1 else number // 2)
    # Every mirrored crop stands right behind itself.
    assert not mirrored[0] and all((boxes[i] == boxes[i - 1]).all() for i in np.flatnonzero(mirrored))
    assert rows(crop_plan(height, width, number, size)) == rows(plan)


@given(SIDES, SIDES, st.sampled_from([1, 10]), st.sampled_from(['squash', 'central']), st.sampled_from([7 / 8, 1, 0.3]))
def test_other_rules_cut_inside_the_image_and_around_its_center(height, width, number, resize, share):
    if max(height, width) > 50 * min(height, width):
        return
    sizes, boxes, mirrored = crop_plan(height, width, number, 224, resize, share)
    assert len(boxes) == number and mirrored.sum() == number // 2
    assert (boxes[:, :2] >= 0).all() and (boxes[:, :2] < boxes[:, 2:]).all() and (boxes[:, 2:] <= sizes[:, ::-1]).all()
    if resize == 'squash':
        assert set(sizes.flatten()) == {round(224 / share)} and (boxes[:, 2:] - boxes[:, :2] == 224).all()
    else:
        assert (sizes == (height, width)).all()
        assert (abs(boxes[:, 2:] - boxes[:, :2] - share * sizes[:, ::-1]) < 2).all()
    margins = boxes[-1, :2], sizes[-1, ::-1] - boxes[-1, 2:]  # of the center
    assert (abs(margins[0] - margins[1]) <= 1).all()
    if number == 10:  # The corners touch the edges.
        assert (boxes[:, :2].min(axis=0) == 0).all() and (abs(boxes[:, 2:].max(axis=0) - sizes[0, ::-1]) <= 0).all()


@given(SIDES.filter(lambda side: side >= 40), SIDES.filter(lambda side: side >= 40), st.sampled_from(CROPS))
def test_a_portrait_is_a_landscape_turned(height, width, number):
    turned, plan = crop_plan(width, height, number), crop_plan(height, width, number)
    assert (turned.sizes == plan.sizes[:, ::-1]).all()
    # Corners come in another order; as a set the boxes are the same.
    assert {tuple(box) for box in turned.boxes.tolist()} == {(y1, x1, y2, x2) for x1, y1, x2, y2 in plan.boxes.tolist()}


@given(st.integers(224, 1000), st.integers(224, 1000))
def test_the_first_of_ten_crops_of_144_and_of_one_agree(height, width):
    many, ten, one = (rows(crop_plan(height, width, number)) for number in (144, 10, 1))
    assert one[0] in ten and set(ten) <= set(many)


@pytest.mark.parametrize(
    'arguments',
    [(10, 10, 12), (0, 10, 1), (10, -1, 1), (10, 10, 1, 0), (10, 10, 1, 224, 'pad'), (10, 10, 1, 224, 'squash', 1.5)],
)
def test_misuse_is_refused(arguments):
    with pytest.raises(ValueError, match=r'crops'):
        crop_plan(*arguments)
