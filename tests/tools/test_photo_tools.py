"""tools/demo.py with the included detector and with an ImageNet classifier, and tools/eval_photos.py."""

import json
import shutil
from pathlib import Path
from urllib.error import URLError

import cv2
import numpy as np
import pytest
import torch

from det_inception.ilsvrc import DET_CLASSES
from det_inception.ilsvrc.imagenet import IMAGENET_CLASSES
from det_inception.models import GoogLeNetClassifier
from det_inception.weights import files as weight_files

REPO = Path(__file__).resolve().parent.parent.parent
SMALL = [
    'model.region_warp.size=64',
    'model.region_warp.context=4',
    'model.test_cfg.rcnn.map_sides=[64,96]',
    'model.test_cfg.rcnn.regions=8',
    'model.test_cfg.rcnn.score_thr=0.0',
    'test_dataloader.dataset.pipeline.2.method.width=200',
]
XML = (
    '<annotation><size><width>200</width><height>150</height></size><object><name>{}</name><bndbox><xmin>20</xmin>'
    '<ymin>20</ymin><xmax>99</xmax><ymax>119</ymax></bndbox></object></annotation>'
)


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    torch.manual_seed(0)
    model = GoogLeNetClassifier(1000, dict(type='GoogLeNet', variant='batch_norm', width=0.125))
    model.init_weights()
    torch.nn.init.normal_(model.fc.weight, std=0.02)
    path = tmp_path_factory.mktemp('weights') / 'random.pth'
    torch.save(model.state_dict(), path)
    return path


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp('photos')
    rng = np.random.default_rng(0)
    for name in 'ab':
        image = rng.integers(80, 120, (150, 200, 3), dtype=np.uint8)
        cv2.rectangle(image, (20, 20), (99, 119), tuple(int(value) for value in rng.integers(0, 255, 3)), -1)
        cv2.imwrite(str(folder / f'{name}.png'), image)
    return folder


@pytest.mark.parametrize(('options', 'names'), [([], DET_CLASSES), (['model.class_set=imagenet'], IMAGENET_CLASSES)])
def test_demo_without_a_detector(tool, photos, weights, tmp_path, options, names):
    arguments = (photos, '--weights', weights, '--out-dir', tmp_path, '--score', '0.0', '--device', 'cpu')
    status, stdout, stderr = tool('demo', *arguments, options=[*SMALL, *options])
    assert status == 0, stderr
    assert 'never trained on boxes' in stdout
    assert ('ballplayer, groom, scuba diver' in stdout) == (names is DET_CLASSES)
    found = json.loads((tmp_path / 'detections.json').read_text())['images']
    assert len(found) == 2 and all(boxes for boxes in found.values())
    assert {box['label'] for boxes in found.values() for box in boxes} <= set(names)
    for name in 'ab':
        assert cv2.imread(str(tmp_path / f'{name}.png')).shape == (150, 200, 3)
    status, stdout, stderr = tool('demo', photos / 'a.png', *arguments[1:5], '--score', '0.99', options=SMALL)
    assert status == 0 and 'a.png: nothing found with a score of 0.99 or more' in stdout + stderr


def test_demo_without_weights_and_internet(tool, photos, tmp_path, monkeypatch):
    def offline(*args, **kwargs):
        raise URLError('Name or service not known')

    monkeypatch.setattr(weight_files, 'urlopen', offline)
    monkeypatch.setattr(weight_files.torch.hub, 'get_dir', lambda: str(tmp_path / 'cache'))
    sentence = tool.refused('demo', photos, '--classes', 'det', '--out-dir', tmp_path / 'out')
    assert '--classes det without --weights FILE' in sentence
    assert 'torchvision://googlenet: cannot be downloaded' in sentence
    assert not (tmp_path / 'out').exists()
    assert 'none.pth: no such' in tool.refused('demo', photos, '--weights', tmp_path / 'none.pth')


def test_demo_with_weights_of_something_else(tool, photos, tmp_path):
    mini = REPO / 'checkpoints/googlenet_rcnn_mini.pth'
    sentence = tool.refused('demo', photos, '--weights', mini, '--out-dir', tmp_path)
    assert 'holds no classifier, and the 1000 classes of ImageNet are needed' in sentence
    both = ('--weights', mini, '--checkpoint', mini)
    assert 'a trained detector has weights of its own' in tool.refused('demo', photos, *both, '--out-dir', tmp_path)


