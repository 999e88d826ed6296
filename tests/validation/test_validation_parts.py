"""The parts of the check: boxes and class names against plain words, layouts, copies, and what it writes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_sets import COCO, HEIGHT, ILSVRC, VOC, WIDTH, jpeg, write

from det_inception.formats import FORMATS, clip_box, role
from det_inception.utils.errors import InputError
from det_inception.validation import find_splits
from det_inception.validation.boxes import box_fault
from det_inception.validation.duplicates import equal_files, look_the_same, lookalikes
from det_inception.validation.images import ImageFiles
from det_inception.validation.names import meant, similar_classes
from det_inception.validation.text import printable

NUMBER = st.one_of(st.integers(-20, 60), st.floats(-20, 60).map(lambda x: round(x, 1)))


@given(st.tuples(NUMBER, NUMBER, NUMBER, NUMBER))
@settings(max_examples=300, deadline=None)
def test_a_box_has_a_fault_if_and_only_if_it_is_not_taken_as_it_is(box):
    fault = box_fault(box, WIDTH, HEIGHT)
    clipped = clip_box(box, WIDTH, HEIGHT)
    assert (fault is None) == (clipped == box)
    if fault is not None:
        assert (fault[0] == 'box cut') == (clipped is not None)
        assert ('is cut' in fault[1]) == (clipped is not None) and ('is dropped' in fault[1]) == (clipped is None)


@pytest.mark.parametrize(
    'box, kind',
    [
        ((9, 1, 5, 9), 'box reversed'),
        ((5, 1, 5, 9), 'box empty'),
        ((WIDTH, 1, WIDTH + 5, 9), 'box outside'),
        ((1, -9, 5, 0), 'box outside'),
        ((39.5, 1, 50, 9), 'box tiny'),
        ((1, 1, 1.5, 9), 'box tiny'),
        ((30, 1, 50, 9), 'box cut'),
        ((-1, 1, 5, 9), 'box cut'),
    ],
)
def test_kinds_of_faulty_boxes(box, kind):
    assert box_fault(box, WIDTH, HEIGHT)[0] == kind


def test_boxes_are_shown_as_they_stand_in_the_file():
    def as_in_file(box, format):
        return FORMATS[format].as_in_file(box, HEIGHT, WIDTH)

    assert as_in_file((0, 1, 10, 20.5), 'voc') == (1, 2, 10, 20.5)
    assert as_in_file((9, 1, 5, 9), 'voc') == (9, 1, 5, 9)  # As the reader leaves it.
    assert as_in_file((0, 1, 10, 20), 'ilsvrc') == (0, 1, 9, 19)
    assert as_in_file((5, 1, 10, 20), 'coco') == (5, 1, 5, 19)


@pytest.mark.parametrize(
    'name, found',
    [('Dog', 'dog'), ('water bottle', 'water_bottle'), ('waterbotle', 'water_bottle'), ('giraffe', None), ('', None)],
)
def test_meant(name, found):
    assert meant(name, ['cat', 'dog', 'water_bottle']) == found


@pytest.mark.parametrize(
    'counts, pairs',
    [
        ({'dog': 100, 'Dog': 40}, [('Dog', 'dog')]),
        ({'racoon': 1, 'raccoon': 100}, [('racoon', 'raccoon')]),
        ({'cart': 90, 'car': 100}, []),  # Both are frequent: two classes.
        ({'racoon': 1, 'raccoon': 5}, []),
        ({'raccoon': 100, 'racoon': 0}, []),  # In the list of classes only.
        ({'caf\u00e9': 9, 'cafe\u0301': 5}, [('cafe\u0301', 'caf\u00e9')]),
        ({'猫': 9, '犬': 9, '!': 1, '?': 1}, []),
        ({}, []),
    ],
)
def test_similar_classes(counts, pairs):
    assert list(similar_classes(counts)) == pairs


# -------------------------------------------------------------------------------------------------- what lies where


@pytest.mark.parametrize(
    'name, expected',
    [
        ('train', 'train'),
        ('instances_train2017', 'train'),
        ('valid', 'val'),
        ('instances_val2017', 'val'),
        ('test', 'test'),
        ('trainval', None),
        ('default', None),
        ('Train_small', 'train'),
        ('val_test', 'val'),
    ],
)
def test_roles(name, expected):
    assert role(name) == expected


def names(found):
    return [(split.name, split.test_mode) for split in found[0]]


def test_voc_lists(tmp_path):
    data = VOC(tmp_path)
    for split in ('test', 'val', 'train', 'trainval', 'ant_train', 'ant_val'):
        data.add(split, split)
    found = find_splits(tmp_path)
    assert names(found) == [('train', False), ('val', True), ('test', True)]
    assert sorted(found[1]) == ['ant_train.txt', 'ant_val.txt', 'trainval.txt']
    for split in ('train', 'val', 'test', 'ant_train', 'ant_val'):
        (tmp_path / f'ImageSets/Main/{split}.txt').unlink()
    assert names(find_splits(tmp_path)) == [('trainval', False)]


def test_coco_files(tmp_path):
    data = COCO(tmp_path).add('val2017', 'a').add('train2017', 'b').save()
    for split in data.content:
        path = tmp_path / f'annotations/{split}.json'
        path.rename(path.with_name(f'instances_{split}.json'))
    write(tmp_path / 'annotations/captions_val2017.json', '{}')
    found = find_splits(tmp_path)
    assert names(found) == [('train2017', False), ('val2017', True)]
    assert list(found[1]) == ['captions_val2017.json']
    single, _ = find_splits(tmp_path / 'annotations/instances_val2017.json', tmp_path / 'val2017')
    assert [(split.files.images, split.files.root) for split in single] == [(tmp_path / 'val2017', tmp_path)]


def test_a_folder_with_one_coco_file(tmp_path):
    write(tmp_path / 'settings.json', '{"color": 1}')
    write(tmp_path / 'annotations.json', '{"images": []}')
    assert names(find_splits(tmp_path)) == [('annotations', False)]


def test_ilsvrc_lists(tmp_path):
    data = ILSVRC(tmp_path).add('train', 'a').add('val', 'b').list('test', 'c 1').list('train_1', 'a 1')
    found = find_splits(data.root)
    assert names(found) == [('train', False), ('val', True)]
    assert sorted(found[1]) == ['1 lists of one class', 'test.txt']


@pytest.mark.parametrize(
    'file, said',
    [
        ('readme.txt', 'no data set that is known here .*; arrange it'),
        ('labels/a.txt', r'as YOLO has it, but no data\.yaml'),
        ('VOCdevkit/VOC2007/JPEGImages/a.jpg', 'VOC2007 is one; give that'),
        ('annotations/captions_val.json', 'no file of objects'),
    ],
)
def test_other_folders(file, said, tmp_path):
    write(tmp_path / file, b'')
    with pytest.raises(InputError, match=said):
        find_splits(tmp_path)


def test_other_arguments(tmp_path):
    VOC(tmp_path).add('train', 'a')
    for path, image_root, said in (
        (tmp_path / 'nowhere', None, 'no such file or folder'),
        (tmp_path / 'JPEGImages/a.jpg', None, r'neither a folder nor a \.json file'),
        (tmp_path, tmp_path / 'nowhere', 'check --image-root'),
        (tmp_path, tmp_path, 'leave --image-root out'),
    ):
        with pytest.raises(InputError, match=said):
            find_splits(path, image_root)


# ---------------------------------------------------------------------------------------------------------- pictures


def looked_at(tmp_path, contents):
    pictures = ImageFiles()
    for number, content in enumerate(contents):
        pictures.add(write(tmp_path / f'{number:03}.jpg', content))
    pictures.look(workers=2, progress=False)
    return pictures


def test_pictures_are_read_in_order_whatever_is_wrong_with_some(tmp_path):
    sizes = [(20 + number, 30) for number in range(40)]
    contents = [b'hello' if number % 7 == 3 else jpeg(number, *size) for number, size in enumerate(sizes)]
    pictures = looked_at(tmp_path, contents)
    assert sorted(pictures.faults) == list(range(3, 40, 7))
    for number, (width, height) in enumerate(sizes):
        assert pictures.sizes[number].tolist() == ([0, 0] if number in pictures.faults else [height, width])
    assert pictures.add(tmp_path / '003.jpg') == 3 and len(pictures.paths) == 40


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12))
@settings(max_examples=200, deadline=None)
def test_equal_files_against_a_plain_search(contents):
    pictures = ImageFiles()
    pictures._make_room(len(contents))
    for number, content in enumerate(contents):  # 0 is a file that could not be read.
        pictures.file_sizes[number], pictures.fingerprints[number] = (content + 1) // 2, content
    plain = {}
    for number, content in enumerate(contents):
        if content:
            plain.setdefault(content, []).append(number)
    assert sorted(equal_files(pictures)) == sorted(group for group in plain.values() if len(group) > 1)


def test_only_the_same_picture_looks_the_same(tmp_path):
    originals = [jpeg(seed, 160, 120) for seed in range(30)]
    others = [jpeg(seed, *size, quality) for seed in range(30) for size, quality in (((160, 120), 40), ((80, 60), 90))]
    wider = [jpeg(0, 200, 120)]
    pictures = looked_at(tmp_path, [*originals, *others, *wider, b'no image'])
    pairs = lookalikes(pictures, np.arange(30, 92), np.arange(30))
    assert pairs == [(30 + number, number // 2) for number in range(60)]
    plain = [(i, j) for i in range(30, 91) for j in range(30) if look_the_same(pictures, i, j)]
    assert plain == pairs
    assert not lookalikes(pictures, np.arange(30, 92), np.zeros(0, np.int64))
    # ImageFiles of one gray are alike only if they are equal: there is nothing else to go by.
    pictures.thumbnails[:3] = np.array([100, 101, 100])[:, None, None]
    assert not look_the_same(pictures, 0, 1) and look_the_same(pictures, 0, 2)


def test_names_cannot_play_tricks_on_the_terminal():
    assert printable('häuschen 猫') == 'häuschen 猫'
    assert printable('a\nb\x1b[31m\udc80') == 'a\\nb\\x1b[31m\\udc80'
