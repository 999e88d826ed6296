"""COCO's format: where the images of a file are, and files that are not as they should be."""

import json

import pytest
from sets_on_disk import make_coco, write_image

from det_inception.formats import FORMATS, DataError, read_split


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
