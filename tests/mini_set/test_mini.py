"""The set that the project draws itself: what is drawn, what is written, and when nothing may be."""

from __future__ import annotations

import hashlib
import json
import re
import runpy
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from det_inception.formats.ilsvrc_lists import read_train_lists
from det_inception.formats.synsets import DET_WNIDS
from det_inception.ilsvrc import read_blacklist, read_image_list
from det_inception.mini_set import CLASSES, MiniSetError, compose, contact_sheet, make_mini, render
from det_inception.mini_set.canvas import Canvas
from det_inception.mini_set.objects import CATALOGUE
from det_inception.utils.errors import InputError
from det_inception.validation.splitting import divide_like_rcnn, write_parts

TRAIN, VAL, SEED = 14, 7, 3


@pytest.fixture(scope='module')
def root(tmp_path_factory) -> Path:
    return make_mini(tmp_path_factory.mktemp('data') / 'mini', TRAIN, VAL, SEED, workers=2, progress=False)


@pytest.fixture(scope='module')
def scenes():
    return [compose((11, i)) for i in range(1, 25)]


def digest(root: Path) -> str:
    total = hashlib.sha256()
    for file in sorted(p for p in root.rglob('*') if p.is_file()):
        total.update(str(file.relative_to(root)).encode() + file.read_bytes())
    return total.hexdigest()


def annotations(root: Path) -> list[ElementTree.Element]:
    return [ElementTree.parse(file).getroot() for file in sorted(root.glob('Annotations/DET/*/*.xml'))]


# --- what is drawn


def test_picture_and_boxes_are_well_formed(scenes):
    wnids = {wnid for wnid, _ in CLASSES}
    for scene in scenes:
        height, width, channels = scene.image.shape
        assert scene.image.dtype == np.uint8
        assert channels == 3
        assert 240 <= max(height, width) <= 360
        assert 1 <= len(scene.boxes) <= 6
        for wnid, x1, y1, x2, y2 in scene.boxes:
            assert wnid in wnids
            assert 0 <= x1 <= x2 <= width - 1
            assert 0 <= y1 <= y2 <= height - 1
            assert min(x2 - x1, y2 - y1) + 1 >= 10


def test_boxes_are_tight_about_what_is_seen(scenes):
    """From the layers alone, last painted first: an object has what the layers over it let through."""
    hidden_ones = 0
    for scene in scenes:
        transmitted = np.ones(scene.image.shape[:2])
        for layer in reversed(scene.layers):
            alpha = layer.alpha / 255.0
            if layer.object_index >= 0:
                # A thousandth, because float32 and float64 round a half differently.
                ys, xs = np.nonzero(alpha * transmitted >= 0.5 - 1e-3)
                sure_ys, sure_xs = np.nonzero(alpha * transmitted >= 0.5 + 1e-3)
                _, x1, y1, x2, y2 = scene.boxes[layer.object_index]
                assert xs.min() <= x1 <= sure_xs.min()
                assert ys.min() <= y1 <= sure_ys.min()
                assert sure_xs.max() <= x2 <= xs.max()
                assert sure_ys.max() <= y2 <= ys.max()
                share = len(sure_xs) / np.count_nonzero(layer.alpha >= 128)
                assert share > 0.4
                hidden_ones += share < 0.9
            transmitted *= 1 - alpha
    assert hidden_ones > 3


def test_a_seed_is_a_picture():
    image, boxes = render((4, 1, 2))
    again, boxes_again = render((4, 1, 2))
    other, _ = render((4, 1, 3))
    np.testing.assert_array_equal(image, again)
    assert boxes == boxes_again
    assert image.shape != other.shape or (image != other).any()


def test_threads_of_opencv_change_nothing():
    threads = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1)
        image, boxes = render(5)
        cv2.setNumThreads(4)
        again, boxes_again = render(5)
    finally:
        cv2.setNumThreads(threads)
    np.testing.assert_array_equal(image, again)
    assert boxes == boxes_again


@pytest.mark.parametrize('entry', CATALOGUE, ids=lambda entry: entry.name)
def test_drawings_fit_their_board_and_vary(entry):
    boards = []
    for seed in range(6):
        canvas = Canvas(40, (0.5, -0.5, 1), np.random.default_rng(seed))
        entry.draw(canvas)
        boards.append(canvas.sprite())
        alpha = boards[-1][..., 3]
        assert 0.08 < (alpha >= 128).mean() < 0.9
        border = np.concatenate([alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]])
        assert border.max() < 128, 'the drawing is cut off at the edge of its board'
        assert (boards[-1][..., :3] <= alpha[..., None].astype(int) + 1).all()
        # Several parts or shades, not one flat patch.
        assert boards[-1][..., :3][alpha == 255].std(0).max() > 12
    assert len({board.tobytes() for board in boards}) == 6


