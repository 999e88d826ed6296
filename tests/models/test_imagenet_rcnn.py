"""The R-CNN of an ImageNet classifier: its two looks, on a network whose answers are known, and its errors."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from det_inception.config.loading import load_config
from det_inception.ilsvrc import DET_CLASSES
from det_inception.ilsvrc.imagenet import DET_OF_LEAF, IMAGENET_CLASSES
from det_inception.inference import Detector
from det_inception.models import GoogLeNet, GoogLeNetClassifier
from det_inception.models.layers.class_maps import STRIDE, map_scales, pool_boxes, sample_grid
from det_inception.registry import MODELS
from det_inception.utils.errors import InputError
from det_inception.weights.export import write_backbone

REPO = Path(__file__).resolve().parent.parent.parent
CONFIG = REPO / 'configs/googlenet_rcnn_imagenet1k.py'
SMALL = {
    'model.region_warp.size': 64,
    'model.region_warp.context': 4,
    'model.test_cfg.rcnn.map_sides': (64, 128),
    'model.test_cfg.rcnn.regions': 30,
    'test_dataloader.dataset.pipeline.2.method.width': 200,
    'test_dataloader.dataset.pipeline.2.method.min_size': 8,
}


def save_classifier(path, classes=1000, width=0.125):
    """A GoogLeNet with random weights, as a file."""
    torch.manual_seed(0)
    model = GoogLeNetClassifier(classes, dict(type='GoogLeNet', variant='batch_norm', width=width))
    model.init_weights()
    torch.nn.init.normal_(model.fc.weight, std=0.02)  # features of random layers are large
    torch.save(model.state_dict(), path)
    return path


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    return save_classifier(tmp_path_factory.mktemp('weights') / 'random.pth')


class Colors(nn.Module):
    """A network that sees how red, green and blue each 32 x 32 pixels are."""

    first_center = 16.0

    def forward(self, images):
        return (nn.functional.avg_pool2d(images, STRIDE, ceil_mode=True),)


def color_detector(class_set):
    """Red is a kit fox, green a school bus, and everything else is a volcano, which is no class of DET."""
    cfg = load_config(CONFIG, options={**SMALL, 'model.class_set': class_set})
    model = MODELS.build(cfg.model)
    model.backbone = Colors()
    model.bbox_head.fc = nn.Linear(3, 1000)
    nn.init.zeros_(model.fc.weight)
    nn.init.constant_(model.fc.bias, -20.0)
    names = list(IMAGENET_CLASSES)
    with torch.no_grad():
        for name, row in (('kit fox', (10, -10, -10)), ('school bus', (-10, 10, -10))):
            model.fc.weight[names.index(name)] = torch.tensor(row, dtype=torch.float32)
            model.fc.bias[names.index(name)] = -10.0
        model.fc.bias[names.index('volcano')] = 5.0
    return model.eval()


@pytest.fixture
def scene():
    image = np.full((160, 240, 3), 90, np.uint8)  # BGR; red, green and blue alike
    image[32:128, 16:96] = (0, 0, 255)
    image[64:144, 128:224] = (0, 255, 0)
    return image


def iou(a, b):
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    common = np.clip(high - low, 0, None).prod()
    return common / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - common)


@pytest.mark.parametrize(('class_set', 'names'), [('det', ('fox', 'bus')), ('imagenet', ('kit fox', 'school bus'))])
def test_objects_of_a_known_network_are_found(weights, scene, class_set, names):
    detector = Detector(CONFIG, weights=weights, device='cpu', options={**SMALL, 'model.class_set': class_set})
    detector.model = color_detector(class_set)
    found = detector.detect(scene)
    assert {found.classes[label] for label in found.labels} - {'volcano'} == set(names)
    for name, box in zip(names, ([16, 32, 96, 128], [128, 64, 224, 144])):
        mine = [row for row, label in zip(found.boxes, found.labels) if found.classes[label] == name]
        # The best box of an object is on it, and is the only one there.
        assert iou(mine[0], np.array(box)) > 0.6 and sum(iou(row, np.array(box)) > 0.3 for row in mine) == 1


def test_the_first_look_alone_warps_nothing_and_the_map_lowers_scores(weights, scene):
    def detect(**settings):
        model = color_detector('det')
        model.test_cfg['rcnn'].update(settings)
        detector = Detector(CONFIG, weights=weights, device='cpu', options=SMALL)
        detector.model, warped = model, []
        model.region_warp.register_forward_hook(lambda *_: warped.append(1))
        return detector.detect(scene), len(warped)

    both, warps = detect()
    first, none = detect(regions=0)
    assert warps and not none
    fox = list(both.classes).index('fox')
    assert fox in both.labels and fox in first.labels
    bare, _ = detect(evidence=False)
    # The same score, but for the fit with the map, which no box has entirely.
    lowered, whole = (float(found.scores[found.labels == fox].max()) for found in (both, bare))
    assert 0 < lowered < whole


def test_nothing_is_found_where_nothing_is(weights, scene):
    detector = Detector(CONFIG, weights=weights, device='cpu', options=SMALL)
    detector.model = color_detector('det')
    assert len(detector.detect(np.full_like(scene, 90))) == 0
    assert len(detector.detect(np.full((1, 1, 3), 90, np.uint8))) == 0


def test_random_weights_from_a_file(weights, scene):
    detector = Detector(CONFIG, weights=weights, device='cpu', options={**SMALL, 'model.test_cfg.rcnn.score_thr': 0.0})
    assert detector.classes == DET_CLASSES and detector.model.fc.in_features == 128
    loaded = GoogLeNet.read_weights(weights)
    assert torch.equal(detector.model.fc.weight, loaded.classifier['fc.weight'])
    found = detector.detect(scene)
    assert 0 < len(found) <= 100 and (np.diff(found.scores) <= 0).all() and found.scores[0] <= 1
    assert (found.boxes[:, :2] >= 0).all() and (found.boxes[:, 2:] <= (240, 160)).all()
    chunks = {**SMALL, 'model.test_cfg.rcnn.score_thr': 0.0, 'model.test_cfg.rcnn.chunk_size': 7}
    again = Detector(CONFIG, weights=weights, device='cpu', options=chunks).detect(scene)
    np.testing.assert_allclose(again.scores, found.scores, atol=1e-5)


def test_torchvisions_file(tmp_path, scene):
    """The default's layout, with random weights; the values of its layers are compared in test_checkpoints.py."""
    import torchvision

    network = torchvision.models.googlenet(weights=None, aux_logits=False, init_weights=False)
    torch.save(network.state_dict(), tmp_path / 'googlenet.pth')
    options = {**SMALL, 'model.test_cfg.rcnn.regions': 4, 'model.test_cfg.rcnn.score_thr': 0.0}
    detector = Detector(CONFIG, weights=tmp_path / 'googlenet.pth', device='cpu', options=options)
    model = detector.model
    assert model.backbone.variant == 'torchvision' and model.backbone.first_center == 22.5
    assert model.data_preprocessor.mean.flatten().tolist() == [127.5] * 3
    assert torch.equal(model.fc.weight, network.fc.weight)
    assert len(detector.detect(scene))


