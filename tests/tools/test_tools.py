"""The command-line tools from training to pictures, and what they say to a user's mistakes."""

import contextlib
import csv
import importlib.util
import io
import json
import os
import shlex
import shutil
import signal
import socket
import sys
import traceback
from pathlib import Path

import cv2
import pytest
import torch
from mmengine.device import utils as device
from mmengine.runner import EpochBasedTrainLoop
from sets_on_disk import SIZE, draw_sets

from det_inception.cli import common as cli
from det_inception.cli import train
from det_inception.mini_set import make_mini
from det_inception.models import RCNN, GoogLeNet

REPO = Path(__file__).resolve().parent.parent.parent
MINI = str(REPO / 'configs/googlenet_rcnn_mini.py')
ROOMS = ['det_inception.models', 'det_inception.datasets', 'det_inception.evaluation', 'det_inception.engine']
VOC = str(REPO / 'configs/googlenet_rcnn_voc.py')

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
# A network and proposals small enough to train in seconds.
TINY = [
    'model.backbone.width=0.125',
    'model.bbox_head.in_channels=128',
    'model.region_warp.size=32',
    'model.region_warp.context=2',
    'train_cfg.max_epochs=1',
    'train_cfg.val_interval=10',
    'train_dataloader.batch_size=4',
    *(f'{loader}.num_workers=0' for loader in LOADERS),
    *(
        f'{loader}.dataset.pipeline.2.{setting}'
        for loader in LOADERS
        for setting in ('max_num=40', 'method.width=None')
    ),
]


@pytest.fixture(scope='module')
def mini(tmp_path_factory):
    return make_mini(tmp_path_factory.mktemp('data') / 'mini', train=8, val=4, workers=1, progress=False)


@pytest.fixture(scope='module')
def trained(mini, tmp_path_factory):
    """A work directory with one epoch on the mini set, trained by tools/train.py."""
    work_dir = tmp_path_factory.mktemp('work') / 'mini'
    with pytest.MonkeyPatch.context() as monkeypatch:
        spec = importlib.util.spec_from_file_location('tool_train', REPO / 'tools/train.py')
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        argv = ['train.py', MINI, '--data-root', str(mini), '--work-dir', str(work_dir), '--cfg-options', *TINY]
        monkeypatch.setattr(sys, 'argv', [*argv, 'train_cfg.val_interval=1'])
        with pytest.raises(SystemExit) as stop, contextlib.redirect_stdout(io.StringIO()) as said:
            cli.run(module.main)
    assert stop.value.code == 0
    work_dir.with_suffix('.txt').write_text(said.getvalue())
    return work_dir


def read(path):
    return torch.load(path, map_location='cpu', weights_only=True)


# ------------------------------------------------------------------------------------------- the whole way, once


def test_train_test_and_demo(trained, mini, tool, tmp_path):
    checkpoint = trained / 'epoch_1.pth'
    classes = read(checkpoint)['meta']['dataset_meta']['classes']
    assert len(classes) == 12
    assert 'ilsvrc/mAP' in next(trained.glob('*/*.log')).read_text()

    out = tmp_path / 'new' / 'metrics.json'
    arguments = (MINI, checkpoint, '--data-root', mini, '--work-dir', tmp_path / 'test', '--out', out)
    extras = ('--show-dir', tmp_path / 'shown', '--report', tmp_path / 'report', '--report-pictures', '2')
    status, stdout, _ = tool('test', *arguments, *extras, options=TINY)
    metrics = json.loads(out.read_text())
    assert status == 0 and 0 <= metrics['ilsvrc/mAP'] <= 1
    assert f'ilsvrc/mAP: {metrics["ilsvrc/mAP"]:.4f}' in stdout
    assert len(list((tmp_path / 'shown').iterdir())) == 4
    page = (tmp_path / 'report' / 'index.html').read_text()
    assert f'<b>{metrics["ilsvrc/mAP"]:.3f}</b>' in page and 'epoch_1.pth' in page and 'proposals per image' in page
    assert f'report: {tmp_path}/report/index.html' in stdout
    status, stdout, _ = tool('compare_runs', tmp_path / 'report')
    assert status == 0 and f'{tmp_path}/report | {metrics["ilsvrc/mAP"]:.3f} |' in stdout

    images = mini / 'Data/DET/val'
    demo_dir = tmp_path / 'demo'
    model = ('--config', MINI, '--checkpoint', checkpoint)
    status, stdout, _ = tool('demo', images, *model, '--out-dir', demo_dir, '--score', '0.01', options=TINY)
    found = json.loads((demo_dir / 'detections.json').read_text())
    assert status == 0 and found['unreadable'] == []
    assert sorted(Path(name).name for name in found['images']) == [f'mini_val_{n:06}.JPEG' for n in range(1, 5)]
    boxes = [box for boxes in found['images'].values() for box in boxes]
    assert boxes and all(box['label'] in classes and 0.01 <= box['score'] <= 1 for box in boxes)
    drawn = cv2.imread(str(demo_dir / 'mini_val_000001.png'))
    original = cv2.imread(str(images / 'mini_val_000001.JPEG'))
    assert drawn.shape == original.shape and (drawn != original).any()


