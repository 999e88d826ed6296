"""SVMs and box regression: against slow and obvious implementations, from a config to boxes, and their errors."""

import re
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from sets_on_disk import draw_sets
from sklearn.svm import LinearSVC

from det_inception.cli import train_svm as command
from det_inception.cli.common import explain
from det_inception.config.loading import load_config
from det_inception.engine.svm import features as features_module
from det_inception.engine.svm.box_regression import find_pairs, fit_boxes
from det_inception.engine.svm.features import (
    PROPOSAL,
    RegionFiles,
    class_overlaps,
    network_fingerprint,
    open_folder,
    region_type,
)
from det_inception.engine.svm.mining import SVMSettings, train_svms
from det_inception.engine.svm.train import train_svm
from det_inception.engine.test import test as run_test
from det_inception.inference.detector import Detector
from det_inception.registry import MODELS
from det_inception.utils.boxes import pairwise_iou
from det_inception.utils.errors import InputError
from det_inception.weights.checkpoints import load_detector, read_checkpoint

REPO = Path(__file__).resolve().parent.parent.parent
PLAIN, SVM = REPO / 'configs/googlenet_rcnn_bbox-reg_voc.py', REPO / 'configs/googlenet_rcnn_svm_voc.py'
CHANNELS, CLASSES, IMAGES = 12, 3, 15
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
TINY = {
    'model.backbone.width': 0.125,
    'model.bbox_head.in_channels': 128,
    'model.region_warp.size': 32,
    'model.region_warp.context': 2,
    'proposals.max_num': 30,
    'proposals.method.width': None,
    **{f'{loader}.num_workers': 0 for loader in LOADERS},
}


# ------------------------------------------------------------------------------------- against obvious implementations


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    """Images of three classes whose features tell these apart, more or less; some objects are to be ignored."""
    rng, paths = np.random.default_rng(0), []
    folder = tmp_path_factory.mktemp('features')
    directions = rng.normal(size=(CLASSES, CHANNELS))
    for number in range(IMAGES):
        objects = rng.integers(1, 4)
        corners = rng.uniform(0, 60, (objects + 80, 2))
        boxes = np.concatenate([corners, corners + rng.uniform(10, 60, corners.shape)], 1)
        boxes[objects : objects + 20] = boxes[rng.integers(0, objects, 20)] + rng.uniform(-4, 4, (20, 4))
        regions = np.zeros(len(boxes), region_type(CHANNELS))
        regions['box'], regions['label'] = boxes, PROPOSAL
        regions['label'][:objects] = rng.integers(0, CLASSES, objects)
        regions['ignored'][1:objects] = rng.random(objects - 1) < 0.3
        overlap = class_overlaps(regions, CLASSES)
        regions['feature'] = np.abs(overlap @ directions * 3 + rng.normal(size=(len(boxes), CHANNELS)))
        paths.append(folder / f'{number}.npy')
        np.save(paths[-1], regions)
    return RegionFiles(paths, CHANNELS)


def rows_of(files, label):
    """The objects of a class that count, as keys."""
    found = []
    for image in range(IMAGES):
        regions = files.read(image)
        rows = np.flatnonzero((regions['label'] == label) & (regions['ignored'] == 0))
        found += [(image, row) for row in rows]
    return np.array(found)


