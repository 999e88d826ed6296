"""Completing a config, and the sentences for a config that cannot be used."""

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmdet.models.roi_heads.bbox_heads import BBoxHead
from mmengine.optim import build_optim_wrapper
from torch.nn import ModuleList

from det_inception.cli.common import explain
from det_inception.config.classifier import is_classifier
from det_inception.config.data import pipeline_steps
from det_inception.config.loading import (
    ConfigError,
    config_classes,
    datasets,
    is_class_agnostic,
    load_config,
    read_config,
)
from det_inception.config.options import read_options
from det_inception.models import GoogLeNet
from det_inception.models.backbones.googlenet import NORMALIZATION
from det_inception.registry import DATASETS, MODELS, TRANSFORMS
from det_inception.utils.errors import InputError
from det_inception.utils.images import ImageError
from det_inception.weights.files import CheckpointError
from det_inception.weights.normalization import same_normalization

REPO = Path(__file__).resolve().parent.parent.parent
CONFIGS = sorted((REPO / 'configs').glob('*.py'))
MINI, VOC = REPO / 'configs/googlenet_rcnn_mini.py', REPO / 'configs/googlenet_rcnn_voc.py'


@pytest.fixture
def voc(tmp_path):
    """A VOC set of one image with a tree and a house."""
    for folder in ('JPEGImages', 'Annotations', 'ImageSets/Main'):
        (tmp_path / folder).mkdir(parents=True)
    cv2.imwrite(str(tmp_path / 'JPEGImages/a.jpg'), np.zeros((20, 20, 3), np.uint8))
    annotation = ElementTree.Element('annotation')
    for name in ('tree', 'house'):
        thing = ElementTree.SubElement(annotation, 'object')
        ElementTree.SubElement(thing, 'name').text = name
        box = ElementTree.SubElement(thing, 'bndbox')
        for tag, value in zip(('xmin', 'ymin', 'xmax', 'ymax'), (1, 1, 9, 9)):
            ElementTree.SubElement(box, tag).text = str(value)
    (tmp_path / 'Annotations/a.xml').write_bytes(ElementTree.tostring(annotation))
    for split in ('train', 'val'):
        (tmp_path / f'ImageSets/Main/{split}.txt').write_text('a\n')
    return tmp_path


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_every_config_describes_a_model(path):
    if 'imagenet1k' in path.stem:
        with pytest.raises(ConfigError, match='set model.class_set instead of classes'):
            load_config(path, options=dict(classes=('a', 'b', 'c')))
        count = 20 if 'voc' in path.stem else 200
        assert len(MODELS.build(load_config(path).model).classes) == count
        return
    cfg = load_config(path, options=dict(classes=('a', 'b', 'c')))
    if cfg.model.backbone.type == 'TimmBackbone':
        pytest.importorskip('timm', reason='the extra "backbones" is not installed')
    model = MODELS.build(cfg.model)
    if is_class_agnostic(cfg):
        count = 200 if 'global' in path.stem else 12
        assert len(model.bbox_head.priors) == count and not model.bbox_head.has_priors
        return
    if is_classifier(cfg):
        heads = [model, *(getattr(model, name) for name in model.auxiliaries.values())]
        assert len(heads) > 1 and all(head.fc.out_features == 3 for head in heads)
    else:
        head = model.roi_head.bbox_head if 'roi_head' in cfg.model else model.bbox_head
        background = 'svm' not in path.stem
        for one in head if isinstance(head, ModuleList) else [head]:
            assert one.num_classes == 3
            assert not isinstance(one, BBoxHead) or one.fc_cls.out_features == 3 + background
    assert {dataset.metainfo['classes'] for dataset in datasets(cfg)} == {('a', 'b', 'c')}