def test_classes_are_synsets_of_ilsvrc_det():
    from det_inception.ilsvrc import DET_CLASSES, DET_WNIDS

    names = dict(zip(DET_WNIDS, DET_CLASSES, strict=True))
    assert len(CLASSES) == len(set(CLASSES)) == 12
    assert all(names[wnid] == name for wnid, name in CLASSES)


def test_classes_and_sizes_are_balanced():
    boxes = [box for i in range(1, 81) for box in render((21, i))[1]]
    counts = Counter(wnid for wnid, *_ in boxes)
    assert len(counts) == len(CLASSES)
    assert max(counts.values()) < 4 * min(counts.values())
    longer = np.array([max(x2 - x1, y2 - y1) + 1 for _, x1, y1, x2, y2 in boxes])
    assert np.percentile(longer, 2) < 50
    assert np.percentile(longer, 98) > 150
    assert longer.max() <= 260


# --- what is written


def test_layout_is_that_of_ilsvrc_det(root):
    for split, count in (('train', TRAIN), ('val', VAL)):
        lines = (root / f'ImageSets/DET/{split}.txt').read_text().splitlines()
        assert lines == [f'mini_{split}_{i:06d} {i}' for i in range(1, count + 1)]
        names = {line.split()[0] for line in lines}
        assert {p.name for p in (root / 'Data/DET' / split).iterdir()} == {f'{n}.JPEG' for n in names}
        assert {p.name for p in (root / 'Annotations/DET' / split).iterdir()} == {f'{n}.xml' for n in names}
    assert sorted(p.name for p in (root / 'Data/DET/test').iterdir()) == ['mini_test_000001.JPEG']
    assert not (root / 'Annotations/DET/test').exists()  # As there: what a test is about is not told.
    beside = {'ilsvrc13_val2.txt', 'ILSVRC2014_det_validation_blacklist.txt'}
    assert {p.name for p in root.iterdir()} == {'Annotations', 'Data', 'ImageSets', 'mini.json'} | beside
    assert [p.name for p in root.parent.iterdir()] == ['mini'], 'nothing may be left beside the set'


def test_lists_of_classes_and_halves_are_those_of_ilsvrc(root):
    lists = read_train_lists(root / 'ImageSets/DET')
    shown = {
        file.stem: {item.findtext('name') for item in ElementTree.parse(file).iter('object')}
        for file in (root / 'Annotations/DET/train').iterdir()
    }
    assert {*lists.images} == {*shown}
    for number, wnid in enumerate(DET_WNIDS, start=1):
        positive = {lists.images[place] for place in lists.labels['positive'][number]}
        negative = {lists.images[place] for place in lists.labels['negative'][number]}
        assert positive == {name for name, wnids in shown.items() if wnid in wnids}
        assert negative == ({*shown} - positive if positive else set())
        assert not len(lists.labels['partial'][number])
    halves = [read_image_list(root / f'ImageSets/DET/val{half}.txt') for half in (1, 2)]
    assert halves[0] == {'mini_val_000001': 1, 'mini_val_000003': 3, 'mini_val_000005': 5}  # 7 is on the blacklist.
    assert halves[1] == {'mini_val_000002': 2, 'mini_val_000004': 4, 'mini_val_000006': 6}
    # They are those that tools/split_data.py makes, which leaves equal files as they are.
    files = divide_like_rcnn(
        root / 'ImageSets/DET/val.txt', root / 'ilsvrc13_val2.txt', root / 'ILSVRC2014_det_validation_blacklist.txt'
    )
    before = digest(root)
    write_parts(files)
    assert digest(root) == before
    with pytest.raises(InputError, match=r'val1\.txt: is there already'):
        write_parts({path: content + 'mini_val_000007 7\n' for path, content in files.items()})
    ((index, class_id),) = read_blacklist(root / 'ILSVRC2014_det_validation_blacklist.txt')
    assert index == 7 and DET_WNIDS[class_id - 1] not in (root / 'Annotations/DET/val/mini_val_000007.xml').read_text()


def test_a_set_of_before_the_lists_is_made_anew(tmp_path):
    root = make_mini(tmp_path / 'mini', 2, 1, 0, workers=1, progress=False)
    complete, record = digest(root), json.loads((root / 'mini.json').read_text())
    del record['lists']
    (root / 'mini.json').write_text(json.dumps(record))
    for path in (*root.glob('ImageSets/DET/*_*.txt'), root / 'ilsvrc13_val2.txt'):
        path.unlink()
    assert digest(make_mini(root, 2, 1, 0, workers=1, progress=False)) == complete