def test_mixed_precision_is_nearly_the_same(weights, scene):
    options = {**SMALL, 'model.test_cfg.rcnn.score_thr': 0.0}
    plain, mixed = (
        Detector(CONFIG, weights=weights, device='cpu', amp=amp, options=options).detect(scene) for amp in (False, True)
    )
    assert mixed.scores.dtype == np.float32 and abs(plain.scores[0] - mixed.scores[0]) < 0.1


def test_a_class_is_the_sum_of_its_leaves():
    model = color_detector('det')
    probabilities = torch.rand(4, 1000).softmax(1)
    sums = model._sum_leaves(probabilities)
    for label in (0, 57, 199):
        torch.testing.assert_close(sums[:, label], probabilities[:, DET_OF_LEAF == label].sum(1))


def test_pooling_is_the_mean_of_the_cells():
    torch.manual_seed(1)
    height, width = 96, 160
    maps = [(scale, torch.rand(5, int(height * scale) // STRIDE, int(width * scale) // STRIDE)) for scale in (1, 2)]
    boxes = torch.tensor([[0.0, 0, 160, 96], [32, 32, 96, 96], [40, 20, 44, 23], [150, 90, 160, 96]])
    means = pool_boxes(maps, boxes, size=64, first_center=16.0)
    torch.testing.assert_close(means[0], maps[0][1].mean((1, 2)))  # 124 pixels across: on the map of scale 1
    torch.testing.assert_close(means[1], maps[0][1][:, 1:3, 1:3].mean((1, 2)))
    torch.testing.assert_close(means[2], maps[1][1][:, 1, 2])  # smaller than a cell: the one that it begins in
    torch.testing.assert_close(means[3], maps[1][1][:, 5, 9])


def test_grid_reads_a_map_where_its_cells_lie():
    # A ramp: at x pixels its value is x / 32 - 0.5, as cell j's center lies at 32 j + 16.
    ramp = torch.arange(4.0).expand(1, 3, 4)
    read = sample_grid(ramp, 1.0, 96, 128, first_center=16.0)[0, 0]
    centers = (torch.arange(32) + 0.5) / 32 * 128
    torch.testing.assert_close(read, (centers / 32 - 0.5).clamp(0, 3))
    # One that looks 8 pixels further on has the same value 8 pixels further on.
    moved = sample_grid(ramp, 1.0, 96, 128, first_center=24.0)[0, 0]
    torch.testing.assert_close(moved, ((centers - 8) / 32 - 0.5).clamp(0, 3))
    boxes = torch.tensor([[8.0, 0, 72, 96]])
    assert pool_boxes([(1.0, ramp)], boxes, size=64, first_center=24.0).item() == 0.5  # cells 0 and 1, not 2


def test_scales():
    assert map_scales(480, 640, (240, 960)) == [0.5, 1.875]  # the longer side ends at 1200
    assert map_scales(100, 4000, (224,)) == [0.3]


def test_wrong_weights(tmp_path, weights):
    few = save_classifier(tmp_path / 'few.pth', classes=5)
    with pytest.raises(InputError, match=r'few\.pth: tells 5 classes apart, and the 1000 classes of ImageNet'):
        Detector(CONFIG, weights=few, device='cpu')
    write_backbone(tmp_path / 'backbone.pth', GoogLeNet.read_weights(weights))
    with pytest.raises(InputError, match=r'backbone\.pth: holds no classifier'):
        Detector(CONFIG, weights=tmp_path / 'backbone.pth', device='cpu')
    with pytest.raises(InputError, match='must be trained; name its checkpoint'):
        Detector('googlenet_rcnn_voc', device='cpu')
    with pytest.raises(InputError, match='has weights of its own'):
        Detector(CONFIG, REPO / 'checkpoints/googlenet_rcnn_mini.pth', weights=weights)
    with pytest.raises(InputError, match='class_set is one of det, imagenet'):
        Detector(CONFIG, weights=weights, options={'model.class_set': 'coco'})


def test_it_is_not_trained():
    with pytest.raises(InputError, match='is not trained'):
        color_detector('det').loss(torch.zeros(1, 3, 64, 64), [])


def test_caffes_weights_name_the_photos_of_their_classes(shared_data):
    """One real photo with the real weights; a training image of the classifier, perhaps."""
    path = sorted((shared_data / 'imagenet_samples').glob('*French_bulldog*'))
    if not path:
        pytest.skip('no photo of a bulldog among the samples')
    detector = Detector(
        CONFIG,
        weights=shared_data / 'weights/bvlc_googlenet.npz',
        options={'model.test_cfg.rcnn.regions': 12, 'model.test_cfg.rcnn.map_sides': (224,)},
    )
    image = cv2.imread(str(path[0]))
    found = detector.detect(image)
    assert found.as_dicts()[0]['label'] == 'dog'