def test_proposals_reach_every_data_set():
    entry = REPO / 'configs/googlenet_rcnn.py'

    def steps(path, **options):
        cfg = load_config(path, options=dict(options))
        return [step for dataset in datasets(cfg) for step in dataset.pipeline if step.type == 'LoadRegionProposals']

    assert len(steps(entry)) == 4 and {step.method.type for step in steps(entry)} == {'SelectiveSearch'}
    for step in steps(entry, proposal_store='mix.h5'):
        assert step.store == 'mix.h5' and step.method is None
    for step in steps(entry, proposal_store='fast.h5', **{'proposals.mode': 'fast'}):
        assert step.store == 'fast.h5' and step.method == dict(type='SelectiveSearch', mode='fast')
    for step in steps(entry, **{'multibox.checkpoint': 'multibox.pth'}):
        assert step.method.type == 'Mixed' and step.method.second == dict(type='SelectiveSearch', mode='ilsvrc2014')
        assert step.method.first.checkpoint == 'multibox.pth' and step.method.first.number == 200
        assert Path(step.method.first.config) == REPO / 'configs/googlenet_multibox.py'
    for step in steps(MINI, **{'multibox.checkpoint': 'a.pth', 'multibox.config': 'a.py'}):
        assert step.method.first == dict(type='MultiBox', checkpoint='a.pth', config='a.py')
    for wrong in ({'multibox': 'a.pth'}, {'multibox.checkpoint': 'a.pth'}, {'multibox.chekpoint': 'a.pth'}):
        with pytest.raises(ConfigError, match='should name config and checkpoint of a MultiBox'):
            steps(MINI, **wrong)


def test_image_size_reaches_every_resize():
    cfg = load_config(REPO / 'configs/googlenet_multibox_voc.py', options=dict(image_size=[320, 256]))
    sizes = [step.scale for dataset in datasets(cfg) for step in dataset.pipeline if step.type == 'Resize']
    assert sizes == [(320, 256)] * 3
    for wrong in ([320], [16, 16], 'large'):
        with pytest.raises(ConfigError, match='image_size is .* should be width,height'):
            load_config(cfg.filename, options=dict(image_size=wrong))


def test_image_size_is_the_one_size_of_a_training_with_several():
    cfg = load_config(REPO / 'configs/googlenet_fast-rcnn_voc.py', options=dict(classes=('x',), image_size=[320, 256]))
    (step,) = pipeline_steps(cfg, 'BatchResize')
    resized = TRANSFORMS.build(step)(dict(img=np.zeros((100, 400, 3), np.uint8)))
    assert step.sides == [256] and resized['img'].shape == (80, 320, 3)


def test_multibox_has_no_classes(tmp_path):
    path = checkpoint(tmp_path / 'multibox.pth', 'paper')
    config = REPO / 'configs/googlenet_multibox_mini.py'
    cfg = load_config(config, checkpoint=path, options={'model.bbox_head.priors': 'gone.json'})
    assert (
        len(config_classes(cfg)) == 12
        and 'num_classes' not in cfg.model.bbox_head
        and cfg.model.bbox_head.priors is None
    )


def test_data_root_reaches_every_data_set(voc):
    cfg = load_config(MINI, data_root='elsewhere')
    assert [dataset.data_root for dataset in datasets(cfg)] == ['elsewhere'] * 3
    cfg = load_config(MINI, options={'data_root': 'there'})
    assert [dataset.data_root for dataset in datasets(cfg)] == ['there'] * 3
    cfg = load_config(MINI, options={'test_dataloader.dataset.data_root': 'own'})
    assert [dataset.data_root for dataset in datasets(cfg)] == ['data/mini', 'data/mini', 'own']


def test_a_list_of_the_command_line_stands_for_a_tuple_of_the_config(voc):
    key = 'test_dataloader.dataset.pipeline.1.scale'
    cfg = load_config('googlenet_faster-rcnn_voc', data_root=voc, options=read_options([f'{key}=[960,576]']))
    assert cfg.test_dataloader.dataset.pipeline[1].scale == (960, 576)
    DATASETS.build(cfg.test_dataloader.dataset)