def test_a_training_says_little(trained, mini, tool, tmp_path):
    """The dump of config and environment, 600 lines and more, goes to the log file."""
    lines = trained.with_suffix('.txt').read_text().splitlines()
    (log,) = trained.glob('*/*.log')
    text = log.read_text()
    assert 7 < len(lines) <= 25 < 500 < len(text.splitlines())
    words = [' '.join(line.split()) for line in lines]
    assert words[0].startswith('model RCNN of GoogLeNet (batch norm, 5x5 kernels') and 'million weights' in words[0]
    assert words[1] == 'weights random'
    assert (
        words[2].startswith('train 8 images, ')
        and ' objects, 12 classes (banana, butterfly, car, cup_or_mug' in words[2]
    )
    assert words[3].startswith('validate 4 images, ')
    assert words[4].startswith('device ') and words[4].endswith('; float32')
    assert words[5] == 'length 1 epoch of 2 steps of 4 images' and words[6].endswith(f'/{log.name}')
    assert any(line.startswith('epoch 1/1, loss ') and ', mAP 0.' in line and ' images/s' in line for line in words)
    assert 'System environment' in text and 'Epoch(val) [1][4/4]' in text and 'requires_grad=False' not in text

    arguments = ('test', MINI, trained / 'epoch_1.pth', '--data-root', mini, '--work-dir', tmp_path)
    status, stdout, _ = tool(*arguments, options=TINY)
    assert status == 0 and len(stdout.splitlines()) <= 25
    assert 'test        4 images, ' in stdout and '| class ' in stdout and 'System environment' not in stdout
    status, stdout, _ = tool(*arguments, '--verbose', options=TINY)
    assert status == 0 and 'System environment' in stdout and 'test        4 images, ' in stdout


def test_what_a_training_leaves(trained, mini, tool, tmp_path):
    entries = [json.loads(line) for path in trained.glob('*/vis_data/scalars.json') for line in path.open()]
    (score,) = (entry['ilsvrc/mAP'] for entry in entries if 'ilsvrc/mAP' in entry)
    (row,) = csv.DictReader((trained / 'results.csv').open())
    assert (row['epoch'], row['step']) == ('1', '2') and float(row['ilsvrc/mAP']) == pytest.approx(score, abs=1e-5)
    assert float(row['loss']) == pytest.approx(entries[0]['loss'], rel=1e-5)
    sheet, labels = (cv2.imread(str(trained / name)) for name in ('training_images.jpg', 'labels.png'))
    assert sheet.shape == (2 * 320, 4 * 320, 3) and (sheet != 255).mean() > 0.3  # Eight images in two rows.
    assert labels.shape[1] > 3 * labels.shape[0] and (labels < 128).mean() > 0.01
    assert cv2.imread(str(trained / 'curves.png')) is not None
    page = (trained / 'report/index.html').read_text()
    assert f'<b>{score:.3f}</b>' in page and 'epoch 1, step 2' in page
    said = trained.with_suffix('.txt').read_text()
    assert f'|     1 | {entries[0]["loss"]:.3f} | {score:.3f} |' in said
    best = trained / 'best_ilsvrc_mAP_epoch_1.pth'
    assert f'best        {best}' in said
    assert f'results     {trained}: results.csv, curves.png, labels.png, training_images.jpg, report/index.html' in said

    # A test without a checkpoint takes the best of the work directory, and so the same images the same score.
    out = tmp_path / 'metrics.json'
    status, stdout, _ = tool('test', MINI, '--data-root', mini, '--work-dir', trained, '--out', out, options=TINY)
    assert status == 0 and f'weights     {best}' in stdout
    assert json.loads(out.read_text())['ilsvrc/mAP'] == pytest.approx(score, abs=1e-6)
    assert 'no checkpoint comes with this config, and nowhere holds none' in tool.refused(
        'test', VOC, '--work-dir', 'nowhere'
    )


