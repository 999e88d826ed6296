"""The normalization of a model: it comes from the backbone's weights, and checkpoints carry it."""

import copy
from pathlib import Path

import pytest
import torch
from mmdet.apis import init_detector
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import MMDistributedDataParallel
from mmengine.runner import Runner, load_checkpoint
from torch import nn

from det_inception.models import BackboneDataPreprocessor, CropPreprocessor, GoogLeNet
from det_inception.models.backbones.googlenet import NORMALIZATION
from det_inception.models.data_preprocessors.normalization import fit_normalization
from det_inception.registry import HOOKS, MODELS
from det_inception.utils.errors import InputError
from det_inception.weights.checkpoints import load_detector, read_checkpoint
from det_inception.weights.export import write_backbone

REPO = Path(__file__).parents[2]
OTHER = dict(mean=[1.0, 2.0, 3.0], std=[4.0, 5.0, 6.0], bgr_to_rgb=False)
STATED = dict(mean=[104, 117, 123], std=[1, 1, 1], bgr_to_rgb=False)
KINDS = [BackboneDataPreprocessor, CropPreprocessor]


def file_of_weights(path, normalization=OTHER, variant='batch_norm'):
    state_dict = GoogLeNet(variant, width=0.125).state_dict()
    torch.save(dict(state_dict=state_dict, meta=dict(normalization=normalization)), path)
    return path


def detector(weights=None, preprocessor=None, variant='batch_norm'):
    """MMDetection's own RetinaNet around our backbone: nothing of ours sees to its normalization."""
    init_cfg = weights and dict(type='Pretrained', checkpoint=str(weights))
    return dict(
        type='RetinaNet',
        data_preprocessor=preprocessor or dict(type='BackboneDataPreprocessor'),
        backbone=dict(type='GoogLeNet', variant=variant, width=0.125, init_cfg=init_cfg),
        neck=None,
        bbox_head=dict(
            type='RetinaHead',
            num_classes=2,
            in_channels=128,
            stacked_convs=1,
            feat_channels=8,
            anchor_generator=dict(type='AnchorGenerator', ratios=[1.0], scales=[8], strides=[32]),
            bbox_coder=dict(type='DeltaXYWHBBoxCoder'),
        ),
        train_cfg=dict(assigner=dict(type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.4, ignore_iof_thr=-1)),
        test_cfg=dict(nms_pre=10, score_thr=0.0, nms=dict(type='nms', iou_threshold=0.5), max_per_img=5),
    )


@HOOKS.register_module(force=True)
class StopHook(Hook):
    """Ends a training when the first step would begin."""

    priority = 'LOWEST'

    def before_train(self, runner):
        raise StopIteration


def runner(model, tmp_path, **settings):
    """A runner that stops before its first step."""
    return Runner(
        model,
        str(tmp_path / 'work'),
        train_dataloader=torch.utils.data.DataLoader([0]),
        train_cfg=dict(by_epoch=False, max_iters=1),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        custom_hooks=[dict(type='BackboneNormalizationHook'), dict(type='StopHook')],
        default_scope='mmdet',
        experiment_name=f'normalization{id(model)}',
        **settings,
    )


def until_the_first_step(model, tmp_path, **settings):
    made = runner(model, tmp_path, **settings)
    with pytest.raises(StopIteration):
        made.train()
    return made.model


@pytest.mark.parametrize('kind', KINDS)
def test_it_normalizes_as_mmengines_own(kind):
    theirs = MODELS.build(dict(type='mmengine.ImgDataPreprocessor', **OTHER))
    ours = kind(**OTHER)
    fitted = kind()
    fitted.set_normalization(OTHER, 'weights')
    data = dict(inputs=[torch.randint(0, 256, (3, 38, 39), dtype=torch.uint8) for _ in range(2)], data_samples=None)
    expected = theirs(copy.deepcopy(data))['inputs']
    for preprocessor in (ours, fitted, copy.deepcopy(fitted)):
        torch.testing.assert_close(preprocessor(copy.deepcopy(data))['inputs'], expected)


@pytest.mark.parametrize('kind', KINDS)
def test_a_state_dict_carries_it(kind):
    source, target = kind(**STATED), kind()
    assert {key: value.dtype for key, value in source.state_dict().items()} == dict(
        mean=torch.float32, std=torch.float32, bgr_to_rgb=torch.bool
    )
    target.load_state_dict(source.state_dict())
    assert (target.normalization, target.origin) == (STATED, 'checkpoint')
    other = kind(**OTHER)
    other.load_state_dict({})  # what version 0.1 wrote
    assert (other.normalization, other.origin) == (OTHER, 'config')
    with pytest.raises(RuntimeError, match='Missing key'):
        kind().load_state_dict({'mean': torch.zeros(3, 1, 1)})