def test_classes_from_the_training_data(voc):
    cfg = load_config(VOC, data_root=voc)
    assert config_classes(cfg) == ('house', 'tree') and cfg.model.bbox_head.num_classes == 2
    assert [dataset.metainfo['classes'] for dataset in datasets(cfg)] == [('house', 'tree')] * 3
    cfg = load_config(VOC, data_root=voc, options={'classes': 'tree'})
    assert config_classes(cfg) == ('tree',) and cfg.model.bbox_head.num_classes == 1
    with pytest.raises(ConfigError, match=r'model.bbox_head.num_classes is 7, but the detector has 2 classes'):
        load_config(VOC, data_root=voc, options={'model.bbox_head.num_classes': 7})
    assert load_config(VOC, data_root=voc, options={'model.bbox_head.num_classes': 2}).model.bbox_head.num_classes == 2
    with pytest.raises(ConfigError, match='no training data to read them from'):
        load_config(VOC, data_root=voc, options={'train_dataloader': None})
    with pytest.raises(InputError, match='nowhere: no such file or folder; check the path'):
        load_config(VOC, data_root=voc / 'nowhere')


def test_wrapped_data_sets(tmp_path):
    path = tmp_path / 'wrapped.py'
    path.write_text(
        f"_base_ = '{MINI}'\n"
        "part = dict(type='ILSVRCDetDataset', ann_file='x.txt', split='train', metainfo={{_base_.metainfo}})\n"
        "both = dict(type='ConcatDataset', datasets=[part, part])\n"
        "train_dataloader = dict(dataset=dict(_delete_=True, type='RepeatDataset', times=2, dataset=both))\n"
    )
    cfg = load_config(path, data_root='here')
    assert [dataset.data_root for dataset in datasets(cfg)] == ['here'] * 4
    assert all(len(dataset.metainfo['classes']) == 12 for dataset in datasets(cfg))


def test_workers_that_are_not_there_do_not_persist():
    cfg = load_config(MINI, options={'val_dataloader.num_workers': 0})
    assert cfg.train_dataloader.persistent_workers is True and cfg.val_dataloader.persistent_workers is False


def checkpoint(path, variant, classes=('x', 'y'), **meta):
    network = GoogLeNet(variant=variant, width=0.125)
    state_dict = {f'backbone.{name}': weight for name, weight in network.state_dict().items()}
    torch.save(dict(state_dict=state_dict, meta=dict(dataset_meta=dict(classes=classes), **meta)), path)
    return path


def test_the_entry_is_the_papers_network_unless_weights_say_otherwise(tmp_path):
    entry = REPO / 'configs/googlenet_rcnn.py'
    model = MODELS.build(load_config(entry).model)
    before = model.backbone.inception5b.conv_1x1.conv.weight.clone()
    model.init_weights()
    assert model.backbone.description == "the paper's GoogLeNet (LRN, 5x5 kernels in the 5x5 branch)"
    assert (model.backbone.inception5b.conv_1x1.conv.weight != before).all()
    assert same_normalization(model.data_preprocessor.normalization, NORMALIZATION['paper'])
    assert all(parameter.requires_grad for parameter in model.parameters())
    other = checkpoint(tmp_path / 'a.pth', 'torchvision')
    for arguments in (dict(weights=other), dict(checkpoint=other)):
        network = load_config(entry, **arguments).model.backbone
        assert (network.variant, network.width) == ('torchvision', 0.125)
    assert network.init_cfg is None


