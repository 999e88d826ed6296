"""Odd lists and odd annotations: data sets, proposals, checks and splitting find the same images and boxes."""

import json
import os

import pytest
from sets_on_disk import HEIGHT, WIDTH, make_coco, make_voc, make_yolo, write, write_image, xml

from det_inception.datasets import DetectionDataset
from det_inception.formats import (
    FORMATS,
    Format,
    FoundSplits,
    ImageRecord,
    ObjectRecord,
    Split,
    SplitContent,
    choose_split,
    recognize,
)
from det_inception.proposals import list_images, read_ground_truth
from det_inception.utils.errors import InputError, raise_error
from det_inception.validation import check_data, find_splits
from det_inception.validation.splitting import divide

CAT = ('cat', 11, 11, 30, 30)
BOX = (10, 10, 30, 30)  # the same, continuous


def by_data_set(root):
    """Boxes that count by image, and the number of those that are ignored."""
    dataset = DetectionDataset(data_root=str(root), split='train', serialize_data=False)
    instances = {entry['img_path']: entry['instances'] for entry in dataset.data_list}
    boxes = {
        path: sorted(tuple(item['bbox']) for item in items if not item['ignore_flag'])
        for path, items in instances.items()
    }
    return boxes, sum(item['ignore_flag'] for items in instances.values() for item in items)


def by_proposals(root):
    images = list_images(root, split='train')
    truth = read_ground_truth(root, split='train').boxes
    paths = [str(images.root / key) for key in images.keys]
    assert set(truth) <= set(paths)
    return {path: sorted(map(tuple, truth[path].tolist())) if path in truth else [] for path in paths}


def by_check(root):
    splits = [split for split in find_splits(root)[0] if split.name == 'train']
    (scan,) = (result := check_data(splits, classes_of_first=False, workers=1, progress=False)).scans
    errors = [problem.message for problem in result.problems if problem.severity == 'error']
    return scan.statistics.images, scan.statistics.total('boxes'), scan.statistics.total('ignored'), errors


def by_splitting(root):
    """Number of images in both halves, and of objects that count."""
    split = choose_split(recognize(root).splits(root).splits, 'train')
    division = divide(split.source, dict(half=50, rest=50))
    return len(division.parts), int(division.counts.sum())


def require_agreement(root, expected, ignored=0):
    expected = {str(root / name): sorted(boxes) for name, boxes in expected.items()}
    total = sum(map(len, expected.values()))
    assert by_data_set(root) == (expected, ignored)
    assert by_proposals(root) == expected
    assert by_check(root) == (len(expected), total, ignored, [])
    assert by_splitting(root) == (len(expected), total)


# fmt: off
LISTS = {
    'plain': ('a\nb\n', ['a.jpg', 'b.jpg']),
    'suffixes': ('a.jpg\nb.jpg\n', ['a.jpg', 'b.jpg']),
    'a mark before it, CRLF, no end': ('\ufeffa\r\nb', ['a.jpg', 'b.jpg']),
    'blank lines, blanks and tabs': ('\n  a\t\n\n \nb  \n\n', ['a.jpg', 'b.jpg']),
    'numbers behind': ('a 1\nb  -1\n', ['a.jpg', 'b.jpg']),
    'numbers behind tabs and suffixes': ('a.jpg\t1\nb.jpg\t0\n', ['a.jpg', 'b.jpg']),
    'names ending in a number': ('frame 1\nframe 2\n', ['frame 1.jpg', 'frame 2.jpg']),
    'and numbers behind them': ('frame 1 1\nframe 2 -1\n', ['frame 1.jpg', 'frame 2.jpg']),
    'a name that is the beginning of others': ('frame\nframe 2\n', ['frame.jpg', 'frame 2.jpg']),
    'the number is no part of the name': ('frame 7\na\n', ['frame.jpg', 'a.jpg']),
    'a dot in the name': ('v1.2\na\n', ['v1.2.jpg', 'a.jpg']),
    'folders': ('sub/c\na\n', ['sub/c.jpg', 'a.jpg']),
    'folders from Windows': ('sub\\c.jpg\r\na\r\n', ['sub/c.jpg', 'a.jpg']),
    'folders left out': ('c\na\n', ['sub/c.jpg', 'a.jpg']),
    'this folder': ('./a\n./sub/c.jpg\n', ['a.jpg', 'sub/c.jpg']),
    'linked folder': ('link/d\na\n', ['link/d.jpg', 'a.jpg']),
}
# fmt: on


@pytest.mark.parametrize('content, named', LISTS.values(), ids=LISTS)
def test_lists_of_voc(content, named, root):
    names = ['a', 'b', 'frame', 'frame 1', 'frame 2', 'v1.2', 'sub/c']
    make_voc(root, {f'{name}.jpg': [CAT] for name in names}, train=content, val='a\n')
    write_image(root.parent / 'store/d.jpg')
    os.symlink(root.parent / 'store', root / 'JPEGImages/link')
    write(root / 'Annotations/link/d.xml', xml(CAT))
    require_agreement(root, {f'JPEGImages/{name}': [BOX] for name in named})


