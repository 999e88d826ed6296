"""The classifier of any backbone: label smoothing, auxiliary classifiers on stages, checkpoints."""

from __future__ import annotations

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.structures import BaseDataElement
from torch import nn
from torchvision.models.inception import InceptionAux

from det_inception.config.loading import load_config
from det_inception.models import BNInception, ImageClassifier, TimmBackbone
from det_inception.models.classifiers.auxiliary import NormalizedAuxiliaryClassifier
from det_inception.registry import MODELS
from det_inception.utils.errors import InputError
from det_inception.weights.checkpoints import read_checkpoint
from det_inception.weights.export import publish, write_checkpoint

BACKBONES = {
    'GoogLeNet': (dict(), 1024),
    'BNInception': (dict(), 1024),
    'InceptionResNetV1': (dict(), 1792),
    'AlexNet': (dict(), 4096),
    'VGG16': (dict(), 4096),
    'NIN': (dict(), 1024),
    'TimmBackbone': (dict(model_name='inception_v3'), 2048),
}
NIN = dict(type='NIN')


def labelled(*labels: int) -> list[BaseDataElement]:
    samples = [BaseDataElement() for _ in labels]
    for sample, label in zip(samples, labels, strict=True):
        sample.gt_label = torch.tensor([label])
    return samples


def build(backbone=NIN, kind='ImageClassifier', **options) -> ImageClassifier:
    torch.manual_seed(0)
    classifier = MODELS.build(dict(dict(type=kind, num_classes=10, backbone=backbone), **options))
    classifier.init_weights()
    return classifier


@pytest.mark.parametrize('kind', BACKBONES)
def test_every_backbone_classifies(kind):
    if kind == 'TimmBackbone':
        pytest.importorskip('timm', reason='the extra "backbones" is not installed')
    settings, channels = BACKBONES[kind]
    with torch.device('meta'):
        classifier = MODELS.build(
            dict(type='ImageClassifier', num_classes=10, backbone=dict(settings, type=kind), auxiliary=None)
        )
        assert classifier(torch.zeros(2, 3, 227, 227)).shape == (2, 10)
    assert classifier.fc.weight.shape == (10, channels)


def test_smoothed_labels_give_a_share_to_every_class():
    """Equation 5 of arXiv 1512.00567: (1 - e) of the label, and e / K of every class."""
    classifier = build(dict(type='GoogLeNet', width=0.125), 'GoogLeNetClassifier', dropout=0.0, label_smoothing=0.1)
    images, samples = torch.randn(2, 3, 64, 64), labelled(3, 9)
    wanted = torch.full((2, 10), 0.1 / 10)
    wanted[[0, 1], [3, 9]] += 0.9
    expected = -(wanted * classifier(images).log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(classifier(images, samples, mode='loss')['loss_cls'], expected)


def test_auxiliary_losses_are_those_of_their_stage_and_smoothed():
    auxiliary = dict(layers=['cccp6'], kind='v3', crop_size=99, loss_weight=0.4)
    classifier = build(auxiliary=auxiliary, label_smoothing=0.2).train()
    classifier.backbone.dropout.p = 0.0
    images, samples = torch.randn(3, 3, 99, 99), labelled(3, 9, 0)
    losses = classifier(images, samples, mode='loss')
    assert set(losses) == {'loss_cls', 'loss_aux_cccp6'}
    seen = MODELS.build(dict(NIN, out_indices=(2,)))
    seen.load_state_dict(
        {key: value for key, value in classifier.backbone.state_dict().items() if key in seen.state_dict()}
    )
    logits = classifier.aux_cccp6(seen(images)[0])
    expected = nn.functional.cross_entropy(logits, torch.tensor([3, 9, 0]), label_smoothing=0.2)
    torch.testing.assert_close(losses['loss_aux_cccp6'], 0.4 * expected)
    losses['loss_aux_cccp6'].backward()
    assert classifier.backbone.conv1.weight.grad.abs().max() > 0
    assert getattr(classifier.backbone, 'cccp7-1024').weight.grad is None
    assert set(classifier.eval()(images, samples, mode='loss')) == {'loss_cls'}


def test_the_auxiliary_classifier_of_v3_is_torchvisions():
    ours, theirs = NormalizedAuxiliaryClassifier(24, 5, map_size=17), InceptionAux(24, 5)
    ours.init_weights()
    names = {'conv.conv': 'conv0.conv', 'conv.norm': 'conv0.bn', 'hidden.conv': 'conv1.conv', 'hidden.norm': 'conv1.bn'}
    for own, other in names.items():
        theirs.get_submodule(other).load_state_dict(ours.get_submodule(own).state_dict())
    theirs.fc.load_state_dict(ours.fc.state_dict())
    images = torch.randn(3, 24, 17, 17)
    torch.testing.assert_close(ours(images), theirs(images))
    torch.testing.assert_close(ours.eval()(images), theirs.eval()(images))


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(label_smoothing=1), r'label_smoothing is 1, and lies in \[0, 1\)'),
        (dict(label_smoothing=-0.1), r'label_smoothing is -0.1'),
        (dict(label_smoothing=float('nan')), r'label_smoothing is nan'),
        (dict(auxiliary=dict(layers=['inception4a'])), "NIN has no stage 'inception4a'; set .* cccp2, cccp4, cccp6"),
        (dict(auxiliary={}), 'NIN has no stage that auxiliary classifiers are known for'),
        (dict(auxiliary=dict(kind='v2', layers=['cccp6'])), "kind is 'v2'; choose 'v1' or 'v3'"),
        (dict(kind='GoogLeNetClassifier'), 'model.backbone is NIN; set model.type=ImageClassifier'),
        (
            dict(kind='GoogLeNetClassifier', backbone=dict(type='GoogLeNet'), auxiliary=dict(layers=['inception5b'])),
            "'inception5b', and GoogLeNet's .* inception4a and inception4d",
        ),
        (
            dict(backbone=dict(type='mmdet.ResNet', depth=18)),
            'is a ResNet; ImageClassifier takes the backbones of this project',
        ),
    ],
)
def test_what_cannot_be_is_one_sentence(options, message):
    with pytest.raises(InputError, match=message) as caught:
        build(**options)
    assert '\n' not in str(caught.value) and str(caught.value).endswith('.')