def test_the_documented_solver_is_rcnns(tmp_path):
    """Biases learn twice as fast and do not decay, new layers learn ten times as fast: Caffe's multipliers."""
    document = (REPO / 'docs/configs.md').read_text()
    (block,) = re.findall(r"```python\n(_base_ = 'configs/googlenet_rcnn.py'\n.*?)```", document, re.DOTALL)
    (tmp_path / 'solver.py').write_text(block.replace("'configs/", f"'{REPO}/configs/"))
    cfg = load_config(tmp_path / 'solver.py', weights='none')
    model = MODELS.build(cfg.model)
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = {names[id(group['params'][0])]: group for group in wrapper.optimizer.param_groups}
    for name, rate, decay in (
        ('backbone.conv1.conv.weight', 0.001, 0.0005),
        ('backbone.inception5b.pool_proj.conv.bias', 0.002, 0),
        ('bbox_head.fc_cls.weight', 0.01, 0.0005),
        ('bbox_head.fc_cls.bias', 0.02, 0),
    ):
        assert (groups[name]['lr'], groups[name]['weight_decay']) == pytest.approx((rate, decay)), name
    assert wrapper.clip_grad_kwargs is None and [step.type for step in cfg.param_scheduler] == ['MultiStepLR']


def test_weights_bring_variant_width_and_normalization(tmp_path):
    for variant in ('paper', 'torchvision'):
        path = checkpoint(tmp_path / f'{variant}.pth', variant)
        cfg = load_config(MINI, weights=path)
        assert (cfg.model.backbone.variant, cfg.model.backbone.width) == (variant, 0.125)
        assert cfg.model.backbone.init_cfg == dict(type='Pretrained', checkpoint=str(path))
        model = MODELS.build(cfg.model)
        model.init_weights()
        assert same_normalization(model.data_preprocessor.normalization, NORMALIZATION[variant])
        assert len(config_classes(cfg)) == 12
    with pytest.raises(InputError, match=r'none\.pth'):
        load_config(MINI, weights=tmp_path / 'none.pth')
    with pytest.raises(ConfigError, match='which the model has none of'):
        load_config(MINI, weights=path, options={'model.backbone.type': 'ResNet'})


@pytest.mark.parametrize('name', ['rcnn', 'fast-rcnn', 'faster-rcnn', 'multibox', 'multibox_global'])
@pytest.mark.parametrize('given', ['weights', 'checkpoint'])
def test_weights_of_another_width_bring_their_channels(name, given, tmp_path):
    path = checkpoint(tmp_path / 'narrow.pth', 'paper')
    cfg = load_config(REPO / f'configs/googlenet_{name}_voc.py', options=dict(classes=('x', 'y')), **{given: path})
    model = MODELS.build(cfg.model).eval()
    maps = model.backbone(torch.zeros(1, 3, 64, 64))
    if 'rpn_head' in cfg.model:
        model.rpn_head(maps)
    if 'roi_head' in cfg.model:
        crops = model.roi_head.bbox_roi_extractor(maps, torch.tensor([[0.0, 0, 0, 63, 63]]))
        assert model.roi_head.bbox_head(model.roi_head.shared_head(crops))[0].shape == (1, 3)
    else:
        model.bbox_head(maps[-1] if 'region_warp' in cfg.model else maps)


@pytest.mark.parametrize(
    'name, said',
    [
        (
            'rcnn_voc',
            r'in_channels is 1024, and the backbone gives 512 channels; set model.bbox_head.in_channels=512\.',
        ),
        ('multibox_voc', r'is \(480, 832, 1024\), and .*; set model.bbox_head.in_channels=\(240,416,512\)'),
        ('rcnn_imagenet1k', r'in_channels is 1024, and the backbone gives 512'),
    ],
)
def test_a_head_of_other_channels_is_refused(name, said):
    options = {'model.backbone.width': 0.5}
    if name.endswith('_voc'):
        options['classes'] = ('x', 'y')
    cfg = load_config(REPO / f'configs/googlenet_{name}.py', options=options)
    with pytest.raises(InputError, match=said):
        MODELS.build(cfg.model)


def test_a_checkpoint_brings_its_classes_and_needs_no_weights(tmp_path):
    path = checkpoint(tmp_path / 'detector.pth', 'paper')
    cfg = load_config(VOC, checkpoint=path, options={'model.backbone.init_cfg.checkpoint': 'missing.pth'})
    assert config_classes(cfg) == ('x', 'y') and cfg.model.bbox_head.num_classes == 2
    assert cfg.model.backbone.init_cfg is None
    assert cfg.model.backbone.variant == 'paper'
    torch.save(dict(state_dict={'layer1.weight': torch.ones(3)}), tmp_path / 'other.pth')
    with pytest.raises(CheckpointError, match=r'other\.pth'):
        load_config(MINI, checkpoint=tmp_path / 'other.pth')


