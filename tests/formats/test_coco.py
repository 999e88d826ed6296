"""COCO's format: where the images of a file are, and files that are not as they should be."""

import json

import pytest
from sets_on_disk import make_coco, write_image

from det_inception.formats import FORMATS, DataError, read_split
from det_inception.validation.splitting import divide


def paths(root, name):
    """The path of the one image that a file names, relative to the folder of images."""
    make_coco(root, {'a.jpg': [dict(bbox=[1, 2, 10, 20])]})
    file = root / 'annotations/train.json'
    file.write_text(file.read_text().replace('a.jpg', name.replace('\\', '\\\\')))
    folder = root / 'train'
    write_image(folder / 'images/b.jpg')
    (split,) = FORMATS['coco'].split_of(root, file, folder)
    (record,) = FORMATS['coco'].read(split).records
    return record.path.relative_to(folder).as_posix()


@pytest.mark.parametrize(
    'name, found',
    [
        ('images/b.jpg', 'images/b.jpg'),
        (r'images\b.jpg', 'images/b.jpg'),
        (r'.\images\b.jpg', 'images/b.jpg'),
        (r'C:\Users\me\my data\images\b.jpg', 'images/b.jpg'),
        ('C:/Users/me/images/b.jpg', 'images/b.jpg'),
        (r'\\server\share\images\b.jpg', 'images/b.jpg'),
        ('../images/b.jpg', 'images/b.jpg'),
        ('/home/me/train/a.jpg', 'a.jpg'),
        ('file/../images/b.jpg', 'file/../images/b.jpg'),
        ('\\'.join(['C:', 'n' * 300, 'images', 'b.jpg']), 'images/b.jpg'),
    ],
)
def test_names_of_other_machines(name, found, tmp_path):
    assert paths(tmp_path, name) == found


@pytest.mark.parametrize('name', ['/home/me/c.jpg', '../../etc/passwd', '..', '/etc/passwd'])
def test_names_outside_the_folder(name, tmp_path):
    with pytest.raises(DataError, match='lies outside the folder of images'):
        paths(tmp_path, name)


@pytest.mark.parametrize(
    'content',
    [
        dict(images=[], annotations=1.5, categories=[dict(id=0, name='group'), dict(id=1, name='cat')]),
        dict(images=[], annotations=7, categories=[dict(id=0, name='a', supercategory=[]), dict(id=1, name='cat')]),
        dict(images=7, annotations=[], categories=[dict(id=0, name='a', supercategory={}), dict(id=1, name='cat')]),
    ],
)
def test_parts_of_another_type_are_one_sentence(content, tmp_path):
    """Also where a category of id 0 makes the reader look for a group."""
    path = tmp_path / 'a.json'
    path.write_text(json.dumps(content))
    (split,) = FORMATS['coco'].split_of(tmp_path, path, tmp_path)
    with pytest.raises(DataError, match=r"^\S*a\.json: this is not COCO's format"):
        list(read_split(split).records)


@pytest.mark.parametrize(
    'part, change, said',
    [
        ('categories', dict(name=None), 'number 0 of its categories .*None is no name'),
        ('categories', dict(name=' '), "number 0 of its categories .*' ' is no name"),
        ('categories', dict(name=['cat']), r"number 0 of its categories .*\['cat'\] is no name"),
        ('annotations', dict(bbox='1234'), "the annotation of id 10 .*the box '1234' is no list"),
        ('annotations', dict(bbox={'1': 0, '2': 0, '3': 0, '4': 0}), 'the annotation of id 10 .* is no list'),
        ('annotations', dict(bbox=None), 'the annotation of id 10 .*the box None is no list'),
    ],
)
def test_values_of_another_kind_are_one_sentence(part, change, said, tmp_path):
    path = make_coco(tmp_path, {'a.jpg': [dict(bbox=[1, 2, 10, 20])]})
    content = json.loads(path.read_text())
    content[part][0].update(change)
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=f'train.json: {said}.*; correct the file'):
        list(read_split(FORMATS['coco'].split_of(tmp_path, path)[0]).records)


def test_a_class_may_be_a_number(tmp_path):
    path = make_coco(tmp_path, {'a.jpg': [dict(bbox=[1, 2, 10, 20])]}, names=(12, 'dog'))
    assert FORMATS['coco'].read(FORMATS['coco'].split_of(tmp_path, path)[0]).classes == ('12', 'dog')


@pytest.mark.parametrize('change', [{}, dict(image_id=99), dict(image_id=[])])
def test_an_annotation_that_is_passed_over_may_be_of_any_image(change, tmp_path):
    """When the file is divided, too, which then does without it."""
    box = [dict(bbox=[1, 2, 10, 20])]
    path = make_coco(tmp_path, {'a.jpg': box, 'b.jpg': box})
    content = json.loads(path.read_text())
    content['annotations'].append(dict(id=7, category_id=1, ignore=1) | change)
    path.write_text(json.dumps(content))
    files = divide(path, dict(first=1, second=1)).files.values()
    assert [[item['id'] in (10, 20) for item in json.loads(file)['annotations']] for file in files] == [[True], [True]]