def rcnn_train(files, scale, c, retrain_limit):
    """R-CNN's rcnn_train.m, line by line, with scikit-learn for liblinear."""
    data = []
    for image in range(IMAGES):
        regions = files.read(image)
        boxes, objects = regions['box'], np.flatnonzero(regions['label'] >= 0)
        overlap = np.zeros((len(regions), CLASSES))
        for row in range(len(regions)):
            for number in objects:
                iou = pairwise_iou(boxes[row], boxes[number])[0, 0]
                if regions['ignored'][number]:
                    inside = np.minimum(boxes[row, 2:], boxes[number, 2:]) - np.maximum(
                        boxes[row, :2], boxes[number, :2]
                    )
                    if inside.clip(0).prod() > 0.5 * (boxes[row, 2:] - boxes[row, :2]).prod():
                        iou = 1
                overlap[row, regions['label'][number]] = max(overlap[row, regions['label'][number]], iou)
        data.append((regions['feature'].astype(np.float32) * scale, overlap))
    weights, biases, counts = np.zeros((CHANNELS, CLASSES)), np.zeros(CLASSES), np.zeros((2, CLASSES), int)
    positives = [np.stack([data[image][0][row] for image, row in rows_of(files, label)]) for label in range(CLASSES)]
    negatives = [np.zeros((0, CHANNELS), np.float32) for _ in range(CLASSES)]
    num_added, first_time = [0] * CLASSES, True
    for image, (x, overlap) in enumerate(data):
        zs = x @ weights + biases
        for j in range(CLASSES):
            chosen = overlap[:, j] < 0.3
            if not first_time:
                chosen &= zs[:, j] > -1.0001
            negatives[j] = np.concatenate([negatives[j], x[chosen]])
            num_added[j] += chosen.sum()
            counts[0, j] += chosen.sum()
            if (first_time or num_added[j] > retrain_limit or image == IMAGES - 1) and len(negatives[j]):
                svm = LinearSVC(
                    C=c,
                    loss='hinge',
                    intercept_scaling=10,
                    class_weight={1: 2},
                    random_state=7,
                    max_iter=1000,
                    tol=1e-3,
                )
                svm.fit(
                    np.concatenate([positives[j], negatives[j]]), [1] * len(positives[j]) + [-1] * len(negatives[j])
                )
                weights[:, j], biases[j], num_added[j] = svm.coef_[0], svm.intercept_[0], 0
                negatives[j] = negatives[j][negatives[j] @ weights[:, j] + biases[j] >= -1.2]
            counts[1, j] = len(negatives[j])
        first_time = False
    return weights.T, biases, counts


@pytest.mark.parametrize('retrain', [60, 2000])
def test_svms_are_those_of_rcnns_public_code(files, retrain):
    scale = 20 / files.mean_norm(0)
    positives = {'abc'[label]: rows_of(files, label) for label in range(CLASSES)}
    svms = train_svms(files, positives, scale, SVMSettings(c=0.01, retrain=retrain), seed=7)
    weights, biases, counts = rcnn_train(files, scale, 0.01, retrain)
    np.testing.assert_allclose(svms.weights, weights, atol=1e-5)
    np.testing.assert_allclose(svms.biases, biases, atol=1e-5)
    assert np.array_equal([svms.added, svms.kept], counts)
    # Something was hard, something was found easy again, and nothing is as it was at first.
    assert (svms.kept < svms.added).all() and (svms.added > 100).all() and (abs(svms.weights).max(1) > 0.01).all()


def test_the_published_settings():
    settings = SVMSettings()
    assert (settings.c, settings.positive_weight, settings.bias_multiplier, settings.norm) == (0.001, 2, 10, 20)
    assert (settings.negative_iou, settings.hard, settings.easy, settings.retrain) == (0.3, -1.0001, -1.2, 2000)


def test_box_regression_is_that_of_rcnns_public_code(files, monkeypatch):
    monkeypatch.setattr('det_inception.engine.svm.box_regression.CHUNK', 50)
    rng = np.random.default_rng(1)
    keys = np.concatenate([np.stack([np.full(8, image), rng.integers(0, 80, 8)], 1) for image in range(IMAGES)])
    targets = rng.normal(size=(len(keys), 4)) @ rng.normal(size=(4, 4)) + [0.5, -1, 2, 0]
    weights, biases = fit_boxes(files, keys, targets, 0.5, ridge=100)
    x = np.stack([files.read(image)['feature'][row].astype(float) * 0.5 for image, row in keys])
    x = np.concatenate([x, np.ones((len(x), 1))], 1)
    mean = targets.mean(0)
    y = targets - mean
    values, vectors = np.linalg.eigh(y.T @ y / len(y))
    whiten = vectors @ np.diag(1 / np.sqrt(values + 0.001)) @ vectors.T
    beta = np.linalg.inv(x.T @ x + 100 * np.eye(CHANNELS + 1)) @ x.T @ (y @ whiten)
    expected = x @ beta @ np.linalg.inv(whiten) + mean
    np.testing.assert_allclose(x[:, :-1] @ weights.T + biases, expected, atol=1e-6)
    assert np.abs(expected - mean).max() > 0.1


