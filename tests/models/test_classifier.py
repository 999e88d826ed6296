"""The image classifier: what it returns in each mode, that it trains, and what it loads."""

from __future__ import annotations

import pytest
import torch
from mmengine.optim import OptimWrapper
from mmengine.structures import BaseDataElement

from det_inception.models import CropPreprocessor, GoogLeNet, GoogLeNetClassifier
from det_inception.models.classifiers.auxiliary import AuxiliaryClassifier, map_size
from det_inception.registry import MODELS
from det_inception.utils.errors import InputError
from det_inception.weights.files import CheckpointError

BACKBONE = dict(type='GoogLeNet', variant='batch_norm', width=0.25)


def labelled(*labels: int) -> list[BaseDataElement]:
    samples = [BaseDataElement() for _ in labels]
    for sample, label in zip(samples, labels):
        sample.gt_label = torch.tensor([label])
    return samples


def build(**options) -> GoogLeNetClassifier:
    torch.manual_seed(0)
    config = dict(dict(type='GoogLeNetClassifier', num_classes=10, backbone=BACKBONE), **options)
    classifier = MODELS.build(config)
    classifier.init_weights()
    return classifier


def test_the_modes_agree_with_each_other():
    classifier = build().eval()
    images, samples = torch.randn(3, 3, 64, 64), labelled(1, 9, 0)
    with torch.no_grad():
        logits = classifier(images)
        loss = classifier(images, samples, mode='loss')['loss_cls']
        given = classifier(images, samples, mode='predict')
        new = classifier(images, mode='predict')
    assert logits.shape == (3, 10)
    torch.testing.assert_close(loss, torch.nn.functional.cross_entropy(logits, torch.tensor([1, 9, 0])))
    for sample, other, logit in zip(given, new, logits, strict=True):
        torch.testing.assert_close(sample.pred_score, logit.softmax(0))
        torch.testing.assert_close(sample.pred_score, other.pred_score)
        assert sample.pred_label.tolist() == [logit.argmax().item()]
    assert given[0].gt_label.tolist() == [1]  # the given element, with its label


def test_dropout_acts_in_training_alone():
    classifier = build(dropout=0.5, backbone=dict(BACKBONE, variant='paper'))
    images = torch.randn(1, 3, 64, 64)
    classifier.train()
    assert not torch.equal(classifier(images), classifier(images))
    classifier.eval()
    assert torch.equal(classifier(images), classifier(images))


def test_a_few_steps_learn_a_batch_by_heart():
    preprocessor = dict(type='mmengine.ImgDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3, bgr_to_rgb=True)
    classifier = build(num_classes=2, dropout=0.0, data_preprocessor=preprocessor).train()
    optimizer = OptimWrapper(torch.optim.SGD(classifier.parameters(), lr=0.05, momentum=0.9))
    images = [torch.randint(0, 256, (3, 64, 64), dtype=torch.uint8) for _ in range(4)]
    batch = dict(inputs=images, data_samples=labelled(0, 1, 1, 0))
    losses = [classifier.train_step(batch, optimizer)['loss'].item() for _ in range(8)]
    assert losses[-1] < 0.2 * losses[0]


@pytest.mark.parametrize(
    ('call', 'message'),
    [
        (lambda: build(backbone=dict(BACKBONE, out_indices=(3, 4))), r'out_indices=\(4,\)'),
        (lambda: build()(torch.zeros(1, 3, 64, 64), mode='features'), "'features'"),
        (lambda: build()(torch.zeros(1, 3, 64, 64), mode='loss'), 'gt_label'),
    ],
)
def test_misuse_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_init_cfg_loads_backbone_and_linear_layer(tmp_path):
    trained = build()
    torch.save(trained.state_dict(), tmp_path / 'trained.pth')
    pretrained = dict(type='Pretrained', checkpoint=str(tmp_path / 'trained.pth'))
    loaded = build(init_cfg=pretrained)
    for (name, expected), value in zip(trained.state_dict().items(), loaded.state_dict().values(), strict=True):
        assert torch.equal(value, expected), name
    assert loaded.backbone.normalization == GoogLeNet.read_weights(tmp_path / 'trained.pth').normalization


def test_a_classifier_of_other_classes_is_refused_and_its_backbone_can_be_had(tmp_path):
    torch.save(build().state_dict(), tmp_path / 'ten.pth')
    pretrained = dict(type='Pretrained', checkpoint=str(tmp_path / 'ten.pth'))
    with pytest.raises(CheckpointError, match='tells 10 classes apart and the config asks for 20'):
        build(num_classes=20, init_cfg=pretrained)
    classifier = build(num_classes=20, backbone=dict(BACKBONE, init_cfg=pretrained))
    expected = GoogLeNet.read_weights(tmp_path / 'ten.pth').backbone['conv1.conv.weight']
    assert torch.equal(classifier.backbone.conv1.conv.weight, expected)


def test_a_file_without_a_classifier_is_refused(tmp_path):
    torch.save(build().backbone.state_dict(), tmp_path / 'backbone.pth')
    with pytest.raises(CheckpointError, match='no classifier'):
        build(init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'backbone.pth')))