@pytest.mark.parametrize('shapes', [[(1, 200)], [(300, 7), (300, 9)], [(3, 3)], [(40, 5), (5, 50)], [(33, 64)]])
def test_small_images_get_a_border(shapes):
    images = [torch.full((3, *shape), 200, dtype=torch.uint8) for shape in shapes]
    samples = [DetDataSample(metainfo=dict(img_shape=shape)) for shape in shapes]
    preprocessor = BackboneDataPreprocessor(**OTHER)
    data = preprocessor(dict(inputs=images, data_samples=samples))
    height, width = (max(32, *sides) for sides in zip(*shapes, strict=True))
    assert data['inputs'].shape == (len(shapes), 3, height, width)
    for image, sample, (rows, columns) in zip(data['inputs'], data['data_samples'], shapes, strict=True):
        assert sample.batch_input_shape == (height, width) and sample.img_shape == (rows, columns)
        assert image[:, :rows, :columns].abs().min() > 0
        assert not image[:, rows:].any() and not image[:, :, columns:].any()


def test_without_a_normalization_no_image_is_taken():
    preprocessor = BackboneDataPreprocessor()
    assert preprocessor.normalization is None
    with pytest.raises(InputError, match='neither the checkpoint nor the backbone says it'):
        preprocessor(dict(inputs=[torch.zeros(3, 8, 8)], data_samples=None))


def test_mmdetections_detector_takes_that_of_the_weights(tmp_path):
    weights = file_of_weights(tmp_path / 'a.pth')
    model = until_the_first_step(detector(weights), tmp_path)
    assert model.data_preprocessor.normalization == OTHER
    again = MODELS.build(detector())
    again.load_state_dict(model.state_dict())
    assert again.data_preprocessor.normalization == OTHER


def test_random_weights_take_that_of_the_variant(tmp_path):
    model = until_the_first_step(detector(variant='paper'), tmp_path)
    assert model.data_preprocessor.normalization == NORMALIZATION['paper']


def test_a_backbone_that_says_nothing_needs_it_in_the_config(tmp_path):
    model = detector()
    model['backbone'] = dict(type='ResNet', depth=18, base_channels=8, num_stages=4, out_indices=(3,))
    model['bbox_head']['in_channels'] = 64
    with pytest.raises(InputError, match='set mean, std and bgr_to_rgb in model.data_preprocessor'):
        runner(model, tmp_path).train()
    model['data_preprocessor'] = dict(type='BackboneDataPreprocessor', **OTHER)
    assert until_the_first_step(model, tmp_path).data_preprocessor.normalization == OTHER


@pytest.mark.parametrize('kind', ['BackboneDataPreprocessor', 'DetDataPreprocessor'])
def test_a_config_that_contradicts_the_weights_is_refused(kind, tmp_path):
    weights = file_of_weights(tmp_path / 'a.pth')
    until_the_first_step(detector(weights, dict(type=kind, **OTHER)), tmp_path)
    with pytest.raises(
        InputError, match='need images in BGR, mean 1 2 3, std 4 5 6, and .* says BGR, mean 104'
    ) as caught:
        runner(detector(weights, dict(type=kind, **STATED)), tmp_path).train()
    assert '\n' not in str(caught.value) and str(caught.value).endswith('.')


def test_a_checkpoint_of_the_model_goes_before_the_weights(tmp_path):
    weights = file_of_weights(tmp_path / 'a.pth')
    trained = MODELS.build(detector())
    trained.data_preprocessor.set_normalization(STATED, 'weights')
    torch.save(dict(state_dict=trained.state_dict(), meta={}), tmp_path / 'new.pth')
    old = {key: value for key, value in trained.state_dict().items() if not key.startswith('data_preprocessor')}
    text = f'model = dict(data_preprocessor=dict(mean={STATED["mean"]}, std={STATED["std"]}, bgr_to_rgb=False))'
    torch.save(dict(state_dict=old, meta=dict(cfg=text)), tmp_path / 'old.pth')
    torch.save(dict(state_dict=old, meta=dict(normalisation=STATED)), tmp_path / 'published.pth')
    for name in ('new', 'old', 'published'):
        model = until_the_first_step(detector(weights), tmp_path, load_from=str(tmp_path / f'{name}.pth'))
        assert model.data_preprocessor.normalization == STATED
        model = MODELS.build(detector())
        load_detector(model, tmp_path / f'{name}.pth')
        assert model.data_preprocessor.normalization == STATED
    model = MODELS.build(detector(preprocessor=dict(type='BackboneDataPreprocessor', **OTHER)))
    load_checkpoint(model, str(tmp_path / 'old.pth'), strict=True)  # by MMEngine alone, which knows no meta
    assert model.data_preprocessor.normalization == OTHER
    plain = MODELS.build(detector(preprocessor=dict(type='DetDataPreprocessor', **STATED)))
    load_detector(plain, tmp_path / 'new.pth')


