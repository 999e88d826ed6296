"""Region scores in files: what comes back, averages equal to the ensemble's, and files that cannot be used."""

import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict

from det_inception.config.loading import ConfigError, config_classes, load_config
from det_inception.config.test_outputs import save_region_scores
from det_inception.engine.test import test as run_test
from det_inception.mini_set import make_mini
from det_inception.proposals.region_scores import ImageScores, RegionScores, RegionScoresWriter, merge
from det_inception.registry import MODELS
from det_inception.utils.errors import InputError

CONFIG = Path(__file__).resolve().parent.parent.parent / 'configs/googlenet_rcnn_mini.py'
OPTIONS = {
    'model.region_warp.size': 32,
    'model.region_warp.context': 2,
    'model.bbox_head.in_channels': 128,
    'model.backbone.width': 0.125,
    'test_dataloader.num_workers': 0,
    'proposals.max_num': 40,
    'proposals.width': None,
    'model.test_cfg.rcnn.score_thr': 0.01,
}


# ------------------------------------------------------------------------------------------------------ the files


def scores(rows, deltas=True, seed=0):
    generator = np.random.default_rng(seed)
    draw = [generator.normal(size=(rows, width)).astype(np.float32) for width in (4, 3, 8)]
    return ImageScores(40, 60, draw[0], draw[1], draw[2] if deltas else None)


def write(path, images, classes=('cat', 'dog')):
    writer = RegionScoresWriter(path, classes)
    for name, content in images.items():
        writer.add(name, content)
    writer.close()
    return path


@pytest.mark.parametrize('deltas', [True, False])
def test_what_is_written_comes_back(tmp_path, deltas):
    images = {f'image_{rows}': scores(rows, deltas, seed=rows) for rows in (5, 1, 0, 700)}
    file = RegionScores(write(tmp_path / 'a.h5', images))
    assert file.classes == ('cat', 'dog') and list(file) == list(images) and file.with_deltas == deltas
    for name, expected in images.items():
        found = file[name]
        assert (found.height, found.width) == (40, 60)
        assert np.array_equal(found.boxes, expected.boxes) and np.array_equal(found.logits, expected.logits)
        assert np.array_equal(found.deltas, expected.deltas) if deltas else found.deltas is None


def test_parts_become_one(tmp_path):
    one, two = ({f'{number}': scores(3, seed=number) for number in numbers} for numbers in ((1, 3, 5), (2, 3)))
    merge([write(tmp_path / '1.h5', one), write(tmp_path / '2.h5', two)], tmp_path / 'all.h5')
    file = RegionScores(tmp_path / 'all.h5')
    assert sorted(file) == ['1', '2', '3', '5']
    assert all(np.array_equal(file[name].logits, (one | two)[name].logits) for name in file)


def test_files_that_cannot_be_used(tmp_path):
    good = write(tmp_path / 'good.h5', {'a': scores(500)})
    with pytest.raises(InputError, match='has no region scores of image b; it is of another data set'):
        RegionScores(good)['b']
    with pytest.raises(InputError, match='no such file of region scores'):
        RegionScores(tmp_path / 'none.h5')
    content = good.read_bytes()
    for share in (0, 0.3, 0.9):
        (tmp_path / 'cut.h5').write_bytes(content[: int(share * len(content))])
        with pytest.raises(InputError, match='damaged, cut off'):
            RegionScores(tmp_path / 'cut.h5')
    unfinished = RegionScoresWriter(tmp_path / 'unfinished.h5', ['cat', 'dog'])
    unfinished.add('a', scores(3))
    unfinished.file.close()
    with pytest.raises(InputError, match='damaged, cut off'):
        RegionScores(tmp_path / 'unfinished.h5')
    with h5py.File(tmp_path / 'other.h5', 'w') as file:
        file['boxes'] = np.zeros(3)
    with pytest.raises(InputError, match='is no file of region scores'):
        RegionScores(tmp_path / 'other.h5')
    with h5py.File(good, 'r+') as file:
        file.attrs['version'] = 7
    with pytest.raises(InputError, match='has version 7'):
        RegionScores(good)