# --------------------------------------------------------------------------------------------- auxiliary classifiers


def test_auxiliary_classifiers_have_the_papers_layout():
    """Figure 3 of the paper, and Caffe's numbers of parameters: a 4x4x512 and a 4x4x528 map, 128, 1024, 1000."""
    with torch.device('meta'):
        classifier = GoogLeNetClassifier(1000, dict(type='GoogLeNet'), auxiliary={})
    assert map_size(224) == 14
    assert classifier.aux4a.pool(torch.zeros(1, 512, 14, 14)).shape == (1, 512, 4, 4)
    for auxiliary, channels in ((classifier.aux4a, 512), (classifier.aux4d, 528)):
        shapes = [tuple(parameter.shape) for parameter in auxiliary.parameters()]
        assert shapes == [(128, channels, 1, 1), (128,), (1024, 2048), (1024,), (1000, 1024), (1000,)]
        assert auxiliary.dropout.p == 0.7
    assert classifier.auxiliary_weight == 0.3


def test_an_auxiliary_classifier_is_its_layers_one_after_another():
    torch.manual_seed(0)
    auxiliary = AuxiliaryClassifier(16, 5, map_size=14, width=0.25).eval()
    auxiliary.init_weights()
    x = torch.randn(2, 16, 14, 14)
    windows = [[x[:, :, i : i + 5, j : j + 5].mean((2, 3)) for j in (0, 3, 6, 9)] for i in (0, 3, 6, 9)]
    pooled = torch.stack([torch.stack(row, -1) for row in windows], -2)
    mixed = torch.einsum('ncij,kc->nkij', pooled, auxiliary.conv.conv.weight[:, :, 0, 0])
    mixed = (mixed + auxiliary.conv.conv.bias[:, None, None]).relu().flatten(1)
    hidden = (mixed @ auxiliary.hidden.weight.T + auxiliary.hidden.bias).relu()
    expected = hidden @ auxiliary.fc.weight.T + auxiliary.fc.bias
    torch.testing.assert_close(auxiliary(x), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize('variant', ['paper', 'batch_norm', 'torchvision'])
@pytest.mark.parametrize('size', [47, 64, 97, 224])
def test_auxiliary_classifiers_take_crops_of_any_size(variant, size):
    classifier = build(backbone=dict(BACKBONE, variant=variant, width=0.125), auxiliary=dict(crop_size=size)).train()
    losses = classifier(torch.randn(2, 3, size, size), labelled(1, 2), mode='loss')
    assert set(losses) == {'loss_cls', 'loss_aux4a', 'loss_aux4d'}
    assert all(torch.isfinite(loss) for loss in losses.values())


def test_auxiliary_losses_are_weighted_and_gone_in_evaluation():
    classifier = build(auxiliary=dict(crop_size=64, dropout=0.0), dropout=0.0, backbone=dict(BACKBONE, norm_eval=True))
    images, samples = torch.randn(3, 3, 64, 64), labelled(1, 9, 0)
    classifier.train()
    for auxiliary in (classifier.aux4a, classifier.aux4d):
        auxiliary.conv.norm.eval()
    losses = classifier(images, samples, mode='loss')
    labels = torch.tensor([1, 9, 0])
    maps = {}
    for name in ('inception4a', 'inception4d'):
        module = getattr(classifier.backbone, name)
        module.register_forward_hook(lambda module, inputs, output, name=name: maps.update({name: output}))
    plain = classifier(images)
    torch.testing.assert_close(losses['loss_cls'], torch.nn.functional.cross_entropy(plain, labels))
    for name, auxiliary in (('4a', classifier.aux4a), ('4d', classifier.aux4d)):
        expected = 0.3 * torch.nn.functional.cross_entropy(auxiliary(maps[f'inception{name}']), labels)
        torch.testing.assert_close(losses[f'loss_aux{name}'], expected)
    total = sum(losses.values())
    total.backward()
    assert classifier.aux4a.conv.conv.weight.grad.abs().max() > 0

    classifier.eval()
    called = []
    classifier.aux4a.register_forward_hook(lambda *_: called.append('aux4a'))
    assert set(classifier(images, samples, mode='loss')) == {'loss_cls'}
    classifier(images, mode='predict')
    assert called == []


def test_crops_of_another_size_than_the_auxiliaries_were_made_for_are_refused():
    classifier = build(auxiliary=dict(crop_size=64)).train()
    with pytest.raises(InputError, match=r'maps of 4x4 and the crops give 6x6; set model\.auxiliary\.crop_size'):
        classifier(torch.randn(2, 3, 96, 96), labelled(0, 1), mode='loss')
    with pytest.raises(ValueError, match='crops of 47 pixels'):
        build(auxiliary=dict(crop_size=46))


@pytest.mark.parametrize('variant', ['paper', 'batch_norm'])
def test_a_training_checkpoint_with_auxiliaries_is_read_without_them(tmp_path, variant):
    trained = build(backbone=dict(BACKBONE, variant=variant), auxiliary=dict(crop_size=64))
    path = str(tmp_path / 'trained.pth')
    torch.save(dict(state_dict=trained.state_dict(), meta={}), path)
    assert any(key.startswith('aux4a.') for key in trained.state_dict())
    weights = GoogLeNet.read_weights(path)
    assert weights.variant == variant and set(weights.classifier) == {'fc.weight', 'fc.bias'}
    pretrained = dict(type='Pretrained', checkpoint=path)
    backbone = GoogLeNet(variant=variant, width=0.25, init_cfg=pretrained)
    backbone.init_weights()
    plain = build(backbone=dict(BACKBONE, variant=variant), init_cfg=pretrained)
    again = build(backbone=dict(BACKBONE, variant=variant), init_cfg=pretrained, auxiliary=dict(crop_size=64))
    for name, value in trained.backbone.state_dict().items():
        for other in (backbone, plain.backbone, again.backbone):
            assert torch.equal(other.state_dict()[name], value), name
    assert torch.equal(plain.fc.weight, trained.fc.weight) and not plain.auxiliaries
    GoogLeNet(variant=variant, width=0.25).load_pretrained(path)


@pytest.mark.parametrize('variant', ['paper', 'batch_norm'])
def test_random_weights_pass_signal_and_gradient_through_the_whole_network(variant):
    """Without batch norm a wrong scale dies out, or grows, over 22 layers."""
    classifier = build(backbone=dict(type='GoogLeNet', variant=variant, width=0.5), dropout=0.0).train()
    images = 60 * torch.randn(4, 3, 64, 64) if variant == 'paper' else torch.randn(4, 3, 64, 64)
    logits = classifier(images)
    assert 0.01 < logits.std(0).mean() < 100
    torch.nn.functional.cross_entropy(logits, torch.arange(4)).backward()
    first = classifier.backbone.conv1.conv.weight
    assert first.grad.norm() > 1e-6 and torch.isfinite(first.grad).all()


# ------------------------------------------------------------------------------------------------------- several views


def test_views_are_averaged_after_the_softmax_whatever_the_chunks():
    classifier = build(chunk_size=4).eval()
    views = torch.randn(2, 5, 3, 64, 64)
    with torch.no_grad():
        found = classifier(views, mode='predict')
        expected = torch.stack([classifier(image).softmax(1).mean(0) for image in views])
    torch.testing.assert_close(torch.stack([sample.pred_score for sample in found]), expected)
    with pytest.raises(ValueError, match='at least 1'):
        build(chunk_size=0)


def test_an_ensemble_is_the_mean_of_its_members_each_with_its_normalization():
    names = [dict(mean=[104.0, 117.0, 123.0], std=[1.0] * 3), dict(mean=[127.5] * 3, std=[60.0] * 3, bgr_to_rgb=True)]
    configs = [
        dict(
            type='GoogLeNetClassifier',
            num_classes=4,
            backbone=dict(type='GoogLeNet', variant=variant, width=width),
            data_preprocessor=dict(type='CropPreprocessor', **settings),
        )
        for settings, variant, width in zip(names, ('paper', 'batch_norm'), (0.25, 0.125))
    ]
    torch.manual_seed(3)
    ensemble = MODELS.build(dict(type='GoogLeNetClassifierEnsemble', members=configs)).eval()
    ensemble.init_weights()
    views = [torch.randint(0, 256, (3, 3, 64, 64), dtype=torch.uint8) for _ in range(2)]
    with torch.no_grad():
        found = ensemble.test_step(dict(inputs=views, data_samples=labelled(0, 1)))
        alone = [member.test_step(dict(inputs=views, data_samples=labelled(0, 1))) for member in ensemble.members]
    for image, sample in enumerate(found):
        expected = (alone[0][image].pred_score + alone[1][image].pred_score) / 2
        torch.testing.assert_close(sample.pred_score, expected)
        assert not torch.allclose(alone[0][image].pred_score, alone[1][image].pred_score, atol=1e-3)
    with pytest.raises(InputError, match='not trained as one'):
        ensemble(torch.zeros(1, 3, 64, 64), mode='loss')
    with pytest.raises(InputError, match='4 and 5 classes'):
        MODELS.build(dict(type='GoogLeNetClassifierEnsemble', members=[configs[0], dict(configs[1], num_classes=5)]))
    with pytest.raises(InputError, match='needs members'):
        MODELS.build(dict(type='GoogLeNetClassifierEnsemble', members=[]))
    with pytest.raises(InputError, match='normalize for themselves'):
        preprocessor = dict(type='CropPreprocessor', mean=[0] * 3, std=[1] * 3)
        MODELS.build(dict(type='GoogLeNetClassifierEnsemble', members=configs, data_preprocessor=preprocessor))


@pytest.mark.parametrize('settings', [{}, dict(mean=[104.0, 117.0, 123.0], std=[1.0, 2.0, 3.0])])
@pytest.mark.parametrize('bgr_to_rgb', [False, True])
def test_the_preprocessor_does_what_mmengines_does(settings, bgr_to_rgb):
    """Which takes single images; a view is one."""
    own = CropPreprocessor(**settings, bgr_to_rgb=bgr_to_rgb)
    theirs = MODELS.build(dict(type='mmengine.ImgDataPreprocessor', **settings, bgr_to_rgb=bgr_to_rgb))
    torch.manual_seed(1)
    single = [torch.randint(0, 256, (5, 7, 3), dtype=torch.uint8).movedim(-1, 0) for _ in range(3)]
    views = [torch.stack([image, image.flip(2)]) for image in single]
    before = [image.clone() for image in single]
    for given in (single, torch.stack(single)):
        result = own(dict(inputs=given))
        assert torch.equal(result['inputs'].float(), theirs(dict(inputs=given))['inputs'])
        assert result['data_samples'] is None
        assert result['inputs'].is_contiguous(memory_format=torch.channels_last)
    result = own(dict(inputs=views))['inputs']
    assert result.shape == (3, 2, 3, 5, 7)
    assert torch.equal(result[:, 1].float(), theirs(dict(inputs=[image.flip(2) for image in single]))['inputs'])
    assert all(torch.equal(*pair) for pair in zip(single, before))
    with pytest.raises(InputError, match='differ in size'):
        own(dict(inputs=[torch.zeros(3, 5, 7), torch.zeros(3, 7, 5)]))


def test_weights_of_another_normalization_are_refused(tmp_path):
    torch.save(build().state_dict(), tmp_path / 'trained.pth')
    preprocessor = dict(type='CropPreprocessor', mean=[1.0] * 3, std=[1.0] * 3)
    with pytest.raises(InputError, match="the backbone's weights need images in .* leave mean"):
        pretrained = dict(type='Pretrained', checkpoint=str(tmp_path / 'trained.pth'))
        build(init_cfg=pretrained, data_preprocessor=preprocessor)