@pytest.mark.parametrize(
    'options, said',
    [
        ({'trian_cfg.max_epochs': 3}, "no setting 'trian_cfg', as in .*; did you mean 'train_cfg'"),
        ({'zzz': 3}, "no setting 'zzz', .*; name one that it has"),
        ({'model': 5}, r'model is a group of settings \(.*\) and cannot be 5; set one of them, such as model\.type'),
        ({'train_dataloader.dataset.pipeline.2': 7}, 'pipeline.2 is a group of settings'),
        ({'train_cfg.max_epochs.x': 3}, 'does not fit the config'),
        ({'train_dataloader.dataset.pipeline.99.type': 'x'}, 'does not fit the config'),
        ({'val_dataloader.dataset': None}, 'val_dataloader has no dataset'),
        ({'model': None}, 'describes no model'),
    ],
)
def test_wrong_options(options, said):
    with pytest.raises(ConfigError, match=said) as caught:
        load_config(MINI, options=options)
    assert '\n' not in str(caught.value)


def test_right_options():
    options = {'train_cfg.max_epochs': 3, 'work_dir': 'w', 'find_unused_parameters': True, 'custom_hooks': []}
    cfg = load_config(MINI, options={**options, 'val_evaluator': None, 'test_dataloader': None})
    assert cfg.train_cfg.max_epochs == 3 and cfg.work_dir == 'w' and cfg.val_evaluator is None


@pytest.mark.parametrize(
    'content, said',
    [
        ('model = dict(\n', 'SyntaxError'),
        ("model = dict(type='A')\nraise RuntimeError('first\\nsecond')\n", 'RuntimeError: first second'),
        ("_base_ = './none.py'\n", r'none\.py'),
        ("custom_imports = dict(imports=['no_such_module'], allow_failed_imports=False)\n", 'no_such_module'),
        ('data_root = 1\n', 'describes no model'),
    ],
)
def test_broken_configs(content, said, tmp_path):
    path = tmp_path / 'broken.py'
    path.write_text(content)
    with pytest.raises(ConfigError, match=said) as caught:
        load_config(path)
    assert str(caught.value).startswith(f'{path}: ') and '\n' not in str(caught.value)


def test_missing_config(tmp_path):
    for path in (tmp_path / 'none.py', tmp_path):
        with pytest.raises(ConfigError, match='no such config file'):
            load_config(path)


# ------------------------------------------------------------------------------------------- settings of any kind


@pytest.mark.parametrize('word', ['max_epochs', 'train_cfg.max_epochs', 'train_cfg.val_interval'])
@pytest.mark.parametrize('value', ['0', '-3', '2.5', 'nan', 'True'])
def test_lengths_are_whole_numbers(word, value):
    with pytest.raises(ConfigError, match=rf'{word} is .* and should be a whole number of at least 1\.'):
        read_config(MINI, options=read_options([f'{word}={value}']))


@pytest.mark.parametrize(
    'word, wanted',
    [
        ('model.train_cfg.rcnn.sampler.num=-3', 'a whole number of at least 1'),
        ('model.train_cfg.rcnn.sampler.pos_fraction=3', 'a number from 0 to 1'),
        ('model.test_cfg.rcnn.nms.iou_threshold=-1', 'a number from 0 to 1'),
        ('model.test_cfg.rcnn.score_thr=nan', 'a number from 0 to 1'),
        ('model.test_cfg.rpn.max_per_img=0', 'a number above 0, or -1 for all'),
        ('model.test_cfg.rcnn.max_per_img=-2', 'a number above 0, or -1 for all'),
        ('model.test_cfg.rcnn.chunk_size=0', 'a whole number of at least 1'),
    ],
)
def test_numbers_that_would_find_or_train_nothing(word, wanted):
    name, value = word.split('=')
    with pytest.raises(ConfigError, match=rf'{re.escape(name)} is {value} and should be {wanted}\.'):
        read_config(REPO / 'configs/googlenet_faster-rcnn_voc.py', options=read_options([word]))
    read_config(REPO / 'configs/googlenet_faster-rcnn_voc.py', options=read_options([f'{name}=1']))


