"""``det-inception demo``: photos, the mini set, its mAP."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from det_inception.cli.common import run
from det_inception.cli.demo import main
from det_inception.inference import tour
from det_inception.mini_set import make_mini

REPO = Path(__file__).resolve().parents[2]


def demo(monkeypatch, capfd, *arguments):
    monkeypatch.setattr(sys, 'argv', ['det-inception demo', *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        run(main)
    return stop.value.code, *capfd.readouterr()


def test_the_demo(tmp_path, monkeypatch, capfd):
    (tmp_path / 'photos').mkdir()
    shutil.copy(REPO / 'examples/photos/chelsea.jpg', tmp_path / 'photos')
    monkeypatch.setattr(tour, 'included', lambda folder: tmp_path / 'photos')
    monkeypatch.setattr(tour, 'make_mini', lambda root, train: make_mini(root, train, 2, workers=1, progress=False))
    monkeypatch.chdir(tmp_path)
    status, out, error = demo(monkeypatch, capfd, '--out-dir', 'out', '--device', 'cpu')
    assert status == 0, error
    assert '1 photos, 1 boxes: out/photos' in out and '2 of the drawn test images, ' in out
    assert float(out.split()[-1]) > 0.5, 'a mAP of the small network on its own kind of images'
    (found,) = json.loads((tmp_path / 'out/photos/detections.json').read_text())['images'].values()
    assert found[0]['label'] == 'cat'
    assert {path.name for path in (tmp_path / 'out/mini').glob('*.png')} == {
        'mini_val_000001.png',
        'mini_val_000002.png',
    }
    # Only what is tested was drawn; a whole set is taken where it lies.
    assert json.loads((tmp_path / 'out/set/mini.json').read_text())['train'] == 1
    (tmp_path / 'data').mkdir()
    (tmp_path / 'out/set').rename(tmp_path / 'data/mini')
    monkeypatch.setattr(tour, 'make_mini', None)
    monkeypatch.setattr(tour, 'test', lambda *_, **__: {tour.MAP: 0.25})
    monkeypatch.setattr(tour, 'detect_all', lambda *_: None)
    monkeypatch.setattr(tour, 'Detector', lambda *_, **__: None)
    assert tour.tour('again').data_root == Path('data/mini')


def test_a_folder_of_something_else_is_left_alone(tmp_path, monkeypatch, capfd):
    (tmp_path / 'mine').mkdir()
    (tmp_path / 'mine/thesis.txt').write_text('all of it')
    status, _, error = demo(monkeypatch, capfd, '--data-root', tmp_path / 'mine', '--out-dir', tmp_path / 'out')
    assert status == 2 and 'is not a set made by this tool' in error
