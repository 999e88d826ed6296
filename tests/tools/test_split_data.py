"""tools/split_data.py: lists and COCO files in two, and what it says of wrong ones."""

import json

import cv2
import numpy as np
import pytest
from small_sets import YOLO, write

from det_inception.formats import read_split
from det_inception.validation import find_splits


@pytest.fixture
def split(tool):
    return lambda *arguments: tool('split_data', *arguments)


@pytest.fixture
def voc(tmp_path):
    """Twenty images with a cat, of them four with a dog."""
    image = cv2.imencode('.png', np.zeros((20, 20, 3), np.uint8))[1].tobytes()
    for folder in ('ImageSets/Main', 'Annotations', 'JPEGImages'):
        (tmp_path / folder).mkdir(parents=True)
    for number in range(20):
        names = ['cat', 'dog'] if number < 4 else ['cat']
        box = '<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>'
        objects = ''.join(f'<object><name>{name}</name>{box}</object>' for name in names)
        (tmp_path / f'Annotations/image_{number}.xml').write_text(f'<annotation>{objects}</annotation>')
        (tmp_path / f'JPEGImages/image_{number}.png').write_bytes(image)
    source = tmp_path / 'ImageSets/Main/trainval.txt'
    source.write_text(''.join(f'image_{number} {number + 1}\n' for number in range(20)))
    return source


def test_a_list_in_two(voc, split):
    status, output, errors = split(voc, '--parts', 'train=75', 'val=25')
    assert status == 0, errors
    parts = [(voc.parent / f'{name}.txt').read_text().splitlines() for name in ('train', 'val')]
    assert [len(part) for part in parts] == [15, 5] and len({*parts[0], *parts[1]}) == 20
    dogs = [sum(int(name.split()[1]) <= 4 for name in part) for part in parts]
    assert dogs == [3, 1]
    assert 'images: train 15, val 5' in output
    assert split(voc, '--parts', 'train=75', 'val=25')[0] == 0  # The same again harms nobody.
    status, _, errors = split(voc, '--parts', 'train=50', 'val=50')
    assert status == 2 and 'is there already; write over it with --force' in errors
    assert split(voc, '--parts', 'train=50', 'val=50', '--force')[0] == 0


def test_names_with_blanks_and_lists_of_one_class(voc, split):
    voc.write_text('image_0 -1\nimage_1  1\nmy image 3 1\n')
    for folder, suffix in (('Annotations', 'xml'), ('JPEGImages', 'png')):
        source = voc.parents[2] / folder / f'image_0.{suffix}'
        source.with_name(f'my image 3.{suffix}').write_bytes(source.read_bytes())
    status, output, errors = split(voc, '--parts', 'a=2', 'b=1')
    assert status == 0, errors
    assert 'images: a 2, b 1' in output


def test_a_coco_file_in_two(tmp_path, split):
    source = tmp_path / 'all.json'
    content = dict(
        info='kept',
        images=[dict(id=number, file_name=f'{number}.jpg', width=9, height=9) for number in range(10)],
        categories=[dict(id=4, name='cat'), dict(id=7, name='dog')],
        annotations=[
            dict(id=number, image_id=number, category_id=7 if number < 2 else 4, bbox=[0, 0, 5, 5])
            for number in range(9)
        ],
    )
    source.write_text(json.dumps(content))
    status, _, errors = split(source, '--parts', 'a=1', 'b=1')
    assert status == 0, errors
    pieces = [json.loads((tmp_path / f'{name}.json').read_text()) for name in 'ab']
    for piece in pieces:
        assert piece['info'] == 'kept' and piece['categories'] == content['categories'] and len(piece['images']) == 5
        assert {item['image_id'] for item in piece['annotations']} <= {image['id'] for image in piece['images']}
        assert sum(item['category_id'] == 7 for item in piece['annotations']) == 1
    assert sum(len(piece['annotations']) for piece in pieces) == 9


def test_a_yolo_set_in_two(tmp_path, split):
    data = YOLO(tmp_path, names=('cat', 'dog'))
    for number in range(10):
        data.add('all', f'image_{number}', f'{int(number < 2)} 0.5 0.5 0.4 0.4')
    data.parts = {'train': 'images/all'}
    status, output, errors = split(data.save().root / 'data.yaml', '--parts', 'train=1', 'val=1')
    assert status == 0 and 'images: train 5, val 5' in output, errors
    # The list of images alone is the same data set.
    source = write(tmp_path / 'everything.txt', ''.join(f'images/all/image_{number}.jpg\n' for number in range(10)))
    assert split(source, '--parts', 'a=1', 'b=1')[0] == 0
    splits, _ = find_splits(tmp_path / 'split.yaml')
    assert [part.name for part in splits] == ['train', 'val']
    contents = [list(read_split(part.files).records) for part in splits]
    assert sorted(record.path.name for records in contents for record in records) == [
        f'image_{number}.jpg' for number in range(10)
    ]
    for records, name in zip(contents, 'ab'):
        assert sum(item.name == 'dog' for record in records for item in record.objects) == 1
        assert (tmp_path / f'{name}.txt').read_text() == ''.join(f'images/all/{r.path.name}\n' for r in records)


def test_what_training_refuses_is_refused(voc, split):
    lines = voc.read_text()
    for wrong, said in (
        (f'{lines}image_0.png\n', 'lists an image twice'),
        (f'{lines}nobody\n', 'no image of this name'),
        (lines.encode('utf-16'), 'perhaps in UTF-16'),
        ('image_0\n', '1 images cannot be split into 2 parts'),
    ):
        voc.write_bytes(wrong if isinstance(wrong, bytes) else wrong.encode())
        status, _, errors = split(voc)
        assert status == 2 and said in errors and 'Traceback' not in errors
        assert [path.name for path in voc.parent.iterdir()] == ['trainval.txt']


def test_nothing_is_written_if_one_of_the_files_is_there(voc, split):
    write(voc.with_name('val.txt'), 'kept')
    assert split(voc)[0] == 2 and not voc.with_name('train.txt').exists()


@pytest.mark.parametrize(
    'arguments, said',
    [
        (['missing.txt'], 'no such file'),
        (['--parts', 'train=80'], 'two or more different names'),
        (['--parts', 'train=80', 'val=-20'], 'is not NAME=SHARE'),
        (['--rcnn-val2', 'val2.txt'], '--rcnn-val2 needs --blacklist'),
        (['--annotations', 'nowhere'], 'the annotation cannot be read'),
    ],
)
def test_wrong_arguments(voc, split, arguments, said):
    status, _, errors = split(*([] if arguments[0].endswith('.txt') else [voc]), *arguments)
    assert status == 2 and said in errors and 'Traceback' not in errors


def test_no_coco_file(tmp_path, split):
    (tmp_path / 'all.json').write_text('{"images": []}')
    status, _, errors = split(tmp_path / 'all.json')
    assert status == 2 and "this is not COCO's format" in errors