@pytest.mark.parametrize(
    'word, why',
    [
        ('launcher=slurm', 'launcher is an option of its own; use --launcher slurm'),
        ('default_scope=foo', "default_scope is 'foo', which is no installed library; use 'mmdet'"),
        ('default_scope=5', 'default_scope is 5, which is no installed library'),
    ],
)
def test_settings_that_did_nothing(word, why):
    with pytest.raises(ConfigError, match=why):
        read_config(MINI, options=read_options([word]))


JUDGED_LATER = (
    'custom_hooks=[5]', 'train_dataloader.dataset.pipeline=[5]', 'param_scheduler=[5] max_epochs=3',
    'proposals.method=5', 'proposals.method.type=5', 'data_root=5',
    'model.bbox_head.in_channels=(1,2,3,x)', 'visualizer=[5]',
)  # fmt: skip
"""What is built from these says what is wrong with them."""


@pytest.mark.parametrize(
    'words',
    [
        'proposals.max_num=[1,',
        'randomness.seed=((1',
        'classes=1.5',
        'classes=5',
        'classes=',
        'classes=[(a,b)]',
        'custom_hooks=5',
        'custom_hooks=[5]',
        'default_hooks=[1]',
        'train_dataloader=5',
        'train_dataloader.dataset=5',
        'train_dataloader.dataset.pipeline=5',
        'train_dataloader.dataset.pipeline=[5]',
        'train_dataloader.dataset.pipeline.0=5',
        'train_dataloader.dataset.pipeline.99.type=X',
        'train_dataloader.batch_size=many',
        'train_cfg.max_epochs=x',
        'max_epochs=x',
        'max_epochs=[1]',
        'param_scheduler=5',
        'param_scheduler=[5] max_epochs=3',
        'image_size=5',
        'proposals=5',
        'proposals.method=5',
        'proposals.method.type=5',
        'multibox=5',
        'model=5',
        'model.backbone=5',
        'model.backbone.width=wide',
        'model.bbox_head.in_channels=(1,2,3,x)',
        'model.=5',
        '.=5',
        '=5',
        'model',
        'default_scope=5',
        'visualizer=5',
        'visualizer=[5]',
        'env_cfg=5',
        'data_root=5',
    ],
)
def test_an_option_of_the_wrong_kind_is_refused_or_changes_the_config(words):
    """Whatever a value is: it is taken, to be judged by what it is for, or refused in one sentence."""
    try:
        load_config(MINI, options=read_options(words.split()))
    except InputError as error:
        assert '\n' not in str(error) and len(str(error)) < 500
    else:
        assert words in JUDGED_LATER


# ---------------------------------------------------------------------------------- from exceptions to sentences


def raised(function):
    try:
        function()
    except Exception as error:
        return error


def test_explain_looks_through_other_exceptions():
    def wrapped():
        try:
            raise ImageError('a.jpg: is bad.')
        except ImageError as error:
            raise RuntimeError('somebody else') from error

    assert explain(raised(wrapped)) == 'a.jpg: is bad.'
    worker = (
        "Caught ImageError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n  File 'x'\n"
    )
    assert explain(ImageError(f'{worker}det_inception.utils.images.ImageError: a.jpg: is bad.\n')) == 'a.jpg: is bad.'
    full = OSError(28, 'No space left on device', 'out.pth')
    assert explain(full) == 'out.pth: No space left on device; make room, or choose another place.'


def test_explain_leaves_faults_of_the_program_alone():
    for function in (lambda: 1 / 0, lambda: {}['x'], lambda: int('x'), lambda: open('/no/such/file')):
        assert explain(raised(function)) is None


