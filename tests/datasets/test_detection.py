"""Data sets in the layouts of Pascal VOC, COCO and ILSVRC: boxes, classes, and what bad data get."""

import json
from pathlib import Path

import pytest
from mmengine.logging import MMLogger
from sets_on_disk import HEIGHT, WIDTH, write_image, write_xml

from det_inception.datasets import (
    COCOFormatDataset,
    DataError,
    DetectionDataset,
    ILSVRCDetDataset,
    VOCFolderDataset,
    YOLODataset,
    detection,
)
from det_inception.utils.errors import InputError


class VOCSet:
    def __init__(self, root):
        self.root = root
        (root / 'ImageSets/Main').mkdir(parents=True)
        (root / 'JPEGImages').mkdir()

    def add(self, name, *objects, size=(WIDTH, HEIGHT), suffix='.jpg'):
        write_image(self.root / f'JPEGImages/{name}{suffix}')
        write_xml(self.root / f'Annotations/{name}.xml', objects, size)
        return self.list(name)

    def list(self, *lines):
        with open(self.root / 'ImageSets/Main/train.txt', 'a', encoding='utf-8') as file:
            file.writelines(f'{line}\n' for line in lines)
        return self

    def load(self, **options):
        return VOCFolderDataset('ImageSets/Main/train.txt', data_root=str(self.root), **options)


@pytest.fixture
def voc(tmp_path):
    return VOCSet(tmp_path)


@pytest.fixture
def warnings(monkeypatch):
    said = []
    monkeypatch.setattr(detection, 'print_log', lambda text, *_: said.append(text))
    return said


def boxes(dataset, index=0):
    return [instance['bbox'] for instance in dataset.get_data_info(index)['instances']]


# --------------------------------------------------------------------------------------------------------- VOC


def test_voc(voc, warnings):
    voc.add('one', ('zebra', 1, 1, WIDTH, HEIGHT), ('ant', 11, 6, 20, 10, 'difficult')).add('two', ('ant', 2, 3, 4, 5))
    dataset = voc.load()
    assert dataset.metainfo['classes'] == ('ant', 'zebra')
    assert boxes(dataset) == [[0, 0, WIDTH, HEIGHT], [10, 5, 20, 10]] and boxes(dataset, 1) == [[1, 2, 4, 5]]
    first = dataset.get_data_info(0)
    assert [instance['bbox_label'] for instance in first['instances']] == [1, 0]
    assert [instance['ignore_flag'] for instance in first['instances']] == [0, 1]
    assert (first['img_id'], first['height'], first['width']) == ('one', HEIGHT, WIDTH)
    assert first['img_path'] == str(voc.root / 'JPEGImages/one.jpg')
    assert dataset.get_cat_ids(0) == [1, 0] and not warnings


def test_classes_of_the_config_give_the_labels(voc):
    voc.add('one', ('zebra', 1, 1, 9, 9), ('ant', 11, 6, 20, 10))
    dataset = voc.load(metainfo=dict(classes=('zebra', 'bee', 'ant')))
    assert dataset.get_cat_ids(0) == [0, 2]
    with pytest.raises(DataError, match=r"one\.xml: an object is of class 'ant', .* among the classes zebra, bee"):
        voc.load(metainfo=dict(classes=('zebra', 'bee')))
    dataset = voc.load(metainfo=dict(classes=('zebra', 'bee')), unknown_classes='ignore')
    assert dataset.get_cat_ids(0) == [0]
    with pytest.raises(DataError, match="the class 'ant' is named more than once; name each class once"):
        voc.load(metainfo=dict(classes=('ant', 'bee', 'ant')))
    with pytest.raises(ValueError, match='unknown_classes'):
        voc.load(unknown_classes='guess')


def test_size_from_the_image_where_the_xml_has_none(voc):
    voc.add('one', ('ant', 1, 1, 9, 9), size=None).add('two', ('ant', 1, 1, 9, 9), size=(0, 0))
    dataset = voc.load()
    assert [(item['height'], item['width']) for item in (dataset.get_data_info(0), dataset.get_data_info(1))] == [
        (HEIGHT, WIDTH)
    ] * 2