def regions_of(*rows):
    """Regions of (x1, y1, x2, y2, label, ignored), without features."""
    regions = np.zeros(len(rows), region_type(1))
    for region, row in zip(regions, rows):
        region['box'], region['label'], region['ignored'] = row[:4], row[4], row[5]
    return regions


def test_pairs_are_with_the_nearest_object_of_any_class():
    regions = regions_of(
        (0, 0, 10, 10, 0, 0),
        (0, 0, 10, 13, 1, 0),
        (50, 50, 60, 60, 1, 1),  # To be ignored: nothing is learned from it.
        (0, 0, 10, 12, PROPOSAL, 0),  # Nearer to the second object.
        (50, 50, 60, 60, PROPOSAL, 0),
        (0, 0, 10, 6, PROPOSAL, 0),  # 0.6 is not enough,
        (0, 0, 10, 6.1, PROPOSAL, 0),  # and this is.
    )
    rows, objects = find_pairs(regions)
    assert rows.tolist() == [0, 1, 3, 6] and objects.tolist() == [0, 1, 1, 0]
    assert len(find_pairs(regions[4:])[0]) == 0


def test_what_is_inside_an_ignored_object_overlaps_its_class():
    regions = regions_of(
        (0, 0, 100, 100, 1, 1),
        (20, 20, 40, 40, 0, 0),
        (60, 60, 70, 70, PROPOSAL, 0),
        (95, 0, 106, 10, PROPOSAL, 0),  # Less than half inside.
    )
    np.testing.assert_allclose(
        class_overlaps(regions, 3), [[400 / 10000, 1, 0], [1, 1, 0], [0, 1, 0], [0, 50 / 10060, 0]]
    )
    assert not class_overlaps(regions[2:], 3).any()


def test_features_are_gathered_in_the_order_of_their_keys(files):
    keys = np.array([(2, 5), (2, 1), (4, 0), (2, 7)])
    expected = [files.read(image)['feature'][row] for image, row in keys]
    assert np.array_equal(files.features(keys), np.array(expected, np.float32))
    assert files.features(keys[:0]).shape == (0, CHANNELS)


def test_the_norm_is_that_of_some_random_regions(files):
    assert files.mean_norm(1, images=3, regions=9) == files.mean_norm(1, images=3, regions=9)
    assert files.mean_norm(1, images=3, regions=9) != files.mean_norm(2, images=3, regions=9)
    everything = np.concatenate([files.read(image)['feature'].astype(float) for image in range(IMAGES)])
    assert files.mean_norm(0) == pytest.approx(np.linalg.norm(everything, axis=1).mean(), rel=1e-4)


# ------------------------------------------------------------------------------------------- from a config to boxes


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """A drawn VOC set: six images with a red and a blue square, for training and for the test."""
    root = draw_sets(tmp_path_factory.mktemp('data'))
    names = ''.join((root / f'ImageSets/Main/{split}.txt').read_text() for split in ('train', 'val'))
    for split in ('train', 'val'):
        (root / f'ImageSets/Main/{split}.txt').write_text(names)
    return root


def config(data, path=PLAIN, **options):
    return load_config(path, options={**TINY, **options}, data_root=data, weights='none')


@pytest.fixture(scope='module')
def trained(data, tmp_path_factory):
    """Detector, summary and folder of features, of a network with random weights."""
    folder = tmp_path_factory.mktemp('svm')
    settings = SVMSettings(c=0.1)
    summary = train_svm(
        config(data), folder / 'svm.pth', features=folder / 'features', settings=settings, ridge=1, random=True
    )
    return folder, summary


def test_it_finds_what_it_was_trained_for(trained, data, tmp_path):
    folder, summary = trained
    assert [(row.name, row.objects) for row in summary] == [('blue thing', 6), ('red thing', 6)]
    assert all(row.negatives >= row.kept > 0 and row.pairs >= 6 for row in summary)
    # Whatever head the config has, the checkpoint says that it holds SVMs.
    cfg, other = (
        load_config(path, options=TINY, data_root=data, checkpoint=folder / 'svm.pth') for path in (PLAIN, SVM)
    )
    assert cfg.model == other.model and cfg.model.bbox_head.type == 'SVMHead'
    cfg.work_dir = str(tmp_path)
    assert run_test(cfg, folder / 'svm.pth')['voc/mAP'] > 0.8

    detector = Detector(PLAIN, folder / 'svm.pth', options=TINY, device='cpu')
    assert detector.classes == ('blue thing', 'red thing')
    image = cv2.imread(str(data / 'JPEGImages/one.jpg'))
    found = detector.detect(image)
    assert found.scores.min() > 0 and found.scores.max() < 1
    for label, channel in ((0, 0), (1, 2)):
        x1, y1, x2, y2 = found.boxes[found.labels == label][0].astype(int)
        colors = image[y1:y2, x1:x2].mean((0, 1))
        assert colors.argmax() == channel and colors[channel] > 150


