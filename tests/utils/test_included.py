"""Configs and checkpoints by bare name, in a clone and in an installed package."""

import os
import shutil
from pathlib import Path

import pytest

from det_inception.utils import included as module
from det_inception.utils.included import advice, checkpoint_of, find_checkpoint, find_config, included, included_names

REPO = Path(__file__).resolve().parents[2]
DETECTOR = 'googlenet_faster-rcnn_voc2007'


@pytest.fixture(params=['clone', 'wheel'])
def place(request, monkeypatch, tmp_path_factory):
    """The folder of configs and checkpoints, beside the package or inside it; the work is done elsewhere."""
    elsewhere = tmp_path_factory.mktemp('elsewhere')
    root = REPO
    if request.param == 'wheel':
        root = tmp_path_factory.mktemp('site-packages') / 'det_inception'
        shutil.copytree(REPO / 'configs', root / 'configs')
        (root / 'checkpoints').mkdir()
        for path in REPO.glob('checkpoints/*.pth'):
            os.link(path, root / 'checkpoints' / path.name)
        monkeypatch.setattr(module, '_PACKAGE', root)
    monkeypatch.chdir(elsewhere)
    return root


@pytest.mark.parametrize('name', [DETECTOR, f'{DETECTOR}.py', f'configs/{DETECTOR}', f'configs/{DETECTOR}.py'])
def test_a_config_by_name(place, name):
    assert find_config(name) == place / f'configs/{DETECTOR}.py'
    assert checkpoint_of(name) == place / f'checkpoints/{DETECTOR}.pth'


@pytest.mark.parametrize(
    'name', [DETECTOR, f'{DETECTOR}.pth', f'checkpoints/{DETECTOR}', f'checkpoints/{DETECTOR}.pth']
)
def test_a_checkpoint_by_name(place, name):
    assert find_checkpoint(name) == place / f'checkpoints/{DETECTOR}.pth'


def test_every_config_is_found_and_no_part_of_one(place):
    names = included_names(module.CONFIGS)
    assert DETECTOR in names and len(names) == len(list((REPO / 'configs').glob('*.py')))
    assert all(find_config(name).is_file() for name in names)
    for name in ('_base_', '_base_/runtime.py', 'configs/_base_/runtime.py', '../README', 'README', '', '.', '\0'):
        assert find_config(name) == Path(name)


def test_a_file_that_exists_wins_over_the_name(place):
    Path(f'{DETECTOR}.py').write_text('model = dict()\n')
    assert find_config(f'{DETECTOR}.py') == Path(f'{DETECTOR}.py')
    assert checkpoint_of(f'{DETECTOR}.py') is None, 'a config of the same name is not the one of the checkpoint'
    assert checkpoint_of(DETECTOR) == place / f'checkpoints/{DETECTOR}.pth'
    Path(DETECTOR).mkdir()
    assert find_config(DETECTOR) == place / f'configs/{DETECTOR}.py', 'a folder is no config'


def test_advice(place):
    assert advice('googlenet_faster-rcnn_voc207', module.CHECKPOINTS).startswith(f'did you mean {DETECTOR} ')
    assert DETECTOR in advice('somewhere/googlenet_faster-rcnn_voc2008.py', module.CONFIGS)
    assert (
        advice('x', module.CHECKPOINTS)
        == f'correct the path, or name one that comes with the project, such as {DETECTOR}.'
    )


def test_configs_that_start_from_the_included_detector_find_it(place):
    from det_inception.config.loading import read_config

    cfg = read_config('googlenet_fast-rcnn_voc')
    assert Path(cfg.load_from).samefile(included(module.CHECKPOINTS) / f'{DETECTOR}.pth')
    cfg = read_config('googlenet_rcnn_voc', options=dict(load_from='googlenet_rcnn_mini'))
    assert cfg.load_from == str(place / 'checkpoints/googlenet_rcnn_mini.pth')


def test_names_that_nothing_has(place):
    from det_inception.config.loading import ConfigError, read_config
    from det_inception.weights.checkpoints import read_checkpoint
    from det_inception.weights.files import CheckpointError

    with pytest.raises(
        ConfigError, match=r'^googlenet_rcnn_vok: no such config file; did you mean googlenet_rcnn_voc '
    ):
        read_config('googlenet_rcnn_vok')
    with pytest.raises(CheckpointError, match='^googlenet_rcnn_mimi: no such checkpoint; did you mean .*_rcnn_mini'):
        read_checkpoint('googlenet_rcnn_mimi')
    assert read_checkpoint('googlenet_rcnn_mini')['state_dict']