def test_bad_boxes_are_dropped_or_cut_with_a_warning(voc, warnings):
    voc.add(
        'one',
        ('ant', 5, 5, 5, 9),  # No width, as other tools than VOC's write it.
        ('ant', 9, 9, 5, 5),  # Reversed.
        ('ant', 300, 5, 330, 9),  # Outside.
        ('ant', 51, 31, 500, 300),  # Cut.
        ('ant', 2, 2, 8, 8),  # Sound.
    )
    assert boxes(voc.load()) == [[50, 30, WIDTH, HEIGHT], [1, 1, 8, 8]]
    assert len(warnings) == 1 and ': 4 boxes are empty or leave their image' in warnings[0] and 'one.xml' in warnings[0]


def test_names_as_people_list_them(voc):
    for name in ('two words', 'IMG 7', 'a.b', 'sub/folder'):
        voc.add(name, ('ant', 1, 1, 9, 9))
    voc.add('old', ('ant', 1, 1, 9, 9), suffix='.PNG')
    (voc.root / 'ImageSets/Main/train.txt').write_text(
        'two words -1\nIMG 7\na.b.jpg\n\n sub/folder  1\nold\n', 'utf-8-sig'
    )
    names = [voc.load().get_data_info(index)['img_id'] for index in range(5)]
    assert names == ['two words', 'IMG 7', 'a.b', 'sub/folder', 'old']


def test_two_images_of_one_name(voc):
    voc.add('one', ('ant', 1, 1, 9, 9))
    write_image(voc.root / 'JPEGImages/one.png')
    with pytest.raises(DataError, match=r'one may be one\.jpg or one\.png'):
        voc.load()
    (voc.root / 'ImageSets/Main/train.txt').write_text('one.png\n')
    assert voc.load().get_data_info(0)['img_path'].endswith('one.png')


def test_same_name_in_two_folders(voc):
    voc.add('a/one', ('ant', 1, 1, 9, 9)).add('b/one', ('bee', 1, 1, 9, 9))
    dataset = voc.load(test_mode=True)
    assert [dataset.get_data_info(index)['img_id'] for index in (0, 1)] == ['a/one', 'b/one']
    assert [dataset.get_cat_ids(index) for index in (0, 1)] == [[0], [1]]


def test_an_image_listed_twice(voc):
    voc.add('one', ('ant', 1, 1, 9, 9)).list('one')
    assert len(voc.load()) == 2
    with pytest.raises(DataError, match="have the same id, 'one'"):
        voc.load(test_mode=True)


def test_images_without_objects(voc):
    voc.add('one', ('ant', 1, 1, 9, 9)).add('empty')
    assert len(voc.load()) == 2
    assert len(voc.load(filter_cfg=dict(filter_empty_gt=True))) == 1
    assert len(voc.load(filter_cfg=dict(filter_empty_gt=True), test_mode=True)) == 2
    with pytest.raises(DataError, match='leaves no image'):
        voc.load(filter_cfg=dict(min_size=1000))


def test_images_with_nothing_but_difficult_objects(voc):
    voc.add('one', ('ant', 1, 1, 9, 9)).add('hard', ('ant', 1, 1, 9, 9, 'difficult'))
    flags = [instance['ignore_flag'] for instance in voc.load().get_data_info(1)['instances']]
    assert flags == [1]  # Nothing over it becomes background.
    assert len(voc.load(filter_cfg=dict(filter_empty_gt=True))) == 1
    assert len(voc.load(filter_cfg=dict(filter_empty_gt=True), test_mode=True)) == 2


def test_xml_beside_images(tmp_path):
    """As LabelImg and Roboflow write it: no lists."""
    for part, name in (('train', 'b'), ('train', 'a'), ('valid', 'c')):
        write_image(tmp_path / part / f'{name}.jpg')
        write_xml(tmp_path / part / f'{name}.xml', [('ant', 1, 1, 9, 9)])
    folders = dict(image_folder='train', annotation_folder='train')
    dataset = VOCFolderDataset(data_root=str(tmp_path), **folders)
    assert [dataset.get_data_info(index)['img_id'] for index in (0, 1)] == ['a', 'b']
    for split, names in (('train', ['a', 'b']), ('valid', ['c']), ('val', ['c'])):
        dataset = DetectionDataset(data_root=str(tmp_path), split=split)
        assert [dataset.get_data_info(index)['img_id'] for index in range(len(dataset))] == names


