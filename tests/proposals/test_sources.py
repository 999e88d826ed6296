"""Images and ground truth of every layout that is known."""

import json
import os
import tarfile

import cv2
import numpy as np
import pytest
from layouts import LAYOUTS, NAMES, PARTS, objects

from det_inception.proposals import list_images, read_ground_truth
from det_inception.utils.errors import InputError

IMAGE = cv2.imencode('.png', np.zeros((40, 40, 3), np.uint8))[1].tobytes()


def make(root, *names, content=IMAGE):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def annotation(*boxes, difficult=0):
    objects = ''.join(
        f'<object><name>n02121808</name><difficult>{difficult}</difficult><bndbox><xmin>{x1}</xmin><ymin>{y1}</ymin>'
        f'<xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>'
        for x1, y1, x2, y2 in boxes
    )
    return f'<annotation><filename>wrong.jpg</filename>{objects}</annotation>'.encode()


def test_folder(tmp_path):
    make(tmp_path, 'b.JPG', 'a/c.png', 'a/b/ä d.jpeg', 'notes.txt', '.hidden.jpg', '.git/x.jpg')
    os.symlink(tmp_path, tmp_path / 'a' / 'circle')
    images = list_images(tmp_path)
    assert images.root == tmp_path
    assert images.keys == ['a/b/ä d.jpeg', 'a/c.png', 'b.JPG']


def test_list(tmp_path):
    make(tmp_path / 'images', 'a/1.jpg', 'a/2 x.jpg', 'b/1.JPEG', 'b/3.JPEG')
    listing = tmp_path / 'list.txt'
    for lines, root, expected in [
        (['images/a/1.jpg', '', 'images/a/2 x.jpg'], None, ['images/a/1.jpg', 'images/a/2 x.jpg']),
        (['b/3.JPEG', 'a/1.jpg', 'b/3.JPEG'], tmp_path / 'images', ['b/3.JPEG', 'a/1.jpg']),  # the list's order
        (['b/1 1', '3 2', 'a/2 x.jpg 3'], tmp_path / 'images', ['b/1.JPEG', 'b/3.JPEG', 'a/2 x.jpg']),  # as ILSVRC's
        (['a/1.jpg', 'lost.jpg'], tmp_path / 'images', ['a/1.jpg', 'lost.jpg']),  # is reported later, not forgotten
        (['b/3', 'lost'], tmp_path / 'images', ['b/3.JPEG', 'lost']),
        ([str(tmp_path / 'images/a/1.jpg')], tmp_path, ['images/a/1.jpg']),
        ([str(tmp_path / f'images/{key}') for key in ('a/1.jpg', 'b/1.JPEG')], None, ['a/1.jpg', 'b/1.JPEG']),
    ]:
        listing.write_text('\n'.join(lines) + '\n')
        assert list_images(listing, root).keys == expected


def test_voc(tmp_path):
    make(tmp_path, 'JPEGImages/1.jpg', 'JPEGImages/2.jpg', 'JPEGImages/3.png')
    make(tmp_path, 'ImageSets/Main/val.txt', content=b'2\n')
    make(tmp_path, 'ImageSets/Main/cat_train.txt', content=b'1  1\n3 -1\n')
    make(tmp_path, 'Annotations/1.xml', content=annotation((1, 1, 10, 20), (5, 5, 5, 9)))
    make(tmp_path, 'Annotations/2.xml', content=annotation((3, 4, 5, 6), difficult=1))
    make(tmp_path, 'Annotations/3.xml', content=annotation((3, 4, 5, 6)))
    assert list_images(tmp_path).root == tmp_path / 'JPEGImages'
    assert list_images(tmp_path).keys == ['1.jpg', '2.jpg', '3.png']
    assert list_images(tmp_path, split='val').keys == ['2.jpg']
    assert list_images(tmp_path, split='cat_train').keys == ['1.jpg', '3.png']
    truth = read_ground_truth(tmp_path)
    # Counted from 1 and inclusive; one box is empty, one difficult.
    assert {key: boxes.tolist() for key, boxes in truth.boxes.items()} == {
        str(tmp_path / 'JPEGImages/1.jpg'): [[0, 0, 10, 20]],
        str(tmp_path / 'JPEGImages/3.png'): [[2, 3, 5, 6]],
    }
    assert truth.left_out == 2
    with pytest.raises(InputError, match='no ground-truth box of the split val'):
        read_ground_truth(tmp_path, split='val')