@pytest.mark.parametrize('content', ['a\nb\n'.encode('utf-16'), 'ä\n'.encode('latin1'), b'../a\n', b''])
def test_lists_that_all_refuse(content, root):
    make_voc(root, {'a.jpg': [CAT], 'b.jpg': [CAT]}, train=content, val='a\n')
    for use in (by_data_set, by_proposals, by_splitting):
        with pytest.raises(InputError):
            use(root)
    assert by_check(root)[-1]


# Objects of an XML file, the boxes that count, and how many are ignored.
# fmt: off
OBJECTS = {
    'difficult': ([CAT, (*CAT, 'difficult')], [BOX], 1),
    'only difficult': ([(*CAT, 'difficult')], [], 1),
    'empty': ([('cat', 5, 5, 5, 9), CAT], [BOX], 0),
    'reversed': ([('cat', 9, 9, 5, 5), CAT], [BOX], 0),
    'outside': ([('cat', 300, 5, 330, 9), CAT], [BOX], 0),
    'cut': ([('cat', 51, 31, 500, 300)], [(50, 30, WIDTH, HEIGHT)], 0),
    'from 0': ([('cat', 0, 0, 20, 20)], [(0, 0, 20, 20)], 0),
    'less than a pixel is left': ([('cat', 60.5, 5, 90, 9), CAT], [BOX], 0),
    'none': ([], [], 0),
}
# fmt: on


@pytest.mark.parametrize('size', [(WIDTH, HEIGHT), None, (0, 0)], ids=['size', 'no size', 'size 0'])
@pytest.mark.parametrize('objects, boxes, ignored', OBJECTS.values(), ids=OBJECTS)
def test_annotations_of_voc(objects, boxes, ignored, size, root):
    make_voc(root, {'a.jpg': [], 'b.jpg': [CAT]}, train='a\nb\n', val='b\n')
    write(root / 'Annotations/a.xml', xml(*objects, size=size))
    require_agreement(root, {'JPEGImages/a.jpg': boxes, 'JPEGImages/b.jpg': [BOX]}, ignored)


# Changes of an annotation of COCO and of its image, the boxes that count, and how many are ignored.
# fmt: off
ANNOTATIONS = {
    'plain': ({}, {}, [BOX], 0),
    'crowd': (dict(iscrowd=1), {}, [], 1),
    'ignore': (dict(ignore=1), {}, [], 1),
    'empty': (dict(bbox=[5, 5, 0, 9]), {}, [], 0),
    'reversed': (dict(bbox=[9, 9, -4, 5]), {}, [], 0),
    'outside': (dict(bbox=[900, 9, 9, 5]), {}, [], 0),
    'cut': (dict(bbox=[-5, -5, 15, 15]), {}, [(0, 0, 10, 10)], 0),
    'no size': ({}, dict(width=None, height=None), [BOX], 0),
    'size 0': (dict(bbox=[50, 30, 90, 90]), dict(width=0, height=0), [(50, 30, WIDTH, HEIGHT)], 0),
    'from Windows': ({}, dict(file_name='sub\\a.jpg'), [BOX], 0),
    'numbers as text': (dict(bbox=['10', '10', '20', '20'], iscrowd='0', ignore='false'), {}, [BOX], 0),
    'crowd as text': (dict(iscrowd='1'), {}, [], 1),
    'ignore as text': (dict(ignore='True'), {}, [], 1),
}
# fmt: on


@pytest.mark.parametrize('annotation, image, boxes, ignored', ANNOTATIONS.values(), ids=ANNOTATIONS)
def test_coco(annotation, image, boxes, ignored, root):
    annotations = {'sub/a.jpg': [dict(bbox=[10, 10, 20, 20]) | annotation], 'b.jpg': [dict(bbox=[10, 10, 20, 20])]}
    path = make_coco(root, annotations)
    content = json.loads(path.read_text())
    content['images'][0].update(image)
    path.write_text(json.dumps(content))
    require_agreement(root, {'train/sub/a.jpg': boxes, 'train/b.jpg': [BOX]}, ignored)


@pytest.mark.parametrize(
    'labels, boxes',
    [
        ('0 0.5 0.5 0.5 0.5\n', [(15, 10, 45, 30)]),
        ('0 0.25 0.25 0.75 0.25 0.5 0.75', [(15, 10, 45, 30)]),  # a polygon
        ('0 0.9 0.5 0.4 0.5\n', [(42, 10, 60, 30)]),  # cut
        ('0 1.5 0.5 0.4 0.5\n1 0.5 0.5 0 0\n', []),  # outside, empty
        ('', []),
        (None, []),
    ],
)
def test_yolo(labels, boxes, root):
    make_yolo(root)
    path = root / 'labels/train/a.txt'
    path.unlink() if labels is None else write(path, labels)
    write(root / 'labels/train/b.txt', '0 0.5 0.5 0.5 0.5\n')
    require_agreement(root, {'images/train/a.jpg': boxes, 'images/train/b.jpg': [(15, 10, 45, 30)]})