@pytest.mark.parametrize(
    'objects, classes, said',
    [
        ([], None, 'none of its 1 images has an annotated object'),
        ([], ('ant',), 'has a usable object of the classes ant'),
        ([('ant', 300, 5, 330, 9)], None, 'has a usable object'),
        ([('ant', 1, 1, 9, 9, 'difficult')], None, 'all 1 are marked as difficult .* set these marks to 0'),
    ],
)
def test_nothing_to_find(objects, classes, said, voc):
    with pytest.raises(DataError, match=said):
        voc.add('one', *objects).load(**({} if classes is None else dict(metainfo=dict(classes=classes))))


@pytest.mark.parametrize(
    'content, said',
    [
        (b'', 'has no images'),
        (b' \n\n', 'has no images'),
        ('häuschen'.encode('latin1'), 'no text in UTF-8'),
        (b'nobody\n', 'nobody: no image of this name, with any of .jpg'),
        (None, 'the list of images cannot be read .*; check data_root and ann_file'),
    ],
)
def test_wrong_lists(content, said, voc):
    voc.add('one', ('ant', 1, 1, 9, 9))
    path = voc.root / 'ImageSets/Main/train.txt'
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(DataError, match=said):
        voc.load()


def test_missing_annotation_and_folder(voc):
    voc.add('one', ('ant', 1, 1, 9, 9))
    (voc.root / 'Annotations/one.xml').unlink()
    with pytest.raises(InputError, match=r'one\.xml: the annotation cannot be read'):
        voc.load()
    with pytest.raises(DataError, match='Photos: no such folder of images'):
        voc.load(image_folder='Photos')


# -------------------------------------------------------------------------------------------------------- COCO


def coco_content():
    return dict(
        images=[
            dict(id=9, file_name='b/one.jpg', width=WIDTH, height=HEIGHT),
            dict(id=4, file_name='two.jpg', width=WIDTH, height=HEIGHT),
        ],
        categories=[dict(id=18, name='zebra'), dict(id=2, name='ant'), dict(id=5, name='bee')],
        annotations=[
            dict(id=1, image_id=4, category_id=2, bbox=[1.5, 2, 10, 20]),
            dict(id=2, image_id=9, category_id=18, bbox=[0, 0, WIDTH, HEIGHT], iscrowd=0),
            dict(id=3, image_id=4, category_id=18, bbox=[5, 5, 5, 5], iscrowd=1),
            dict(id=4, image_id=4, category_id=2, bbox=[0, 0, 9, 9], ignore=1),
        ],
    )


def load_coco(root, content, **options):
    (root / 'train.json').write_text(content if isinstance(content, str) else json.dumps(content))
    return COCOFormatDataset('train.json', data_root=str(root), data_prefix=dict(img='photos'), **options)


def test_coco(tmp_path):
    dataset = load_coco(tmp_path, coco_content())
    assert dataset.metainfo['classes'] == ('zebra', 'ant', 'bee')
    first, second = dataset.get_data_info(0), dataset.get_data_info(1)
    assert (first['img_id'], first['img_path']) == (9, str(tmp_path / 'photos/b/one.jpg'))
    assert boxes(dataset, 1) == [[1.5, 2, 11.5, 22], [5, 5, 10, 10], [0, 0, 9, 9]]
    assert [instance['bbox_label'] for instance in second['instances']] == [1, 0, 1]
    assert [instance['ignore_flag'] for instance in second['instances']] == [0, 1, 1]  # A crowd, and one to ignore.
    assert dataset.metainfo['category_ids'] == (18, 2, 5)


def test_coco_labels_follow_the_classes(tmp_path):
    dataset = load_coco(tmp_path, coco_content(), metainfo=dict(classes=('ant', 'zebra')))
    assert dataset.get_cat_ids(0) == [1] and dataset.get_cat_ids(1) == [0, 1, 0]
    with pytest.raises(DataError, match="class 'ant', which is not among the classes zebra"):
        load_coco(tmp_path, coco_content(), metainfo=dict(classes=('zebra',)))


