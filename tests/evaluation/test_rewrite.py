"""A report from the numbers of another one: ``det-inception report``."""

import sys

import cv2
import numpy as np
import pytest
from report_runs import make_run

from det_inception.cli.common import run
from det_inception.cli.report import main
from det_inception.evaluation.report import read_report, score_run, write_report, write_run

BOX, OTHER = (2, 2, 40, 30), (50, 5, 90, 60)


@pytest.fixture(scope='module')
def first(tmp_path_factory):
    """A report without images; the images lie elsewhere, one in a folder of its own."""
    tmp_path = tmp_path_factory.mktemp('reports')
    results = make_run(
        [(0, 0, BOX), (1, 1, OTHER)],
        [(0, 0, 0.9, BOX), (1, 1, 0.7, BOX)],
        image_names=('a/one.png', 'two.png'),
    )
    write_report(results, tmp_path / 'first', title='first')
    for name in ('a/one', 'b/one', 'renamed/two'):
        path = tmp_path / f'images/{name}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((80, 100, 3), 90, np.uint8))
    return tmp_path / 'first'


def report(monkeypatch, capfd, *arguments):
    monkeypatch.setattr(sys, 'argv', ['det-inception report', *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        run(main)
    return stop.value.code, *capfd.readouterr()


@pytest.mark.parametrize('file', ['', 'results.npz'])
def test_a_report_from_a_report(first, tmp_path, monkeypatch, capfd, file):
    new = tmp_path / 'new'
    status, out, _ = report(
        monkeypatch, capfd, first / file, '--out-dir', new, '--title', 'once more', '--confidence', '0.8'
    )
    assert status == 0 and out == f'report: {new / "index.html"}\n'
    page = (new / 'index.html').read_text()
    assert 'detections of confidence 0.8 or more' in page
    assert 'once more' in page and '--images FOLDER says where they are' in page
    assert score_run(read_report(new)).mean_ap == score_run(read_report(first)).mean_ap
    assert not (new / 'pictures').exists()


def test_images_are_found_by_path_and_by_name(first, tmp_path, monkeypatch, capfd):
    status, *_ = report(monkeypatch, capfd, first, '--out-dir', tmp_path / 'new', '--images', first.parent / 'images')
    assert status == 0
    assert {path.name for path in (tmp_path / 'new/pictures').iterdir()} >= {'true_01.jpg', 'false_01.jpg'}
    report(
        monkeypatch, capfd, first, '--out-dir', tmp_path / 'none', '--images', first.parent / 'images', '--pictures', 0
    )
    assert not (tmp_path / 'none/pictures').exists()


def test_a_name_does_not_lead_out_of_the_folder(tmp_path, monkeypatch, capfd):
    write_run(make_run([(0, 0, BOX)], [], images=1, image_names=('../secret.png',)), tmp_path / 'run/results.npz')
    cv2.imwrite(str(tmp_path / 'secret.png'), np.zeros((80, 100, 3), np.uint8))
    (tmp_path / 'images').mkdir()
    cv2.imwrite(str(tmp_path / 'images/other.png'), np.zeros((80, 100, 3), np.uint8))
    status, _, error = report(monkeypatch, capfd, tmp_path / 'run', '--images', tmp_path / 'images')
    assert status == 2 and 'holds none of the 1 tested images' in error


def test_what_is_refused(first, tmp_path, monkeypatch, capfd):
    for arguments, part in (
        ((first, '--out-dir', first), 'holds the report that is read'),
        ((first / 'results.npz', '--out-dir', f'{first}/.'), 'holds the report that is read'),
        ((first.parent / 'images', '--out-dir', tmp_path / 'x'), 'holds no results.npz'),
        ((first, '--out-dir', tmp_path / 'x', '--images', tmp_path / 'nowhere'), 'no such folder of images'),
        ((first, '--out-dir', tmp_path / 'x', '--confidence', '0.95'), 'No detection has the confidence 0.95'),
    ):
        status, _, error = report(monkeypatch, capfd, *arguments)
        assert status == 2 and part in error
    assert not (tmp_path / 'x').exists()
