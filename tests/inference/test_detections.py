"""Detections as pictures, as files of other programs, and in other libraries."""

import csv
import dataclasses
import json
import re
import sys

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from det_inception.formats import FORMATS, choose_split, recognize
from det_inception.formats.annotation_xml import parse_annotation, read_xml
from det_inception.inference import Detections
from det_inception.inference.detections import found_image
from det_inception.inference.result_files import FoundImage, FoundObject, ResultFiles, voc_text
from det_inception.utils.drawing import class_color
from det_inception.utils.errors import InputError

CLASSES = ('cat', 'dog', 'owl <b>')
IMAGE = np.random.default_rng(1).integers(100, 130, (90, 140, 3), dtype=np.uint8)
DETECTIONS = Detections(
    boxes=np.array([[1, 2, 30.06, 40], [5, 5, 50, 50], [0, 0, 9, 9]], np.float32),
    scores=np.array([0.91234, 0.5, 0.1], np.float32),
    labels=np.array([2, 0, 1]),
    classes=CLASSES,
    image=IMAGE,
    name='photos/a.jpg',
)


def test_selection():
    assert len(DETECTIONS) == 3 and DETECTIONS.names == ['owl <b>', 'cat', 'dog']
    assert DETECTIONS.above(0.5).labels.tolist() == [2, 0] and DETECTIONS.above(0, limit=1).labels.tolist() == [2]
    assert len(DETECTIONS.above(0.95)) == 0 and DETECTIONS.above(0.95).image is IMAGE
    assert DETECTIONS.as_dicts()[0] == dict(label='owl <b>', score=0.9123, box=[1.0, 2.0, 30.1, 40.0])
    assert repr(DETECTIONS) == '<Detections: 1 owl <b>, 1 cat, 1 dog; best score 0.91>'
    assert repr(DETECTIONS.above(0.95)) == '<Detections: nothing>'


def test_drawing():
    before = IMAGE.copy()
    drawn = DETECTIONS.draw()
    assert drawn.shape == IMAGE.shape and drawn.dtype == np.uint8 and drawn.flags.c_contiguous
    assert (IMAGE == before).all() and (drawn != IMAGE).any()
    # Far from the boxes and their names nothing changes.
    assert np.array_equal(drawn[60:, 100:], IMAGE[60:, 100:])
    # Every class has a color of its own, and its boxes are drawn in it.
    green = dataclasses.replace(DETECTIONS.above(0.95), boxes=np.array([[5, 5, 130, 85]], np.float32))
    green = dataclasses.replace(green, scores=np.array([1], np.float32), labels=np.array([1]))
    assert green.draw(np.zeros_like(IMAGE))[60, 5].tolist() == list(class_color(1))
    assert len({class_color(label) for label in range(20)}) == 20
    assert np.array_equal(DETECTIONS.above(0.95).draw(), IMAGE)
    without = dataclasses.replace(DETECTIONS, image=None)
    with pytest.raises(InputError, match=r'made without their image; use draw\(image\)'):
        without.draw()
    assert np.array_equal(without.draw(IMAGE), drawn)


def test_supervision_and_coco_agree():
    supervision = pytest.importorskip('supervision')
    theirs = DETECTIONS.to_supervision()
    assert np.array_equal(theirs.xyxy, DETECTIONS.boxes) and np.array_equal(theirs.confidence, DETECTIONS.scores)
    assert theirs.class_id.tolist() == [2, 0, 1] and theirs.data['class_name'].tolist() == DETECTIONS.names
    corners = np.array([result['bbox'] for result in DETECTIONS.to_coco()])
    assert np.allclose(supervision.xyxy_to_xywh(theirs.xyxy), corners, atol=0.006)
    assert len(DETECTIONS.above(0.95).to_supervision()) == 0


def test_coco_results_are_scored_by_pycocotools(tmp_path, capsys):
    DETECTIONS.save(tmp_path / 'a.json')
    truth = COCO(tmp_path / 'a.json')
    assert truth.dataset['images'] == [dict(id=1, file_name='photos/a.jpg', height=90, width=140)]
    results = truth.loadRes(DETECTIONS.to_coco())
    for one, other in zip(truth.anns.values(), results.anns.values(), strict=True):
        assert {key: one[key] for key in ('image_id', 'category_id', 'bbox', 'score')} == {
            key: other[key] for key in ('image_id', 'category_id', 'bbox', 'score')
        }
    assert truth.cats[3]['name'] == 'owl <b>' and truth.anns[1]['bbox'] == [1, 2, 29.06, 38]
    assert [item['category_id'] for item in DETECTIONS.to_coco(7, category_ids=[10, 20, 90])] == [90, 10, 20]
    json.dumps(DETECTIONS.to_coco(7))


def test_a_frame_of_pandas():
    pytest.importorskip('pandas')
    frame = DETECTIONS.to_frame()
    assert list(frame.columns) == ['label', 'score', 'x1', 'y1', 'x2', 'y2']
    assert frame[frame.score >= 0.5].label.tolist() == ['owl <b>', 'cat'] and frame.x2[0] == np.float32(30.06)
    assert len(DETECTIONS.above(0.95).to_frame()) == 0


@pytest.mark.parametrize(('method', 'name'), [('to_frame', 'pandas'), ('to_supervision', 'supervision')])
def test_a_library_that_is_not_there(monkeypatch, method, name):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InputError, match=f'{name} is missing; run pip install {name}'):
        getattr(DETECTIONS, method)()


