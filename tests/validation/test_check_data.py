"""The check of a data set: it says "error" if and only if the data set's own class stops, and finds each fault."""

import json
import re
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from small_sets import COCO, HEIGHT, ILSVRC, VOC, WIDTH, YOLO, jpeg, picture, turned_jpeg, write, xml

from det_inception.datasets import COCOFormatDataset, ILSVRCDetDataset, VOCFolderDataset, YOLODataset
from det_inception.ilsvrc import DET_CLASSES
from det_inception.proposals import ProposalStore
from det_inception.proposals.records import Proposals, identify
from det_inception.proposals.writer import ProposalWriter
from det_inception.utils.errors import InputError
from det_inception.validation import check_data, find_splits

PIPELINE = [dict(type='LoadAnyImage'), dict(type='LoadAnnotations', with_bbox=True)]


def check(root, **options):
    """Checks a folder as the tool does; returns the problems."""
    splits = options.pop('splits', None) or find_splits(root)[0]
    options = dict(workers=1, progress=False) | options
    return list(check_data(splits, classes_of_first=not splits[0].test_mode, **options).problems)


def said(problems, kind=None, severity=None):
    return [p.message for p in problems if kind in (None, p.kind) and severity in (None, p.severity)]


def stops(dataset_class, classes=None, **settings):
    """Builds and reads a data set as training does; returns its classes and the error, None if it runs through."""
    metainfo = dict(metainfo=dict(classes=classes)) if classes else {}
    try:
        # Serialized data would have Python's whole memory cleaned up each time.
        dataset = dataset_class(pipeline=PIPELINE, serialize_data=False, **metainfo, **settings)
        for index in range(len(dataset)):
            dataset[index]
    except InputError as error:
        return None, error
    return dataset.metainfo['classes'], None


def require_agreement(root, dataset_class, settings_of):
    problems = check(root)
    classes = None
    for split in ('train', 'val'):
        mode = dict(test_mode=True) if split == 'val' else dict(filter_cfg=dict(filter_empty_gt=True))
        classes, stopped = stops(dataset_class, classes, data_root=str(root), **settings_of(split), **mode)
        errors = [p.message for p in problems if p.severity == 'error' and p.split == split]
        assert bool(errors) == (stopped is not None), (split, stopped, errors)
        if stopped:  # Then there are no classes to test the validation images with.
            return


# ------------------------------------------------------------------------- error if and only if training would stop

# What may befall an image in a layout with XML files: functions of data set, split and name.
XML_DAMAGE = {
    'none': lambda s, split, name: None,
    'missing image': lambda s, split, name: image(s, split, name).unlink(),
    'missing XML': lambda s, split, name: annotation(s, split, name).unlink(),
    'both missing': lambda s, split, name: (image(s, split, name).unlink(), annotation(s, split, name).unlink()),
    'truncated': lambda s, split, name: write(image(s, split, name), jpeg(1)[:-80]),
    'empty file': lambda s, split, name: write(image(s, split, name), b''),
    'no image': lambda s, split, name: write(image(s, split, name), b'hello'),
    'other size': lambda s, split, name: write(image(s, split, name), jpeg(1, 50, 20)),
    'turned': lambda s, split, name: write(image(s, split, name), turned_jpeg(2)),
    'PNG': lambda s, split, name: write(image(s, split, name), cv2.imencode('.png', picture(3))[1].tobytes()),
    'broken XML': lambda s, split, name: write(annotation(s, split, name), '<annotation><object>'),
    'entities': lambda s, split, name: write(
        annotation(s, split, name), '<!DOCTYPE a [<!ENTITY b "c">]><annotation>&b;</annotation>'
    ),
    'nameless': lambda s, split, name: annotate(s, split, name, [('', 1, 1, 9, 9)]),
    'no number': lambda s, split, name: annotate(s, split, name, [(s.known, 1, 'top', 9, 9)]),
    'no objects': lambda s, split, name: annotate(s, split, name, []),
    'no size': lambda s, split, name: annotate(s, split, name, [(s.known, 1, 1, 9, 9)], None),
    'no size, no image': lambda s, split, name: (
        annotate(s, split, name, [(s.known, 1, 1, 9, 9)], None),
        write(image(s, split, name), b'hello'),
    ),
    'huge size': lambda s, split, name: annotate(s, split, name, [(s.known, 1, 1, 9, 9)], ('1e300', 9)),
    'other class': lambda s, split, name: annotate(s, split, name, [('unheard of', 1, 1, 9, 9)]),
    'difficult': lambda s, split, name: annotate(s, split, name, [(s.known, 1, 1, 9, 9, 'difficult')]),
    'bad boxes': lambda s, split, name: annotate(
        s, split, name, [(s.known, 9, 9, 5, 5), (s.known, 4, 4, 4, 4), (s.known, 40.5, 5, 90, 9)]
    ),
    'outside, broken image': lambda s, split, name: (
        annotate(s, split, name, [(s.known, 900, 9, 950, 50)]),
        write(image(s, split, name), b'hello'),
    ),
    'cut': lambda s, split, name: annotate(s, split, name, [(s.known, 0, 5, 90, 9)]),
    'listed twice': lambda s, split, name: s.list(split, f'{name} 1'),
    'listed only': lambda s, split, name: s.list(split, 'nobody'),
}