def test_annotation_files_read_as_the_shipped_ones(root):
    file = root / 'Annotations/DET/val/mini_val_000001.xml'
    shape = re.sub(r'\t<object>.*</object>\n', '', re.sub(r'\d+', '#', file.read_text()), flags=re.DOTALL)
    assert shape.splitlines() == [
        '<annotation>',
        '\t<folder>mini_val</folder>',
        '\t<filename>mini_val_#</filename>',
        '\t<source>',
        '\t\t<database>det_inception_mini</database>',
        '\t</source>',
        '\t<size>',
        '\t\t<width>#</width>',
        '\t\t<height>#</height>',
        '\t</size>',
        '</annotation>',
    ]
    thing = ElementTree.parse(file).getroot().find('object')
    assert [child.tag for child in thing] == ['name', 'bndbox']
    assert [child.tag for child in thing.find('bndbox')] == ['xmin', 'xmax', 'ymin', 'ymax']


def test_annotations_tell_what_render_says(root):
    for split, number in (('train', 0), ('val', 1)):
        image, boxes = render((SEED, number, 2))
        name = f'mini_{split}_000002'
        read = ElementTree.parse(root / f'Annotations/DET/{split}/{name}.xml').getroot()
        assert read.findtext('filename') == name
        keys = ('xmin', 'ymin', 'xmax', 'ymax')
        found = [(o.findtext('name'), *(int(o.findtext(f'bndbox/{key}')) for key in keys)) for o in read.iter('object')]
        assert found == boxes
        stored = cv2.imread(str(root / f'Data/DET/{split}/{name}.JPEG'))
        assert stored.shape == image.shape
        assert (int(read.findtext('size/width')), int(read.findtext('size/height'))) == image.shape[1::-1]
        # The same picture, but for what JPEG loses.
        assert np.abs(stored.astype(int) - image).mean() < 12


def test_boxes_stay_inside_the_images(root):
    for read in annotations(root):
        width, height = (int(read.findtext(f'size/{key}')) for key in ('width', 'height'))
        things = read.findall('object')
        assert 1 <= len(things) <= 6
        for thing in things:
            x1, y1, x2, y2 = (int(thing.findtext(f'bndbox/{key}')) for key in ('xmin', 'ymin', 'xmax', 'ymax'))
            assert 0 <= x1 < x2 < width
            assert 0 <= y1 < y2 < height


@pytest.mark.parametrize('workers', [1, 4])
def test_workers_change_nothing(root, tmp_path, workers):
    again = make_mini(tmp_path / 'again', TRAIN, VAL, SEED, workers=workers, progress=False)
    assert digest(again) == digest(root)


def test_splits_share_no_image(root):
    contents = [hashlib.sha256(p.read_bytes()).digest() for p in root.glob('Data/DET/*/*.JPEG')]
    assert len(set(contents)) == TRAIN + VAL + 1


def test_the_projects_loader_reads_it(root):
    pytest.importorskip('mmdet')
    from det_inception.datasets.ilsvrc_det import ILSVRCDetDataset

    names = tuple(name for _, name in CLASSES)
    loader = ILSVRCDetDataset(
        ann_file='ImageSets/DET/val.txt',
        split='val',
        data_root=str(root),
        metainfo=dict(classes=names),
        test_mode=True,
        pipeline=[],
    )
    assert len(loader) == VAL
    wnids = {name: wnid for wnid, name in CLASSES}
    for i in range(VAL):
        info = loader.get_data_info(i)
        found = [(wnids[names[o['bbox_label']]], *o['bbox']) for o in info['instances']]
        # From inclusive pixels to continuous coordinates: the far sides move by one.
        expected = [(w, x1, y1, x2 + 1, y2 + 1) for w, x1, y1, x2, y2 in render((SEED, 1, i + 1))[1]]
        assert found == expected


# --- when it lies there already


def test_complete_set_is_left_alone(root):
    before = {p: p.stat().st_mtime_ns for p in root.rglob('*')}
    assert make_mini(root, TRAIN, VAL, SEED, progress=False) == root
    assert {p: p.stat().st_mtime_ns for p in root.rglob('*')} == before


