"""The classifier with the tools: train, resume, test with crops and ensembles, publish, and on to the detector."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from PIL import Image

from det_inception.config.data import pipeline_steps
from det_inception.config.loading import load_config
from det_inception.config.options import read_options
from det_inception.datasets.crops import TestCrops
from det_inception.engine.hooks import work_folder
from det_inception.ilsvrc import RULES
from det_inception.models import GoogLeNet
from det_inception.models.backbones.googlenet import LAYOUT
from det_inception.registry import HOOKS, MODELS
from det_inception.utils.errors import InputError
from det_inception.utils.files import write_image
from det_inception.utils.images import read_image

REPO = Path(__file__).resolve().parent.parent.parent
PAPER, QUICK, MINI = (REPO / f'configs/googlenet_imagenet{name}.py' for name in ('', '_quick', '_mini'))
INCEPTION_V3 = REPO / 'configs/inception_v3_imagenet.py'
NAMES = ('n01', 'n02', 'n03', 'n04', 'n05')
TINY = [
    'model.backbone.width=0.125',
    'train_dataloader.batch_size=5',
    *(f'{loader}.num_workers=0' for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader')),
]
SMALL = [
    *TINY,
    'model.auxiliary.crop_size=48',
    'train_dataloader.dataset.pipeline.1.size=48',
    'val_dataloader.dataset.pipeline.1.size=48',
    'test_dataloader.dataset.pipeline.1.size=48',
]


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    """Five classes of colored noise; as class folders, and val/ also flat with its list."""
    root, rng = tmp_path_factory.mktemp('imagenet'), np.random.default_rng(0)
    lines = []
    for label, name in enumerate(NAMES):
        for split, count in (('train', 2), ('val', 1)):
            for number in range(count):
                image = rng.integers(0, 60, (40, 50, 3), dtype=np.uint8) + np.uint8(30 * label)
                path = root / split / name / f'{name}_{number}.JPEG'
                path.parent.mkdir(parents=True, exist_ok=True)
                write_image(path, image)
        (root / 'flat').mkdir(exist_ok=True)
        write_image(root / 'flat' / f'{name}_x.JPEG', image)
        lines.append(f'{name}_x.JPEG {name}\n')
    (root / 'flat.txt').write_text(''.join(lines))
    (root / 'synsets.txt').write_text(''.join(f'{name} a name, and another\n' for name in NAMES))
    return root


@HOOKS.register_module()
class KeepEveryStep(Hook):
    """Writes down the weights after every step."""

    steps: list[dict] = []

    def after_train_iter(self, runner, *arguments, **options):
        self.steps.append({name: value.clone() for name, value in runner.model.state_dict().items()})


@pytest.fixture(scope='module')
def trained(root, tmp_path_factory):
    """The small network after two epochs, of which the second is averaged."""
    from det_inception.engine.train import train

    options = {'train_cfg.max_epochs': 2, 'custom_hooks.0.begin_epoch': 2}
    options |= {key: _value(text) for key, text in (option.split('=') for option in SMALL)}
    cfg = load_config(MINI, data_root=root, options=options)
    cfg.work_dir = str(tmp_path_factory.mktemp('work') / 'run')
    cfg.custom_hooks.append(dict(type='KeepEveryStep'))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(work_folder, 'plot_training', lambda *_: None)  # It takes longer than the training.
        train(cfg)
    return Path(cfg.work_dir)


def _value(text):
    return float(text) if '.' in text else int(text)


def read(path):
    return torch.load(path, map_location='cpu', weights_only=True)


def test_the_papers_config_trains_resumes_and_tests(root, tool, tmp_path):
    """At full crops, without batch norm; its optimizer, its schedule."""
    train = ('train', PAPER, '--data-root', root, '--work-dir', tmp_path)
    options = [*TINY, 'train_cfg.max_epochs=1', 'custom_hooks.0.begin_epoch=1']
    status, stdout, stderr = tool(*train, options=options)
    assert status == 0, stderr
    assert 'imagenet/top5_accuracy: 1.0000' in next(tmp_path.glob('*/*.log')).read_text()
    status, stdout, stderr = tool(*train, '--resume', options=[*options, 'train_cfg.max_epochs=2'])
    assert status == 0 and 'epoch_1.pth, which goes on after epoch 1, step 2' in stdout, stderr
    content = read(tmp_path / 'epoch_2.pth')
    (group,) = content['optimizer']['param_groups']
    assert (group['lr'], group['momentum'], group['weight_decay']) == (0.01, 0.9, 0.0002)
    assert int(content['ema_state_dict']['steps']) == 4  # Two steps an epoch; counted on, not anew.
    cfg = load_config(PAPER, options=dict(classes=NAMES))
    (schedule,) = cfg.param_scheduler
    rates = [0.01 * schedule.gamma ** (epoch // schedule.step_size) for epoch in (7, 8, 16)]
    assert rates == pytest.approx([0.01, 0.0096, 0.009216])
    status, stdout, stderr = tool(
        'test', PAPER, tmp_path / 'epoch_2.pth', '--data-root', root, '--work-dir', tmp_path / 'test', options=TINY[1:]
    )
    assert status == 0 and 'imagenet/top5_error: 0.0000' in stdout, stderr


def test_another_backbone_trains_resumes_tests_and_starts_a_detector(root, tool, tmp_path):
    """Inception v3's recipe, on a small network of timm."""
    pytest.importorskip('timm', reason='the extra "backbones" is not installed')
    options = ['model.backbone.model_name=resnet10t', 'model.auxiliary.layers=layer3,', *TINY[1:]]
    options += [option for option in SMALL if '=48' in option]
    train = ('train', INCEPTION_V3, '--data-root', root, '--work-dir', tmp_path / 'run')
    status, stdout, stderr = tool(*train, options=[*options, 'max_epochs=1'])
    assert status == 0, stderr
    status, stdout, stderr = tool(*train, '--resume', options=[*options, 'max_epochs=2'])
    assert status == 0 and 'goes on after epoch 1, step 2' in stdout, stderr
    last = tmp_path / 'run/epoch_2.pth'
    assert any(key.startswith('aux_layer3.') for key in read(last)['state_dict'])
    test = ('test', INCEPTION_V3, last, last, '--data-root', root, '--work-dir', tmp_path / 'test')
    status, stdout, stderr = tool(*test, options=options)
    assert status == 0 and 'imagenet/top5_error: 0.0000' in stdout, stderr
    status, stdout, stderr = tool(*train[:-1], tmp_path / 'more', '--weights', last, options=[*options, 'max_epochs=1'])
    assert status == 0 and f'loaded the backbone of {last}' in next(tmp_path.glob('more/*/*.log')).read_text(), stderr
    network = {'model.backbone.model_name': 'resnet10t', 'model.bbox_head.in_channels': 512}
    cfg = load_config('inception_v3_rcnn_voc', options=dict(network, classes=NAMES), weights=last)
    assert cfg.model.backbone.init_cfg == dict(type='Pretrained', checkpoint=str(last))
    detector = MODELS.build(cfg.model)
    detector.init_weights()
    learned = read(last)['state_dict']['backbone.network.conv1.0.weight']
    assert torch.equal(detector.backbone.network.conv1[0].weight, learned)