def test_margins_and_boxes_are_those_of_the_stored_features(trained, data):
    """The detector computes from pixels what its layers give for the features on the disk."""
    folder, _ = trained
    detector = Detector(PLAIN, folder / 'svm.pth', options=TINY, device='cpu')
    head = detector.model.bbox_head
    detector.model.test_cfg['rcnn'].update(keep_region_scores=True)
    image = cv2.imread(str(data / 'JPEGImages/one.jpg'))
    sample = detector.pipeline(dict(img=image, img_path='one.jpg', img_id='one'))
    with torch.no_grad():
        (result,) = detector.model.test_step(dict(inputs=[sample['inputs']], data_samples=[sample['data_samples']]))
    seen = result.region_scores
    stored = next(
        regions
        for regions in map(np.load, (folder / 'features').glob('*.npy'))
        if np.array_equal(regions['box'][2:], seen.boxes.numpy())  # Behind the two objects.
    )
    features = torch.from_numpy(stored['feature'][2:].astype(np.float32))
    torch.testing.assert_close(seen.logits[:, :2], head.fc_cls(features), atol=0.02, rtol=0.01)
    torch.testing.assert_close(seen.deltas, head.fc_reg(features), atol=0.02, rtol=0.01)
    assert torch.all(seen.logits[:, 2] == 0) and seen.logits.std() > 0.1


def test_box_regression_moves_boxes_to_their_objects(trained, data):
    """Proposals near an object overlap it more afterwards."""
    folder, _ = trained
    detector = Detector(PLAIN, folder / 'svm.pth', options=TINY, device='cpu')
    head, gains = detector.model.bbox_head, []
    for regions in map(np.load, (folder / 'features').glob('*.npy')):
        rows, objects = find_pairs(regions)
        boxes, goals = regions['box'][rows], regions['box'][objects]
        deltas = head.fc_reg(torch.from_numpy(regions['feature'][rows].astype(np.float32))).unflatten(1, (2, 4))
        own = deltas[np.arange(len(rows)), regions['label'][objects]]
        moved = head.bbox_coder.decode(torch.from_numpy(boxes), own).detach().numpy()
        gains += (np.diag(pairwise_iou(moved, goals)) - np.diag(pairwise_iou(boxes, goals))).tolist()
    assert len(gains) > 20 and np.mean(gains) > 0.01


def test_the_checkpoint_holds_its_config(trained):
    folder, _ = trained
    content = read_checkpoint(folder / 'svm.pth')
    cfg = Config.fromstring(content['meta']['cfg'], '.py')
    assert cfg.model.bbox_head.type == 'SVMHead' and cfg.model.backbone.init_cfg is None
    load_detector(MODELS.build(cfg.model), folder / 'svm.pth')
    assert content['meta']['dataset_meta']['classes'] == ('blue thing', 'red thing')
    assert content['meta']['svm']['c'] == 0.1 and content['meta']['seed'] == 2014


def test_features_are_computed_once(trained, data, tmp_path, monkeypatch):
    folder, _ = trained
    shutil.copytree(folder / 'features', tmp_path / 'features')
    paths = sorted((tmp_path / 'features').glob('*.npy'))
    assert len(paths) == 6
    paths[0].write_bytes(paths[0].read_bytes()[:1000])  # A file that was cut off.
    written = []
    monkeypatch.setattr(
        features_module, 'atomic_write', lambda path, **options: written.append(path) or original(path, **options)
    )
    content = read_checkpoint(folder / 'svm.pth')
    settings = SVMSettings(c=0.1)
    kept = dict(features=tmp_path / 'features', settings=settings, ridge=1)
    train_svm(config(data), tmp_path / 'again.pth', checkpoint=folder / 'svm.pth', **kept)
    assert written == paths[:1]
    again = read_checkpoint(tmp_path / 'again.pth')
    assert all(torch.equal(value, again['state_dict'][name]) for name, value in content['state_dict'].items())