def test_ilsvrc_of_2015(tmp_path):
    make(tmp_path, 'Data/DET/val/V1.JPEG', 'Data/DET/val/V2.JPEG', 'Data/DET/train/T0/T1.JPEG')
    make(tmp_path, 'ImageSets/DET/val.txt', content=b'V1 1\nV2 2\n')
    make(tmp_path, 'Annotations/DET/val/V1.xml', content=annotation((0, 0, 9, 19)))
    make(tmp_path, 'Annotations/DET/train/T0/T1.xml', content=annotation((0, 0, 9, 19)))
    assert list_images(tmp_path).keys == ['train/T0/T1.JPEG', 'val/V1.JPEG', 'val/V2.JPEG']
    assert list_images(tmp_path, split='val').keys == ['val/V1.JPEG', 'val/V2.JPEG']
    # Counted from 0 and inclusive.
    truth = read_ground_truth(tmp_path, split='val')
    assert {key: boxes.tolist() for key, boxes in truth.boxes.items()} == {
        str(tmp_path / 'Data/DET/val/V1.JPEG'): [[0, 0, 10, 20]]
    }


def test_ilsvrc_of_2014(tmp_path):
    make(tmp_path, 'ILSVRC2013_DET_val/V1.JPEG', 'ILSVRC2014_DET_train/T0/T1.JPEG')
    make(tmp_path, 'ILSVRC2013_DET_bbox_val/V1.xml', content=annotation((0, 0, 9, 19)))
    make(tmp_path, 'ILSVRC2014_DET_bbox_train/T0/T1.xml', content=annotation((2, 2, 3, 3)))
    assert list_images(tmp_path).keys == ['ILSVRC2013_DET_val/V1.JPEG', 'ILSVRC2014_DET_train/T0/T1.JPEG']
    assert list(read_ground_truth(tmp_path).boxes) == [str(tmp_path / key) for key in list_images(tmp_path).keys]


@pytest.mark.parametrize('folder', ['.', 'images', 'images/a'])
def test_images_of_a_coco_file_are_looked_for_where_they_usually_lie(tmp_path, folder):
    make(tmp_path, f'{folder}/1.jpg')
    path = tmp_path / 'a.json'
    path.write_text(json.dumps({'images': [{'id': 3, 'file_name': '1.jpg'}], 'annotations': [], 'categories': []}))
    found = list_images(path)
    assert found.keys == ['1.jpg'] and (found.root / '1.jpg').is_file()
    assert list_images(path, tmp_path / folder).keys == ['1.jpg']


def test_coco(tmp_path):
    path = tmp_path / 'a.json'
    content = {
        'images': [{'id': 7, 'file_name': 'val/2.jpg'}, {'id': 3, 'file_name': 'val/1.jpg'}],
        'annotations': [
            {'image_id': 7, 'bbox': [1.5, 2, 10, 20]},
            {'image_id': 7, 'bbox': [1, 2, 10, 20], 'iscrowd': 1},
            {'image_id': 3, 'bbox': [1, 2, 0, 20]},
        ],
    }
    path.write_text(json.dumps(content))
    assert list_images(path, tmp_path).keys == ['val/2.jpg', 'val/1.jpg']
    truth = read_ground_truth(path)
    assert {key: boxes.tolist() for key, boxes in truth.boxes.items()} == {'val/2.jpg': [[1.5, 2, 11.5, 22]]}
    assert truth.left_out == 2
    assert list(read_ground_truth(path, tmp_path / 'x').boxes) == [str(tmp_path / 'x/val/2.jpg')]
    for change in (
        {'images': 3},
        {'annotations': [{'image_id': 9, 'bbox': [1, 2, 3, 4]}]},
        {'annotations': [{'image_id': 7, 'bbox': [1, 2, 3]}]},
        {'annotations': [{'image_id': 7, 'bbox': ['a', 2, 3, 4]}]},
        {'annotations': []},
    ):
        path.write_text(json.dumps(content | change))
        with pytest.raises(InputError, match=r'a\.json'):
            read_ground_truth(path)
    path.write_text('{"images": [')
    with pytest.raises(InputError, match=r'a\.json'):
        list_images(path)