def test_coco_categories_of_one_name_are_one_class(tmp_path):
    content = coco_content()
    content['categories'].append(dict(id=77, name='zebra'))
    content['annotations'][0]['category_id'] = 77
    dataset = load_coco(tmp_path, content)
    assert dataset.metainfo['classes'] == ('zebra', 'ant', 'bee') and dataset.get_cat_ids(1) == [0, 0, 1]


def changed(part, index, **values):
    content = coco_content()
    content[part][index].update(values)
    return content


@pytest.mark.parametrize(
    'content, said',
    [
        ('{"images": [', 'no valid JSON'),
        ('[1, 2]', 'holds no JSON object'),
        ('{"images": []}', "'categories' is missing"),
        ('{"images": 3, "categories": []}', "'images' is no list but a int"),
        ('{"images": [], "categories": []}', 'has no images'),
        (changed('annotations', 0, category_id=99), 'the annotation of id 1 is of the category id 99'),
        (changed('annotations', 0, image_id=99), '1 annotations are of the image id 99'),
        (changed('images', 0, id=4), r'b/one\.jpg and two\.jpg have the same image id, 4'),
        (changed('categories', 0, id=2), "the category id 2 means 'zebra' and 'ant'"),
        (changed('annotations', 0, id=None, bbox=[10**400, 2, 3, 3]), 'number 0 of its annotations .*OverflowError'),
        (changed('annotations', 0, bbox=[1, 2, 3]), 'not enough values'),
        (changed('annotations', 0, bbox=[1, 2, None, 3]), 'TypeError'),
        (changed('annotations', 0, bbox=[1, 2, float('nan'), 3]), 'ValueError the box'),
        (changed('images', 0, height='tall'), "invalid literal for int.*'tall'"),
        (dict(coco_content(), annotations=[]), 'has a usable object'),
    ],
)
def test_wrong_coco_files(content, said, tmp_path):
    with pytest.raises(DataError, match=said) as caught:
        load_coco(tmp_path, content)
    assert str(tmp_path / 'train.json') in str(caught.value) and '\n' not in str(caught.value)


def test_missing_coco_file(tmp_path):
    with pytest.raises(DataError, match='cannot be read .*; check data_root and ann_file'):
        COCOFormatDataset('train.json', data_root=str(tmp_path))


def test_names_from_windows(tmp_path):
    content = coco_content()
    content['images'][0]['file_name'] = 'b\\one.jpg'
    dataset = load_coco(tmp_path, content)
    assert dataset.get_data_info(0)['img_path'] == str(tmp_path / 'photos/b/one.jpg')


@pytest.mark.parametrize('name', ['../one.jpg', 'b/../../one.jpg', '/etc/passwd', '..\\one.jpg'])
def test_names_that_leave_the_folder(name, tmp_path):
    with pytest.raises(DataError, match=r'train\.json: the image .* lies outside the folder of images .*photos'):
        load_coco(tmp_path, changed('images', 0, file_name=name))


@pytest.mark.parametrize('size', [dict(width=None, height=None), dict(width=0, height=0), dict(height=-1)])
def test_sizes_that_the_file_lacks(size, tmp_path):
    write_image(tmp_path / 'photos/b/one.jpg', 33, 22)
    first = load_coco(tmp_path, changed('images', 0, **size)).get_data_info(0)
    assert (first['height'], first['width']) == (22, 33)


def test_the_category_that_groups_the_others_is_no_class(tmp_path):
    content = coco_content()
    for category in content['categories']:
        category['supercategory'] = 'animals'
    content['categories'].insert(0, dict(id=0, name='animals', supercategory='none'))
    assert load_coco(tmp_path, content).metainfo['classes'] == ('zebra', 'ant', 'bee')
    content['annotations'][0]['category_id'] = 0  # Now it is one.
    assert load_coco(tmp_path, content).metainfo['classes'] == ('animals', 'zebra', 'ant', 'bee')


@pytest.mark.parametrize('mark', ['iscrowd', 'ignore'])
def test_all_objects_are_crowds(mark, tmp_path):
    content = coco_content()
    for annotation in content['annotations']:
        annotation[mark] = 1
    with pytest.raises(DataError, match=r'all 4 are marked as difficult \(VOC: difficult, COCO: iscrowd or ignore\)'):
        load_coco(tmp_path, content)