def image(dataset, split, name):
    return dataset.image(name) if isinstance(dataset, VOC) else dataset.image(split, name)


def annotation(dataset, split, name):
    return dataset.annotation(name) if isinstance(dataset, VOC) else dataset.annotation(split, name)


def annotate(dataset, split, name, objects, size=(WIDTH, HEIGHT)):
    write(annotation(dataset, split, name), xml(objects, size))


def damages(kinds):
    """For two training and two validation images: what befalls each; most often nothing."""
    return st.lists(st.one_of(st.just('none'), st.sampled_from(sorted(kinds))), min_size=4, max_size=4)


NAMES = (('train', 'a'), ('train', 'b'), ('val', 'c'), ('val', 'd'))
QUICK = settings(max_examples=25, deadline=None)


@QUICK
@given(damages(XML_DAMAGE))
@example(['bad boxes', 'bad boxes', 'none', 'none'])
@example(['outside, broken image', 'none', 'outside, broken image', 'none'])
@example(['difficult', 'difficult', 'none', 'none'])
def test_voc_errors_are_what_stops(befallen):
    with tempfile.TemporaryDirectory() as folder:
        data = VOC(Path(folder))
        data.known = 'ant'
        for (split, name), kind in zip(NAMES, befallen):
            data.add(split, name)
            XML_DAMAGE[kind](data, split, name)
        require_agreement(data.root, VOCFolderDataset, lambda split: dict(ann_file=f'ImageSets/Main/{split}.txt'))


@QUICK
@given(damages(XML_DAMAGE))
@example(['missing XML', 'none', 'missing XML', 'none'])
@example(['missing image', 'no objects', 'listed twice', 'none'])
def test_ilsvrc_errors_are_what_stops(befallen):
    with tempfile.TemporaryDirectory() as folder:
        data = ILSVRC(Path(folder))
        data.known = 'n02084071'
        for (split, name), kind in zip(NAMES, befallen):
            data.add(split, name)
            XML_DAMAGE[kind](data, split, name)
        require_agreement(
            data.root, ILSVRCDetDataset, lambda split: dict(ann_file=f'ImageSets/DET/{split}.txt', split=split)
        )


YOLO_DAMAGE = {
    'none': lambda s, split, name: None,
    'missing image': lambda s, split, name: s.image(split, name).unlink(),
    'truncated': lambda s, split, name: write(s.image(split, name), jpeg(1)[:-80]),
    'no image': lambda s, split, name: write(s.image(split, name), b'hello'),
    'turned': lambda s, split, name: write(s.image(split, name), turned_jpeg(2)),
    'missing label': lambda s, split, name: s.label(split, name).unlink(),
    'empty label': lambda s, split, name: write(s.label(split, name), b''),
    'class out of range': lambda s, split, name: write(s.label(split, name), '2 0.5 0.5 0.1 0.1'),
    'pixels': lambda s, split, name: write(s.label(split, name), '0 20 15 8 8'),
    'words': lambda s, split, name: write(s.label(split, name), 'ant 0.5 0.5 0.1 0.1'),
    'three numbers': lambda s, split, name: write(s.label(split, name), '0 0.5 0.5 0.1'),
    'polygon': lambda s, split, name: write(s.label(split, name), '1 0.1 0.1 0.5 0.1 0.3 0.6'),
    'outside': lambda s, split, name: write(s.label(split, name), '0 1.5 0.5 0.2 0.2'),
    'cut': lambda s, split, name: write(s.label(split, name), '0 0.9 0.5 0.4 0.2'),
    'tiny': lambda s, split, name: write(s.label(split, name), '0 0.9 0.5 0.001 0.2'),
    'UTF-16': lambda s, split, name: write(s.label(split, name), '0 0.9 0.5 0.4 0.2'.encode('utf-16')),
}