@pytest.mark.parametrize(
    ('source', 'options', 'words'),
    [
        ('missing', {}, 'no file or folder'),
        ('empty', {}, 'no images'),
        ('empty', {'image_root': 'empty'}, 'takes no --image-root'),
        ('empty', {'split': 'val'}, 'no split val'),
        ('blank.txt', {}, 'lists no images'),
        ('binary.txt', {}, 'cannot be read as a list'),
        ('outside.txt', {}, 'outside'),
    ],
)
def test_sources_without_images(tmp_path, monkeypatch, source, options, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'blank.txt').write_text('\n \n')
    (tmp_path / 'binary.txt').write_bytes(b'\xff\xfe\x80')
    (tmp_path / 'outside.txt').write_text('../x.jpg\n')
    with pytest.raises(InputError, match=words):
        list_images(source, **options)


def test_sources_without_ground_truth(tmp_path):
    make(tmp_path, 'images/1.jpg', 'Annotations/1.xml')
    for source in ('images', 'images/1.jpg', 'missing', '.'):
        with pytest.raises(InputError):
            read_ground_truth(tmp_path / source)


@pytest.mark.parametrize('layout', LAYOUTS.values(), ids=LAYOUTS)
def test_every_layout(layout, tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    root = tmp_path / 'set'
    layout.build(root)
    for split, names in {None: NAMES, **({} if layout.in_one else PARTS)}.items():
        images = list_images(root, split=split)
        paths = {os.path.join(images.root, key) for key in images.keys}
        assert sorted(os.path.splitext(os.path.basename(path))[0] for path in paths) == sorted(names)
        boxes = read_ground_truth(root, split=split).boxes
        assert boxes.keys() == paths and not any('..' in path for path in paths)
        for path, found in boxes.items():
            name = os.path.splitext(os.path.basename(path))[0]
            assert found == pytest.approx(np.array([box for _, box in objects(name)], float))


def test_real_data_sets(shared_data, tmp_path):
    counts = {
        'voc/raccoon': (200, 217, 0),
        'voc/bccd': (364, 4888, None),
        'coco/coco128/annotations.json': (128, 929, 0),
    }
    for name, (images, boxes, left_out) in counts.items():
        root = shared_data / 'coco/coco128/images' if name.endswith('.json') else None
        assert len(list_images(shared_data / name, root).keys) == images
        truth = read_ground_truth(shared_data / name, root)
        assert sum(map(len, truth.boxes.values())) + truth.left_out == boxes
        assert left_out in (None, truth.left_out)
        assert all(os.path.exists(path) for path in truth.boxes)
    # ILSVRC's own annotations, put where they belong.
    with tarfile.open(shared_data / 'ilsvrc_devkit/ilsvrc13_det_val2_annotations.tar.xz') as archive:
        target = tmp_path / 'ILSVRC2013_DET_bbox_val'
        target.mkdir()
        for member in [member for member in archive if member.isfile()][:50]:
            (target / os.path.basename(member.name)).write_bytes(archive.extractfile(member).read())
    listing = shared_data / 'ilsvrc_devkit/det_lists/ilsvrc13_val2.txt'
    truth = read_ground_truth(tmp_path, split=listing)
    assert len(truth.boxes) <= 50 and truth.left_out == 0
    assert all(path.startswith(str(tmp_path / 'ILSVRC2013_DET_val')) for path in truth.boxes)


def test_an_image_is_a_data_set_of_one(tmp_path):
    make(tmp_path, 'a.png', 'b.PNG')
    for name in ('a.png', 'b.PNG'):
        images = list_images(tmp_path / name)
        assert images.root == tmp_path and images.keys == [name]
    for options in (dict(split='train'), dict(image_root=tmp_path)):
        with pytest.raises(InputError, match='a.png is one image, which takes no --(split|image-root)'):
            list_images(tmp_path / 'a.png', **options)