def test_options_of_a_training(mini, tool, tmp_path, monkeypatch):
    train = ('train', MINI, '--data-root', mini, '--work-dir', tmp_path)
    assert 'name a number of validations' in tool.refused(*train, '--early-stopping', '0', options=TINY)
    monkeypatch.setattr('importlib.util.find_spec', lambda name, *_: None)
    sentence = tool.refused(*train, '--log', 'wandb', options=TINY)
    assert 'the package wandb is not installed; run pip install wandb, or leave --log out.' in sentence


def test_the_ensemble_of_one_network_twice_is_that_network(trained, mini, tool, tmp_path):
    checkpoint, results = trained / 'epoch_1.pth', []
    for checkpoints in ([checkpoint], [checkpoint] * 2):
        out = tmp_path / f'{len(checkpoints)}.json'
        arguments = (MINI, *checkpoints, '--data-root', mini, '--work-dir', tmp_path / 'test', '--out', out)
        assert tool('test', *arguments, options=[*TINY, 'model.test_cfg.rcnn.score_thr=0.0001'])[0] == 0
        results.append(json.loads(out.read_text())['ilsvrc/mAP'])
    assert results[0] > 0 and results[1] == pytest.approx(results[0], rel=0.02)

    content = read(checkpoint)
    content['meta']['dataset_meta']['classes'] = ('another', *content['meta']['dataset_meta']['classes'][1:])
    torch.save(content, tmp_path / 'other.pth')
    sentence = tool.refused('test', MINI, checkpoint, tmp_path / 'other.pth', '--data-root', mini, options=TINY)
    assert 'other.pth: was trained for the classes another, ' in sentence and 'that know the same' in sentence


def test_a_test_set_without_annotations_becomes_a_submission(trained, mini, tool, tmp_path):
    """As in the challenge: two images, known by a list with their indices, and nothing else."""
    root = tmp_path / 'set'
    for number in (1, 2):
        image = root / f'Data/DET/test/test_{number}.JPEG'
        image.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(mini / f'Data/DET/val/mini_val_{number:06}.JPEG', image)
    (root / 'ImageSets/DET').mkdir(parents=True)
    (root / 'ImageSets/DET/test.txt').write_text('test_1 7\ntest_2 5\n')
    checkpoint, scores = trained / 'epoch_1.pth', tmp_path / 'scores.h5'
    entry = 'test_evaluator.submission_file='
    options = [*TINY, 'test_dataloader.dataset.ann_file=ImageSets/DET/test.txt', 'test_dataloader.dataset.split=test']
    options += ['model.test_cfg.rcnn.score_thr=0.0001']
    place = ('--data-root', root, '--work-dir', tmp_path / 'test')

    arguments = (MINI, checkpoint, *place, '--save-region-scores', scores, '--show-dir', tmp_path / 'shown')
    status, stdout, _ = tool('test', *arguments, options=[*options, f'{entry}{tmp_path}/one.txt'])
    lines = (tmp_path / 'one.txt').read_text().splitlines()
    assert status == 0 and f'ilsvrc/detections: {len(lines)}.0000' in stdout and 'mAP' not in stdout
    assert {line.split()[0] for line in lines} == {'5', '7'} and len(list((tmp_path / 'shown').iterdir())) == 2
    assert tool('test', MINI, scores, *place, options=[*options, f'{entry}{tmp_path}/two.txt'])[0] == 0
    assert len((tmp_path / 'two.txt').read_text().splitlines()) == len(lines)

    # What needs annotations says so at the first image, not after all 40,152.
    sentence = tool.refused('test', MINI, checkpoint, *place, options=options)
    assert 'not annotated' in sentence and 'set test_evaluator.submission_file=FILE' in sentence
    report = ('--report', tmp_path / 'report')
    sentence = tool.refused('test', MINI, checkpoint, *place, *report, options=[*options, f'{entry}{tmp_path}/x.txt'])
    assert 'not annotated' in sentence and 'leave --report out' in sentence


