"""The benchmark that trains on several small data sets."""

import json
from pathlib import Path

import mmengine.runner.runner
import pytest
import torch
from small_sets import VOC

from det_inception.utils.errors import InputError

REPO = Path(__file__).resolve().parent.parent.parent
pytestmark = pytest.mark.skipif(
    not (REPO / 'benchmarks').is_dir(), reason='the source archive comes without benchmarks'
)
QUICK = ' '.join(
    [
        *('max_epochs=1', 'image_size=[64,48]', 'visualizer.vis_backends=None', 'train_dataloader.num_workers=0'),
        *('train_dataloader.persistent_workers=False', 'default_hooks.checkpoint.save_optimizer=False'),
        *(f'{part}_dataloader.num_workers=0' for part in ('val', 'test')),
        *(f'{part}_dataloader.persistent_workers=False' for part in ('val', 'test')),
    ]
)


def test_each_set_gets_a_line(tool, tmp_path, monkeypatch):
    monkeypatch.setattr(mmengine.runner.runner, 'collect_env', dict)
    data = VOC(tmp_path / 'ants')
    for number in range(5):
        data.add('train' if number < 3 else 'val', f'{number}')
    words = ('--data', f'ants={data.root},2,1', '--variants', f'quick={QUICK}', '--work-dir', tmp_path / 'work')
    status, said, errors = tool('own_data', *words, '--seeds', 0, folder='benchmarks')
    assert status == 0, (said[-3000:], errors)
    folder = tmp_path / 'work/ants/googlenet_faster-rcnn_voc/quick'
    first = json.loads((folder / 'seed_0/result.json').read_text())
    assert 0 <= first['AP50'] <= 1 and first['seconds'] > 0
    trained = torch.load(folder / 'seed_0/epoch_1.pth', weights_only=True)
    assert trained['meta']['seed'] == 0 and trained['meta']['iter'] == 1  # Two images, a batch.

    # What is finished is not trained again, and never under other settings.
    script = tool.load('own_data', 'benchmarks')
    (folder / 'seed_0/result.json').write_text('{"AP50": 0.25, "seconds": 90}')
    ants = script.DataSet('ants', data.root, 2, 1)
    again = ('googlenet_faster-rcnn_voc', QUICK.split(), 0, folder / 'seed_0')
    assert script.measure(ants, *again) == dict(AP50=0.25, seconds=90)
    with pytest.raises(InputError, match='is of a training with other settings'):
        script.measure(ants._replace(test=None), *again)


def test_the_table_has_mean_and_spread_of_the_seeds(tool):
    rows = {
        ('ants', 'a', 'default'): [dict(AP50=score, seconds=60) for score in (0.7, 0.8, 0.9)],
        ('ants', 'a', 'colder'): [dict(AP50=0.5, seconds=150)],
    }
    lines = tool.load('own_data', 'benchmarks').table(rows).splitlines()
    assert [cell.strip() for cell in lines[2].split('|')[4:-1]] == ['3', '0.800 ± 0.100', '1.0']
    assert [cell.strip() for cell in lines[3].split('|')[4:-1]] == ['1', '0.500', '2.5']


def test_words_are_read_or_refused(tool):
    script = tool.load('own_data', 'benchmarks')
    assert script.data_set('a=b/c') == ('a', Path('b/c'), None, None)
    assert script.data_set('a=b,200,50') == ('a', Path('b'), 200, 50)
    assert script.variant('default=') == ('default', [])
    assert script.variant('cold=a.lr=1 max_epochs=2') == ('cold', ['a.lr=1', 'max_epochs=2'])
    for word in ('a', '=b', 'a=', 'a=b,3', 'a=b,3,0', 'a=b,3,x'):
        with pytest.raises(InputError, match='is neither NAME=FOLDER nor'):
            script.data_set(word)
    with pytest.raises(InputError, match='is no NAME=KEY=VALUE'):
        script.variant('cold')
