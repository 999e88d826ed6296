"""The image classifier: what it returns in each mode, that it trains, and what it loads."""

from __future__ import annotations

import pytest
import torch
from mmengine.optim import OptimWrapper
from mmengine.structures import BaseDataElement

from det_inception.checkpoints import CheckpointError, read_weights
from det_inception.models import GoogLeNetClassifier
from det_inception.registry import MODELS

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
        loss = classifier(images, samples, mode='loss')['loss']
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
    assert loaded.backbone.normalisation == read_weights(tmp_path / 'trained.pth').normalisation


def test_a_classifier_of_other_classes_is_refused_and_its_backbone_can_be_had(tmp_path):
    torch.save(build().state_dict(), tmp_path / 'ten.pth')
    pretrained = dict(type='Pretrained', checkpoint=str(tmp_path / 'ten.pth'))
    with pytest.raises(CheckpointError, match='tells 10 classes apart and the config asks for 20'):
        build(num_classes=20, init_cfg=pretrained)
    classifier = build(num_classes=20, backbone=dict(BACKBONE, init_cfg=pretrained))
    expected = read_weights(tmp_path / 'ten.pth').backbone['conv1.conv.weight']
    assert torch.equal(classifier.backbone.conv1.conv.weight, expected)


def test_a_file_without_a_classifier_is_refused(tmp_path):
    torch.save(build().backbone.state_dict(), tmp_path / 'backbone.pth')
    with pytest.raises(CheckpointError, match='no classifier'):
        build(init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'backbone.pth')))