@QUICK
@given(damages(YOLO_DAMAGE))
@example(['missing label', 'missing label', 'none', 'none'])
@example(['none', 'none', 'outside', 'tiny'])
@example(['polygon', 'class out of range', 'none', 'none'])
def test_yolo_errors_are_what_stops(befallen):
    with tempfile.TemporaryDirectory() as folder:
        data = YOLO(Path(folder))
        for (split, name), kind in zip(NAMES, befallen):
            data.add(split, name)
            YOLO_DAMAGE[kind](data, split, name)
        data.save()
        require_agreement(data.root, YOLODataset, lambda split: dict(split=split))


# Of a COCO file: functions of its content and the number of image and annotation.
COCO_DAMAGE = {
    'none': lambda c, n: None,
    'image id twice': lambda c, n: c['images'][n].update(id=c['images'][n - 1]['id']),
    'file twice': lambda c, n: c['images'][n].update(file_name=c['images'][n - 1]['file_name']),
    'no such file': lambda c, n: c['images'][n].update(file_name='nobody.jpg'),
    'no file name': lambda c, n: c['images'][n].pop('file_name'),
    'null character': lambda c, n: c['images'][n].update(file_name='a\0b'),
    'number for a name': lambda c, n: c['images'][n].update(file_name=7),
    'list for an id': lambda c, n: c['images'][n].update(id=[7]),
    'no image': lambda c, n: c['images'].__setitem__(n, None),
    'wrong size': lambda c, n: c['images'][n].update(width=7),
    'negative size': lambda c, n: c['images'][n].update(height=-7),
    'size in words': lambda c, n: c['images'][n].update(height='tall'),
    'endless size': lambda c, n: c['images'][n].update(height=float('inf')),
    'size as text': lambda c, n: c['images'][n].update(height=str(HEIGHT)),
    'no annotation': lambda c, n: c['annotations'].__setitem__(n, 'ant'),
    'unknown image': lambda c, n: c['annotations'][n].update(image_id=99),
    'unknown category': lambda c, n: c['annotations'][n].update(category_id=99),
    'list for a category': lambda c, n: c['annotations'][n].update(category_id=[1]),
    'three numbers': lambda c, n: c['annotations'][n].update(bbox=[1, 2, 3]),
    'no box': lambda c, n: c['annotations'][n].pop('bbox'),
    'NaN': lambda c, n: c['annotations'][n].update(bbox=[1, 2, float('nan'), 3]),
    'too large a number': lambda c, n: c['annotations'][n].update(bbox=[1, 2, 10**400, 3]),
    'reversed': lambda c, n: c['annotations'][n].update(bbox=[9, 9, -4, 5]),
    'empty': lambda c, n: c['annotations'][n].update(bbox=[9, 9, 0, 5]),
    'outside': lambda c, n: c['annotations'][n].update(bbox=[900, 9, 9, 5]),
    'crowd': lambda c, n: c['annotations'][n].update(iscrowd=1),
    'ignored': lambda c, n: c['annotations'][n].update(ignore=1, bbox=None),
    'annotation id twice': lambda c, n: c['annotations'][n].update(id=c['annotations'][n - 1]['id']),
    'another class': lambda c, n: (
        c['categories'].append(dict(id=50, name='unheard of')),
        c['annotations'][n].update(category_id=50),
    ),
    'category id twice': lambda c, n: c['categories'].append(dict(id=1, name='bee')),
    'nameless category': lambda c, n: c['categories'].append(dict(id=5)),
    'no categories': lambda c, n: c.pop('categories'),
    'no annotations': lambda c, n: c.pop('annotations'),
    'annotations null': lambda c, n: c.update(annotations=None),
    'no images': lambda c, n: c.update(images=[]),
    'images as text': lambda c, n: c.update(images='many'),
}