def test_a_classifier_of_timm_is_tested_as_timm_tests_it(root, tool, tmp_path):
    """Scores against timm's own network and transforms; its files are those that timm writes."""
    timm = pytest.importorskip('timm', reason='the extra "backbones" is not installed')
    torch.manual_seed(0)
    network = timm.create_model('resnet10t', num_classes=len(NAMES)).eval()
    torch.nn.init.normal_(network.fc.weight)
    weights = tmp_path / 'resnet10t.pth'
    torch.save(network.state_dict(), weights)
    options = ['model.backbone.model_name=resnet10t', 'test_dataloader.dataset.pipeline.1.size=176', TINY[-1]]
    words = ('--data-root', root, '--work-dir', tmp_path / 'test')
    status, stdout, stderr = tool('test', INCEPTION_V3, weights, weights, *words, options=options)
    assert status == 0 and 'imagenet/top5_error: 0.0000' in stdout, stderr

    cfg = load_config(INCEPTION_V3, options=read_options(options), checkpoint=weights, data_root=root)
    (step,) = pipeline_steps(cfg, 'TestCrops', ['test_dataloader'])
    assert step['rule'] == dict(resize='shorter', side=201, crop=176, interpolation='bicubic_antialias')
    model, image = MODELS.build(cfg.model).eval(), root / 'val/n03/n03_0.JPEG'
    model.load_pretrained(weights)
    crops = TestCrops(1, 176, step['rule'])(dict(img=read_image(image)))['img']
    batch = model.data_preprocessor(dict(inputs=[torch.from_numpy(crops).permute(0, 3, 1, 2)]))
    settings = timm.get_pretrained_cfg('resnet10t')
    transform = timm.data.create_transform(**timm.data.resolve_data_config(pretrained_cfg=settings.to_dict()))
    with torch.no_grad():
        found = model(batch['inputs'], mode='predict')[0].pred_score
        expected = network(transform(Image.open(image))[None]).softmax(1)[0]
    torch.testing.assert_close(found, expected, atol=0.01, rtol=0)  # Both resize, and round pixels to integers.
    assert expected.std() > 0.05

    wrong = tmp_path / 'wrong.pth'
    torch.save(timm.create_model('resnet18', num_classes=5).state_dict(), wrong)
    status, _, stderr = tool('test', INCEPTION_V3, wrong, *words, options=options)
    assert status == 2 and 'arrays of resnet10t are missing or of another shape' in stderr
    headless = {key: value for key, value in network.state_dict().items() if not key.startswith('fc.')}
    torch.save(headless, wrong)
    status, _, stderr = tool('test', INCEPTION_V3, wrong, *words, options=options)
    assert status == 2 and 'holds a network without its classifier' in stderr