def test_a_checkpoint_starts_classifiers_and_detectors(tmp_path):
    """Also those backbones whose own files have no name before the arrays'."""
    settings = dict(type='ImageClassifier', num_classes=10, backbone=dict(type='BNInception'))
    auxiliary = dict(layers=['inception4d'], kind='v3', crop_size=64)
    preprocessor = dict(type='CropPreprocessor', mean=[1, 2, 3], std=[4, 5, 6])
    trained = MODELS.build(dict(settings, auxiliary=auxiliary, data_preprocessor=preprocessor))
    path, published = tmp_path / 'trained.pth', tmp_path / 'published.pth'
    write_checkpoint(path, trained.state_dict(), {})
    publish(path, published)
    assert not any('aux' in key for key in read_checkpoint(published)['state_dict'])
    pretrained = dict(type='Pretrained', checkpoint=str(path))
    loaded = MODELS.build(dict(settings, data_preprocessor=dict(type='CropPreprocessor'), init_cfg=pretrained))
    loaded.init_weights()
    assert torch.equal(loaded.fc.weight, trained.fc.weight)
    said = dict(mean=[1.0, 2.0, 3.0], std=[4.0, 5.0, 6.0], bgr_to_rgb=False)
    assert loaded.data_preprocessor.normalization == said
    config = BNInception.config_from_pretrained({}, str(published))
    assert config.settings == dict(variant='paper') and config.normalization == said
    loaded.backbone.load_pretrained(published)
    assert torch.equal(loaded.backbone.conv1.conv.weight, trained.backbone.conv1.conv.weight)
    assert loaded.backbone.normalization == said


def test_a_classifier_on_a_network_of_timm_starts_a_detector(tmp_path):
    pytest.importorskip('timm', reason='the extra "backbones" is not installed')
    trained = build(dict(type='TimmBackbone', model_name='resnet18'), data_preprocessor=dict(type='CropPreprocessor'))
    write_checkpoint(tmp_path / 'a.pth', trained.state_dict(), {})
    network = TimmBackbone('resnet18')
    network.load_pretrained(tmp_path / 'a.pth')
    assert torch.equal(network.network.conv1.weight, trained.backbone.network.conv1.weight)
    assert network.normalization == trained.data_preprocessor.normalization
    with pytest.raises(InputError, match=r'a\.pth: holds another network than resnet34, with .* missing'):
        TimmBackbone('resnet34').load_pretrained(tmp_path / 'a.pth')


def test_inception_v3_trains_by_its_papers_recipe():
    """Section 8 of arXiv 1512.00567: RMSProp of decay 0.9 and epsilon 1, rate 0.045, 0.94 every two epochs, clipped."""
    pytest.importorskip('timm', reason='the extra "backbones" is not installed')
    cfg = load_config('inception_v3_imagenet', options=dict(classes=('a', 'b', 'c')))
    assert cfg.model.label_smoothing == 0.1 and cfg.model.auxiliary.kind == 'v3'
    layer = nn.Linear(2, 1, bias=False)
    nn.init.zeros_(layer.weight)
    wrapper = build_optim_wrapper(layer, cfg.optim_wrapper)
    wrapper.update_params(layer(torch.tensor([[30.0, 40.0]])).sum())
    clipped = torch.tensor([[1.2, 1.6]])  # 30, 40 at a length of 2
    torch.testing.assert_close(layer.weight.data, -0.045 * clipped / ((0.1 * clipped**2).sqrt() + 1))
    (schedule,) = cfg.param_scheduler
    assert (schedule.type, schedule.step_size, schedule.gamma) == ('StepLR', 2, 0.94)
