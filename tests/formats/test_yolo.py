"""YOLO: layouts that people have, labels, and what bad ones get."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sets_on_disk import HEIGHT, WIDTH, make_yolo, write, write_image

from det_inception.formats import FORMATS, DataError, choose_split, recognize, usable_objects
from det_inception.formats.yolo import parse_label

YOLO = FORMATS['yolo']


def read(root, name='train', going_on=False):
    """Reads a part; returns objects by image, notes and faults."""
    faults = []
    handler = (lambda kind, file, error: faults.append(str(error)),) if going_on else ()
    content = YOLO.read(choose_split(YOLO.splits(root).splits, name), *handler)
    records = {record.image_id: record for record in content.records}
    return records, [note.message for note in content.notes], faults


def test_a_sound_set(root):
    make_yolo(root)
    assert recognize(root) is YOLO and recognize(root / 'data.yaml') is YOLO
    assert [split.name for split in YOLO.splits(root).splits] == ['train', 'val']
    records, notes, _ = read(root)
    assert list(records) == ['images/train/a.jpg', 'images/train/b.jpg'] and not notes
    first, empty = records.values()
    assert (first.height, first.width, first.path) == (HEIGHT, WIDTH, root / 'images/train/a.jpg')
    assert [item.name for item in first.objects] == ['cat', 'dog'] and not empty.objects
    assert first.objects[0].box == (15, 10, 45, 30)
    assert first.objects[1].box == pytest.approx((12, 6, 18, 14))
    assert YOLO.as_in_file(first.objects[0].box, HEIGHT, WIDTH) == (0.5, 0.5, 0.5, 0.5)
    assert read(root) == read(root)  # The second time, sizes are from the cache.


@pytest.mark.parametrize(
    'description',
    [
        'train: images/train\nnames: {0: cat, 1: dog}\n',
        'train: images/train\nnames:\n  1: dog\n  0: cat\nnc: 2\n',
        'train: [images/train]\nnames: [cat, dog]\n',
        'path: .\ntrain: images/train/\nnames: [cat, dog]\n',
        'path: ..\ntrain: set/images/train\nnames: [cat, dog]\n',
        'train: list.txt\nnames: [cat, dog]\n',
        'train: ./images/train\nnames: [cat, dog]\n',
        # Of another machine: what lies beside the file is taken.
        'train: ../images/train\nval: ../images/val\nnames: [cat, dog]\n',
        'path: /home/somebody/datasets/set\ntrain: images/train\nnames: [cat, dog]\n',
        'train: /home/somebody/set/images/train\nval: /home/somebody/set/images/val\nnames: [cat, dog]\n',
        'train: D:\\sets\\set\\images\\train\nnames: [cat, dog]\n',
        'train: elsewhere.txt\nnames: [cat, dog]\n',
    ],
)
def test_descriptions_as_people_write_them(description, root):
    make_yolo(root, description)
    write(root / 'list.txt', '\ufeff./images/train/a.jpg\r\n\r\nimages/train/b\t\r\n')
    write(root / 'elsewhere.txt', '/home/somebody/set/images/train/a.jpg\nC:\\set\\images\\train\\b.jpg\n')
    records, notes, _ = read(root)
    assert [record.path.resolve() for record in records.values()] == [
        root / f'images/train/{name}.jpg' for name in 'ab'
    ]
    assert [[item.name for item in record.objects] for record in records.values()] == [['cat', 'dog'], []]
    other_machine = any(part in description for part in ('../', 'train: /', 'D:', 'elsewhere'))
    assert [('perhaps a path of another machine' in note) for note in notes] == [True] * other_machine


def test_the_last_folder_of_images_is_that_of_labels(root):
    write_image(root / 'images/set/images/a.jpg')
    write(root / 'images/set/labels/a.txt', '0 0.5 0.5 1 1')
    write(root / 'data.yaml', 'train: images/set\nnames: [cat]\n')
    assert len(read(root)[0]['images/set/images/a.jpg'].objects) == 1


def test_labels_beside_images(root):
    write_image(root / 'obj_train_data/a.jpg')
    write(root / 'obj_train_data/a.txt', '0 0.5 0.5 1 1')
    write(root / 'data.yaml', 'train: obj_train_data\nnames: [cat]\n')
    assert len(read(root)[0]['obj_train_data/a.jpg'].objects) == 1


def test_roboflow(root):
    for part in ('train', 'valid', 'test'):
        write_image(root / f'{part}/images/{part}.jpg')
        write(root / f'{part}/labels/{part}.txt', '0 0.5 0.5 1 1')
    parts = ''.join(f'{name}: ../{folder}/images\n' for name, folder in zip(('train', 'val'), ('train', 'valid')))
    write(root / 'data.yaml', f'{parts}test: ../test/images\n\nnc: 1\nnames: ["cat"]\nroboflow:\n  version: 1\n')
    for part, folder in (('train', 'train'), ('val', 'valid'), ('test', 'test')):
        assert list(read(root, part)[0]) == [f'{folder}/images/{folder}.jpg']


def test_polygons_are_said_once(root):
    make_yolo(root)
    write(root / 'labels/train/a.txt', '0 0.1 0.2 0.5 0.1 0.3 0.9\n' * 3)
    write(root / 'labels/train/b.txt', '1 0 0 1 0 1 1 0 1\n')
    records, notes, _ = read(root)
    boxes = [item.box for record in records.values() for item in record.objects]
    assert boxes == [pytest.approx((6, 4, 30, 36))] * 3 + [(0, 0, WIDTH, HEIGHT)]
    assert len(notes) == 1 and 'line 1 is a polygon; its bounding box is taken' in notes[0]


def test_boxes_that_leave_the_image_are_cut(root):
    make_yolo(root)
    write(root / 'labels/train/a.txt', '0 0.9 0.5 0.4 0.5\n0 1.5 0.5 0.2 0.2\n0 0.5 0.5 0 0\n')
    record = read(root)[0]['images/train/a.jpg']
    assert len(record.objects) == 3
    assert [item.box for item in usable_objects(record)] == [pytest.approx((42, 10, 60, 30))]


def test_key_points_are_left_out(root):
    make_yolo(root, 'train: images/train\nnames: [cat, dog]\nkpt_shape: [2, 3]\n')
    write(root / 'labels/train/a.txt', '0 0.5 0.5 0.5 0.5 0.1 0.1 2 0.9 0.9 1\n')
    records, notes, _ = read(root)
    assert records['images/train/a.jpg'].objects[0].box == (15, 10, 45, 30) and not notes


@pytest.mark.parametrize(
    'line, said',
    [
        ('2 0.5 0.5 0.1 0.1', r'line 2 is of class 2, and .*data\.yaml names 0, 1; correct one of the two'),
        ('-1 0.5 0.5 0.1 0.1', 'line 2 is of class -1; write a whole number'),
        ('0.5 0.5 0.5 0.1 0.1', 'line 2 is of class 0.5'),
        ('inf 0.5 0.5 0.1 0.1', 'line 2 is of class inf'),
        ('cat 0.5 0.5 0.1 0.1', "line 2 is 'cat 0.5 0.5 0.1 0.1', no numbers"),
        ('0 0.5 0.5 0.1', 'line 2 has 3 numbers after the class'),
        ('0 0.5 0.5 0.1 0.1 0.9', 'line 2 has 5 numbers after the class'),
        ('0 0.5 0.5 nan 0.1', 'line 2 has numbers far outside 0 to 1'),
        ('0 120 40 30 20', 'line 2 has numbers far outside 0 to 1, perhaps pixels'),
    ],
)
def test_wrong_labels(line, said, root):
    make_yolo(root)
    path = write(root / 'labels/train/a.txt', f'0 0.5 0.5 0.1 0.1\n{line}\n1 0.5 0.5 0.1 0.1\n')
    with pytest.raises(DataError, match=said) as caught:
        read(root)
    assert str(caught.value).startswith(f'{path}: ') and '\n' not in str(caught.value)
    records, _, faults = read(root, going_on=True)
    assert len(faults) == 1 and len(records['images/train/a.jpg'].objects) == 2


@pytest.mark.parametrize(
    'content, said',
    [
        (b'0 0.5 0.5 0.1 0.1 \xff\n', 'no text in UTF-8'),
        ('0 0.5 0.5 0.1 0.1'.encode('utf-16'), 'no text in UTF-8'),
    ],
)
def test_labels_that_are_no_text(content, said, root):
    make_yolo(root)
    write(root / 'labels/train/a.txt', content)
    with pytest.raises(DataError, match=said):
        read(root)


@pytest.mark.parametrize(
    'description, said',
    [
        ('train: [a\n', 'is no valid YAML'),
        ('- train\n', 'holds no "train'),
        ('', 'holds no "train'),
        ('train: images/train\n', 'names is no list of names'),
        ('train: images/train\nnames: 3\n', 'names is no list of names'),
        ('train: images/train\nnames: {a: cat}\n', 'names is no list of names'),
        ('train: images/train\nnames: [[cat]]\n', 'names is no list of names'),
        ('train: images/train\nnames: [cat, dog]\nnc: 3\n', 'nc is 3, and names has 2'),
        ("train: images/train\nnames: [cat, '']\n", 'names has no name for class 1'),
        ('train: images/train\nnames: {0: cat, 3: }\n', 'names has no name for class 3'),
        ('train: images/train\nnames: {0: cat, 0: dog}\n', "is no valid YAML .*'0' is there twice"),
        ('train: images/train\nnames: {0: cat, 00: dog}\n', 'names is no list of names'),
        ('train: images/train\nnames: [cat, dog]\ntrain: images/val\n', "is no valid YAML .*'train' is there twice"),
        (f'train: nowhere\npath: {"x" * 300}\nnames: [cat, dog]\n', "there is no 'nowhere'"),
        ('names: [cat, dog]\n', 'it names no images'),
        ('train: {a: b}\nnames: [cat, dog]\n', 'train is .*not the path'),
        ('train: 3\nnames: [cat, dog]\n', "there is no '3'"),
        ('train: nowhere\nnames: [cat, dog]\n', "there is no 'nowhere'"),
        ('train: /x/images\nval: /y/images\nnames: [cat, dog]\n', 'both may be .*images; correct the paths'),
    ],
)
def test_wrong_descriptions(description, said, root):
    make_yolo(root, description)
    with pytest.raises(DataError, match=said) as caught:
        read(root)
    assert str(root / 'data.yaml') in str(caught.value) and '\n' not in str(caught.value)


def test_aliases_of_yaml_do_not_grow(root):
    lists = ''.join(f'a{i + 1}: &a{i + 1} [{", ".join([f"*a{i}"] * 9)}]\n' for i in range(9))
    make_yolo(root, f'a0: &a0 [x]\n{lists}train: images/train\nnames: *a9\n')
    with pytest.raises(DataError, match='names is no list of names'):
        read(root)


def test_classes_that_yaml_takes_for_something_else(root):
    make_yolo(root, 'train: images/train\nnames: [no, 12]\n')
    assert YOLO.read(YOLO.splits(root).splits[0]).classes == ('no', '12')


def test_a_test_part_that_was_not_shipped_is_passed_over(root):
    make_yolo(root, 'train: images/train\nval: images/val\ntest: images/test\nnames: [cat, dog]\n')
    found = YOLO.splits(root)
    assert [split.name for split in found.splits] == ['train', 'val'] and list(found.passed_over) == ['test']


def test_missing_images_and_labels(root):
    make_yolo(root, 'train: list.txt\nnames: [cat, dog]\n')
    write(root / 'list.txt', 'images/train/b.jpg\nimages/train/nobody.jpg\n')
    with pytest.raises(DataError, match=r'list\.txt: there is no image images/train/nobody\.jpg'):
        read(root)
    _, notes, faults = read(root, going_on=True)
    assert len(faults) == 1 and 'none of the 1 images has a label file' in notes[0]


def test_a_folder_of_labels_without_a_description(root):
    make_yolo(root)
    (root / 'data.yaml').unlink()
    with pytest.raises(DataError, match='as YOLO has it, but no data.yaml; write one'):
        recognize(root)


def test_another_name_of_the_description(root):
    make_yolo(root)
    (root / 'data.yaml').rename(root / 'animals.yaml')
    write(root / 'settings.yaml', 'color: 1\n')
    assert recognize(root) is YOLO and len(read(root)[0]) == 2


NUMBER = st.floats(-2, 2, allow_nan=False).map(lambda number: round(number, 6))


@given(st.integers(0, 99), NUMBER, NUMBER, NUMBER, NUMBER, st.sampled_from([' ', '\t', '  ']))
def test_a_box_against_its_definition(label, x, y, width, height, blank):
    found, box, is_polygon = parse_label(blank.join(map(str, (label, x, y, width, height))))
    assert found == label and not is_polygon
    assert [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2] == pytest.approx([x, y], abs=1e-9)
    assert [box[2] - box[0], box[3] - box[1]] == pytest.approx([width, height], abs=1e-9)


@given(st.lists(st.tuples(NUMBER, NUMBER), min_size=3, max_size=9))
def test_a_polygon_is_just_covered(corners):
    _, (x1, y1, x2, y2), is_polygon = parse_label('0 ' + ' '.join(f'{x} {y}' for x, y in corners))
    assert is_polygon and all(x1 <= x <= x2 and y1 <= y <= y2 for x, y in corners)
    assert {x1, x2} <= {x for x, _ in corners} and {y1, y2} <= {y for _, y in corners}


@given(st.text(max_size=40))
def test_any_line_is_a_label_or_has_a_reason(line):
    try:
        label, box, _ = parse_label(line)
    except ValueError as error:
        assert '\n' not in str(error)
    else:
        assert label >= 0 and len(box) == 4


def test_labels_of_no_image_are_worth_a_word(root):
    """Of another spelling, as from a system that knows no capitals: the image would be one without objects."""
    make_yolo(root)
    (root / 'labels/train/a.txt').rename(root / 'labels/train/A.txt')
    write(root / 'labels/train/classes.txt', 'cat\ndog\n')
    records, notes, _ = read(root)
    assert not records['images/train/a.jpg'].objects
    said = [note for note in notes if 'labels of no image' in note]
    assert said == [f'{root}/labels/train: holds labels of no image that is there (A.txt); call them as the image.']
