"""tools/validate_data.py: what it prints, writes and returns."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest
from small_sets import COCO, VOC, write

from det_inception.cli import common as cli

REPO = Path(__file__).resolve().parent.parent.parent
VOC_CONFIG = REPO / 'configs/googlenet_rcnn_voc.py'


@pytest.fixture
def validate(monkeypatch, capfd):
    """Runs the tool; returns exit status, standard output and standard error."""
    spec = importlib.util.spec_from_file_location('tool_validate_data', REPO / 'tools/validate_data.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def run(*arguments):
        monkeypatch.setattr(sys, 'argv', ['validate_data.py', *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as stop:
            cli.run(module.main)
        return stop.value.code, *capfd.readouterr()

    return run


@pytest.fixture
def broken(tmp_path):
    data = VOC(tmp_path / 'set').add('train', 'a', ('ant', 1, 1, 9, 9), ('ant', 5, 5, 90, 9))
    for number in range(4):
        write(data.add('train', f'broken{number}').image(f'broken{number}'), b'')
    return data.add('val', 'b')


def test_a_sound_set(tmp_path, validate):
    VOC(tmp_path).add('train', 'a', ('ant', 1, 1, 10, 20), ('bee', 1, 1, 4, 8)).add('val', 'b', ('bee', 3, 3, 8, 6))
    status, out, _ = validate(tmp_path)
    assert status == 0
    assert (
        '1 image, 1 readable, 40 wide, 30 high' in out and '2 boxes, 2 classes, 2.0 boxes per image, at most 2' in out
    )
    table = [line.split() for line in out.splitlines() if line.startswith(('ant', 'bee'))]
    assert table == [['ant', '1', '1', '0', '0', '10', 'x', '20'], ['bee', '1', '1', '1', '1', '4', 'x', '8']]
    assert out.endswith('Nothing that would stop training or testing: 0 errors, 1 warning.\n')


def test_a_broken_set(broken, validate, tmp_path):
    status, out, _ = validate(broken.root, '--max-shown', 3, '--json', tmp_path / 'new/all.json')
    assert status == 1
    assert 'error: Images that cannot be read (4)\n' in out and '  ... and 1 more' in out
    assert 'Training or testing would stop: 4 errors, 1 warning.' in out
    written = json.loads((tmp_path / 'new/all.json').read_text())
    assert (written['errors'], written['warnings'], len(written['problems'])) == (4, 1, 5)
    assert [(split['name'], split['images'], split['readable']) for split in written['splits']] == [
        ('train', 5, 1),
        ('val', 1, 1),
    ]
    assert written['splits'][0]['classes']['ant']['boxes'] == 6
    assert written['problems'][0]['file'] == str(broken.image('broken0'))


def test_without_images(broken, validate):
    status, out, _ = validate(broken.root, '--no-images')
    assert status == 0 and 'readable' not in out
    broken.image('broken0').rename(broken.root / 'JPEGImages/broken0.JPEG')
    broken.image('broken1').unlink()
    status, out, _ = validate(broken.root, '--no-images')
    assert status == 1 and 'error: Images that are missing (1)' in out


def test_some_parts_only(broken, validate, tmp_path):
    status, out, _ = validate(broken.root, '--split', 'val')
    assert status == 0 and 'broken0' not in out and out.count(': Pascal VOC layout') == 1
    status, out, _ = validate('--config', VOC_CONFIG, '--data-root', broken.root, '--split', 'train')
    assert status == 1 and out.count(': Pascal VOC layout') == 1
    status, _, said = validate(broken.root, '--split', 'val', 'trian')
    assert status == 2 and "no part 'trian' in the data set; name some of train, val." in said
    # Images of the other parts are in the same folder.
    data = COCO(tmp_path / 'coco').add('train', 'a', ('ant', 1, 1, 9, 9)).add('val', 'b', ('ant', 1, 1, 9, 9))
    data.save()
    assert 'no list names' not in validate(data.root, '--split', 'val')[1]


def test_exactly_what_a_config_trains_on(broken, validate):
    status, out, _ = validate('--config', VOC_CONFIG, '--data-root', broken.root)
    assert status == 1 and out.count(': Pascal VOC layout') == 2 and '4 errors, 1 warning' in out
    (broken.root / 'ImageSets/Main/few.txt').write_text('a\n')
    options = ('--cfg-options', 'train_dataloader.dataset.ann_file=ImageSets/Main/few.txt')
    status, out, _ = validate('--config', VOC_CONFIG, '--data-root', broken.root, *options)
    assert status == 0, out
    status, out, _ = validate('--config', VOC_CONFIG, '--data-root', broken.root, *options, 'classes=("bee",)')
    assert status == 1 and "2 objects of class 'ant', which is not among the classes bee" in out
    # Neither weights nor the training data are opened to read the config.
    status, out, said = validate('--config', REPO / 'configs/googlenet_rcnn.py', '--data-root', broken.root)
    assert status == 2 and 'is a data set in Pascal VOC layout (JPEGImages), and the config is for' in said
    (broken.root / 'ImageSets/DET').mkdir()
    for class_id in range(1, 201):
        lines = 'shown 1\npartly 0\nnot 1\n' if class_id == 7 else 'not -1\nnever -1\n'
        (broken.root / f'ImageSets/DET/train_{class_id}.txt').write_text(lines)
    status, out, _ = validate('--config', REPO / 'configs/googlenet_rcnn.py', '--data-root', broken.root)
    missing = {
        line.split(': ')[0].split('/')[-1] for line in out.splitlines() if 'neither image nor annotation' in line
    }
    assert status == 1 and {name.strip() for name in missing} == {'shown.JPEG', 'partly.JPEG', 'not.JPEG'}


def test_a_config_for_coco(tmp_path, validate):
    data = COCO(tmp_path).add('train', 'a').add('val', 'b', ('bee', 1, 1, 9, 9)).save()
    status, out, _ = validate('--config', REPO / 'configs/googlenet_rcnn_bbox-reg_coco.py', '--data-root', data.root)
    assert status == 1 and "of class 'bee', which is not among the classes ant" in out and '2 errors' in out


def test_proposals_of_a_config_and_of_the_command(broken, validate):
    pipeline = 'val_dataloader.dataset.pipeline.2.store=nowhere.h5'
    _, out, _ = validate('--config', VOC_CONFIG, '--data-root', broken.root, '--cfg-options', pipeline)
    assert 'There is no proposal store' in out and 'nowhere.h5' in out
    _, out, _ = validate(broken.root, '--proposals', 'elsewhere.h5')
    assert 'There is no proposal store' in out and 'elsewhere.h5' in out


@pytest.mark.parametrize(
    'arguments, said',
    [
        ([], 'give DATA_ROOT or --config'),
        (['folder', '--config', 'file'], 'give DATA_ROOT or --config'),
        (['folder', '--data-root', 'other'], 'belong to --config'),
        (['--config', 'file', '--image-root', 'x'], '--image-root belongs to DATA_ROOT'),
        (['folder', '--workers', '0'], '--workers is at least 1'),
        (['nowhere'], 'error: nowhere: no such file or folder'),
        (['--config', 'nowhere.py'], 'no such config file'),
    ],
)
def test_refused(arguments, said, validate):
    status, _, err = validate(*arguments)
    assert status == 2 and said in err and 'Traceback' not in err


@pytest.mark.parametrize(
    'lists, missing',
    [
        (['default'], "no part 'train' and no part 'val'; its part is default; divide it with "),
        (['test'], "no part 'train' and no part 'val'"),
        (['train'], "no part 'val'; its part is train; "),
        (['train', 'valid'], None),
    ],
)
def test_parts_that_a_training_would_look_for_in_vain(lists, missing, tmp_path, validate):
    data = VOC(tmp_path)
    for number, name in enumerate(lists):
        data.add(name, f'{number}')
    status, out, _ = validate(tmp_path)
    assert status == (missing is not None)
    if missing is not None:
        assert f'error: Lists and folders (1)\n  {tmp_path}: has {missing}' in out
        assert f'"det-inception split {tmp_path}"' in out
        assert validate(tmp_path, '--val-share', '0.2')[0] == 0
        assert validate(tmp_path, '--split', lists[0])[0] == 0