def test_demo_finds_people_and_a_cat_in_the_photos(tool, tmp_path):
    photos = ('demo', REPO / 'examples/photos', '--score', '0.8')
    status, stdout, stderr = tool(*photos, '--out-dir', tmp_path, '--device', 'cpu')
    assert status == 0 and '5 images' in stdout, stderr
    assert 'coffee.jpg: nothing found with a score of 0.8 or more' in stdout + stderr
    found = json.loads((tmp_path / 'detections.json').read_text())['images']
    best = {
        Path(name).stem: max(boxes, key=lambda box: box['score'])['label'] for name, boxes in found.items() if boxes
    }
    del best['coffee']
    assert best == dict(astronaut='person', camera='person', chelsea='cat', grace_hopper='person')


@pytest.mark.parametrize(
    ('arguments', 'part'),
    [
        (('--classes', 'voc', '--weights', 'a.npz'), 'a.npz: an ImageNet classifier is for --classes det'),
        (('--classes', 'voc', '--config', 'a.py'), '--classes voc chooses a detector, and so does --config'),
        (('--classes', 'det', '--checkpoint', 'a.pth'), '--classes det chooses a detector, and so does'),
        (('--config', REPO / 'configs/googlenet_rcnn_voc.py'), 'describes a detector that must be trained'),
    ],
)
def test_demo_with_options_that_do_not_go_together(tool, photos, tmp_path, arguments, part):
    assert part in tool.refused('demo', photos, *arguments, '--out-dir', tmp_path)


def test_the_included_detector_with_another_config(tool, photos, tmp_path):
    included = ('--checkpoint', REPO / 'checkpoints/googlenet_faster-rcnn_voc2007.pth', '--out-dir', tmp_path)
    sentence = tool.refused('demo', photos, '--config', REPO / 'configs/googlenet_rcnn_voc.py', *included)
    assert 'use the config that the checkpoint was trained with' in sentence


def test_demo_takes_the_config_by_name(tool, photos, weights, tmp_path):
    config = REPO / 'configs/googlenet_rcnn_imagenet1k.py'
    arguments = ('--config', config, '--weights', weights, '--out-dir', tmp_path, '--device', 'cpu')
    status, stdout, stderr = tool('demo', photos / 'b.png', *arguments, options=SMALL)
    assert status == 0 and '1 image, ' in stdout, stderr


def test_eval_photos_and_eval_detections_agree(tool, photos, weights, tmp_path):
    annotations = tmp_path / 'annotations'
    annotations.mkdir()
    for name, wnid in (('a', 'n02084071'), ('b', 'n02691156')):
        (annotations / f'{name}.xml').write_text(XML.format(wnid))
    shutil.copy(photos / 'a.png', tmp_path / 'unlisted.png')
    listed = tmp_path / 'val.txt'
    listed.write_text('z 1\na 7\nb 9\n')  # of z there is neither image nor annotation
    arguments = ('--ground-truth', annotations, '--image-list', listed, '--weights', weights, '--device', 'cpu')
    images = (photos, tmp_path / 'unlisted.png')
    status, stdout, stderr = tool('eval_photos', *images, *arguments, '--out', tmp_path / 'found.txt', options=SMALL)
    assert status == 0, stderr
    assert '2 images, 2 objects' in stdout and 'mean AP of the 2 classes that have objects here' in stdout
    value = stdout.split('have objects here: ')[1].split()[0]

    listed.write_text('a 7\nb 9\n')
    arguments = ('--ground-truth', annotations, '--image-list', listed)
    status, stdout, _ = tool('eval_detections', '--predictions', tmp_path / 'found.txt', *arguments)
    assert status == 0 and f'mean AP over these: {value}' in stdout

    listed.write_text('other 1\n')
    assert 'is in the image list' in tool.refused('eval_photos', *images, *arguments, '--weights', weights)


def test_an_imagenet_classifier_on_pascal_voc(tool, photos, weights, tmp_path):
    for folder in ('JPEGImages', 'Annotations', 'ImageSets/Main'):
        (tmp_path / folder).mkdir(parents=True)
    for name, label in (('a', 'dog'), ('b', 'aeroplane')):
        shutil.copy(photos / f'{name}.png', tmp_path / 'JPEGImages')
        (tmp_path / f'Annotations/{name}.xml').write_text(XML.format(label))
    (tmp_path / 'ImageSets/Main/val.txt').write_text('a\nb\n')
    config = REPO / 'configs/googlenet_rcnn_imagenet1k_voc.py'
    arguments = (config, weights, '--data-root', tmp_path, '--work-dir', tmp_path / 'work')
    status, stdout, stderr = tool('test', *arguments, options=SMALL)
    assert status == 0 and 'voc/AP50' in stdout, stderr
    assert '| aeroplane |       1 | ' in stdout and 'tvmonitor' not in stdout  # Of which there is none.
    assert '| tvmonitor   | 0 ' in next((tmp_path / 'work').glob('*/*.log')).read_text()