original = features_module.atomic_write


def test_without_a_folder_nothing_stays_but_the_checkpoint(data, tmp_path):
    summary = train_svm(
        config(data, **{'model.bbox_head.with_reg': False}),
        tmp_path / 'svm.pth',
        settings=SVMSettings(c=0.1),
        random=True,
    )
    assert [path.name for path in tmp_path.iterdir()] == ['svm.pth']
    assert [row.pairs for row in summary] == [0, 0]
    # A config with box regression takes this detector as it is.
    detector = Detector(PLAIN, tmp_path / 'svm.pth', options=TINY, device='cpu')
    assert not detector.model.bbox_head.with_reg
    assert len(detector.detect(cv2.imread(str(data / 'JPEGImages/one.jpg'))))


def test_a_network_of_other_classes_gives_features(data, tmp_path):
    torch.manual_seed(1)
    cfg = config(data, classes=('a', 'b', 'c', 'd'), **{'model.bbox_head.with_reg': False})
    model = MODELS.build(cfg.model)
    model.init_weights()
    meta = dict(dataset_meta=dict(classes=('a', 'b', 'c', 'd')))
    torch.save(dict(state_dict=model.state_dict(), meta=meta), tmp_path / 'tuned.pth')
    train_svm(config(data), tmp_path / 'svm.pth', checkpoint=tmp_path / 'tuned.pth')
    content = read_checkpoint(tmp_path / 'svm.pth')
    assert content['meta']['dataset_meta']['classes'] == ('blue thing', 'red thing')
    own = model.state_dict()
    backbone = [name for name in own if name.startswith('backbone.')]
    assert all(torch.equal(content['state_dict'][name], own[name]) for name in backbone)


def test_images_without_objects_give_negatives(data, tmp_path):
    root = tmp_path / 'data'
    shutil.copytree(data, root, symlinks=True)
    rng = np.random.default_rng(3)
    cv2.imwrite(str(root / 'JPEGImages/empty.jpg'), rng.integers(0, 255, (100, 130, 3), dtype=np.uint8))
    (root / 'Annotations/empty.xml').write_text('<annotation></annotation>')
    with open(root / 'ImageSets/Main/train.txt', 'a') as file:
        file.write('empty\n')
    train_svm(config(root), tmp_path / 'svm.pth', features=tmp_path / 'features', random=True)
    files = [np.load(path) for path in (tmp_path / 'features').glob('*.npy')]
    assert sorted(int((regions['label'] >= 0).sum()) for regions in files) == [0, 2, 2, 2, 2, 2, 2]


# ------------------------------------------------------------------------------------------------------------ errors


def test_the_fingerprint_is_of_all_that_decides_a_feature(data):
    cfg = config(data)

    def fingerprint(change=lambda model: None, variant='paper'):
        torch.manual_seed(0)
        model = MODELS.build(cfg.model)
        model.init_weights()
        with torch.no_grad():
            change(model)
        return network_fingerprint(model, dict(variant=variant))

    known = fingerprint()
    assert fingerprint() == fingerprint(lambda model: model.bbox_head.fc_cls.weight.add_(1)) == known
    others = [
        fingerprint(lambda model: next(model.backbone.parameters())[0].add_(1)),
        fingerprint(lambda model: model.data_preprocessor.mean[0].add_(1)),
        fingerprint(lambda model: setattr(model.region_warp, 'context', 3)),
        fingerprint(variant='torchvision'),
    ]
    assert len({known, *others}) == 5


def test_features_of_another_network_are_refused(trained, data, tmp_path):
    folder, _ = trained
    shutil.copytree(folder / 'features', tmp_path / 'features')
    other = config(data, **{'model.region_warp.context': 4})
    with pytest.raises(InputError, match='holds features of another network .*; name a new folder'):
        train_svm(other, tmp_path / 'svm.pth', features=tmp_path / 'features', random=True)
    assert not (tmp_path / 'svm.pth').exists()