def test_members_start_from_the_same_weights(mini, tool, tmp_path):
    arguments = (MINI, '--data-root', mini, '--work-dir', tmp_path / 'six', '--members', '2', '--print-commands')
    status, stdout, _ = tool('train_ensemble', *arguments, options=TINY)
    commands = [shlex.split(line) for line in stdout.splitlines()]  # Nothing else, so it can go to a scheduler.
    assert status == 0 and len(commands) == 2
    seeds = [next(word for word in command if word.startswith('randomness.seed=')) for command in commands]
    assert seeds == ['randomness.seed=2014', 'randomness.seed=2015']
    # The printed command itself, with a rate of zero: what it ends with is what it began with.
    for number, command in enumerate(commands, start=1):
        words = command[command.index('--cfg-options') + 1 :] + ['optim_wrapper.optimizer.lr=0']
        rest = command[command.index('train') + 1 : command.index('--cfg-options')]
        assert tool('train', *rest, options=words)[0] == 0
        trained = read(tmp_path / f'six/member_{number}/epoch_1.pth')['state_dict']
        initial = read(tmp_path / 'six/initial.pth')['state_dict']
        assert all(torch.equal(trained[name], initial[name]) for name in initial if name.endswith('weight'))


def test_demo_with_a_bad_image_and_equal_names(trained, mini, tool, tmp_path):
    good = mini / 'Data/DET/val/mini_val_000001.JPEG'
    for folder in ('a', 'b'):
        (tmp_path / 'in' / folder).mkdir(parents=True)
        shutil.copy(good, tmp_path / 'in' / folder / 'same.jpg')
    (tmp_path / 'in' / 'broken.jpg').write_bytes(good.read_bytes()[:3000])
    model = ('--config', MINI, '--checkpoint', trained / 'epoch_1.pth')
    glob = tmp_path / 'in' / '**' / '*.jpg'
    status, stdout, _ = tool('demo', glob, *model, '--out-dir', tmp_path / 'out', options=TINY)
    assert status == 1
    assert f'skipped: {tmp_path}/in/broken.jpg: the image is truncated' in stdout
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == ['detections.json', 'same.png', 'same_2.png']
    found = json.loads((tmp_path / 'out' / 'detections.json').read_text())
    assert found['unreadable'] == [f'{tmp_path}/in/broken.jpg']
    first, second = found['images'].values()
    assert first == second

    sentence = tool.refused('demo', tmp_path / 'in' / 'broken.jpg', *model, '--out-dir', tmp_path / 'o', options=TINY)
    assert 'none of the 1 images can be used; the first: ' in sentence
    picture = tmp_path / 'in' / 'mine.png'
    cv2.imwrite(str(picture), cv2.imread(str(good)))
    before = picture.read_bytes()
    sentence = tool.refused('demo', picture, *model, '--out-dir', tmp_path / 'in', options=TINY)
    assert sentence.startswith(f'{picture}: its own drawing would overwrite it')
    assert picture.read_bytes() == before
    assert 'no such file, folder or match' in tool.refused('demo', tmp_path / 'none*.jpg', *model)
    (tmp_path / 'empty').mkdir()
    assert 'the folder holds no image' in tool.refused('demo', tmp_path / 'empty', *model)
    (tmp_path / 'file').touch()
    sentence = tool.refused('demo', good, *model, '--out-dir', tmp_path / 'file' / 'out', options=TINY)
    assert 'cannot be written' in sentence
    assert "device 'nonsense' cannot be used" in tool.refused(
        'demo', good, *model, '--device', 'nonsense', options=TINY
    )


# ------------------------------------------------------------------------------------------------ ways to train


