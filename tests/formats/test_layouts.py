"""Every layout that is recognized: its parts and its records are those of the others."""

import json

import pytest
from layouts import CLASSES, LAYOUTS, NAMES, PARTS, SIZE, images, labelme_json, objects, voc_xml
from sets_on_disk import make_coco, make_voc, write, write_image, write_xml

from det_inception.formats import FORMATS, DataError, choose_split, find_part, read_split, recognize, undivided
from det_inception.formats.labelme import bounding_box
from det_inception.utils.errors import InputError
from det_inception.validation.splitting import divide, write_parts

IN_ONE = {name: layout for name, layout in LAYOUTS.items() if layout.in_one}


def content(split):
    """Objects by the names of the images, the size of all of them, and what the reader worked around."""
    read = read_split(split)
    records = list(read.records)
    assert all(record.path.is_file() and (record.width, record.height) == SIZE for record in records)
    found = {record.path.stem: [(item.name, item.box) for item in record.objects] for record in records}
    return found, [note.message for note in read.notes]


def expected(names, format=''):
    known_as = {'cat': 'domestic_cat'} if format == 'ilsvrc' else {}
    return {name: [(known_as.get(label, label), pytest.approx(box)) for label, box in objects(name)] for name in names}


@pytest.mark.parametrize('layout', LAYOUTS.values(), ids=LAYOUTS)
def test_parts_and_records(layout, root):
    layout.build(root)
    assert recognize(root) is FORMATS[layout.format]
    splits = FORMATS[layout.format].splits(root).splits
    if layout.in_one:
        assert [split.name for split in splits] == [layout.in_one] and undivided(splits) is splits[0]
        assert content(splits[0]) == (expected(NAMES), [])
        for name in ('train', 'val'):
            with pytest.raises(
                DataError, match=r"no part 'train' and no part 'val'; .*split.* or train with --val-share"
            ):
                choose_split(splits, name)
        return
    for name, names in PARTS.items():
        found, notes = content(find_part(root, name))
        assert found == expected(names, layout.format)
        assert not notes or layout.format == 'yolo'  # Paths of other machines are worth a word.


@pytest.mark.parametrize('name', [name for name, layout in LAYOUTS.items() if layout.format != 'ilsvrc'])
def test_suffixes_in_capitals(name, root):
    """Of annotations and of the file that describes the set; lists are named with theirs."""
    layout = LAYOUTS[name]
    layout.build(root)
    for path in sorted(root.rglob('*')):
        if path.suffix in ('.xml', '.json', '.yaml') or (path.suffix == '.txt' and 'labels' in path.parts):
            path.rename(path.with_suffix(path.suffix.upper()))
    splits = recognize(root).splits(root).splits
    found = [content(split)[0] for split in splits]
    parts = [NAMES] if layout.in_one else [PARTS.get(split.name) or PARTS[split.role] for split in splits]
    assert found == [expected(part, layout.format) for part in parts]


def test_a_link_to_itself_hides_nothing_else(root):
    """Neither from who looks for the layout, nor from who looks for the images."""
    LAYOUTS['labelme'].build(root)
    for name in ('0', 'loop', 'z.jpg', 'z.json'):
        (root / name).symlink_to(name)
    (root / 'z.jpg').unlink()
    (split,) = recognize(root).splits(root).splits
    assert content(split)[0] == expected(NAMES)


def test_an_image_whose_annotation_could_not_be_named_is_left_out(root):
    """A name that is as long as names may be has no room for another suffix."""
    LAYOUTS['labelme'].build(root)
    write_image(root / f'{"n" * 251}.jpg', *SIZE)
    found, notes = content(find_part(root, 'all'))
    assert found == expected(NAMES) and '1 images have no annotation (.json) and are left out' in notes[0]