@pytest.mark.parametrize(
    'name, make',
    [
        ('images', lambda file: np.frombuffer(b'[["a", 40, 60, -1], ["b", 40, 60, 501]]', np.uint8)),
        ('images', lambda file: np.frombuffer(b'[["a", 40, 60, 250], ["a", 40, 60, 250]]', np.uint8)),
        ('images', lambda file: np.frombuffer(b'[["a", 40, 60, 10000000000]]', np.uint8)),
        ('images', lambda file: np.frombuffer(b'[["a", 40, 60, 500.0]]', np.uint8)),
        ('images', lambda file: np.frombuffer(b'[["a", 0, 60, 500]]', np.uint8)),
        ('images', lambda file: np.frombuffer(b'[[7, 40, 60, 500]]', np.uint8)),
        ('images', lambda file: np.frombuffer(b'[' * 100_000, np.uint8)),
        ('images', lambda file: np.frombuffer(b'{"a": 1}', np.uint8)),
        ('logits', lambda file: np.zeros((500, 4), np.float32)),
        ('logits', lambda file: np.zeros((500,), np.float32)),
        ('boxes', lambda file: np.zeros((500, 4), np.float64)),
        ('deltas', lambda file: np.zeros((500, 4), np.float32)),
        ('classes', lambda file: '["cat"]'),
        ('classes', lambda file: '[]'),
        ('classes', lambda file: '[1, 2]'),
        ('classes', lambda file: '"ab"'),
        ('classes', lambda file: np.array([1, 2])),
        ('version', lambda file: np.array([1, 1])),
        ('version', lambda file: np.inf),
        ('version', lambda file: 'one'),
    ],
)
def test_parts_that_do_not_fit_together(tmp_path, name, make):
    path = write(tmp_path / 'a.h5', {'a': scores(500)})
    with h5py.File(path, 'r+') as file:
        del file.attrs['digest']
        value = make(file)
        if name in file:
            del file[name]
            file[name] = value
        else:
            file.attrs[name] = value
    with pytest.raises(InputError, match=r'^\S*a\.h5: [^\n]*; write it again[^\n]*\.$'):
        RegionScores(path)


def test_damage_is_found(tmp_path):
    """Rows, classes and images carry checksums, so nothing else than what was written is ever read."""
    expected = scores(300)
    content = write(tmp_path / 'a.h5', {'a': expected}).read_bytes()
    random = np.random.default_rng(0)
    for position in random.integers(0, len(content), 150):
        damaged = bytearray(content)
        damaged[position] ^= 1 << int(random.integers(8))
        (tmp_path / 'a.h5').write_bytes(damaged)
        try:
            file = RegionScores(tmp_path / 'a.h5')
            found = file['a']
        except InputError:
            continue
        assert file.classes == ('cat', 'dog') and np.array_equal(found.logits, expected.logits)
        assert np.array_equal(found.boxes, expected.boxes)


def test_numbers_that_are_none(tmp_path):
    content = scores(3)
    content.logits[1, 1] = np.nan
    with pytest.raises(InputError, match='not finite at image a'):
        RegionScores(write(tmp_path / 'a.h5', {'a': content}))['a']
    content.logits[1, 1] = -np.inf  # The logarithm of a probability of 0.
    assert RegionScores(write(tmp_path / 'a.h5', {'a': content}))['a'].logits[1, 1] == -np.inf


@pytest.mark.parametrize('limit', [0, 1000, 50_000, 200_000, 400_000])
def test_a_full_disk_is_one_sentence(tmp_path, limit, full_disk):
    path = tmp_path / 'a.h5'
    with full_disk(limit), pytest.raises(InputError, match=r'a\.h5: cannot be written: no space is left'):
        write(path, {f'{number}': scores(1000, seed=number) for number in range(20)})
    assert not path.exists()
    write(path, {'a': scores(3)})
    assert len(RegionScores(path)) == 1


# --------------------------------------------------------------------------------- averages, from pixels to boxes


@pytest.fixture(scope='module')
def mini(tmp_path_factory):
    return make_mini(tmp_path_factory.mktemp('data') / 'mini', train=2, val=4, workers=1, progress=False)


