"""numbers.csv: tidy, complete, and the same numbers as those of the analysis and of the page."""

import csv

import numpy as np
import pytest
from report_runs import make_run

from det_inception.evaluation.analysis.confidence import analyze_confidence
from det_inception.evaluation.report import analyze_errors, score_run, write_report

BOX, OTHER, FAR = [10, 10, 50, 50], [60, 10, 90, 50], [80, 60, 110, 75]


@pytest.fixture(scope='module')
def run():
    return make_run(
        [(0, 0, BOX), (0, 0, FAR), (1, 1, BOX), (1, 1, OTHER, True)],
        [(0, 0, 0.9, BOX), (1, 0, 0.8, BOX), (1, 1, 0.3, OTHER), (1, 1, 0.2, FAR)],
        classes=('dog', 'a, "b"\n', 'kite'),
        rules='voc',
        proposal_iou=[0.9, 0.6, 0.4, 1],
        proposals_per_image=20.0,
    )


@pytest.fixture(scope='module')
def rows(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp('numbers')
    write_report(run, folder, title='numbers')
    with open(folder / 'numbers.csv', newline='', encoding='utf-8') as file:
        return list(csv.DictReader(file))


def value(rows, part, of='', item='', measure=''):
    (found,) = (row['value'] for row in rows if tuple(row.values())[:-1] == (part, of, item, measure))
    return found


def test_a_line_for_each_number(rows):
    assert list(rows[0]) == ['part', 'class', 'item', 'measure', 'value']
    places = [tuple(row.values())[:-1] for row in rows]
    assert len(set(places)) == len(places)
    for row in rows:
        assert row['value'] == '' or np.isfinite(float(row['value'])) or row['measure'] == 'largest'
    parts = {'run', 'class', 'precision_recall', 'confidence', 'confidence_curve', 'confusion', 'error', 'size'}
    assert {row['part'] for row in rows} == parts | {'proposals'}


def test_what_there_is(rows):
    assert [value(rows, 'run', measure=name) for name in ('images', 'objects', 'ignored_objects', 'detections')] == [
        '2',
        '3',
        '1',
        '4',
    ]
    counts = [
        [
            value(rows, 'class', name, measure=measure)
            for measure in ('images', 'objects', 'ignored_objects', 'detections')
        ]
        for name in ('dog', 'a, "b"\\n', 'kite')
    ]
    assert counts == [['1', '2', '0', '2'], ['1', '1', '1', '2'], ['0', '0', '0', '0']]


def test_the_numbers_are_those_of_the_analysis(rows, run):
    score, errors = score_run(run), analyze_errors(run)
    analysis = analyze_confidence(run, score)
    assert float(value(rows, 'run', measure='mean_ap')) == pytest.approx(score.mean_ap, rel=1e-5)
    assert value(rows, 'class', 'kite', measure='ap') == ''
    assert float(value(rows, 'class', 'dog', measure='ap')) == pytest.approx(score.ap[0], rel=1e-5)
    assert float(value(rows, 'error', '', 'missed', 'count')) == errors.counts[-1]
    assert float(value(rows, 'confidence', '', 'best', 'confidence')) == analysis.overall.best.confidence == 0.9
    assert float(value(rows, 'confidence', 'dog', 'best', 'f1')) == pytest.approx(2 / 3, rel=1e-5)
    assert value(rows, 'confidence', 'kite', 'best', 'confidence') == ''
    assert float(value(rows, 'confidence_curve', '', '0.85', 'recall')) == pytest.approx(1 / 3, rel=1e-5)
    assert float(value(rows, 'precision_recall', 'dog', '0.50', 'precision')) == 1
    assert float(value(rows, 'proposals', '', '0.50', 'recall')) == pytest.approx(2 / 3, rel=1e-5)


def test_the_confusions(run, tmp_path):
    write_report(run, tmp_path, title='numbers', confidence=0.25)
    with open(tmp_path / 'numbers.csv', newline='', encoding='utf-8') as file:
        rows = [row for row in csv.DictReader(file) if row['part'] == 'confusion']
    # The difficult object and the detection of it are left out.
    assert {(row['class'], row['item']): row['value'] for row in rows} == {
        ('dog', 'dog'): '1',
        ('dog', ''): '1',
        ('a, "b"\\n', 'dog'): '1',
    }