@pytest.mark.parametrize('name', [' a.jpg', 'a\nb.jpg', 'a\rb.jpg'])
def test_names_that_no_list_can_hold_are_not_written_to_one(name, root):
    LAYOUTS['labelme'].build(root)
    write_image(root / name, *SIZE)
    write((root / name).with_suffix('.json'), (root / f'{NAMES[0]}.json').read_text())
    with pytest.raises(DataError, match='a list of images holds no name that .*; rename the image'):
        divide(root, dict(train=1, val=1))


@pytest.mark.parametrize('layout', IN_ONE.values(), ids=IN_ONE)
def test_a_layout_in_one_part_is_divided(layout, root):
    """``split`` writes what the finder then takes, and the two parts together are the data set."""
    layout.build(root)
    write_parts(divide(root, dict(train=2, val=1)).files)
    parts = [content(find_part(root, name))[0] for name in ('train', 'val')]
    assert [len(part) for part in parts] == [4, 2] and parts[0] | parts[1] == expected(NAMES)
    with pytest.raises(InputError, match='has a part to validate on already'):
        divide(root, dict(train=2, val=1))


@pytest.mark.parametrize('name', ['voc of Roboflow', 'coco of Roboflow', 'yolo', 'labelme, parts'])
def test_a_training_part_is_divided_where_there_is_no_other(name, root):
    LAYOUTS[name].build(root)
    for path in [*root.rglob('*')]:
        if path.is_file() and path.parent.name in ('valid', 'val'):
            path.unlink()
    if name == 'yolo':
        write(root / 'data.yaml', 'train: images/train\nnames: [cat, dog]\n')
    write_parts(divide(root, dict(train=1, val=1)).files)
    parts = [content(find_part(root, part))[0] for part in ('train', 'val')]
    assert [len(part) for part in parts] == [2, 2] and parts[0] | parts[1] == expected(PARTS['train'])


def test_a_test_part_stays_when_the_training_part_is_divided(root):
    for folder, names in (('train', NAMES[:4]), ('test', NAMES[4:])):
        images(root / folder, names)
        voc_xml(root / folder, names)
    write_parts(divide(root, dict(train=1, val=1)).files)
    assert [split.name for split in FORMATS['voc'].splits(root).splits] == ['train', 'val', 'test']
    assert content(find_part(root, 'test'))[0] == expected(NAMES[4:])
    assert len(content(find_part(root, 'val'))[0]) == 2


def test_images_without_annotations_are_left_out(root):
    """Whoever annotates goes through the images one after the other."""
    images(root, NAMES)
    voc_xml(root, NAMES[:3])
    found, notes = content(FORMATS['voc'].splits(root).splits[0])
    assert found == expected(NAMES[:3])
    assert notes == [f'{root}: 3 images have no annotation (.xml) and are left out: d.png, e.png, f.png.']
    write_image(root / 'JPEGImages/a.jpg')
    with pytest.raises(DataError, match=r'none of the 1 images in .*JPEGImages has an annotation such as a\.xml'):
        content(FORMATS['voc'].splits(root).splits[0])


def test_folders_of_batches_are_one_part(root):
    for folder, names in (('batch_1', NAMES[:2]), ('batch_2', NAMES[2:])):
        images(root / folder, names)
        labelme_json(root / folder, names)
    (split,) = FORMATS['labelme'].splits(root).splits
    assert split.name == 'all' and content(split)[0] == expected(NAMES)


# ----------------------------------------------------------------------------------------------- which format it is


@pytest.mark.parametrize(
    'build, said',
    [
        (lambda root: LAYOUTS['labelme'].build(root) or LAYOUTS['coco of Label Studio'].build(root), 'coco labelme'),
        (lambda root: LAYOUTS['voc of LabelImg'].build(root) or LAYOUTS['labelme'].build(root), 'voc labelme'),
        (lambda root: LAYOUTS['voc'].build(root) or LAYOUTS['yolo'].build(root), 'voc yolo'),
    ],
)
def test_two_formats_in_one_folder(build, said, root):
    build(root)
    first, second = said.split()
    with pytest.raises(DataError, match=f'--format {first} or --format {second}'):
        find_part(root, 'train')
    for name in (first, second):
        assert recognize(root, name).name == recognize(root, prefer=name).name == name
    with pytest.raises(DataError, match='may be'):
        recognize(root, prefer='ilsvrc')


