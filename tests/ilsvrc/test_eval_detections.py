"""tools/eval_detections.py: the official numbers from the command line, and one sentence for every mistake."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from det_inception.cli import common as cli

ROOT = Path(__file__).parents[2]
GOOD = '1 1 0.9 10 20 110 120\n2 2 0.8 5 5 50 60\n'


@pytest.fixture(scope='module')
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location('eval_detections', ROOT / 'tools' / 'eval_detections.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run(tool, monkeypatch, capsys):
    """Runs the tool as from a shell; returns exit status, output and errors."""

    def call(**options) -> tuple[int, str, str]:
        arguments = [f'--{name.replace("_", "-")}={value}' for name, value in options.items()]
        monkeypatch.setattr(sys, 'argv', ['eval_detections.py', *arguments])
        with pytest.raises(SystemExit) as caught:
            cli.run(tool.main)
        output = capsys.readouterr()
        return caught.value.code, output.out, output.err

    return call


@pytest.fixture
def small(tmp_path: Path) -> dict[str, Path]:
    """A submission, annotations and an image list of three images and two classes."""
    folder = tmp_path / 'xml'
    folder.mkdir()
    for name, objects in {'a': [('n02672831', 10)], 'b': [('airplane', 5)], 'c': []}.items():
        (folder / f'{name}.xml').write_text(
            '<annotation>'
            + ''.join(
                f'<object><name>{label}</name><bndbox><xmin>{x}</xmin><xmax>{x + 100}</xmax><ymin>20</ymin>'
                '<ymax>120</ymax></bndbox></object>'
                for label, x in objects
            )
            + '</annotation>'
        )
    (tmp_path / 'entry.txt').write_text(GOOD)
    (tmp_path / 'list.txt').write_text('a 1\nb 2\nc 3\n')
    return {'predictions': tmp_path / 'entry.txt', 'ground_truth': folder, 'image_list': tmp_path / 'list.txt'}


def test_the_demo_submission(run, shared_data: Path, tmp_path: Path):
    kit = shared_data / 'ilsvrc_devkit'
    status, out, err = run(
        predictions=kit / 'demo.val.pred.det.txt.xz',
        ground_truth=kit / 'ILSVRC2015_det_validation_ground_truth.mat',
        blacklist=kit / 'ILSVRC2014_det_validation_blacklist.txt',
        image_list=kit / 'det_lists' / 'val.txt',
        json=tmp_path / 'new' / 'score.json',
    )
    lines = [' '.join(line.split()) for line in out.splitlines()]
    assert status == 0
    assert lines[0] == '49013 detections, 20121 images, 55502 objects, 409 blacklisted pairs'
    assert lines[1:5] == ['Category AP', 'accordion 0.564', 'airplane 0.528', 'ant 0.548']
    assert lines[-3:] == ['- - - - - - - -', 'Mean AP: 0.590', 'Median AP: 0.601']
    assert '1692 boxes have xmax < xmin' in err
    score = json.loads((tmp_path / 'new' / 'score.json').read_text())
    assert round(score['mean_ap'], 3) == 0.590
    assert len(score['classes']) == 200
    assert score['classes'][199].items() >= {'id': 200, 'name': 'zebra'}.items()


def test_a_folder_and_classes_of_ones_own(run, small, tmp_path: Path):
    (tmp_path / 'classes.txt').write_text('accordion\nairplane\n')
    status, out, err = run(**small, classes=tmp_path / 'classes.txt', json=tmp_path / 'score.json')
    assert (status, err) == (0, '')
    assert 'Mean AP:         0.500' in out
    assert json.loads((tmp_path / 'score.json').read_text())['mean_ap'] == 0.5


def test_a_detected_class_without_objects_is_null_in_json(run, small, tmp_path: Path):
    small['predictions'].write_text(GOOD + '1 7 0.5 1 1 9 9\n3 2 0.9 1 1 9 9\n')
    small['ground_truth'].joinpath('c.xml').write_text(
        small['ground_truth'].joinpath('a.xml').read_text().replace('n02672831', 'zebra')
    )
    status, out, _ = run(**small, json=tmp_path / 'score.json')
    score = json.loads((tmp_path / 'score.json').read_text())
    assert status == 0
    assert 'Mean AP:                NaN' in out
    assert '3 of 200 classes have objects; mean AP over these: 0.333' in out
    assert score['mean_ap'] is None
    assert score['classes'][6]['ap'] is None
    assert score['mean_ap_with_objects'] == pytest.approx(1 / 3)


def test_a_blacklist_of_another_numbering(run, small, tmp_path: Path):
    """As for val2, whose images the official blacklist numbers by val.txt."""
    (tmp_path / 'black.txt').write_text('77 n02691156\n78 n02672831\n')
    status, _, err = run(**small, blacklist=tmp_path / 'black.txt')
    assert status == 2
    assert 'black.txt: image index 77 is not in the image list' in err

    (tmp_path / 'other.txt').write_text('b 77\nelsewhere 78\n')
    small['image_list'].write_text('a 1\nb 2\n')
    status, out, _ = run(**small, blacklist=tmp_path / 'black.txt', blacklist_image_list=tmp_path / 'other.txt')
    assert status == 0
    assert '1 blacklisted pairs' in out
    assert '1 of 200 classes have objects; mean AP over these: 1.000' in out


def test_a_report_with_pictures(run, small, tmp_path: Path):
    cv2.imwrite(str(tmp_path / 'b.png'), np.zeros((200, 200, 3), np.uint8))
    status, out, err = run(**small, report=tmp_path / 'new' / 'report', images=tmp_path, report_pictures=3)
    page = (tmp_path / 'new' / 'report' / 'index.html').read_text(encoding='utf-8')
    assert (status, err) == (0, '')
    assert out.endswith(f'Report: {tmp_path}/new/report/index.html\n')
    assert 'entry.txt' in page and 'From the 1 of 3 images that are at hand' in page
    assert '>airplane 0.80<' in page
    status, _, _ = run(**small, report=tmp_path / 'bare')
    assert status == 0 and '--images FOLDER says where they are' in (tmp_path / 'bare/index.html').read_text()


# fmt: off
REPORT_MISTAKES = {
    'no folder': (dict(report='entry.txt'), 'entry.txt: the report cannot be written there (File exists)'),
    'below a file': (dict(report='entry.txt/x'), 'entry.txt/x: the report cannot be written there'),
    'images alone': (dict(images='xml'), '--images is for the pictures of a report; give --report DIR as well'),
    'no images': (dict(report='r', images='xml'), 'xml: holds no image'),
    'absent': (dict(report='r', images='y'), 'y: no such folder of images'),
    'others': (dict(report='r', images='other'), 'other: holds none of the 3 evaluated images, such as a'),
}
# fmt: on


@pytest.mark.parametrize(('options', 'message'), REPORT_MISTAKES.values(), ids=REPORT_MISTAKES)
def test_mistakes_about_the_report(run, small, tmp_path: Path, options, message):
    (tmp_path / 'other').mkdir()
    (tmp_path / 'other' / 'x.png').write_bytes(b'')
    status, out, err = run(**small, **{name: tmp_path / value for name, value in options.items()})
    assert (status, out) == (2, '')
    assert err.startswith('error: ') and err.count('\n') == 1 and message in err
    assert not list(tmp_path.rglob('index.html'))


# fmt: off
MISTAKES = {
    # file, what it is overwritten with (None: removed) -> what is said
    'no submission': ('predictions', None, 'entry.txt: cannot be read (No such file or directory)'),
    'empty submission': ('predictions', '', 'entry.txt: the submission holds no detection'),
    'malformed line': ('predictions', GOOD + 'x\n', 'entry.txt: 1 malformed line (line 3: 1 fields instead of 7)'),
    'NaN': ('predictions', '1 1 nan 1 2 3 4\n', 'entry.txt: 1 malformed line (line 1: confidence is nan'),
    'class 201': ('predictions', '1 201 0 1 2 3 4\n', 'line 1: class_id 201 is not between 1 and 200'),
    'other images': ('predictions', '900 1 0 1 2 3 4\n', 'name 1 images that are not among the 3'),
    'unknown names': ('image_list', 'a 1\nx 2\n', 'no annotation for 1 of the 2 listed images (x)'),
    'empty list': ('image_list', '', 'list.txt: the image list is empty'),
    'no list': ('image_list', None, 'list.txt: the list of images cannot be read'),
    'no images with objects': ('image_list', 'c 1\n', 'has no object'),
}
# fmt: on


@pytest.mark.parametrize(('name', 'content', 'message'), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_gets_one_sentence(run, small, tmp_path: Path, name, content, message):
    small[name].unlink() if content is None else small[name].write_text(content)
    if name == 'image_list' and message.endswith('no object'):
        small['predictions'].write_text('1 1 0 1 2 3 4\n')
    status, out, err = run(**small, json=tmp_path / 'score.json')
    assert (status, out) == (2, '')
    assert err.startswith('error: ')
    assert err.count('\n') == 1
    assert message in err
    assert not (tmp_path / 'score.json').exists()


def test_a_mistake_leaves_no_traceback_in_a_shell(tmp_path: Path):
    result = subprocess.run(
        [
            sys.executable,
            ROOT / 'tools' / 'eval_detections.py',
            f'--predictions={tmp_path}/entry.txt',
            f'--ground-truth={tmp_path}',
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=os.environ | {'PYTHONPATH': str(ROOT)},
    )
    assert result.returncode == 2
    assert 'Traceback' not in result.stderr
    assert 'entry.txt: cannot be read' in result.stderr.splitlines()[-1]
