"""The picture of a training run."""

import json

import numpy as np
import pytest
from PIL import Image

from det_inception.evaluation.analysis.training_curves import plot_training, read_scalars
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