def test_json_files_of_images_are_no_coco_files(root):
    LAYOUTS['labelme, two folders'].build(root)
    assert FORMATS['coco'].claim(root) is None
    make_coco(root, {'a.jpg': []})
    assert FORMATS['coco'].claim(root) == 'annotations/train.json'


def test_a_folder_that_is_no_data_set(root):
    for number in range(7):
        write(root / f'{number}.jpg', b'')
    write(root / 'notes.txt', '')
    write(root / 'more/a.csv', '')
    with pytest.raises(DataError) as caught:
        recognize(root)
    said = str(caught.value)
    assert f'{root}: no data set that is known here (there is only more/, 7 .jpg, 1 .txt); looked for ' in said
    assert all(format.layout in said for format in FORMATS.values())


def test_classes_of_yolo_that_are_there_twice(root):
    LAYOUTS['yolo'].build(root)
    write(root / 'data.yaml', 'train: images/train\nnames: {0: cat, 1: dog, 4: cat}\n')
    with pytest.raises(DataError, match=r"data\.yaml: names has 'cat' twice, as 0 and 4; give each class a name"):
        find_part(root, 'train')


def test_several_parts_of_one_use(root):
    make_voc(root, {'a.jpg': []}, train_a='a\n', train_b='a\n')
    with pytest.raises(DataError, match="more than one part 'train'; its parts are train_a, train_b"):
        find_part(root, 'train')


# ------------------------------------------------------------------------------------------------------------ LabelMe


def shapes(*items, **changes):
    """LabelMe's file: shapes are (label, kind, points) and perhaps more of them."""
    found = [dict(label=label, shape_type=kind, points=points, **more) for label, kind, points, more in items]
    return json.dumps(dict(version='5', flags={}, shapes=found, imagePath='a.jpg', imageData='AAAA') | changes)


def read_labelme(root, content):
    write_image(root / 'a.jpg', *SIZE)
    write(root / 'a.json', content)
    faults = []
    read = FORMATS['labelme'].read(
        FORMATS['labelme'].split_of(root, None)[0], lambda kind, file, error: faults.append(str(error))
    )
    (record,) = read.records
    return record, [note.message for note in read.notes], faults


@pytest.mark.parametrize(
    'kind, points, box',
    [
        ('rectangle', [[30, 5], [10, 25]], (10, 5, 30, 25)),
        ('polygon', [[1, 2], [9.5, 4], [3, 8]], (1, 2, 9.5, 8)),
        ('circle', [[20, 20], [23, 24]], (15, 15, 25, 25)),
        ('mask', [[3, 4], [6, 9]], (3, 4, 7, 10)),  # The last pixel belongs to it.
        ('rotation', [[5, 0], [10, 5], [5, 10], [0, 5]], (0, 0, 10, 10)),  # Of X-AnyLabeling.
        ('point', [[5, 5]], None),
        ('linestrip', [[5, 5], [7, 9]], None),
    ],
)
def test_boxes_of_labelme(kind, points, box):
    assert bounding_box(kind, points) == box


