"""The benchmark that trains one detector with many backbones."""

import json
from argparse import Namespace
from pathlib import Path

import cv2
import mmengine.runner.runner
import pytest
import torch

from det_inception.mini_set import CLASSES, make_mini
from det_inception.utils.errors import InputError

REPO = Path(__file__).resolve().parent.parent.parent
pytestmark = pytest.mark.skipif(
    not (REPO / 'benchmarks').is_dir(), reason='the source archive comes without benchmarks'
)
QUICK = [
    f'classes={",".join(name for _, name in CLASSES)}',
    *('image_size=[96,72]', 'visualizer.vis_backends=None', 'train_dataloader.batch_size=2'),
    'model.neck.out_channels=16',
    *('model.roi_head.bbox_roi_extractor.out_channels=16', 'model.roi_head.bbox_head.in_channels=16'),
    *('model.roi_head.bbox_head.fc_out_channels=16', 'default_hooks.checkpoint.save_optimizer=False'),
    *(f'{part}_dataloader.num_workers=0' for part in ('train', 'val', 'test')),
    *(f'{part}_dataloader.persistent_workers=False' for part in ('train', 'val', 'test')),
]


@pytest.fixture
def benchmark(tool, tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    monkeypatch.setattr(mmengine.runner.runner, 'collect_env', dict)
    make_mini(tmp_path / 'set', train=4, val=2, progress=False)

    def call(*words, options=QUICK):
        return tool(
            'detector_backbones',
            *(tmp_path / 'set', '--work-dir', tmp_path / 'work', '--epochs', 1, '--images', 1, *words),
            options=options,
            folder='benchmarks',
        )

    return call


def test_two_backbones_make_a_table_and_a_plot(benchmark, tool, tmp_path):
    work = tmp_path / 'work'
    status, said, errors = benchmark('--backbones', 'nin')
    assert status == 0, (said[-3000:], errors)
    trained = (work / 'nin/epoch_1.pth').stat().st_mtime_ns
    (work / 'nin/result.json').unlink()  # As if it had been ended behind the training.
    status, said, errors = benchmark('--backbones', 'googlenet', 'nin')
    assert status == 0, (said[-3000:], errors)
    assert (work / 'nin/epoch_1.pth').stat().st_mtime_ns == trained
    first = json.loads((work / 'googlenet/result.json').read_text())
    assert first['backbone_parameters'] == 5_973_552 and first['weights'] == 'random'
    assert first['parameters'] > first['backbone_parameters']
    assert 0 <= first['mAP'] <= 1 and first['multiply_adds'] == pytest.approx(1581.6e6 * (480 / 224) ** 2, rel=0.02)
    rows = [
        [cell.strip() for cell in line.split('|')[1:-1]] for line in (work / 'backbones.md').read_text().splitlines()
    ]
    assert [row[0] for row in rows[2:]] == ['GoogLeNet', 'Network in Network'] and rows[2][2] == '6.0 M'
    assert all(float(row[5]) > 0 for row in rows[2:])  # Images per second.
    assert all(line in said for line in (work / 'backbones.md').read_text().splitlines())
    assert cv2.imread(str(work / 'backbones.png')).std() > 0

    trained = torch.load(work / 'nin/epoch_1.pth', weights_only=True)['state_dict']
    assert trained['neck.lateral_convs.0.conv.weight'].shape[:2] == (16, 96) and 'backbone.conv1.weight' in trained

    # What is finished is not measured again, and never under other settings.
    (work / 'nin/result.json').write_text('{"mAP": 2}')
    settings = dict(work_dir=work, data_root=tmp_path / 'set', epochs=1, images=1, amp=False)
    script = tool.load('detector_backbones', 'benchmarks')
    start = script.Start('nin', None)
    assert script.measure(start, Namespace(**settings, cfg_options=QUICK)) == {'mAP': 2}
    with pytest.raises(InputError, match='is of a training with other settings'):
        script.measure(start, Namespace(**settings, cfg_options=[*QUICK, 'randomness.seed=3']))


def test_backbones_start_from_numbers_from_files_or_both(tool, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ('a=b.pth', 'a.pth', 'b.pth'):
        Path(name).touch()
    script = tool.load('detector_backbones', 'benchmarks')
    assert script.starts_of(None, []) == [script.Start(name, None) for name in script.DEFAULT]
    assert script.starts_of(None, ['nin=a=b.pth']) == [script.Start('nin', 'a=b.pth')]
    both = script.starts_of(['nin', 'googlenet'], ['nin=a.pth'])
    assert both == [script.Start('nin', 'a.pth'), script.Start('nin', None), script.Start('googlenet', None)]
    assert [start.folder for start in both] == ['nin-pretrained', 'nin', 'googlenet']
    assert script.Start('nin', None, 3).folder == 'nin-seed3'
    assert script.Start('nin', 'a.pth', 3).folder == 'nin-pretrained-seed3'
    for backbones, words in ((['nin', 'nin'], []), (None, ['nin=a.pth', 'nin=b.pth'])):
        with pytest.raises(InputError, match='is asked for twice'):
            script.starts_of(backbones, words)


def test_the_table_has_no_speed_before_the_plot(tool, tmp_path):
    script = tool.load('detector_backbones', 'benchmarks')
    row = dict(network='NIN', weights='random', backbone_parameters=6e6, parameters=9e6, multiply_adds=2e9, mAPs=[0.1])
    rows = [row, dict(row, weights='weights/a.pth', mAPs=[0.4, 0.3])]
    assert script.table(rows).splitlines()[-1].endswith('| 0.350 (0.300 to 0.400) |')
    assert '| - |' in ' '.join(script.table(rows).split()) and '| a.pth |' in ' '.join(script.table(rows).split())
    script.draw(
        [dict(row, images_per_second=speed) for row, speed in zip(rows, (3, 4), strict=True)], tmp_path / 'a.png'
    )
    assert cv2.imread(str(tmp_path / 'a.png')).std() > 0


def test_mistakes_are_named(benchmark):
    for words, message in (
        (('--weights', 'lenet=a.pth'), '--weights lenet: is no NAME=FILE'),
        (('--weights', 'nin'), '--weights nin: is no NAME=FILE'),
        (
            ('--weights', f'nin={__file__}', 'nin=none.caffemodel'),
            '--weights nin=none.caffemodel: there is no such file',
        ),
        (('--weights', f'nin={__file__}'), Path(__file__).name),
        (('--seeds', '1', '1'), '--seeds: names one of them twice'),
        (('--images', '0'), '--images 0: is too small; give 1 or more'),
        (('--epochs', '-1'), '--epochs -1: is too small'),
    ):
        status, _, errors = benchmark(*words)
        assert status == 2 and message in errors, errors


def test_each_backbone_is_trained_with_each_seed(tool, tmp_path, monkeypatch):
    script = tool.load('detector_backbones', 'benchmarks')
    own = script.Config.fromfile(script.BASE).randomness.seed
    assert script.seeds_of(None, None) == [None] and script.seeds_of([own, 1], ['a=1']) == [None, 1]
    with pytest.raises(InputError, match='--seeds names the seeds'):
        script.seeds_of([1], ['randomness.seed=2'])

    make_mini(tmp_path / 'set', train=2, val=1, progress=False)
    trained = []

    def train(cfg, **how):
        trained.append((Path(cfg.work_dir).name, cfg.randomness.seed))
        raise InputError('stop')

    monkeypatch.setattr(script, 'train', train)
    settings = dict(work_dir=tmp_path, data_root=tmp_path / 'set', epochs=1, amp=False, cfg_options=QUICK)
    for seed in (None, 1):
        with pytest.raises(InputError, match='stop'):
            script.measure(script.Start('nin', None, seed), Namespace(**settings))
    assert trained == [('nin', own), ('nin-seed1', 1)]
    assert not (tmp_path / 'nin/settings.json').exists()  # Nothing was trained, so other settings may follow.
    (tmp_path / 'nin/epoch_0.pth').touch()  # Something was.
    with pytest.raises(InputError, match='stop'):
        script.measure(script.Start('nin', None), Namespace(**settings))
    with pytest.raises(InputError, match='other settings'):
        (tmp_path / 'nin').rename(tmp_path / 'nin-seed2')
        script.measure(script.Start('nin', None, 2), Namespace(**settings))


def test_backbones_give_the_pyramid_its_maps(tool):
    pytest.importorskip('timm', reason='the extra backbones is not installed')
    module = tool.load('detector_backbones', 'benchmarks')
    cfg = module.detector_config('vgg16', pretrained=True)
    assert cfg.model.neck.in_channels == [256, 512, 512, 512] and cfg.model.backbone.frozen_stages == 2
    for name in ('bn_inception', 'inception_v3', 'xception', 'alexnet', 'nin'):
        model = module.detector_config(name, pretrained=False).model
        assert model.backbone.frozen_stages == -1 and model.type == 'FastRCNN'
        with torch.device('meta'):
            network = module.MODELS.build(model.backbone)
        assert list(network.out_channels) == model.neck.in_channels
        assert [network.feature_info[index]['stride'] for index in network.out_indices] == [4, 8, 16, 32]
