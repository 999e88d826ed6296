"""Boxes drawn into images of any size."""

import tracemalloc

import numpy as np
import pytest

from det_inception.utils.drawing import contact_sheet, draw_boxes

RED = (0, 0, 255)


def test_a_box_ends_at_its_edges():
    image = np.zeros((50, 60, 3), np.uint8)
    drawn = draw_boxes(image, np.array([[10, 20, 30, 40.0]]), [''], [RED])
    rows, columns = np.nonzero(drawn[..., 2])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (20, 39, 10, 29)
    assert not image.any()


@pytest.mark.parametrize(
    'box', [[-50, -50, 900, 900], [60, 50, 60, 50], [np.nan, 0, np.inf, 9], [30, 30, 10, 10], [0, 0, 0, 0], [1e30] * 4]
)
@pytest.mark.parametrize(
    'caption', ['', 'a name', 'longer than the image is wide ' * 9, 'tab\tand\nline', '\ud800', '猫']
)
def test_any_box_and_caption(box, caption):
    drawn = draw_boxes(np.full((50, 60, 3), 9, np.uint8), np.array([box], np.float32), [caption], [RED])
    assert drawn.shape == (50, 60, 3)


def test_the_first_is_on_top_and_captions_are_seen():
    image = np.zeros((200, 200, 3), np.uint8)
    boxes = np.array([[50, 50, 150, 150.0]] * 2)
    assert draw_boxes(image, boxes, ['', ''], [RED, (255, 0, 0)])[50, 100].tolist() == list(RED)
    assert (draw_boxes(image, boxes[:1], ['dog'], [RED]) != draw_boxes(image, boxes[:1], ['cat'], [RED])).any()


def test_a_large_image_takes_a_copy():
    image = np.zeros((3000, 4000, 3), np.uint8)
    draw_boxes(image[:50], np.zeros((1, 4)), ['font'], [RED])
    tracemalloc.start()
    draw_boxes(image, np.array([[10, 10, 3990, 2990.0]] * 20), ['a name: 99.9'] * 20, [RED] * 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.5 * image.nbytes


def test_a_caption_at_the_edge_is_written_whole():
    image = np.full((120, 200, 3), 255, np.uint8)
    left = draw_boxes(image, np.array([[20.0, 10, 60, 50]]), ['traffic light: 98'], [(0, 0, 255)])
    edge = draw_boxes(image, np.array([[170.0, 110, 199, 119]]), ['traffic light: 98'], [(0, 0, 255)])
    dark = [(drawn < 40).all(axis=2) for drawn in (left, edge)]
    rows, columns = (np.flatnonzero(dark[0].any(axis=axis)) for axis in (1, 0))
    size = len(rows), len(columns)
    rows, columns = (np.flatnonzero(dark[1].any(axis=axis)) for axis in (1, 0))
    assert (len(rows), len(columns)) == size and rows[-1] == 119 and columns[-1] == 199


def test_a_contact_sheet():
    images = [
        np.full((height, width, 3), value, np.uint8)
        for height, width, value in ((96, 96, 10), (20, 400, 20), (9, 9, 30))
    ]
    sheet = contact_sheet(images, columns=2, side=100)
    assert sheet.shape == (200, 200, 3)
    assert (sheet[2:98, 2:98] == 10).all() and (sheet[:2] == 255).all()
    assert (sheet[48:52, 102:198] == 20).all() and (sheet[:100, 100:] == 20).all(axis=2).sum() == 96 * 5
    assert (sheet[100:, :100] == 30).all(axis=2).sum() == 81 and (sheet[100:, 100:] == 255).all()
    assert contact_sheet(images[:1], columns=4, side=100).shape == (100, 100, 3)