def test_interrupted_and_resumed(mini, tool, tmp_path, monkeypatch):
    train = ('train', MINI, '--data-root', mini, '--work-dir', tmp_path)
    options = [*TINY, 'train_cfg.max_epochs=3']
    run_iter = EpochBasedTrainLoop.run_iter

    def interrupt(loop, *arguments):
        run_iter(loop, *arguments)
        if loop.iter == 3:  # The first step of the second epoch, of two steps each, is done.
            signal.raise_signal(signal.SIGINT)

    # Shells start background jobs without the handler that Python has otherwise.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(EpochBasedTrainLoop, 'run_iter', interrupt)
            status, _, stderr = tool(*train, options=options)
    finally:
        signal.signal(signal.SIGINT, before)
    assert status == 130 and stderr.rstrip().endswith('Interrupted.') and 'Traceback' not in stderr
    assert sorted(path.name for path in tmp_path.glob('*.pth')) == ['epoch_1.pth']

    # The folder may be moved meanwhile.
    moved = tmp_path.with_name('moved')
    tmp_path.rename(moved)
    status, stdout, _ = tool('train', MINI, '--data-root', mini, '--work-dir', moved, '--resume', options=options)
    assert status == 0 and 'epoch_1.pth, which goes on after epoch 1, step 2' in stdout
    log = max(moved.glob('*/*.log')).read_text()
    assert 'resumed epoch: 1, iter: 2' in log and 'Epoch(train) [1]' not in log
    assert len(list(moved.glob('*/vis_data/scalars.json'))) == 2  # Each run has its own curve, in one process too.
    first, last = read(moved / 'epoch_1.pth'), read(moved / 'epoch_3.pth')
    assert (last['meta']['epoch'], last['meta']['iter']) == (3, 6)
    steps = [{int(state['step']) for state in part['optimizer']['state'].values()} for part in (first, last)]
    assert steps == [{2}, {6}]
    schedules = [part['param_schedulers'][0]['last_step'] for part in (first, last)]
    assert schedules[1] == schedules[0] + 4

    # Resuming a trained network for other classes, or another network, is refused before anything is loaded.
    resume = ('train', MINI, '--data-root', mini, '--work-dir', moved, '--resume')
    sentence = tool.refused(*resume, options=[*options, 'model.backbone.variant=paper'])
    assert 'epoch_3.pth: the checkpoint lacks 57 and has 285 entries too many' in sentence
    names = "classes=('pizza','car','banana','butterfly','cup or mug','goldfish','guitar','ladybug','soccer ball',"
    names += "'starfish','traffic light','wine bottle')"
    assert 'was trained for the classes banana' in tool.refused(*resume, options=[*options, names])


def test_mixed_precision_and_accumulation(mini, tool, tmp_path, monkeypatch):
    precisions = set()
    loss = RCNN.loss

    def watched(self, *arguments):
        precisions.add((torch.is_autocast_enabled('cpu'), torch.get_autocast_dtype('cpu')))
        return loss(self, *arguments)

    monkeypatch.setattr(RCNN, 'loss', watched)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    options = [*TINY, 'train_dataloader.batch_size=2', 'optim_wrapper.accumulative_counts=2']
    status, *_ = tool('train', MINI, '--data-root', mini, '--work-dir', tmp_path, '--amp', options=options)
    assert status == 0
    assert precisions == {(True, torch.bfloat16)}
    content = read(tmp_path / 'epoch_1.pth')
    assert content['meta']['iter'] == 4
    assert {int(state['step']) for state in content['optimizer']['state'].values()} == {2}
    assert {w.dtype for w in content['state_dict'].values() if w.is_floating_point()} == {torch.float32}


AS_ONE = """
import torch
from mmdet.models.task_modules.samplers import RandomSampler
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from det_inception.registry import HOOKS, TASK_UTILS

@TASK_UTILS.register_module()
class FirstSampler(RandomSampler):
    # No chance, and as many regions of every image, so that it makes no difference who has which.
    def random_choice(self, gallery, num):
        return gallery[:num]

@HOOKS.register_module()
class SaveLosses(Hook):
    losses = []
    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.losses.append(float(outputs['loss']))
    def after_train(self, runner):
        model = getattr(runner.model, 'module', runner.model)
        seen = runner.train_dataloader.sampler.rank
        name = f'{runner.work_dir}/rank{get_rank()}_{seen}.pt'
        torch.save(dict(losses=self.losses, weights=model.state_dict()), name)
"""


def train_in_processes(count, words, folder):
    """Trains in forked processes, which need not import PyTorch, with what torchrun sets; returns what they print."""
    with socket.create_server(('127.0.0.1', 0)) as free:
        port = free.getsockname()[1]
    children = []
    for rank in range(count):
        child = os.fork()
        if not child:
            status = 1
            try:
                signal.alarm(300)
                sys.stdout = sys.stderr = (folder / f'said by {rank} of {count}').open('w')
                torch.cuda.is_available, device.DEVICE = lambda: False, 'cpu'
                if count > 1:
                    os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port), WORLD_SIZE=str(count))
                    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), LOCAL_WORLD_SIZE=str(count))
                sys.path.insert(0, str(folder))
                sys.argv = ['train.py', *words]
                cli.run(train.main)
            except SystemExit as stop:
                status = stop.code
            except Exception:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                os._exit(status)
        children.append(child)
    ends = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    said = ''.join((folder / f'said by {rank} of {count}').read_text() for rank in range(count))
    assert ends == [0] * count, said[-3000:]
    return said


