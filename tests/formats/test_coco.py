"""COCO's format: where the images of a file are."""

import pytest
from sets_on_disk import make_coco, write_image

from det_inception.formats import FORMATS, DataError


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