def test_the_quick_schedule_is_caffes(root, tool, tmp_path):
    options = [*TINY, 'max_iters=4', 'train_cfg.val_interval=4', 'default_hooks.logger.interval=1']
    options += ['default_hooks.checkpoint.interval=4']
    status, stdout, stderr = tool('train', QUICK, '--data-root', root, '--work-dir', tmp_path, options=options)
    assert status == 0, stderr
    (log,) = tmp_path.glob('*/*.log')
    rates = [float(rate) for rate in re.findall(r'base_lr: (\S+)', log.read_text())]
    assert rates == pytest.approx([0.01 * (1 - step / 3) ** 0.5 for step in range(4)], rel=1e-3, abs=1e-6)
    groups = read(tmp_path / 'iter_4.pth')['optimizer']['param_groups']
    kinds = {(group['initial_lr'], group['weight_decay']) for group in groups}
    assert kinds == {(0.01, 0.0002), (0.02, 0.0)}


def test_the_average_is_evaluated_and_saved(trained):
    """The steps of the second epoch are averaged, batch norm's statistics too."""
    steps, second = KeepEveryStep.steps, read(trained / 'epoch_2.pth')
    assert len(steps) == 4 and int(second['ema_state_dict']['steps']) == 2
    for name, saved in second['state_dict'].items():
        assert torch.equal(second['ema_state_dict'][f'module.{name}'], steps[3][name]), name
        if saved.is_floating_point():
            torch.testing.assert_close(saved, (steps[2][name] + steps[3][name]) / 2)
    first = read(trained / 'epoch_1.pth')
    assert all(torch.equal(saved, steps[1][name]) for name, saved in first['state_dict'].items())


def test_the_validation_is_the_averages(trained, root, tool, tmp_path):
    out = tmp_path / 'out.json'
    words = ('test', MINI, trained / 'epoch_2.pth', '--data-root', root, '--out', out, '--work-dir', tmp_path)
    assert tool(*words, options=[*SMALL[2:5], SMALL[-1]])[0] == 0
    (log,) = trained.glob('*/*.log')
    validations = re.findall(r'Epoch\(val\) \[\d\].*?top1_accuracy: ([\d.]+)', log.read_text())
    assert len(validations) == 2
    assert float(validations[1]) == pytest.approx(json.loads(out.read_text())['imagenet/top1_accuracy'], abs=1e-4)