def test_a_notebook_shows_picture_and_table():
    page = DETECTIONS._repr_html_()
    assert 'owl &lt;b&gt;' in page and '<b>' not in page and '<td>0.91</td><td>1, 2, 30, 40</td>' in page
    assert re.match(r'<img src="data:image/jpeg;base64,[\w+/=]+" alt="&lt;Det', page)
    assert '<img' not in dataclasses.replace(DETECTIONS, image=None)._repr_html_()
    wide = dataclasses.replace(DETECTIONS, image=np.zeros((1, 5000, 3), np.uint8))
    assert '<img' in wide._repr_html_()


def test_saving_by_suffix(tmp_path):
    DETECTIONS.save(tmp_path / 'new/a.png')
    assert np.array_equal(cv2.imread(str(tmp_path / 'new/a.png')), DETECTIONS.draw())
    DETECTIONS.save(tmp_path / 'a.csv')
    with open(tmp_path / 'a.csv', encoding='utf-8', newline='') as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == dict(
        image='photos/a.jpg', label='owl <b>', score='0.91234', x1='1.00', y1='2.00', x2='30.06', y2='40.00'
    )
    DETECTIONS.save(tmp_path / 'a.xml')
    assert read_xml(tmp_path / 'a.xml').objects[0].name == 'owl <b>'
    for path in (tmp_path / 'a.mp3', tmp_path / 'a'):
        with pytest.raises(InputError, match=r'its suffix says no format; use \.png'):
            DETECTIONS.save(path)


@pytest.fixture
def written(tmp_path):
    """Two images with what was found in them, as all kinds of files, and the images."""
    files = ResultFiles(tmp_path, ['coco', 'csv', 'yolo', 'voc'], CLASSES, score=0.5)
    (tmp_path / 'images').mkdir()
    for stem in 'ab':
        cv2.imwrite(str(tmp_path / f'images/{stem}.png'), IMAGE)
        files.add(found_image(DETECTIONS, f'{stem}.png', IMAGE), stem)
    files.write()
    return tmp_path


def test_yolo_and_voc_are_read_by_supervision(written):
    supervision = pytest.importorskip('supervision')
    (written / 'data.yaml').write_text(json.dumps(dict(names=list(CLASSES))))
    place = dict(images_directory_path=str(written / 'images'))
    yolo = supervision.DetectionDataset.from_yolo(
        annotations_directory_path=str(written / 'labels'), data_yaml_path=str(written / 'data.yaml'), **place
    )
    voc = supervision.DetectionDataset.from_pascal_voc(
        annotations_directory_path=str(written / 'Annotations'), force_masks=False, **place
    )
    assert len(yolo) == len(voc) == 2 and (written / 'labels/classes.txt').read_text().splitlines() == list(CLASSES)
    for (_, _, one), (_, _, other) in zip(yolo, voc):
        assert [yolo.classes[label] for label in one.class_id] == ['owl <b>', 'cat']  # Of half a point or more.
        assert [voc.classes[label] for label in other.class_id] == ['owl <b>', 'cat']
        assert np.allclose(one.xyxy, DETECTIONS.boxes[:2], atol=0.01)
        assert np.allclose(other.xyxy, np.round(DETECTIONS.boxes[:2]), atol=1.01)  # Theirs takes no pixel off.


@pytest.mark.parametrize('name', ['coco', 'voc', 'yolo'])
def test_our_formats_read_what_is_written(written, name):
    if name == 'coco':
        (written / 'annotations').mkdir()
        (written / 'coco.json').rename(written / 'annotations/train.json')
        (written / 'images').rename(written / 'train')
    elif name == 'voc':
        (written / 'images').rename(written / 'JPEGImages')
    else:
        (written / 'data.yaml').write_text(json.dumps(dict(names=list(CLASSES), train='images')))
    format = recognize(written, name)
    split = format.split_of(written, None)[0] if name == 'voc' else choose_split(format.splits(written).splits, 'train')
    for record in FORMATS[name].read(split).records:
        boxes = np.array([item.box for item in record.objects])
        assert [item.name for item in record.objects] == DETECTIONS.names[: len(boxes)]
        assert len(boxes) == (3 if name == 'coco' else 2)
        assert np.allclose(boxes, DETECTIONS.boxes[: len(boxes)], atol=0.51 if name == 'voc' else 0.01)


def test_the_table_of_many_images(written):
    rows = list(csv.reader((written / 'detections.csv').open(encoding='utf-8', newline='')))
    assert [row[0] for row in rows[1:]] == ['a.png'] * 3 + ['b.png'] * 3 and [row[2] for row in rows[1:4]][2] == '0.1'


def test_boxes_in_whole_pixels_are_not_empty_and_names_of_strangers_do_no_harm():
    boxes = [(10.4, 3.2, 10.5, 3.3), (139.8, 89.9, 140, 90), (0, 0, 140, 90)]
    image = FoundImage('caf\udce9\x1b.png', 90, 140, [FoundObject('a\0b&', 0.9, box) for box in boxes])
    text = voc_text(image).encode()
    read = parse_annotation(text, 'a.xml')
    assert (read.width, read.height) == (140, 90) and read.objects[0].name == 'a\\x00b&'
    for item in read.objects:
        x1, y1, x2, y2 = item.box
        assert 1 <= x1 <= x2 <= 140 and 1 <= y1 <= y2 <= 90
    assert read.objects[2].box == (1, 1, 140, 90)