# -------------------------------------------------------------------------------------------------------- YOLO


def test_yolo(tmp_path, warnings):
    for name in ('train/images/a', 'train/images/b', 'valid/images/c'):
        write_image(tmp_path / f'{name}.jpg')
    for name, text in (('train/labels/a', '1 0.5 0.5 0.5 0.5\n0 0 0 1 0 1 1\n'), ('valid/labels/c', '0 1 0.5 0.5 1\n')):
        (tmp_path / name).parent.mkdir()
        (tmp_path / f'{name}.txt').write_text(text)
    (tmp_path / 'data.yaml').write_text('train: train/images\nval: valid/images\nnames: [zebra, ant]\n')
    dataset = YOLODataset(data_root=str(tmp_path))
    assert dataset.metainfo['classes'] == ('zebra', 'ant') and len(dataset) == 2
    assert boxes(dataset) == [[15, 10, 45, 30], [0, 0, WIDTH, HEIGHT]] and dataset.get_cat_ids(0) == [1, 0]
    assert len(warnings) == 1 and 'a.txt: line 2 is a polygon; its bounding box is taken' in warnings[0]
    for dataset in (
        YOLODataset(data_root=str(tmp_path), split='val'),
        YOLODataset(ann_file='data.yaml', data_root=str(tmp_path), split='val'),
        DetectionDataset(data_root=str(tmp_path), split='val'),
        DetectionDataset(data_root=str(tmp_path), ann_file='data.yaml', split='val', format='yolo'),
    ):
        assert boxes(dataset) == [[45, 0, WIDTH, HEIGHT]]
    assert '1 boxes are empty or leave their image' in warnings[-1]


def test_other_parts_and_formats(tmp_path, voc):
    voc.add('one', ('ant', 1, 1, 9, 9))
    assert len(DetectionDataset(data_root=str(voc.root), ann_file='ImageSets/Main/train.txt')) == 1
    with pytest.raises(DataError, match="has no part 'dev'; its part is train"):
        DetectionDataset(data_root=str(voc.root), split='dev')
    with pytest.raises(
        DataError, match="'pascal' is no format of annotations; name one of voc, coco, yolo, ilsvrc, labelme"
    ):
        DetectionDataset(data_root=str(voc.root), format='pascal')
    with pytest.raises(DataError, match='nowhere: no such file or folder'):
        DetectionDataset(data_root=str(tmp_path / 'nowhere'))


# ------------------------------------------------------------------------------------------------------ ILSVRC


@pytest.fixture
def ilsvrc(tmp_path):
    for name, objects in (
        ('a/one', [('n02084071', 0, 0, WIDTH - 1, HEIGHT - 1)]),
        ('two', [('n02958343', 5, 6, 5, 9)]),
    ):
        write_image(tmp_path / f'Data/DET/train/{name}.JPEG')
        write_xml(tmp_path / f'Annotations/DET/train/{name}.xml', objects)
    write_image(tmp_path / 'Data/DET/train/background.JPEG', 33, 22)
    (tmp_path / 'ImageSets/DET').mkdir(parents=True)
    (tmp_path / 'ImageSets/DET/train.txt').write_text('a/one 17\ntwo 3\nbackground\n')
    return tmp_path


def load_ilsvrc(root, **options):
    return ILSVRCDetDataset('ImageSets/DET/train.txt', split='train', data_root=str(root), **options)


def test_ilsvrc(ilsvrc):
    dataset = load_ilsvrc(ilsvrc)
    assert len(dataset.metainfo['classes']) == 200
    assert boxes(dataset) == [[0, 0, WIDTH, HEIGHT]]
    assert boxes(dataset, 1) == [[5, 6, 6, 10]]  # One pixel wide, which is no empty box here.
    assert [dataset.get_data_info(index)['img_id'] for index in range(3)] == [17, 3, 'background']
    names = [dataset.metainfo['classes'][dataset.get_cat_ids(index)[0]] for index in (0, 1)]
    assert names == ['dog', 'car']
    background = dataset.get_data_info(2)
    assert (background['height'], background['width'], background['instances']) == (22, 33, [])
    assert load_ilsvrc(ilsvrc, metainfo=dict(classes=('dog', 'car'))).get_cat_ids(1) == [1]
    assert len(ILSVRCDetDataset.METAINFO['classes']) == 200