@pytest.mark.parametrize(
    'content, named',
    [
        ('a 1\nsub/b 2\n', ['a', 'sub/b']),
        ('a\r\nsub/b\r\n', ['a', 'sub/b']),
        ('a.JPEG\nsub/b.JPEG 7\n', ['a', 'sub/b']),
        ('frame 1\nframe 2\t5\n', ['frame 1', 'frame 2']),
    ],
)
def test_ilsvrc(content, named, root):
    for name in ('a', 'sub/b', 'frame', 'frame 1', 'frame 2'):
        write_image(root / f'Data/DET/train/{name}.JPEG')
        write(root / f'Annotations/DET/train/{name}.xml', xml(('n02121808', 10, 10, 29, 29)))
    write(root / 'ImageSets/DET/train.txt', content)
    require_agreement(root, {f'Data/DET/train/{name}.JPEG': [BOX] for name in named})


def test_annotations_beside_images(root):
    """As Roboflow exports them: every part is a folder of its own."""
    for name in ('train/a', 'train/b', 'valid/c'):
        write_image(root / f'voc/{name}.jpg')
        write(root / f'voc/{name}.xml', xml(CAT))
    expected = {str(root / f'voc/train/{name}.jpg'): [BOX] for name in 'ab'}
    assert by_data_set(root / 'voc') == (expected, 0)
    assert by_proposals(root / 'voc') == expected
    assert by_check(root / 'voc') == (2, 2, 0, [])
    path = make_coco(root / 'coco', {name: [dict(bbox=[10, 10, 20, 20])] for name in ('a.jpg', 'b.jpg')})
    path.rename(root / 'coco/train/_annotations.coco.json')
    require_agreement(root / 'coco', {'train/a.jpg': [BOX], 'train/b.jpg': [BOX]})


def test_a_folder_that_two_formats_claim(root):
    make_voc(root, {'a.jpg': [CAT]}, train='a\n')
    make_yolo(root)
    for use in (by_data_set, by_proposals, by_check, by_splitting):
        with pytest.raises(InputError, match=r'may be Pascal VOC layout \(JPEGImages\) and YOLO layout \(data.yaml\)'):
            use(root)


def test_the_format_that_is_named_is_taken(root):
    make_voc(root, {'a.jpg': [CAT], 'b.jpg': [CAT]}, train='a\nb\n')
    make_yolo(root)
    for name, images in (('voc', 2), ('yolo', 2)):
        dataset = DetectionDataset(data_root=str(root), split='train', format=name, serialize_data=False)
        (split,) = (split for split in find_splits(root, format_name=name)[0] if split.name == 'train')
        scan = check_data([split], classes_of_first=True, images=False).scans[0]
        division = divide(split.files.source, dict(half=50, rest=50), format_name=name)
        assert len(dataset) == scan.statistics.images == len(division.parts) == images
        assert split.files.format == name and dataset.metainfo['classes'][0] == 'cat'


def test_a_folder_that_no_format_claims(root):
    write(root / 'notes.txt', 'x')
    for use in (by_data_set, by_check, by_splitting):
        with pytest.raises(InputError, match=r'no data set that is known here \(there is only notes\.txt\)'):
            use(root)


def test_each_format_says_how_a_box_stands_in_the_file():
    found = {name: FORMATS[name].as_in_file((10, 10, 30, 30), HEIGHT, WIDTH) for name in FORMATS}
    assert found.pop('yolo') == pytest.approx((20 / WIDTH, 20 / HEIGHT, 20 / WIDTH, 20 / HEIGHT))
    assert found == dict(voc=(11, 11, 30, 30), coco=(10, 10, 20, 20), ilsvrc=(10, 10, 29, 29), labelme=(10, 10, 30, 30))


class Table(Format):
    """A format of one's own: ``boxes.csv`` with the name of an image, a class and a continuous box in each line."""

    name = 'table'
    title = 'table of boxes'
    layout = 'a table (boxes.csv)'

    def claim(self, path):
        return 'boxes.csv' if (path / 'boxes.csv').is_file() else None

    def splits(self, path, image_root=None):
        return FoundSplits(self.split_of(path, path / 'boxes.csv'))

    def split_of(self, root, source, image_root=None):
        return [Split('train', self.name, root, (source or root / 'boxes.csv',))]

    def read(self, split, on_error=raise_error):
        lines = [line.split(',') for line in split.lists[0].read_text().splitlines()]
        records = (
            ImageRecord(
                key, split.root / key, HEIGHT, WIDTH, split.lists[0], [ObjectRecord(name, tuple(map(float, box)))]
            )
            for key, name, *box in lines
        )
        return SplitContent(records, None, split.root)


def test_a_format_of_ones_own_is_one_class_and_one_entry(root, monkeypatch):
    monkeypatch.setitem(FORMATS, 'table', Table())
    for name in ('a.jpg', 'b.jpg'):
        write_image(root / name)
    write(root / 'boxes.csv', 'a.jpg,cat,10,10,30,30\nb.jpg,dog,10,10,30,30\n')
    require_agreement(root, {'a.jpg': [BOX], 'b.jpg': [BOX]})