def test_crops_ensembles_and_layouts(trained, root, tool, tmp_path):
    checkpoint, found = trained / 'epoch_2.pth', {}
    flat = ['test_dataloader.dataset.ann_file=flat.txt', 'test_dataloader.dataset.data_prefix.img_path=flat']
    for name, arguments, extra in (
        ('one', (), []),
        ('flat', (), flat),
        ('many', ('--crops', '144'), []),
        ('amp', ('--crops', '10', '--amp'), []),
        ('two', (trained / 'epoch_1.pth', '--crops', '10'), []),
    ):
        out = tmp_path / f'{name}.json'
        words = ('test', MINI, checkpoint, *arguments, '--data-root', root, '--out', out, '--work-dir', tmp_path)
        status, stdout, stderr = tool(*words, options=[*SMALL[2:5], SMALL[-1], *extra])
        assert status == 0, (name, stderr)
        found[name] = json.loads(out.read_text())
        assert found[name]['imagenet/top5_accuracy'] == 1
    assert found['flat'] == found['one']  # The same pictures, their labels from the list.


def test_publishing_leaves_the_auxiliaries_out_and_both_files_serve(trained, root, tool, tmp_path):
    source, target = trained / 'epoch_2.pth', tmp_path / 'published.pth'
    assert tool('publish_checkpoint', source, target)[0] == 0
    assert any(key.startswith('aux') for key in read(source)['state_dict'])
    assert not any(key.startswith('aux') for key in read(target)['state_dict'])
    weights = GoogLeNet.read_weights(target)
    assert weights.classes == NAMES and weights.width == 0.125 and weights.normalization['bgr_to_rgb']
    results = []
    for path in (source, target):
        out = tmp_path / 'out.json'
        words = ('test', MINI, path, '--data-root', root, '--out', out, '--work-dir', tmp_path)
        assert tool(*words, options=[*SMALL[2:5], SMALL[-1]])[0] == 0
        results.append(out.read_text())
        backbone = GoogLeNet('batch_norm', width=0.125, init_cfg=dict(type='Pretrained', checkpoint=str(path)))
        backbone.init_weights()
        assert backbone.normalization == weights.normalization
    assert results[0] == results[1]
    # The detector takes it as --weights: variant, width and normalization come along.
    cfg = load_config(REPO / 'configs/googlenet_rcnn_mini.py', weights=source)
    assert cfg.model.backbone.width == 0.125 and cfg.model.backbone.init_cfg.checkpoint == str(source)


def test_images_are_seen_as_the_weights_were_tested(trained, root, tmp_path):
    caffe, own = tmp_path / 'caffe.npz', trained / 'epoch_2.pth'
    network = GoogLeNet(width=0.125)
    names = {unit.own: unit.caffe for unit in LAYOUT.units}
    arrays = {}
    for key, value in network.state_dict().items():
        unit, _, kind = key.rsplit('.', 2)
        arrays[f'{names[unit]}.{kind}'] = value.numpy()
    arrays |= {f'loss3/classifier.{kind}': np.zeros(shape) for kind, shape in (('weight', (5, 128)), ('bias', 5))}
    np.savez(caffe, **arrays)

    def rules(checkpoints, **options):
        cfg = load_config(MINI, data_root=root, checkpoint=checkpoints, options=options)
        return [step.get('rule') for step in cfg.test_dataloader.dataset.pipeline if step.type == 'TestCrops']

    assert rules(caffe) == [RULES['caffe']] and rules([caffe, caffe]) == [RULES['caffe']]
    assert rules(own) == [None]
    assert rules(caffe, crop_rule='paper') == ['paper'] and rules([caffe, own], crop_rule='paper') == ['paper']
    assert rules([caffe, own], crops=144) == [None]
    with pytest.raises(InputError, match='name one rule for all with --cfg-options crop_rule=paper'):
        rules([own, caffe])


def test_weights_of_the_same_classes_bring_their_last_layer(trained, root, tmp_path):
    path = str(trained / 'epoch_2.pth')
    same = load_config(MINI, data_root=root, weights=path)
    assert same.model.init_cfg.checkpoint == path and same.model.num_classes == 5
    other = load_config(MINI, weights=path, options=dict(classes=NAMES[:4]))
    assert other.model.get('init_cfg') is None and other.model.backbone.init_cfg.checkpoint == path


