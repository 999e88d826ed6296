"""The ImageNet layouts: class folders, lists of labels, lists of classes, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from det_inception.datasets import DataError, ImageNetDataset
from det_inception.datasets.imagenet import read_synsets
from det_inception.utils.files import write_image


def picture(path, shade=100):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, np.full((8, 9, 3), shade, np.uint8))


@pytest.fixture
def root(tmp_path):
    """Three classes, named so that the order of reading is not the alphabet's; val/ flat, with a list."""
    for name, count in (('n03', 1), ('n01', 2), ('n02', 1)):
        for number in range(count):
            picture(tmp_path / f'train/{name}/{name}_{number}.png')
    (tmp_path / 'train/n01/notes.txt').write_text('no image')
    (tmp_path / 'train/.hidden').mkdir()
    (tmp_path / 'train/LICENSE').write_text('no folder')
    for name in ('a', 'b', 'with blanks'):
        picture(tmp_path / f'val/{name}.png')
    (tmp_path / 'val.txt').write_text('with blanks.png n03\n\nb.png 0\na.png\tn02\n')
    return tmp_path


def dataset(root, prefix='train', **options):
    return ImageNetDataset(data_root=str(root), data_prefix=dict(img_path=prefix), pipeline=[], **options)


def content(data):
    entries = [data.get_data_info(index) for index in range(len(data))]
    return [(entry['img_path'].rpartition('/')[2], entry['gt_label']) for entry in entries]


def test_class_folders_in_alphabetical_order(root):
    data = dataset(root)
    assert data.metainfo['classes'] == ('n01', 'n02', 'n03')
    assert content(data) == [('n01_0.png', 0), ('n01_1.png', 0), ('n02_0.png', 1), ('n03_0.png', 2)]


def test_classes_that_are_given_keep_their_order(root):
    assert content(dataset(root, metainfo=dict(classes=('n03', 'n01', 'n02'))))[0] == ('n03_0.png', 0)


def test_classes_are_known_before_the_images_are_listed(root):
    for path in (root / 'train/n02').iterdir():
        path.unlink()
    assert dataset(root, lazy_init=True).metainfo['classes'] == ('n01', 'n02', 'n03')


def test_a_list_has_names_and_numbers(root):
    data = dataset(root, 'val', ann_file='val.txt', metainfo=dict(classes=('n01', 'n02', 'n03')), test_mode=True)
    assert content(data) == [('with blanks.png', 2), ('b.png', 0), ('a.png', 1)]


def test_names_go_before_numbers(root):
    (root / 'val.txt').write_text('a.png 1\n')
    assert content(dataset(root, 'val', ann_file='val.txt', metainfo=dict(classes=('1', '0')))) == [('a.png', 0)]


def test_numbers_need_no_classes_and_folders_may_stand_in_the_list(root):
    (root / 'list.txt').write_text('n03/n03_0.png 7\n')
    assert content(dataset(root, ann_file='list.txt')) == [('n03_0.png', 7)]


def test_a_test_may_lack_a_class_and_a_training_not(root):
    names = dict(classes=('n01', 'n02', 'n03', 'n04'))
    assert len(dataset(root, metainfo=names, test_mode=True)) == 4
    with pytest.raises(DataError, match="has no folder of class 'n04'"):
        dataset(root, metainfo=names)


@pytest.mark.parametrize(
    ('lines', 'message'),
    [
        ('', 'the list of labels is empty'),
        ('a.png n01\na.png n02\n', 'line 2 lists a.png for a second time'),
        ('a.png n01\nc.png n01\n', r'line 2 lists c.png, which is not in .*val; correct'),
        ('490\n361\n', "line 1 is '490' and should be the name of an image, a blank and its class"),
        ('a.png n99\n', "the class 'n99', which is not among the classes n01, n02, n03"),
        ('a.png 3\n', 'the label 3, and the 3 classes are 0 to 2'),
        ('a.png -1\n', "the class '-1'"),
    ],
)
def test_lists_that_do_not_match_are_refused(root, lines, message):
    (root / 'val.txt').write_text(lines)
    with pytest.raises(DataError, match=message):
        dataset(root, 'val', ann_file='val.txt', metainfo=dict(classes=('n01', 'n02', 'n03')), test_mode=True)


def test_folders_that_do_not_match_are_refused(root):
    with pytest.raises(DataError, match=r'train/n03: is a folder of none of the 2 classes \(n01, n02\)'):
        dataset(root, metainfo=dict(classes=('n01', 'n02')))
    (root / 'train/n05').mkdir()
    for test_mode in (False, True):
        with pytest.raises(DataError, match='train/n05: the class folder holds no image'):
            dataset(root, test_mode=test_mode)
    with pytest.raises(DataError, match='val: holds no folder a class'):
        dataset(root, 'val')
    with pytest.raises(DataError, match='nowhere: the folder of the classes cannot be read'):
        dataset(root, 'nowhere')
    with pytest.raises(DataError, match="has the class 'n03', and no classes are known"):
        dataset(root, 'val', ann_file='val.txt')


def test_lists_of_classes(tmp_path):
    path = tmp_path / 'synset_words.txt'
    path.write_text('n01440764 tench, Tinca tinca\n\nn01443537\n')
    assert read_synsets(path) == ('n01440764', 'n01443537')
    for text, message in (('\n', 'is empty'), ('n01 a\nn02 b\nn01 c\n', 'lists the class n01 more than once')):
        path.write_text(text)
        with pytest.raises(DataError, match=message):
            read_synsets(path)


def test_the_public_list_is_in_the_order_of_the_folders(shared_data):
    names = read_synsets(shared_data / 'weights/imagenet_synset_words.txt')
    assert len(names) == 1000 and list(names) == sorted(names)