def test_wrong_ilsvrc_sets(ilsvrc):
    with pytest.raises(DataError, match="class 'car', which is not among the classes dog"):
        load_ilsvrc(ilsvrc, metainfo=dict(classes=('dog',)))
    write_xml(ilsvrc / 'Annotations/DET/train/two.xml', [('n00000001', 1, 1, 9, 9)])
    with pytest.raises(DataError, match="'n00000001', which is none of the 200"):
        load_ilsvrc(ilsvrc)
    (ilsvrc / 'Annotations/DET/train/two.xml').unlink()
    (ilsvrc / 'Data/DET/train/two.JPEG').unlink()
    with pytest.raises(DataError, match=r'two\.JPEG: neither image nor annotation exists'):
        load_ilsvrc(ilsvrc)


def test_warnings_go_to_the_log(voc, capsys):
    MMLogger.get_instance('test_detection')
    voc.add('one', ('ant', 5, 5, 500, 9)).load()
    assert '1 boxes are empty or leave their image' in capsys.readouterr().out


# ------------------------------------------------------------------------------------------------- Roboflow's exports


def test_xml_files_beside_the_images_of_each_part(tmp_path, warnings):
    for part, name in (('train', 'a'), ('train', 'b'), ('valid', 'c')):
        write_image(tmp_path / part / f'{name}.jpg')
        write_xml(tmp_path / part / f'{name}.xml', [('ant', 1, 1, 20, 10)])
    sets = [
        VOCFolderDataset(f'ImageSets/Main/{name}.txt', data_root=str(tmp_path), test_mode=name == 'val')
        for name in ('train', 'val')
    ]
    assert [[Path(info['img_path']).name for info in data.load_data_list()] for data in sets] == [
        ['a.jpg', 'b.jpg'],
        ['c.jpg'],
    ]
    assert boxes(sets[0]) == [[0, 0, 20, 10]]
    assert f'{tmp_path}/ImageSets/Main/train.txt: is not there; {tmp_path}/train is taken.' in warnings
    with pytest.raises(DataError, match='JPEGImages: no such folder of images'):
        VOCFolderDataset('ImageSets/Main/test.txt', data_root=str(tmp_path))


@pytest.mark.parametrize('suffix', ['.jfif', '.PNG', '.tiff'])
def test_xml_files_beside_images_of_any_suffix(suffix, tmp_path):
    write_image(tmp_path / f'train/a{suffix}')
    write_xml(tmp_path / 'train/a.xml', [('ant', 1, 1, 20, 10)])
    assert len(VOCFolderDataset('ImageSets/Main/train.txt', data_root=str(tmp_path))) == 1


def test_a_coco_file_beside_the_images_of_each_part(tmp_path, warnings):
    categories = [dict(id=0, name='ants', supercategory='none'), dict(id=1, name='ant', supercategory='ants')]
    for part, name in (('train', 'a'), ('valid', 'c')):
        write_image(tmp_path / part / f'{name}.jpg')
        content = dict(
            images=[dict(id=0, file_name=f'{name}.jpg', width=WIDTH, height=HEIGHT)],
            annotations=[dict(id=0, image_id=0, category_id=1, bbox=[1, 2, 10, 20])],
            categories=categories,
        )
        (tmp_path / part / '_annotations.coco.json').write_text(json.dumps(content))
    for name, part in (('train', 'train'), ('val', 'valid')):
        dataset = COCOFormatDataset(
            f'annotations/{name}.json', data_root=str(tmp_path), data_prefix=dict(img=name), test_mode=name == 'val'
        )
        assert dataset.metainfo['classes'] == ('ant',) and boxes(dataset) == [[1, 2, 11, 22]]
        assert Path(dataset.get_data_info(0)['img_path']).parent.name == part
        assert any(f'annotations/{name}.json: is not there; ' in text for text in warnings)


def test_a_missing_list_says_what_else_is_there(voc):
    (voc.root / 'ImageSets/Main/default.txt').write_text('one\n')
    with pytest.raises(DataError, match=r'train\.txt: .*; there is default\.txt, which det-inception split divides'):
        voc.load()
