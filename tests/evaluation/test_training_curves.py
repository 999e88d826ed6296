"""The picture of a training run."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from det_inception.evaluation.analysis.training_curves import plot_training, read_scalars, training_rows, write_results
from det_inception.utils.errors import InputError


def run_with(folder, entries, name='20260101_000000'):
    log = folder / name / 'vis_data' / 'scalars.json'
    log.parent.mkdir(parents=True)
    log.write_text('\n'.join(json.dumps(entry) for entry in entries) + '\n')
    return folder


def test_a_resumed_run_is_read_in_order(tmp_path):
    run_with(tmp_path, [dict(loss=2.0, iter=20, epoch=1)], '20260101_000000')
    run_with(tmp_path, [dict(loss=1.0, iter=40, epoch=2)], '20260101_010000')
    assert [entry['loss'] for entry in read_scalars(tmp_path)] == [2.0, 1.0]


def test_it_draws_loss_and_score(tmp_path):
    entries = [dict(loss=2.0 / n, iter=20 * n, epoch=n) for n in range(1, 5)]
    run = run_with(tmp_path / 'run', [*entries, {'voc/mAP': 0.75, 'step': 4}])
    plot_training([run], tmp_path / 'out' / 'curves.png', ['mine'])
    picture = np.asarray(Image.open(tmp_path / 'out' / 'curves.png').convert('L'))
    assert picture.shape[1] > 2 * picture.shape[0] and (picture < 128).mean() > 0.005


def test_a_folder_without_log_and_a_wrong_number_of_labels_are_refused(tmp_path):
    with pytest.raises(InputError, match='holds no log'):
        plot_training([tmp_path], tmp_path / 'curves.png')
    with pytest.raises(InputError, match='2 labels for 1 runs'):
        plot_training([tmp_path], tmp_path / 'curves.png', ['a', 'b'])


def test_a_table_of_epochs(tmp_path):
    first = [dict(loss=2.0, lr=0.1, time=1, epoch=1, iter=20), dict(loss=1.0, lr=0.1, time=1, epoch=1, iter=40)]
    first += [{'voc/mAP': 0.25, 'time': 1, 'step': 1}, dict(loss=0.9, lr=0.1, epoch=2, iter=60)]
    # Interrupted in the second epoch, which is trained anew.
    second = [dict(loss=0.8, lr=0.05, epoch=2, iter=60), dict(loss=0.7, lr=0.05, epoch=2, iter=80)]
    second += [dict(loss=0.5, lr=0.01, epoch=3, iter=120), {'voc/mAP': 0.5, 'step': 3}]
    run_with(tmp_path, first, '20260101_000000')
    run_with(tmp_path, second, '20260101_010000')
    assert training_rows(tmp_path) == [
        {'epoch': 1, 'step': 40, 'loss': 1.0, 'lr': 0.1, 'voc/mAP': 0.25},
        {'epoch': 2, 'step': 80, 'loss': 0.7, 'lr': 0.05},
        {'epoch': 3, 'step': 120, 'loss': 0.5, 'lr': 0.01, 'voc/mAP': 0.5},
    ]
    write_results(tmp_path, tmp_path / 'results.csv')
    rows = list(csv.reader((tmp_path / 'results.csv').open()))
    assert rows[0] == ['epoch', 'step', 'loss', 'lr', 'voc/mAP']
    assert rows[1:] == [
        ['1', '40', '1', '0.1', '0.25'],
        ['2', '80', '0.7', '0.05', ''],
        ['3', '120', '0.5', '0.01', '0.5'],
    ]


def test_a_training_by_steps_has_a_row_for_each_validation(tmp_path):
    entries = [dict(loss=2.0, iter=20, step=20), {'acc/top1': 0.1, 'step': 0}, dict(loss=1.0, iter=40, step=40)]
    entries += [dict(loss=0.5, iter=60, step=60), {'acc/top1': 0.4, 'step': 0}]
    assert training_rows(run_with(tmp_path, entries)) == [
        {'step': 20, 'loss': 2.0, 'acc/top1': 0.1}, {'step': 60, 'loss': 0.5, 'acc/top1': 0.4},
    ]  # fmt: skip