def test_explain_names_what_a_config_gets_wrong():
    error = raised(lambda: MODELS.build(dict(type='GoogleNet')))
    assert explain(error) == "the config asks for type='GoogleNet', which nothing registers; did you mean 'GoogLeNet'?"
    assert "type='Qwertz', which nothing registers; correct it" in explain(
        raised(lambda: MODELS.build(dict(type='Qwertz')))
    )
    for wrong, said in ((dict(variant='vgg'), "no variant 'vgg'"), (dict(widht=1), 'widht'), (dict(width='x'), 'str')):
        sentence = explain(raised(lambda: MODELS.build(dict(type='GoogLeNet', **wrong))))  # noqa: B023
        assert sentence.startswith("the config's GoogLeNet cannot be built (") and said in sentence


def test_a_longer_training_stretches_its_schedule():
    options = dict(classes=('a',), max_epochs=20)
    cfg = load_config(REPO / 'configs/googlenet_rcnn_voc.py', options=options)
    assert cfg.train_cfg.max_epochs == 20
    assert not any('T_max' in schedule for schedule in cfg.param_scheduler)  # It lasts as long as the training.
    assert [schedule.get('end') for schedule in cfg.param_scheduler] == [20, None]  # 20 steps of warm-up
    cfg = load_config(REPO / 'configs/googlenet_multibox.py', options=dict(max_iters=70))
    assert cfg.train_cfg.max_iters == 70 and not {'T_max', 'end'} & cfg.param_scheduler[1].keys()
    cfg = load_config(REPO / 'configs/googlenet_rcnn.py', options=dict(max_iters=6250))
    assert cfg.param_scheduler[1].milestones == [2500, 5000] and cfg.param_scheduler[0].end == 500  # warm-up
    with pytest.raises(ConfigError, match='max_iters does not fit its EpochBasedTrainLoop; set max_epochs'):
        load_config(REPO / 'configs/googlenet_rcnn_voc.py', options=dict(max_iters=20))


def test_options_that_would_do_nothing_are_refused():
    with pytest.raises(ConfigError, match='mini is a variable of the config file, .* would do nothing'):
        load_config(MINI, options=dict(mini=64))
    with pytest.raises(ConfigError, match='train_pipeline is a variable'):
        load_config(MINI, options={'train_pipeline.0.type': 'LoadImageFromFile'})


def test_proposal_options_reach_every_data_set(tmp_path):
    options = {
        'classes': ('ant',),
        'proposals.mode': 'fast',
        'proposals.width': None,
        'proposals.cache_dir': 'folder',
        'test_dataloader.dataset.pipeline.2.method.mode': 'quality',
    }
    (tmp_path / 'config.py').write_text(f"_base_ = ['{REPO / 'configs/googlenet_rcnn_voc.py'}']\n", encoding='utf-8')
    cfg = load_config(tmp_path / 'config.py', options=options)
    steps = [cfg[f'{name}_dataloader'].dataset.pipeline[2] for name in ('train', 'val', 'test')]
    assert [step.method.mode for step in steps] == ['fast', 'fast', 'quality']
    assert [step.method.width for step in steps] == [None] * 3
    assert [step.cache_dir for step in steps] == ['folder'] * 3
    assert [step.get('max_num') for step in steps] == [None, 300, None]


def test_an_ensemble_of_classifiers_that_a_config_spells_out_is_left_as_it_is(tmp_path):
    """It is a classifier, and has its members and their classes already."""
    member = dict(type='GoogLeNetClassifier', num_classes=3, backbone=dict(type='GoogLeNet', width=0.125))
    model = dict(type='GoogLeNetClassifierEnsemble', members=[member, member])
    (tmp_path / 'config.py').write_text(f'model = {model!r}\n', encoding='utf-8')
    cfg = load_config(tmp_path / 'config.py')
    assert is_classifier(cfg) and cfg.model.to_dict() == model