@pytest.fixture(scope='module')
def members(tmp_path_factory):
    """Checkpoints of three untrained detectors of three variants, whose scores differ from region to region."""
    folder, paths = tmp_path_factory.mktemp('members'), []
    for number, variant in enumerate(('paper', 'batch_norm', 'torchvision')):
        torch.manual_seed(number)
        cfg = load_config(CONFIG, options={**OPTIONS, 'model.backbone.variant': variant})
        model = MODELS.build(cfg.model)
        model.init_weights()
        for module in model.modules():
            if isinstance(module, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(module.weight, nonlinearity='relu')
        torch.nn.init.normal_(model.bbox_head.fc_cls.weight, std=0.4)
        paths.append(folder / f'{variant}.pth')
        meta = dict(dataset_meta=dict(classes=config_classes(cfg)))
        torch.save(dict(state_dict=model.state_dict(), meta=meta), paths[-1])
    return paths


def run(mini, checkpoints, folder, save=None, **options):
    """Tests, and returns the detections of every image."""
    checkpoints = [str(path) for path in checkpoints]
    cfg = load_config(CONFIG, options={**OPTIONS, **options}, data_root=mini, checkpoint=checkpoints)
    cfg.work_dir = str(folder)
    cfg.test_evaluator = [cfg.test_evaluator, ConfigDict(type='DumpResults', out_file_path=str(folder / 'out.pkl'))]
    if save:
        save_region_scores(cfg, save)
    metrics = run_test(cfg, checkpoints)
    assert 'ilsvrc/mAP' in metrics
    found = pickle.loads((folder / 'out.pkl').read_bytes())
    return {sample['img_id']: sample['pred_instances'] for sample in found}


@pytest.mark.parametrize('combine', ['scores', 'logits'])
def test_files_average_to_what_the_ensemble_says(mini, members, tmp_path, combine):
    online = run(mini, members, tmp_path, **{'ensemble.combine': combine})
    for number, member in enumerate(members):
        run(mini, [member], tmp_path, save=tmp_path / f'{number}.h5')
    files = [tmp_path / f'{number}.h5' for number in range(3)]
    offline = run(mini, files, tmp_path, **{'ensemble.combine': combine})
    assert online.keys() == offline.keys() and len(online) == 4
    assert sum(len(item['scores']) for item in online.values()) > 50
    for name, expected in online.items():
        found = offline[name]
        assert torch.equal(found['labels'], expected['labels'])
        torch.testing.assert_close(found['scores'], expected['scores'], atol=1e-6, rtol=0)
        torch.testing.assert_close(found['bboxes'], expected['bboxes'], atol=1e-3, rtol=0)
    alone = run(mini, [members[0]], tmp_path)
    assert any(len(alone[name]['scores']) != len(online[name]['scores']) for name in online)


def test_an_ensembles_own_file_says_what_it_said(mini, members, tmp_path):
    mirrored = {'ensemble.mirror': True}
    online = run(mini, members[:2], tmp_path, save=tmp_path / 'two.h5', **mirrored)
    offline = run(mini, [tmp_path / 'two.h5'], tmp_path)
    for name, expected in online.items():
        torch.testing.assert_close(offline[name]['scores'], expected['scores'], atol=1e-6, rtol=0)


def test_a_member_is_missing(members, tmp_path):
    six = {**OPTIONS, 'ensemble.members': 6}
    with pytest.raises(
        ConfigError, match='has 6 members, and 3 are named; name all of them, or set ensemble.members=3'
    ):
        load_config(CONFIG, options=six, checkpoint=members)
    with pytest.raises(ConfigError, match='has 6 members, and 1 are named'):
        load_config(CONFIG, options=six, checkpoint=members[:1])
    assert len(load_config(CONFIG, options={**OPTIONS, 'ensemble.members': 3}, checkpoint=members).model.members) == 3
    with pytest.raises(ConfigError, match='should have members, combine and mirror at most'):
        load_config(CONFIG, options={**OPTIONS, 'ensemble.vote': True}, checkpoint=members)


def test_files_that_do_not_belong_together(mini, members, tmp_path):
    run(mini, [members[0]], tmp_path, save=tmp_path / 'a.h5')
    run(mini, [members[0]], tmp_path, save=tmp_path / 'fewer.h5', **{'proposals.max_num': 20})
    with pytest.raises(InputError, match=r'fewer.h5: has other regions of image \S+ than .*a.h5'):
        run(mini, [tmp_path / 'a.h5', tmp_path / 'fewer.h5'], tmp_path)
    with pytest.raises(ConfigError, match='name checkpoints, or files of region scores'):
        run(mini, [tmp_path / 'a.h5', members[1]], tmp_path)
    with pytest.raises(ConfigError, match='mirrored crops are the business of who wrote them'):
        run(mini, [tmp_path / 'a.h5'], tmp_path, **{'ensemble.mirror': True})
    file = RegionScores(tmp_path / 'a.h5')
    names = list(file)
    images = {name: file[name] for name in names}
    other = write(tmp_path / 'classes.h5', images, classes=file.classes[::-1])
    with pytest.raises(InputError, match='classes.h5: has another classes than'):
        run(mini, [tmp_path / 'a.h5', other], tmp_path)
    part = write(tmp_path / 'part.h5', {name: images[name] for name in names[:2]}, classes=file.classes)
    with pytest.raises(InputError, match='is of another data set or another part of it'):
        run(mini, [part], tmp_path)
    one = images[names[0]]
    wide = ImageScores(one.height, one.width + 1, one.boxes, one.logits, one.deltas)
    with pytest.raises(InputError, match='are of a size of'):
        run(mini, [write(tmp_path / 'wide.h5', images | {names[0]: wide}, classes=file.classes)], tmp_path)