def test_two_processes_without_a_gpu_learn_as_one(mini, tmp_path):
    (tmp_path / 'as_one.py').write_text(AS_ONE)
    config = tmp_path / 'config.py'
    config.write_text(
        f"_base_ = '{MINI}'\n"
        f"custom_imports = dict(imports=[*{ROOMS}, 'as_one'], allow_failed_imports=False)\n"
        "custom_hooks = [dict(type='SaveLosses')]\n"
        'model = dict(backbone=dict(norm_eval=True), bbox_head=dict(dropout=0.0),\n'
        "             train_cfg=dict(rcnn=dict(sampler=dict(_delete_=True, type='FirstSampler', num=12,\n"
        '                                                   pos_fraction=0.25, add_gt_as_proposals=True))))\n'
    )
    results = {}
    for processes in (1, 2):
        work_dir = tmp_path / str(processes)
        options = [
            *TINY,
            f'train_dataloader.batch_size={4 // processes}',
            'train_cfg.max_epochs=3',
            'default_hooks.logger.interval=1',
            'train_dataloader.dataset.pipeline.3.transforms.0.prob=0.0',
            'optim_wrapper.optimizer.lr=0.02',
        ]
        several = ['--launcher', 'pytorch'] if processes == 2 else []
        words = [str(config), '--data-root', str(mini), '--work-dir', str(work_dir), *several]
        said = train_in_processes(processes, [*words, '--cfg-options', *options], tmp_path)
        results[processes] = read(work_dir / 'rank0_0.pt')
    one, two = results[1], results[2]
    # Each process has images of its own, and one speaks for both.
    other, checkpoint = read(work_dir / 'rank1_1.pt'), read(work_dir / 'epoch_3.pth')['state_dict']
    assert all(torch.equal(two['weights'][name], weight) for name, weight in other['weights'].items())
    assert all(torch.equal(two['weights'][name], weight) for name, weight in checkpoint.items())
    assert said.count('device ') == 1 and '2 processes; float32' in said
    (log,) = work_dir.glob('*/*.log')
    assert log.read_text().count('Epoch(train) [3][2/2]') == 1
    assert len(one['losses']) == 6 and max(one['losses']) > 1.02 * min(one['losses'])
    assert two['losses'] == pytest.approx(one['losses'], rel=1e-4)
    for name, weight in one['weights'].items():
        torch.testing.assert_close(two['weights'][name], weight, atol=1e-5, rtol=1e-3)


# ------------------------------------------------------------------------------------------- data of one's own


@pytest.fixture(scope='module')
def own_data(tmp_path_factory):
    return draw_sets(tmp_path_factory.mktemp('own'))


@pytest.mark.parametrize(
    'config, with_reg, classes, metrics',
    [
        # VOC: classes are sorted; COCO: as in the file.
        ('googlenet_rcnn_voc', False, ('blue thing', 'red thing'), {'voc/mAP', 'voc/AP50'}),
        ('googlenet_rcnn_bbox-reg_voc', True, ('blue thing', 'red thing'), {'voc/mAP', 'voc/AP50'}),
        ('googlenet_rcnn_bbox-reg_coco', True, ('red thing', 'blue thing'), {'coco/bbox_mAP', 'coco/bbox_mAP_50'}),
    ],
)
def test_data_of_ones_own(config, with_reg, classes, metrics, own_data, tool, tmp_path):
    path = REPO / f'configs/{config}.py'
    status, *_ = tool('train', path, '--data-root', own_data, '--weights', 'none', '--work-dir', tmp_path, options=TINY)
    assert status == 0
    checkpoint = tmp_path / 'epoch_1.pth'
    content = read(checkpoint)
    assert content['meta']['dataset_meta']['classes'] == classes
    assert content['state_dict']['bbox_head.fc_cls.weight'].shape == (3, 128)
    assert ('bbox_head.fc_reg.weight' in content['state_dict']) == with_reg

    out = tmp_path / 'metrics.json'
    status, *_ = tool('test', path, checkpoint, '--data-root', own_data, '--work-dir', tmp_path / 'test', '--out', out,
                      options=TINY)  # fmt: skip
    assert status == 0 and metrics <= json.loads(out.read_text()).keys()