@settings(max_examples=50, deadline=None)
@given(damages(COCO_DAMAGE))
@example(['image id twice', 'none', 'none', 'none'])
@example(['crowd', 'crowd', 'none', 'none'])
@example(['none', 'none', 'crowd', 'crowd'])
@example(['unknown category', 'unknown category', 'none', 'file twice'])
def test_coco_errors_are_what_stops(befallen):
    with tempfile.TemporaryDirectory() as folder:
        data = COCO(Path(folder))
        for split, name in NAMES:
            data.add(split, name)
        for (split, _), number, kind in zip(NAMES, (0, 1, 0, 1), befallen):
            try:
                COCO_DAMAGE[kind](data.content[split], number)
            except (KeyError, TypeError, AttributeError, IndexError):
                pass  # An earlier fault left nothing to damage.
        data.save()
        require_agreement(
            data.root,
            COCOFormatDataset,
            lambda split: dict(ann_file=f'annotations/{split}.json', data_prefix=dict(img=split)),
        )


# ----------------------------------------------------------------------------------------- everything, not the first


def test_a_sound_set_has_no_problem(tmp_path):
    for make in (VOC, COCO, ILSVRC, YOLO):
        data = make(tmp_path / make.__name__)
        for split, name in NAMES:
            data.add(split, name)
        if make in (COCO, YOLO):
            data.save()
        problems = check(data.root)
        # A set of one class of the challenge has none of the other 199, and YOLO's file names a bee.
        assert {p.kind for p in problems} <= ({'unused class'} if make in (ILSVRC, YOLO) else set()), problems


def test_every_fault_is_found_at_once(tmp_path):
    data = VOC(tmp_path)
    for number, kind in enumerate(sorted(set(XML_DAMAGE) - {'listed twice'})):
        data.known = 'ant'
        data.add('train', f'image{number}')
        XML_DAMAGE[kind](data, 'train', f'image{number}')
    data.add('val', 'other')
    found = {(p.kind, p.severity) for p in check(tmp_path)}
    assert found >= {
        ('missing image', 'error'),
        ('unreadable image', 'error'),
        ('unreadable image', 'warning'),  # not used for training
        ('image size', 'error'),
        ('annotation', 'error'),
        ('no object', 'warning'),
        ('box reversed', 'warning'),
        ('box empty', 'warning'),
        ('box tiny', 'warning'),
        ('box outside', 'warning'),
        ('box cut', 'warning'),
    }


def test_two_faulty_objects_of_one_file_are_two_problems(tmp_path):
    VOC(tmp_path).add('train', 'a', ('', 1, 1, 9, 9), ('ant', 1, 'x', 9, 9), ('ant', 1, 1, 9, 9)).add('val', 'b')
    assert len(said(check(tmp_path), 'annotation', 'error')) == 2


def test_each_message_names_its_file_in_one_line(tmp_path):
    data = VOC(tmp_path)
    for number, damage in enumerate(XML_DAMAGE.values()):
        data.known = 'ant'
        data.add('train' if number % 2 else 'val', f'image{number}')
        damage(data, 'train' if number % 2 else 'val', f'image{number}')
    for problem in check(tmp_path):
        assert problem.message.startswith((f'{problem.file}: ', str(tmp_path))), problem
        assert '\n' not in problem.message and problem.message.endswith('.') and not problem.message.endswith('..')


def test_a_name_of_another_case_is_suggested(tmp_path):
    data = VOC(tmp_path).add('train', 'a').add('val', 'Photo').list('val', 'photo')
    assert '(did you mean Photo.jpg?)' in said(check(data.root), 'missing image', 'error')[0]
    data.list('val', 'caf\u00e9')
    data.image('Photo').rename(data.image('cafe\u0301'))  # As macOS writes it.
    assert '(did you mean cafe\u0301.jpg?)' in said(check(data.root), 'missing image', 'error')[-1]
    other = COCO(tmp_path / 'coco').add('train', 'a').add('val', 'b')
    other.content['val']['images'][0]['file_name'] = 'b.JPG'
    assert '(did you mean b.jpg?)' in said(check(other.save().root), 'missing image', 'error')[0]