def test_what_does_not_fit_is_refused_in_one_sentence(trained, root, tool, tmp_path):
    checkpoint = trained / 'epoch_2.pth'
    rest = ('--data-root', root, '--work-dir', tmp_path)
    sentence = tool.refused('test', MINI, checkpoint, *rest, options=['classes=n01,n02'])
    assert 'was trained for the classes n01, n02, n03, ... (5), and the test is about n01, n02;' in sentence
    # A network that does not say its classes, on data of another number.
    weights = read(checkpoint)['state_dict']
    torch.save(weights, tmp_path / 'bare.pth')
    (tmp_path / 'two/val/a').mkdir(parents=True)
    sentence = tool.refused('test', MINI, tmp_path / 'bare.pth', '--data-root', tmp_path / 'two', *rest[2:])
    assert 'bare.pth: tells 5 classes apart, and the data have 1 (a); name its classes' in sentence
    backbone = {key: value for key, value in weights.items() if key.startswith('backbone.')}
    torch.save(backbone, tmp_path / 'backbone.pth')
    sentence = tool.refused('test', MINI, tmp_path / 'backbone.pth', *rest)
    assert 'backbone.pth: holds a backbone and no classifier' in sentence
    for option in ('--report', '--show-dir'):
        sentence = tool.refused('test', MINI, checkpoint, *rest, option, tmp_path / 'out')
        assert 'which a classifier has none of' in sentence
    sentence = tool.refused('test', MINI, checkpoint, *rest, options=['ensemble.combine=logits'])
    assert 'is for detectors' in sentence
    detector = (REPO / 'configs/googlenet_rcnn_mini.py', REPO / 'checkpoints/googlenet_rcnn_mini.pth')
    sentence = tool.refused('test', *detector, *rest, '--crops', '10')
    assert 'crops is for classifiers' in sentence
    sentence = tool.refused('train', detector[0], *rest, options=[f'synsets={root}/synsets.txt'])
    assert 'synsets are the classes of a classifier' in sentence
    # Fewer classes than guesses, at the first validation.
    for split in ('train', 'val'):
        for name in 'ab':
            (tmp_path / f'ab/{split}/{name}').mkdir(parents=True)
            write_image(tmp_path / f'ab/{split}/{name}/1.png', np.zeros((9, 9, 3), np.uint8))
    train = ('train', MINI, '--data-root', tmp_path / 'ab', *rest[2:])
    assert 'fewer than one batch of 5 images' in tool.refused(*train, options=SMALL)
    sentence = tool.refused(*train, options=[*SMALL, 'max_epochs=1', 'train_dataloader.batch_size=2'])
    assert 'tells 2 classes apart has no top-5 error' in sentence
    (tmp_path / 'ab/train/b/1.png').unlink()
    sentence = tool.refused(*train, options=SMALL)
    assert 'train/b: the class folder holds no image' in sentence
    sentence = tool.refused('train', MINI, *rest, options=[*SMALL, 'train_cfg.max_epochs=3'])
    assert 'averaged from epoch 9, and training ends with epoch 3; set max_epochs=3, which moves both' in sentence
    assert load_config(MINI, options=dict(max_epochs=4, classes=NAMES)).custom_hooks[0].begin_epoch == 2
    sentence = tool.refused('train', MINI, *rest, options=[*SMALL, 'model.auxiliary.crop_size=64'])
    assert 'were made for maps of 4x4 and the crops give 3x3' in sentence
    listed = ['train_dataloader.dataset.ann_file=flat.txt', 'train_dataloader.dataset.data_prefix.img_path=flat']
    assert 'without names of classes' in tool.refused('train', MINI, *rest, options=[*SMALL, *listed])


def test_caffes_weights_classify_photos(shared_data, tool, tmp_path):
    """Five of the photos, with the list that a line of sed makes."""
    photos = sorted((shared_data / 'imagenet_samples').iterdir())[::40]
    (tmp_path / 'list.txt').write_text(''.join(f'{path.name} {path.name.partition("_")[0]}\n' for path in photos))
    options = [
        f'synsets={shared_data}/weights/imagenet_synset_words.txt',
        f'test_dataloader.dataset.data_prefix.img_path={shared_data}/imagenet_samples',
        f'test_dataloader.dataset.ann_file={tmp_path}/list.txt',
        'test_dataloader.num_workers=0',
    ]
    weights, out = shared_data / 'weights/bvlc_googlenet.npz', tmp_path / 'out.json'
    words = ('test', PAPER, weights, '--data-root', tmp_path, '--work-dir', tmp_path, '--out', out)
    assert tool(*words, options=options)[0] == 0
    found = json.loads(out.read_text())
    assert found['imagenet/top1_accuracy'] >= 0.6 and found['imagenet/top5_accuracy'] >= 0.8