@pytest.mark.parametrize(
    'content, said',
    [('{}', 'cannot be read'), ('\0', 'cannot be read'), ('[1]', 'cannot be read'), (None, 'no network.json')],
)
def test_a_folder_of_something_else_is_refused(content, said, tmp_path):
    (tmp_path / 'photo.jpg').write_text('')
    if content is not None:
        (tmp_path / 'network.json').write_text(content)
    with pytest.raises(InputError, match=said):
        open_folder(tmp_path, 'abc')


def test_a_class_with_fewer_than_five_objects_is_refused(data, tmp_path):
    root = tmp_path / 'data'
    shutil.copytree(data, root, symlinks=True)
    path = root / 'Annotations/one.xml'
    for name in ('one', 'two words'):
        path = root / f'Annotations/{name}.xml'
        path.write_text(path.read_text().replace('red thing', 'blue thing'))
    with pytest.raises(InputError, match=r'data: an SVM needs 5 objects .* \(red thing 4\); add some'):
        train_svm(config(root), tmp_path / 'svm.pth', random=True)
    path.write_text(path.read_text().replace('<object>', '<object><difficult>1</difficult>'))
    with pytest.raises(InputError, match=r'\(red thing 4\)'):  # What is difficult does not count.
        train_svm(config(root), tmp_path / 'svm.pth', random=True)


def test_a_class_without_negatives_is_refused(tmp_path):
    root = draw_sets(tmp_path / 'data')
    names = ['one', 'two words', 'three', 'four', 'five', 'six']
    (root / 'ImageSets/Main/train.txt').write_text('\n'.join(names))
    for name in names:  # All of every image is one thing, and so is each proposal.
        (root / f'Annotations/{name}.xml').write_text(
            '<annotation><object><name>wall</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>130</xmax><ymax>90</ymax>'
            '</bndbox></object></annotation>'
        )
    cfg = config(root, **{'proposals.max_num': 0})
    with pytest.raises(InputError, match="class 'wall' has no negatives: every region of the 6 images overlaps"):
        train_svm(cfg, tmp_path / 'svm.pth', random=True)
    assert not list(tmp_path.glob('*svm*'))


@pytest.mark.parametrize(
    'factor, said', [(0, 'all features are 0'), (1e30, r'one\.jpg: the network gives features that are not finite')]
)
def test_features_that_say_nothing_are_refused(factor, said, data, tmp_path):
    model = MODELS.build(config(data).model)
    model.init_weights()
    with torch.no_grad():
        for parameter in model.backbone.inception5b.parameters():
            parameter.mul_(factor)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'diverged.pth')
    with pytest.raises(InputError, match=said):
        train_svm(config(data), tmp_path / 'svm.pth', checkpoint=tmp_path / 'diverged.pth')


@pytest.mark.parametrize(
    'path, arguments, said',
    [
        ('googlenet_rcnn_mini.py', {}, 'its network has random weights; name a checkpoint'),
        ('googlenet_fast-rcnn_voc.py', {}, 'SVMs are for a model of type RCNN, not FastRCNN'),
        ('googlenet_multibox_voc.py', {}, 'SVMs are for a model of type RCNN, not MultiBox'),
        ('googlenet_rcnn_voc.py', dict(out='.'), 'is a folder; name the file of the checkpoint to write'),
        ('googlenet_rcnn_voc.py', dict(checkpoint='none.pth'), r'none\.pth: '),
    ],
)
def test_what_cannot_be_trained_is_refused(path, arguments, said, data, tmp_path):
    cfg = load_config(REPO / 'configs' / path, options=dict(classes=('blue thing', 'red thing')), data_root=data)
    arguments = dict(dict(out=tmp_path / 'svm.pth'), **arguments)
    with pytest.raises(InputError, match=said):
        train_svm(cfg, **arguments)


@pytest.mark.parametrize(
    'arguments, said',
    [
        (['tuned.pth', '--weights', 'google.npz'], r'google\.npz: the network is that of tuned\.pth'),
        (['--svm-c', '0'], r'--svm-c is 0 and must be a number above 0'),
        (['--ridge', 'nan'], r'--ridge is nan and must be a number above 0'),
    ],
)
def test_options_that_mean_nothing_are_refused(arguments, said, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['train_svm.py', str(PLAIN), *arguments, '--out', 'svm.pth'])
    with pytest.raises(InputError) as error:
        command.main()
    assert re.search(said, explain(error.value))