def test_classes(tmp_path):
    data = VOC(tmp_path)
    for number in range(12):
        data.add('train', f't{number}', *[('traffic light', 1, 1, 9, 9), ('ant', 2, 2, 8, 8)] * 2)
    data.add('train', 'rare', ('trafic light', 1, 1, 9, 9), ('Ant', 1, 1, 9, 9), ('bee', 1, 1, 9, 9))
    data.add('val', 'v', ('ant', 1, 1, 9, 9), ('traffic_light', 3, 3, 9, 9), ('dragon', 3, 3, 9, 9))
    problems = check(tmp_path)
    similar = said(problems, 'similar class')
    assert [re.findall("'(.*?)'", text) for text in similar] == [['Ant', 'ant'], ['trafic light', 'traffic light']]
    unknown = said(problems, 'unknown class', 'error')
    assert len(unknown) == 2 and "(did you mean 'traffic light'?)" in unknown[0] and 'did you mean' not in unknown[1]
    assert all(str(data.annotation('v')) in text for text in unknown)
    unused = said(problems, 'unused class')
    assert len(unused) == 1 and 'no object is of Ant, bee, traffic light, trafic light' in unused[0]
    assert len(said(problems, 'box twice')) == 24


def test_wnids(tmp_path):
    data = ILSVRC(tmp_path).add('train', 'a', ('Water bottle', 1, 1, 9, 9), ('n00000001', 1, 1, 9, 9)).add('val', 'b')
    unknown = said(check(data.root), 'unknown class', 'error')
    assert 'write the WNID n04557648' in unknown[0] and 'correct the file' in unknown[1]
    data.annotation('val', 'b').unlink()
    assert 'there is no annotation' in said(check(data.root), 'annotation', 'warning')[0]


def test_the_lists_of_ilsvrcs_classes_are_put_together(tmp_path):
    data = ILSVRC(tmp_path).add('train', 'a').add('train', 'b').add('train', 'c').add('val', 'd')
    (tmp_path / 'ImageSets/DET/train.txt').unlink()
    data.list('train_1', 'a 1', 'b -1').list('train_2', 'b 1', 'a 0')
    scan = check_data(find_splits(tmp_path)[0], classes_of_first=True, progress=False).scans[0]
    assert (scan.statistics.images, scan.classes) == (2, DET_CLASSES)


def test_what_no_list_names(tmp_path):
    data = VOC(tmp_path).add('train', 'a').add('train', 'with_number').add('val', 'b').add('elsewhere', 'c')
    write(tmp_path / 'JPEGImages/lost.PNG', jpeg(50))
    write(tmp_path / 'JPEGImages/._a.jpg', b'what some systems leave')
    write(tmp_path / 'Annotations/orphan.xml', xml([]))
    (tmp_path / 'ImageSets/Main/train.txt').write_text('a\nwith_number  1\n')
    problems = check(data.root)
    assert [Path(p.file).name for p in problems if p.kind == 'not listed'] == ['lost.PNG', 'orphan.xml']
    assert {p.kind for p in problems} == {'not listed'}


def test_without_lists_all_images_are_looked_at(tmp_path):
    VOC(tmp_path).add('train', 'a', ('ant', 1, 1, 900, 9))
    shutil.rmtree(tmp_path / 'ImageSets')
    problems = check(tmp_path)
    assert {(p.kind, p.severity) for p in problems} == {('box cut', 'warning')}


@pytest.mark.parametrize(
    'content, said_of_it',
    [(b'', 'has no images'), (b'\xff\xfe\xfa', 'no text in UTF-8'), ('b'.encode('utf-16'), 'perhaps in UTF-16')],
)
def test_bad_lists(content, said_of_it, tmp_path):
    data = VOC(tmp_path).add('train', 'a').add('val', 'b')
    write(tmp_path / 'ImageSets/Main/val.txt', content)
    assert said_of_it in ''.join(said(check(data.root), 'list', 'error'))


# ---------------------------------------------------------------------------------------- training and test have ...