def test_other_parameters_need_force(tmp_path):
    root = make_mini(tmp_path / 'mini', 2, 1, 0, workers=1, progress=False)
    with pytest.raises(MiniSetError, match=r'seed 0 instead of 1, train 2 instead of 3.*--force'):
        make_mini(root, 3, 1, 1, workers=1, progress=False)
    assert len(annotations(root)) == 3
    make_mini(root, 3, 1, 1, workers=1, progress=False, force=True)
    assert len(annotations(root)) == 4
    assert [p.name for p in tmp_path.iterdir()] == ['mini']


def test_incomplete_set_is_noticed(tmp_path):
    root = make_mini(tmp_path / 'mini', 2, 1, 0, workers=1, progress=False)
    complete = digest(root)
    (root / 'Data/DET/train/mini_train_000002.JPEG').unlink()
    with pytest.raises(MiniSetError, match='lacks some of its files'):
        make_mini(root, 2, 1, 0, workers=1, progress=False)
    make_mini(root, 2, 1, 0, workers=1, progress=False, force=True)
    assert digest(root) == complete


def test_other_generator_version_is_noticed(tmp_path):
    root = make_mini(tmp_path / 'mini', 1, 1, 0, workers=1, progress=False)
    record = json.loads((root / 'mini.json').read_text())
    (root / 'mini.json').write_text(json.dumps({**record, 'generator': -1}))
    with pytest.raises(MiniSetError, match='generator -1 instead of'):
        make_mini(root, 1, 1, 0, workers=1, progress=False)


@pytest.mark.parametrize('force', [False, True])
def test_somebodys_files_are_never_replaced(tmp_path, force):
    (tmp_path / 'mini').mkdir()
    (tmp_path / 'mini/thesis.txt').write_text('all of it')
    with pytest.raises(MiniSetError, match='not a set made by this tool'):
        make_mini(tmp_path / 'mini', 1, 1, 0, workers=1, progress=False, force=force)
    assert (tmp_path / 'mini/thesis.txt').read_text() == 'all of it'


def test_nothing_half_made_remains(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError('disk full')

    monkeypatch.setattr('det_inception.mini_set.folder._annotation', fail)
    with pytest.raises(MiniSetError, match='mini: cannot be made: disk full'):
        make_mini(tmp_path / 'mini', 2, 1, 0, workers=1, progress=False)
    assert list(tmp_path.iterdir()) == []


def test_failing_workers_are_reported(tmp_path, monkeypatch):
    monkeypatch.setattr('det_inception.mini_set.folder._WORKER', 'raise SystemExit(3)')
    with pytest.raises(MiniSetError, match='worker process failed'):
        make_mini(tmp_path / 'mini', 2, 2, 0, workers=2, progress=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ('parameters', 'sentence'),
    [
        (dict(train=0), 'train and val must each be at least 1 image, not 0 and 1'),
        (dict(val=-2), 'not 1 and -2'),
        (dict(seed=-1), 'seed must not be negative'),
        (dict(workers=0), 'at least 1 worker'),
    ],
)
def test_senseless_parameters_are_refused(tmp_path, parameters, sentence):
    with pytest.raises(MiniSetError, match=sentence):
        make_mini(tmp_path / 'mini', **{**dict(train=1, val=1, progress=False), **parameters})
    assert list(tmp_path.iterdir()) == []


# --- the contact sheet and the tool


def test_contact_sheet_shows_images_and_boxes(root):
    sheet = contact_sheet(root, count=4, columns=2)
    assert sheet.shape == (732, 732, 3)
    assert (sheet == (0, 255, 255)).all(-1).sum() > 300


def test_contact_sheet_without_a_set(tmp_path):
    with pytest.raises(MiniSetError, match='make the set first'):
        contact_sheet(tmp_path)


def test_tool_makes_and_refuses(tmp_path, monkeypatch, capsys):
    def tool(*arguments: str) -> int:
        script = str(Path(__file__).parents[2] / 'tools/make_mini.py')
        monkeypatch.setattr(sys, 'argv', [script, str(tmp_path / 'mini'), '--val=1', '--workers=1', *arguments])
        with pytest.raises(SystemExit) as end:
            runpy.run_path(script, run_name='__main__')
        return end.value.code

    assert tool('--train=2', '--quiet', f'--contact-sheet={tmp_path / "sheet.png"}') == 0
    assert '2 training and 1 validation images' in capsys.readouterr().out
    assert cv2.imread(str(tmp_path / 'sheet.png')) is not None
    assert tool('--train=3') == 2
    assert 'train 2 instead of 3' in capsys.readouterr().err
    assert tool('--train=3', '--force') == 0
    assert 'image' in capsys.readouterr().err, 'the progress bar'
    assert tool('--help') == 0
    assert 'ILSVRC DET' in capsys.readouterr().out