def test_it_is_found_behind_a_wrapper_for_distributed_training(tmp_path):
    weights = file_of_weights(tmp_path / 'a.pth')
    torch.distributed.init_process_group('gloo', init_method=f'file://{tmp_path}/meet', rank=0, world_size=1)
    try:
        made = runner(detector(weights), tmp_path)
        made.model = MMDistributedDataParallel(made.model, device_ids=None)
        buffers = {value.data_ptr() for value in made.model.module.data_preprocessor.buffers()}
        with pytest.raises(StopIteration):
            made.train()
        preprocessor = made.model.module.data_preprocessor
        assert preprocessor.normalization == OTHER
        assert {value.data_ptr() for value in preprocessor.buffers()} == buffers  # which the wrapper broadcasts
    finally:
        torch.distributed.destroy_process_group()


def test_the_classifier_takes_it_too(tmp_path):
    weights = file_of_weights(tmp_path / 'a.pth')
    backbone = dict(type='GoogLeNet', variant='batch_norm', width=0.125)
    settings = dict(type='GoogLeNetClassifier', num_classes=2, data_preprocessor=dict(type='CropPreprocessor'))
    model = MODELS.build(dict(settings, backbone=backbone))
    assert model.data_preprocessor.normalization == NORMALIZATION['batch_norm']
    init_cfg = dict(type='Pretrained', checkpoint=str(weights))
    pretrained = MODELS.build(dict(settings, backbone=dict(backbone, init_cfg=init_cfg)))
    pretrained.init_weights()
    assert pretrained.data_preprocessor.normalization == OTHER
    model.load_state_dict(pretrained.state_dict())
    assert model.data_preprocessor.normalization == OTHER
    torch.save(dict(state_dict=pretrained.state_dict(), meta={}), tmp_path / 'trained.pth')
    assert GoogLeNet.read_weights(tmp_path / 'trained.pth').normalization == OTHER
    write_backbone(tmp_path / 'backbone.pth', GoogLeNet.read_weights(tmp_path / 'trained.pth'))
    assert GoogLeNet.read_weights(tmp_path / 'backbone.pth').normalization == OTHER


def test_a_backbone_without_weights_changes_nothing_that_is_there():
    model = nn.Module()
    model.backbone, model.data_preprocessor = nn.Identity(), BackboneDataPreprocessor(**OTHER)
    fit_normalization(model)
    assert model.data_preprocessor.normalization == OTHER


def test_the_checkpoint_of_version_0_1():
    path = REPO / 'checkpoints' / 'googlenet_rcnn_mini.pth'
    content = read_checkpoint(path)
    assert not any(key.startswith('data_preprocessor') for key in content['state_dict'])
    stated = content['meta']['normalisation']
    model = Config.fromfile(REPO / 'configs' / 'googlenet_rcnn_mini.py').model
    model.data_preprocessor = dict(type='BackboneDataPreprocessor')
    model.bbox_head.num_classes = len(content['meta']['dataset_meta']['classes'])
    model.backbone.init_cfg = None
    built = MODELS.build(model)
    load_detector(built, path)
    assert built.data_preprocessor.normalization == stated
    assert built.data_preprocessor.origin == 'checkpoint'
    by_mmengine = MODELS.build(model)
    load_checkpoint(by_mmengine, str(path), strict=True)
    assert by_mmengine.data_preprocessor.normalization == stated
    config = Config.fromfile(REPO / 'configs' / 'googlenet_rcnn_mini.py')
    config.model = model
    config.test_dataloader.dataset.metainfo = dict(classes=content['meta']['dataset_meta']['classes'])
    by_mmdetection = init_detector(config, str(path), device='cpu')
    assert by_mmdetection.data_preprocessor.normalization == stated
    for key, value in built.backbone.state_dict().items():
        assert torch.equal(value, by_mmdetection.backbone.state_dict()[key])