@pytest.mark.parametrize('config', ['fast-rcnn', 'faster-rcnn'])
def test_shared_computation(config, own_data, tool, tmp_path):
    """Fast and Faster R-CNN from the same weights: both parts of the network start from them, learn and are used."""
    torch.manual_seed(0)
    network = GoogLeNet('paper', width=0.125)
    network.init_weights()
    torch.save(dict(state_dict=network.state_dict(), meta={}), tmp_path / 'weights.pth')
    path = REPO / f'configs/googlenet_{config}_voc.py'
    options = [
        'model.roi_head.bbox_head.in_channels=128',
        'model.roi_head.bbox_roi_extractor.out_channels=104',
        'image_size=[192,144]',
        'train_cfg.max_epochs=1',
        *(f'{loader}.num_workers=0' for loader in LOADERS),
        *(['model.rpn_head.in_channels=104'] if config == 'faster-rcnn' else ['proposals.max_num=40']),
    ]
    train = ('train', path, '--data-root', own_data, '--weights', tmp_path / 'weights.pth')
    for rate in ('0', '0.01'):
        work_dir = tmp_path / rate
        status, _, errors = tool(
            *train, '--work-dir', work_dir, options=[*options, f'optim_wrapper.optimizer.lr={rate}']
        )
        assert status == 0, errors
        state = read(work_dir / 'epoch_1.pth')['state_dict']
        own = network.state_dict()
        for name in ('inception4a.conv_3x3.conv.weight', 'inception5b.conv_1x1.conv.weight'):
            place = 'roi_head.shared_head.' if name.startswith('inception5') else 'backbone.'
            assert torch.equal(state[place + name], own[name]) == (rate == '0')
        assert not any(name.startswith('backbone.inception5') for name in state)
    checkpoint = tmp_path / '0.01' / 'epoch_1.pth'
    # The variant and the width come from the checkpoint.
    arguments = ('--data-root', own_data, '--work-dir', tmp_path / 'test', '--out', tmp_path / 'metrics.json')
    status, _, errors = tool('test', path, checkpoint, *arguments, options=options)
    assert status == 0 and 'voc/AP50' in json.loads((tmp_path / 'metrics.json').read_text()), errors
    picture = next((own_data / 'JPEGImages').iterdir())
    model = ('--config', path, '--checkpoint', checkpoint, '--out-dir', tmp_path / 'out')
    for engine in ((), ('--engine', 'fused')):
        status, _, errors = tool('demo', picture, *model, *engine, options=options)
        assert status == 0, errors


# ------------------------------------------------------------------------------------------------ users' mistakes


def voc_copy(own_data, tmp_path):
    return Path(shutil.copytree(own_data, tmp_path / 'copy', symlinks=True))


def test_wrong_configs(tool, mini, tmp_path):
    train = ('--data-root', mini, '--work-dir', tmp_path / 'work')
    assert 'none.py: no such config file' in tool.refused('train', tmp_path / 'none.py')
    broken = tmp_path / 'broken.py'
    broken.write_text('model = dict(\n')
    assert 'broken.py: the config cannot be read (SyntaxError' in tool.refused('train', broken)
    broken.write_text("data_root = 'x'\n")
    assert 'broken.py: the config describes no model' in tool.refused('train', broken)
    table = [
        # setting, what the sentence must name
        ('model.backbone.type=GoogleNet', "type='GoogleNet', which nothing registers; did you mean 'GoogLeNet'?"),
        ('train_dataloader.dataset.type=VOCFoldrDataset', "did you mean 'VOCFolderDataset'?"),
        ('param_scheduler.0.type=LinearLRR', "did you mean 'LinearLR'?"),
        ('model=5', 'model is a group of settings'),
        ('model.backbone.width=wide', 'model.backbone.width is 0.5 and cannot be'),
        ('model.bakbone.width=0.5', "the config's RCNN cannot be built"),
        ('train_dataloader.batchsize=2', 'batchsize'),
        ('train_cfg.max_epochs.x=2', '--cfg-options does not fit the config'),
        ('trian_cfg.max_epochs=2', "no setting 'trian_cfg', as in --cfg-options trian_cfg.max_epochs; did you mean"),
        ('train_dataloader=None', 'has no train_dataloader'),
    ]
    for setting, said in table:
        assert said in tool.refused('train', MINI, *train, options=[*TINY, setting]), setting
    (tmp_path / 'file').touch()
    sentence = tool.refused('train', MINI, '--data-root', mini, '--work-dir', tmp_path / 'file' / 'work', options=TINY)
    assert 'the work directory cannot be written to' in sentence
    assert '--launcher pytorch' in tool.refused('train', MINI, *train, '--launcher', 'pytorch', options=TINY)
    sentence = tool.refused('train', MINI, *train, '--weights', tmp_path / 'file', options=TINY)
    assert sentence.startswith(f'{tmp_path}/file')


