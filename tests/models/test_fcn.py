"""GoogLeNet over whole images: the classifier's class map, and the example that segments."""

import importlib.util
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from det_inception.mini_set.scene import compose
from det_inception.models import GoogLeNetClassifier
from det_inception.utils.errors import InputError

REPO = Path(__file__).resolve().parent.parent.parent
NARROW = dict(width=0.125)


@pytest.fixture(scope='module')
def fcn():
    spec = importlib.util.spec_from_file_location('fcn', REPO / 'examples/fcn.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize('size', [(64, 64), (75, 130)])
def test_the_mean_of_a_class_map_is_what_the_classifier_says(size):
    torch.manual_seed(0)
    classifier = GoogLeNetClassifier(7, dict(type='GoogLeNet', **NARROW)).eval()
    classifier.init_weights()
    images = torch.randn(2, 3, *size) * 50
    with torch.no_grad():
        classes = classifier.class_map(images)
        assert torch.allclose(classes.mean((2, 3)), classifier(images), atol=1e-4)
        (features,) = classifier.backbone(images)
        assert torch.allclose(classes[1, :, 1, -1], classifier.fc(features[1, :, 1, -1]), atol=1e-4)
    assert classes.shape == (2, 7, *features.shape[2:]) and classes.std(dim=(2, 3)).min() > 0


def test_scores_lie_where_the_cells_look(fcn):
    """A ramp that is read at the cells' pixels is the same ramp at every pixel between the first and the last cell."""
    stride, first, cells = 16, 14.5, 7
    x = stride * torch.arange(cells) + first
    ramp = (x[None, :] + 1000 * x[:, None])[None, None].double()
    pixels = fcn.on_pixels(ramp, stride, first, 130, 125)
    expected = (torch.arange(125) + 0.5)[None].clamp(first, x[-1]) + 1000 * (torch.arange(130) + 0.5)[:, None].clamp(
        first, x[-1]
    )
    assert pixels.shape == (1, 1, 130, 125) and torch.allclose(pixels[0, 0], expected.double())


@pytest.mark.parametrize('size', [(64, 64), (97, 143), (31, 250)])
def test_a_finer_network_starts_with_what_the_coarser_says(fcn, size):
    """The doubling is exact, at the borders too, because a cell's center in the image is known."""
    torch.manual_seed(1)
    coarse = fcn.FCN(5, 32, NARROW).eval()
    nn.init.normal_(coarse.score['32'].weight)
    images, wanted = torch.randn(1, 3, *size) * 60, None
    for stride in (32, 16, 8):
        model = fcn.FCN(5, stride, NARROW).eval()
        missing, unknown = model.load_state_dict(coarse.state_dict(), strict=False)
        assert not unknown and {key.split('.')[0] for key in missing} <= {'score', 'doubled'}
        with torch.no_grad():
            logits = model(images)
        assert logits.shape == (1, 5, *size) and logits.std() > 0
        wanted = logits if wanted is None else wanted
        assert torch.allclose(logits, wanted, atol=1e-3 * float(wanted.abs().max()))
    nn.init.normal_(model.score['8'].weight)
    assert not torch.allclose(model(images), wanted, atol=1e-2)


def test_the_loss_is_of_the_pixels_whose_class_is_said(fcn):
    torch.manual_seed(2)
    model = fcn.FCN(3, 16, NARROW).eval()
    nn.init.normal_(model.score['16'].weight, std=0.1)
    small, large = np.random.default_rng(0).integers(0, 255, (2, 64, 96, 3), np.uint8)
    classes = np.random.default_rng(1).integers(0, 3, (64, 96))
    classes[:, 40:] = fcn.NOT_SAID
    batch = [fcn.as_sample(small[:40, :64], classes[:40, :64]), fcn.as_sample(large, classes)]
    data = model.data_preprocessor(fcn.pseudo_collate(batch))
    loss = model(**data, mode='loss')['loss']
    log = model(data['inputs']).log_softmax(1)
    right = [
        log[number, classes[y, x], y, x]
        for number, height in ((0, 40), (1, 64))
        for y in range(height)
        for x in range(40)
    ]
    assert loss.item() == pytest.approx(-torch.stack(right).mean().item(), rel=1e-4)
    first, second = model.test_step(fcn.pseudo_collate(batch))
    assert first.pred.shape == (40, 64) and torch.equal(second.pred, log[1].argmax(0))


def test_the_four_figures_by_hand(fcn):
    metric = fcn.MeanIU(4)
    truth, found = torch.tensor([[0, 0, 0, 1, 1, 2, 255]]), torch.tensor([[0, 0, 1, 1, 3, 2, 0]])
    for half in (slice(0, 3), slice(3, 7)):  # The figures are of all pixels, not means over images.
        metric.process(None, [dict(classes=truth[:, half], pred=found[:, half])])
    assert metric.evaluate(2) == {
        'fcn/pixel_accuracy': pytest.approx(4 / 6),
        'fcn/mean_accuracy': pytest.approx((2 / 3 + 1 / 2 + 1) / 3),
        'fcn/mean_iu': pytest.approx((2 / 3 + 1 / 3 + 1) / 3),
        'fcn/weighted_iu': pytest.approx((3 * 2 / 3 + 2 * 1 / 3 + 1) / 6),
    }


def test_drawn_pictures_have_the_class_that_is_in_front(fcn):
    """Inside each box, some pixels are of its class, and outside all boxes none is of any."""
    data = fcn.Drawn(3, seed=4, side=160)
    numbers = {wnid: number for number, (wnid, _) in enumerate(fcn.CLASSES, start=1)}
    for index in range(len(data)):
        sample, scene = data[index], compose((4, index))
        classes = sample['data_samples'].classes
        assert classes.shape == sample['inputs'].shape[1:] and max(classes.shape) == 160
        scale, outside = 160 / max(scene.image.shape), torch.ones(classes.shape, dtype=torch.bool)
        for wnid, *box in scene.boxes:
            x1, y1, x2, y2 = (int(scale * value) for value in box)
            assert (classes[y1 : y2 + 2, x1 : x2 + 2] == numbers[wnid]).any()
            outside[max(0, y1 - 1) : y2 + 3, max(0, x1 - 1) : x2 + 3] = False
        assert not classes[outside].any()


def voc(root):
    """Six pictures: the left half is a cat, the right half background, with a line between them that is not said."""
    for folder in ('JPEGImages', 'SegmentationClass', 'ImageSets/Segmentation'):
        (root / folder).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(6):
        image = rng.integers(0, 60, (64, 96, 3), np.uint8)
        edge = int(rng.integers(30, 66))
        image[:, :edge] += 190
        mask = np.zeros((64, 96), np.uint8)
        mask[:, :edge], mask[:, edge - 1 : edge + 1] = 8, 255
        cv2.imwrite(str(root / f'JPEGImages/{number}.jpg'), image)
        palette = Image.fromarray(mask, mode='P')
        palette.putpalette([value for index in range(256) for value in (255 - index, index, 7)])
        palette.save(root / f'SegmentationClass/{number}.png')
    for part, names in (('train', '0\n1\n2\n3\n'), ('val', '4\n5\n')):
        (root / f'ImageSets/Segmentation/{part}.txt').write_text(names)
    return root


def call(fcn, monkeypatch, *words):
    monkeypatch.setattr(sys, 'argv', ['fcn.py', *map(str, words)])
    fcn.main()


def test_a_few_steps_on_data_in_vocs_layout(fcn, tmp_path, monkeypatch, capsys):
    """Halves that differ in brightness are told apart, and a finer network goes on from there."""
    data, out = voc(tmp_path / 'data'), tmp_path / 'out'
    common = ('train', '--data', data, '--width', 0.125, '--batch', 2, '--rate', 0.01)
    call(fcn, monkeypatch, *common, '--stride', 32, '--iterations', 25, '--out', out / '32')
    figures = dict(line.split(': ') for line in capsys.readouterr().out.splitlines() if line.startswith('fcn/'))
    assert float(figures['fcn/mean_iu']) > 0.7, figures
    start = out / '32/iter_25.pth'
    call(fcn, monkeypatch, *common, '--stride', 16, '--iterations', 3, '--start', start, '--out', out / '16')
    finer = dict(line.split(': ') for line in capsys.readouterr().out.splitlines() if line.startswith('fcn/'))
    assert float(finer['fcn/mean_iu']) > 0.7, finer
    photo, picture = data / 'JPEGImages/4.jpg', tmp_path / 'classes.png'
    call(fcn, monkeypatch, 'draw', out / '16/iter_3.pth', photo, picture)
    before, after = cv2.imread(str(photo)), cv2.imread(str(picture))
    changed = (before != after).any(2)
    assert before.shape == after.shape and changed[:, :20].mean() > 0.9 and changed[:, 76:].mean() < 0.1


def test_mistakes_are_named(fcn, tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r'train\.txt: no such list'):
        fcn.VOC(tmp_path, 'train')
    data = voc(tmp_path / 'data')
    cv2.imwrite(str(data / 'SegmentationClass/0.png'), np.full((64, 96), 21, np.uint8))
    (data / 'SegmentationClass/1.png').unlink()
    for number, message in ((0, r'0\.png: is no map of the classes 0 to 20 of 0\.jpg'), (1, r'1\.png: cannot be read')):
        with pytest.raises(InputError, match=message):
            fcn.VOC(data, 'train')[number]
    coarse = tmp_path / 'a.pth'
    torch.save(dict(state_dict=GoogLeNetClassifier(3, dict(type='GoogLeNet', **NARROW)).state_dict(), meta={}), coarse)
    with pytest.raises(InputError, match='is no FCN'):
        fcn.load(str(coarse))
    words = ('train', '--data', data, '--width', 0.125, '--start', coarse, '--out', tmp_path / 'out')
    with pytest.raises(InputError, match='is no coarser FCN'):
        call(fcn, monkeypatch, *words)
