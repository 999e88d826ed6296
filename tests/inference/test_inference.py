"""Detecting in images without annotations, and what surrounds it."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from det_inception.config.loading import load_config
from det_inception.inference import Detector, find_images, find_sources, passed_over
from det_inception.inference.video import VideoWriter
from det_inception.registry import MODELS
from det_inception.utils.errors import InputError
from det_inception.utils.files import output_names, write_bytes, write_image
from det_inception.utils.images import ImageError

MINI = Path(__file__).resolve().parent.parent.parent / 'configs/googlenet_rcnn_mini.py'
OPTIONS = {
    'model.backbone.width': 0.125,
    'model.bbox_head.in_channels': 128,
    'model.region_warp.size': 32,
    'model.region_warp.context': 2,
    'test_dataloader.dataset.pipeline.2.max_num': 30,
    'test_dataloader.dataset.pipeline.2.method.width': 200,
}
CLASSES = ('cat', 'dog', 'owl')


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """A detector with random weights, whose head is sharp enough to give scores above and below a half."""
    torch.manual_seed(0)
    cfg = load_config(MINI, options={**OPTIONS, 'classes': CLASSES})
    model = MODELS.build(cfg.model)
    model.init_weights()
    torch.nn.init.normal_(model.bbox_head.fc_cls.weight, std=2.0)
    path = tmp_path_factory.mktemp('model') / 'random.pth'
    torch.save(dict(state_dict=model.state_dict(), meta=dict(dataset_meta=dict(classes=CLASSES))), path)
    return path


@pytest.fixture(scope='module')
def detector(checkpoint):
    return Detector(MINI, checkpoint, device='cpu', options=OPTIONS)


@pytest.fixture
def scene():
    image = np.random.default_rng(1).integers(100, 130, (90, 140, 3), dtype=np.uint8)
    image[10:50, 10:65] = (20, 40, 220)
    image[30:80, 85:125] = (200, 180, 20)
    return image


def test_detects(detector, scene):
    before = scene.copy()
    found = detector.detect(scene)
    assert (scene == before).all()
    count = len(found)
    assert count > 0 and found.boxes.shape == (count, 4) and found.scores.shape == found.labels.shape == (count,)
    assert (found.boxes.dtype, found.scores.dtype, found.labels.dtype) == (np.float32, np.float32, np.int64)
    assert (np.diff(found.scores) <= 0).all() and found.scores.max() <= 1 and set(found.labels) <= {0, 1, 2}
    assert (found.boxes[:, :2] >= 0).all() and (found.boxes[:, 2:] <= (140, 90)).all()
    again = detector.detect(scene)
    assert all((getattr(found, name) == getattr(again, name)).all() for name in ('boxes', 'scores', 'labels'))


def test_a_large_image_is_made_smaller(detector, scene, monkeypatch):
    small = detector.detect(scene)
    monkeypatch.setattr('det_inception.inference.detector.MAX_PIXELS', 90 * 140)
    large = detector.detect(scene.repeat(3, axis=0).repeat(3, axis=1))
    np.testing.assert_allclose(large.boxes, 3 * small.boxes, rtol=1e-5)
    assert (large.scores == small.scores).all() and (large.labels == small.labels).all()


@pytest.mark.parametrize('shape', [(1, 1), (200, 8000), (3, 400)])
def test_images_of_every_size(detector, shape):
    image = np.random.default_rng(2).integers(0, 256, (*shape, 3), dtype=np.uint8)
    found = detector.detect(image)
    assert (found.boxes[:, 2:] <= (shape[1], shape[0])).all()
    assert found.draw().shape == image.shape


def test_mixed_precision_is_nearly_the_same(checkpoint, scene):
    plain, mixed = (Detector(MINI, checkpoint, device='cpu', amp=amp, options=OPTIONS) for amp in (False, True))
    first, second = (item.detect(scene) for item in (plain, mixed))
    assert second.scores.dtype == second.boxes.dtype == np.float32
    assert abs(first.scores[0] - second.scores[0]) < 0.1


def test_files_in_order(detector, scene, tmp_path):
    paths = [tmp_path / f'{name}.png' for name in 'ba']
    for path in paths:
        cv2.imwrite(str(path), scene)
    found = list(detector.detect_files(paths))
    assert [path for path, _, _ in found] == paths and (found[0][1] == scene).all()
    assert (found[0][2].boxes == detector.detect(scene).boxes).all()
    with pytest.raises(ImageError, match=r'none\.png'):
        next(detector.detect_files([tmp_path / 'none.png']))


def test_a_call_takes_whatever_holds_images(detector, scene, tmp_path):
    path = tmp_path / 'a.png'
    cv2.imwrite(str(path), scene)
    expected = detector.detect(scene)
    found = detector([path, str(path), scene, Image.fromarray(scene[:, :, ::-1])])
    for one in (*found, detector(path)):
        assert (one.boxes == expected.boxes).all() and (one.scores == expected.scores).all()
        assert (one.image == scene).all()
    assert [one.name for one in found] == [str(path), str(path), '', '']
    score = float(expected.scores[len(expected) // 2])
    count = int((expected.scores >= score).sum())
    assert len(detector(scene, score=score)) == len(detector((scene,), score)[0]) == count < len(expected)
    with VideoWriter(tmp_path / 'clip.mp4', 5) as writer:
        for _ in range(3):
            writer.add(scene)
    frames = detector(tmp_path / 'clip.mp4', score=score)
    first = next(frames)
    assert first.name.endswith('clip.mp4, frame 0') and first.image.shape == scene.shape and len(list(frames)) == 2
    for wrong in (1.5, -1, float('nan')):
        with pytest.raises(InputError, match='scores are 0 to 1'):
            detector(scene, score=wrong)
    with pytest.raises(InputError, match=r'an image is a path.* no list'):
        detector([[scene]])


def test_wrong_checkpoints(checkpoint, tmp_path):
    content = torch.load(checkpoint, weights_only=True)
    torch.save(dict(content, meta={}), tmp_path / 'nameless.pth')
    with pytest.raises(InputError, match=r'nameless\.pth: does not say which classes'):
        Detector(MINI, tmp_path / 'nameless.pth', options=OPTIONS)
    content['meta']['dataset_meta']['classes'] = (*CLASSES, 'fox')
    torch.save(content, tmp_path / 'other.pth')
    with pytest.raises(InputError, match='another number of classes'):
        Detector(MINI, tmp_path / 'other.pth', device='cpu', options=OPTIONS)
    with pytest.raises(InputError, match="device 'abacus' cannot be used here"):
        Detector(MINI, checkpoint, device='abacus', options=OPTIONS)


def test_find_images(tmp_path, monkeypatch):
    for name in ('b.jpg', 'a.PNG', 'sub/c.webp', 'sub/notes.txt', '.hidden.jpg', 'odd[1].jpg'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    names = lambda *patterns: [path.as_posix() for path in find_images(patterns)]  # noqa: E731
    assert names('.') == ['a.PNG', 'b.jpg', 'odd[1].jpg', 'sub/c.webp']
    assert names('b.jpg', '*.jpg', 'odd[1].jpg') == ['b.jpg', 'odd[1].jpg']
    assert names('**/*.webp') == ['sub/c.webp'] and names('sub/notes.txt') == ['sub/notes.txt']
    (tmp_path / 'empty').mkdir()
    for pattern, said in (('none.jpg', 'no such file'), ('*.tif', 'or match'), ('empty', 'holds no image')):
        with pytest.raises(InputError, match=said):
            find_images(['b.jpg', pattern])


def test_files_in_a_folder_that_are_not_read(tmp_path):
    assert str(passed_over([tmp_path, 'none.jpg'])) == ''
    for name in ('a.jpg', 'b.JFIF', 'sub/IMG_1.HEIC', 'clip.mp4', 'notes.txt', '.hidden.txt', 'more/clip.AVI'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for path in find_images([tmp_path])] == ['a.jpg', 'b.JFIF']
    found = passed_over([tmp_path / 'a.jpg', tmp_path])
    assert [Path(name).name for name in found.videos] == ['clip.mp4', 'clip.AVI'] and found.others == 1
    assert '2 videos' in str(found) and 'sub/IMG_1.HEIC; convert' in str(found) and '; 1 other file' in str(found)
    with pytest.raises(InputError, match=r'sub: no image but 1 photo of an unread format .*IMG_1\.HEIC; convert'):
        find_images([tmp_path / 'sub'])
    with pytest.raises(InputError, match=r'more: no image but 1 video .*clip.AVI\), read only if you name'):
        find_images([tmp_path / 'more'])


def test_sources_that_are_no_files(tmp_path):
    (tmp_path / 'a.jpg').touch()
    named = ['https://example.com/cat.jpg', 'camera:0', '-', str(tmp_path), 'camera:0']
    assert find_sources(named) == [*named[:3], tmp_path / 'a.jpg']
    for address in ('rtsp://camera/1', 's3://bucket/cat.jpg'):
        with pytest.raises(InputError, match=f'{address}: such addresses are not read; download'):
            find_sources([address])


def test_output_names():
    names = ['a/x.jpg', 'b/x.jpg', 'x.png', 'x_2.jpg', 'y.tar.jpg']
    assert output_names([Path(name) for name in names]) == ['x.png', 'x_2.png', 'x_3.png', 'x_2_2.png', 'y.tar.png']


def test_writing(tmp_path, scene):
    write_image(tmp_path / 'new' / 'a.png', scene)
    assert (cv2.imread(str(tmp_path / 'new' / 'a.png')) == scene).all()
    write_bytes(tmp_path / 'new' / 'a.png', b'other')
    assert [path.name for path in (tmp_path / 'new').iterdir()] == ['a.png']
    for path in (tmp_path / 'new' / 'a.png' / 'b.txt', tmp_path / 'new'):
        with pytest.raises(InputError, match='cannot be written'):
            write_bytes(path, b'x')
    assert [path.name for path in tmp_path.iterdir()] == ['new']


@pytest.mark.parametrize('shape', [(1, 1), (1, 3000), (400, 1), (20, 3000), (3000, 40)])
def test_the_included_detector_takes_images_of_any_shape(included, shape):
    found = included(np.full((*shape, 3), 90, np.uint8), score=0.0)
    boxes = np.asarray(found.boxes)
    assert np.isfinite(boxes).all() and (boxes >= 0).all() and (boxes <= [shape[1], shape[0]] * 2).all()


@pytest.fixture(scope='module')
def included():
    return Detector('googlenet_faster-rcnn_voc2007')