def test_objects_of_labelme(root):
    square = [[10, 10], [20, 20]]
    record, notes, faults = read_labelme(
        root,
        shapes(
            ('cat', 'rectangle', square, dict(group_id=None)),
            ('dog', 'polygon', [[1, 1], [5, 1], [5, 5]], dict(group_id=3)),
            ('dog', 'polygon', [[30, 30], [40, 30], [40, 35]], dict(group_id=3)),  # One dog behind a tree.
            ('cat', 'rectangle', square, dict(group_id=3, difficult=True)),
            ('cat', 'point', [[1, 1]], {}),
            ('cat', 'line', [[1, 1], [2, 2]], {}),
            ('cat', 'point', [[2, 2]], {}),
        ),
    )
    assert [(item.name, item.box, item.difficult) for item in record.objects] == [
        ('cat', (10, 10, 20, 20), False),
        ('dog', (1, 1, 40, 35), False),
        ('cat', (10, 10, 20, 20), True),
    ]
    assert (record.width, record.height) == SIZE and not faults  # The file does not say the size.
    assert [note.split(': ')[1].split(',')[0] for note in notes] == ['a shape is a point', 'a shape is a line']


@pytest.mark.parametrize(
    'content, said',
    [
        ('{"shapes": [', 'is no valid JSON'),
        ('{"shapes": 5}', 'has no list of "shapes"'),
        (f'{{"shapes": {"[" * 100_000}', 'is no valid JSON'),
        (shapes(('', 'rectangle', [[1, 1], [5, 5]], {})), "shape 1 is not as LabelMe has it .*'' is no name"),
        (shapes(('cat', 'rectangle', [[1, 1]], {})), 'a rectangle has more than one point'),
        (shapes(('cat', 'rectangle', [[1, 1], [5]], {})), 'not enough values'),
        (shapes(('cat', 'rectangle', 7, {})), 'TypeError'),
        (shapes(('cat', 'polygon', [[1, 1], [float('nan'), 5], [5, 5]], {})), 'its points are no numbers'),
        (shapes(('cat', 'polygon', [[1, 1], [10**400, 5], [5, 5]], {})), 'OverflowError'),
        ('{"shapes": [7]}', 'shape 1 is not as LabelMe has it'),
    ],
)
def test_wrong_files_of_labelme(content, said, root):
    record, _, faults = read_labelme(root, content)
    assert not record.objects and len(faults) == 1
    with pytest.raises(AssertionError, match=said):  # pytest.raises has the words for a search in a sentence
        raise AssertionError(faults[0])
    assert faults[0].startswith(str(root / 'a.json')) and '\n' not in faults[0]


@pytest.mark.parametrize('mark, difficult', [('0', False), ('false', False), ('1', True), (None, False), (True, True)])
def test_marks_of_labelme_may_be_text(mark, difficult, root):
    record, _, _ = read_labelme(root, shapes(('cat', 'rectangle', [[1, 1], [5, 5]], dict(difficult=mark))))
    assert [item.difficult for item in record.objects] == [difficult]


def test_sizes_of_labelme_are_checked(root):
    record, _, _ = read_labelme(root, shapes(imageWidth='wide', imageHeight=None))
    assert (record.width, record.height) == SIZE
    record, _, _ = read_labelme(root, shapes(imageWidth=33, imageHeight=22))
    assert (record.width, record.height) == (33, 22)


# ------------------------------------------------------------------------------------------------------------- COCO


@pytest.mark.parametrize('file', ['labels.json', 'annotations.json'])
def test_coco_files_of_each_part(file, root):
    for part in ('train', 'test'):
        write_image(root / part / 'images/a.jpg')
        text = json.dumps(dict(images=[dict(id=1, file_name='images/a.jpg')], categories=[], annotations=[]))
        write(root / part / file, text)
    assert [split.name for split in FORMATS['coco'].splits(root).splits] == ['train', 'test']


def test_classes_are_in_the_order_of_the_file(root):
    LAYOUTS['coco of Roboflow'].build(root)
    assert read_split(find_part(root, 'train')).classes == CLASSES


def test_xml_files_are_found_by_name_whatever_their_folder_is_called(root):
    write_image(root / 'img/a.jpg')
    write_xml(root / 'my annotations/a.xml', [('ant', 1, 1, 9, 9)])
    (split,) = FORMATS['voc'].splits(root).splits
    assert (split.images, split.annotations) == (root / 'img', root / 'my annotations')