def test_wrong_data(tool, own_data, tmp_path):
    root = voc_copy(own_data, tmp_path)
    train = ('train', VOC, '--data-root', root, '--weights', 'none', '--work-dir', tmp_path / 'work')
    xml = root / 'Annotations/one.xml'
    image = root / 'JPEGImages/one.jpg'
    whole_xml, whole_image = xml.read_text(), image.read_bytes()
    listed = root / 'ImageSets/Main/train.txt'
    whole_list = listed.read_bytes()

    assert 'nowhere: no such file or folder' in tool.refused(
        'train', VOC, '--data-root', tmp_path / 'nowhere', options=TINY
    )
    xml.write_text(whole_xml[:-20])
    assert f'{xml}: the annotation is not well-formed XML' in tool.refused(*train, options=TINY)
    xml.write_text(whole_xml)
    image.rename(image.with_suffix('.away'))
    assert f'{image.with_suffix("")}: no image of this name' in tool.refused(*train, options=TINY)
    image.write_bytes(whole_image)
    for content, said in ((b'', 'has no images'), (b'\xff\xfe\x00o\x00', 'no text in UTF-8'), (b'nobody', 'nobody')):
        listed.write_bytes(content)
        assert said in tool.refused(*train, options=TINY)
    listed.write_bytes(whole_list)

    # Raised in the worker of a data loader.
    image.write_bytes(whole_image[:1500])
    sentence = tool.refused(*train, options=[*TINY, 'train_dataloader.num_workers=1'])
    assert sentence.startswith(f'{image}: the image is truncated') and '\n' not in sentence
    image.write_bytes(whole_image)
    size = f'<size><width>{SIZE[1]}</width><height>{SIZE[0]}</height></size>'
    xml.write_text(whole_xml.replace('<filename>', size + '<filename>'))
    assert 'its EXIF data turn it' in tool.refused(*train, options=TINY)


class Harmful:
    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def test_wrong_checkpoints(tool, trained, mini, own_data, tmp_path):
    good = trained / 'epoch_1.pth'
    test = ('test', MINI)
    rest = ('--data-root', mini, '--work-dir', tmp_path / 'work')
    assert 'none.pth: no such checkpoint' in tool.refused(*test, tmp_path / 'none.pth', *rest)
    cut = tmp_path / 'cut.pth'
    cut.write_bytes(good.read_bytes()[:50000])
    assert f'{cut}: is damaged or was cut off' in tool.refused(*test, cut, *rest)
    harm = tmp_path / 'made by the checkpoint'
    for content in ({'state_dict': {}, 'x': Harmful(harm)}, {'state_dict': {}, 'meta': {'config': 'import os'}}):
        torch.save(content, tmp_path / 'bad.pth')
        assert 'could run code' in tool.refused(*test, tmp_path / 'bad.pth', *rest)
        assert 'could run code' in tool.refused('train', MINI, *rest, '--resume', tmp_path / 'bad.pth', options=TINY)
    assert not harm.exists()
    torch.save({'state_dict': {'layer1.weight': torch.ones(2)}}, tmp_path / 'other.pth')
    assert 'other.pth' in tool.refused(*test, tmp_path / 'other.pth', *rest)
    weights = read(good)['state_dict']
    torch.save({'state_dict': weights}, tmp_path / 'weights.pth')
    sentence = tool.refused('train', MINI, *rest, '--resume', tmp_path / 'weights.pth', options=TINY)
    assert 'holds weights and no state of a training' in sentence
    sentence = tool.refused('train', MINI, *rest, options=[*TINY, f'load_from={tmp_path}/other.pth'])
    assert 'none of its 1 entries belongs' in sentence
    # Trained for the classes of the mini set, tested on other data.
    config = REPO / 'configs/googlenet_rcnn_bbox-reg_voc.py'
    sentence = tool.refused('test', config, good, '--data-root', own_data, *rest[2:], options=TINY)
    assert "is of class 'red thing', which is not among the classes banana" in sentence