def test_images_in_training_and_test(tmp_path):
    data = VOC(tmp_path).add('train', 'a').add('train', 'b').add('train', 'c').add('val', 'd')
    data.list('val', 'a')
    data.add('val', 'copy', content=data.image('b').read_bytes())
    data.add('val', 'smaller', content=jpeg(3, WIDTH // 2, HEIGHT // 2, quality=60), size=None)
    problems = check(data.root)
    shared, alike = said(problems, 'shared image', 'warning'), said(problems, 'looks the same', 'warning')
    assert len(shared) == 2 and len(alike) == 1
    assert 'a.jpg: is in train and in val' in shared[0]
    assert 'copy.jpg: the same file, byte for byte, is' in shared[1] and 'b.jpg in train' in shared[1]
    assert 'smaller.jpg: looks the same as' in alike[0] and 'c.jpg in train' in alike[0]
    assert not [p for p in check(data.root, images=False) if p.kind == 'looks the same']


def test_copies_within_a_split(tmp_path):
    data = COCO(tmp_path).add('train', 'a').add('val', 'b')
    data.add('train', 'again', content=(tmp_path / 'train/a.jpg').read_bytes()).save()
    assert [p.kind for p in check(tmp_path)] == ['same file']


def test_images_that_exif_turns_without_changing_their_size(tmp_path):
    """Programs annotate the picture as it is stored, or as it is shown; only the size may tell."""
    data = VOC(tmp_path / 'set').add('val', 'sound')
    for orientation, name in {1: 'one', 2: 'two', 3: 'three', 4: 'four'}.items():
        data.add('train', name, content=turned_jpeg(20 + orientation, orientation))
    data.add('train', 'shown', size=(HEIGHT, WIDTH), content=turned_jpeg(25, 6))
    data.add('train', 'square', size=(HEIGHT, HEIGHT), content=turned_jpeg(26, 8, HEIGHT))
    problems = check(data.root)
    assert [(Path(p.file).stem, p.message.split('EXIF data ')[1].split(',')[0]) for p in problems] == [
        ('two', 'mirror it'),
        ('three', 'turn it by 180 degrees'),
        ('four', 'mirror it'),
        ('square', 'turn it by 90 degrees'),
    ]
    assert {(p.kind, p.severity) for p in problems} == {('turned', 'warning')}
    yolo = YOLO(tmp_path / 'yolo').add('val', 'sound').add('train', 'shown', content=turned_jpeg(27, 6)).save()
    assert len(said(check(yolo.root), 'turned')) == 1  # Its labels say no size.


@pytest.mark.parametrize('kind', ['voc', 'coco'])
@pytest.mark.parametrize('marked', [1, 2, 3])
def test_objects_that_are_marked_as_difficult(kind, marked, tmp_path):
    """Some programs mark every object as a crowd."""
    if kind == 'voc':
        data = VOC(tmp_path).add('val', 'v', ('ant', 1, 1, 20, 20))
        for number in range(3):
            data.add('train', f'{number}', ('ant', 1, 1, 20, 20, *([1] if number < marked else [])))
    else:
        data = COCO(tmp_path).add('val', 'v')
        for number in range(3):
            data.add('train', f'{number}')
        for item in data.content['train']['annotations'][:marked]:
            item['iscrowd'] = 1
        data.save()
    problems = check(data.root)
    assert all(
        'difficult (VOC: difficult, COCO: iscrowd or ignore)' in p.message for p in problems if 'mark' in p.message
    )
    warnings, errors = said(problems, 'ignored', 'warning'), said(problems, 'no object', 'error')
    assert [len(warnings), sum('train' in text and 'set these marks to 0' in text for text in errors)] == {
        1: [0, 0],
        2: [1, 0],
        3: [0, 1],
    }[marked]
    assert len(said(problems, 'no object', 'warning')) == marked  # Each image.


# --------------------------------------------------------------------------------------------------------- proposals


def make_store(path, images, boxes=((1, 1, 20, 20),)):
    """A store with proposals for (key, width, height, content of the file)."""
    with ProposalWriter(path, {'method': 'test'}) as writer:
        for key, width, height, content in images:
            array = np.array(boxes, np.float32).reshape(-1, 4)
            proposals = Proposals(array, np.linspace(1, 0.5, len(array), dtype=np.float32), height, width)
            writer.add(key, proposals, identify(content))
    assert len(ProposalStore(path)) == len(images)
    return path


def with_stores(root, *stores):
    return [replace(split, stores=tuple(map(Path, stores))) for split in find_splits(root)[0]]


def test_proposals_that_match(tmp_path):
    data = VOC(tmp_path / 'set').add('train', 'a').add('val', 'b')
    stores = [
        make_store(tmp_path / f'{name}.h5', [(f'{name}.jpg', WIDTH, HEIGHT, data.image(name).read_bytes())])
        for name in 'ab'
    ]
    assert not check(data.root, splits=with_stores(data.root, *stores))


def test_proposals_that_do_not_match(tmp_path):
    data = VOC(tmp_path / 'set').add('train', 'lacking').add('val', 'larger').add('val', 'changed')
    data.add('train', 'empty', size=(WIDTH, HEIGHT)).annotation('empty').write_text(xml([]))
    store = make_store(
        tmp_path / 'store.h5',
        [
            ('larger.jpg', 2 * WIDTH, HEIGHT, data.image('larger').read_bytes()),
            ('changed.jpg', WIDTH, HEIGHT, b'another file'),
            ('nobody.jpg', WIDTH, HEIGHT, b''),
        ],
    )
    problems = [p for p in check(data.root, splits=with_stores(data.root, store)) if p.kind == 'proposals']
    assert [(p.severity, Path(p.file).name) for p in problems] == [
        ('error', 'lacking.jpg'),
        ('error', 'larger.jpg'),
        ('error', 'changed.jpg'),
        ('warning', 'store.h5'),
    ]
    assert 'nobody.jpg' in problems[-1].message
    # Without reading images, what the annotations say of their size must do.
    problems = check(data.root, splits=with_stores(data.root, store), images=False)
    assert len(said(problems, 'proposals', 'error')) == 2 and len(said(problems, 'proposals', 'warning')) == 1


def test_images_that_are_annotated_in_part_need_no_proposals(tmp_path):
    data = ILSVRC(tmp_path / 'set').add('train', 'ILSVRC2014_train_0000/ILSVRC2014_train_00000001').add('val', 'b')
    image = data.image('val', 'b').read_bytes()
    store = make_store(tmp_path / 'store.h5', [('val/b.JPEG', WIDTH, HEIGHT, image)])
    splits = with_stores(data.root, store)
    assert not said(check(data.root, splits=splits), 'proposals')
    splits = [replace(split, files=replace(split.files, exhaustive=True)) for split in splits]
    (lacking,) = said(check(data.root, splits=splits), 'proposals', 'error')
    assert 'ILSVRC2014_train_00000001' in lacking


def test_images_without_proposals_and_broken_stores(tmp_path):
    data = VOC(tmp_path / 'set').add('train', 'a').add('val', 'b')
    keys = [(f'{name}.jpg', WIDTH, HEIGHT, data.image(name).read_bytes()) for name in 'ab']
    store = make_store(tmp_path / 'store.h5', keys, boxes=())
    problems = check(data.root, splits=with_stores(data.root, store))
    assert ['has no proposal for it' in text for text in said(problems, 'proposals', 'warning')] == [True, True]
    write(tmp_path / 'broken.h5', b'nothing')
    problems = check(data.root, splits=with_stores(data.root, tmp_path / 'broken.h5', tmp_path / 'missing.h5'))
    assert len(said(problems, 'proposals', 'error')) == 2


def test_real_sets(shared_data):
    """What is known of them: two empty boxes among blood cells, and copies among the raccoons."""
    problems = check(shared_data / 'voc/bccd', images=False)
    assert [(p.kind, p.severity) for p in problems] == [('box empty', 'warning')] * 2
    problems = check(shared_data / 'voc/raccoon', workers=None)
    assert {p.severity for p in problems} == {'warning'} and len(said(problems, 'shared image')) == 2
    coco = json.loads((shared_data / 'coco/coco128/annotations.json').read_bytes())
    scan = check_data(find_splits(shared_data / 'coco/coco128')[0], classes_of_first=True, images=False).scans[0]
    counted = scan.statistics.total('boxes') + scan.statistics.total('ignored') + scan.statistics.total('dropped')
    assert (counted, scan.statistics.empty) == (len(coco['annotations']), 2)
