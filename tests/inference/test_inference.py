"""Detecting in images without annotations, and what surrounds it."""

import dataclasses
import itertools
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from det_inception.config.loading import load_config
from det_inception.inference import Detections, Detector, demo, draw, find_images, passed_over
from det_inception.inference.demo import draw_photos
from det_inception.inference.drawing import class_color
from det_inception.registry import MODELS
from det_inception.utils.errors import InputError
from det_inception.utils.files import atomic_write, output_names, write_bytes, write_image
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


@pytest.mark.parametrize('shape', [(1, 1), (200, 8000), (3, 400)])
def test_images_of_every_size(detector, shape):
    image = np.random.default_rng(2).integers(0, 256, (*shape, 3), dtype=np.uint8)
    found = detector.detect(image)
    assert (found.boxes[:, 2:] <= (shape[1], shape[0])).all()
    assert draw(image, found).shape == image.shape


@pytest.mark.parametrize(
    'image', [np.zeros((5, 5), np.uint8), np.zeros((5, 5, 4), np.uint8), np.zeros((5, 5, 3)), np.zeros((0, 5, 3), 'u1')]
)
def test_arrays_that_are_no_images(detector, image):
    with pytest.raises(InputError, match='an image is uint8'):
        detector.detect(image)


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


DETECTIONS = Detections(
    boxes=np.array([[1, 2, 30.06, 40], [5, 5, 50, 50], [0, 0, 9, 9]], np.float32),
    scores=np.array([0.91234, 0.5, 0.1], np.float32),
    labels=np.array([2, 0, 1]),
    classes=CLASSES,
)


def test_detections():
    assert len(DETECTIONS) == 3
    assert DETECTIONS.above(0.5).labels.tolist() == [2, 0] and DETECTIONS.above(0, limit=1).labels.tolist() == [2]
    assert len(DETECTIONS.above(0.95)) == 0
    assert DETECTIONS.as_dicts()[0] == dict(label='owl', score=0.9123, box=[1.0, 2.0, 30.1, 40.0])


def test_drawing(scene):
    before = scene.copy()
    drawn = draw(scene, DETECTIONS)
    assert drawn.shape == scene.shape and drawn.dtype == np.uint8 and drawn.flags.c_contiguous
    assert (scene == before).all() and (drawn != scene).any()
    # Far from the boxes and their names nothing changes.
    assert np.array_equal(drawn[60:, 100:], scene[60:, 100:])
    # Every class has a color of its own, and its boxes are drawn in it.
    green = dataclasses.replace(DETECTIONS.above(0.95), boxes=np.array([[5, 5, 130, 85]], np.float32))
    green = dataclasses.replace(green, scores=np.array([1], np.float32), labels=np.array([1]))
    assert draw(np.zeros_like(scene), green)[60, 5].tolist() == list(class_color(1))
    assert len({class_color(label) for label in range(20)}) == 20
    assert np.array_equal(draw(scene, DETECTIONS.above(0.95)), scene)


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


def test_photos_and_videos_in_a_folder_that_are_not_read(tmp_path):
    assert passed_over([tmp_path, 'none.jpg']) is None
    for name in ('a.jpg', 'b.JFIF', 'sub/IMG_1.HEIC', 'clip.mp4', 'notes.txt'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for path in find_images([tmp_path])] == ['a.jpg', 'b.JFIF']
    said = passed_over([tmp_path / 'a.jpg', tmp_path])
    assert 'sub/IMG_1.HEIC' in said and 'clip.mp4' in said and 'notes' not in said
    with pytest.raises(
        InputError, match=r'sub: no image but files of formats that are not read: .*IMG_1\.HEIC; convert'
    ):
        find_images([tmp_path / 'sub'])
    for address in ('https://example.com/cat.jpg', 'rtsp://camera/1', 's3://bucket/cat.jpg'):
        with pytest.raises(InputError, match=f'{address}: addresses are not read; download'):
            find_images([address])


class FakeDetector:
    """Finds a box in every image, refuses strips, and lacks memory for large ones."""

    model, classes = None, CLASSES

    def __init__(self, after=lambda path: None):
        self.after = after

    def detect(self, image, path):
        if image.shape[0] > 100:
            raise RuntimeError('DefaultCPUAllocator: not enough memory: you tried to allocate 12 bytes')
        if image.shape[1] < 10:
            raise InputError(f'{path}: is a strip; cut it.')
        self.after(Path(path))
        return DETECTIONS


def read_json(folder):
    return json.loads((folder / 'detections.json').read_text())


def test_one_bad_image_costs_no_other(tmp_path, scene, capsys):
    names = ['a.png', 'strip.png', 'large.png', 'broken.png', 'caf\udce9.png', 'b.png']  # One is in Latin-1.
    paths = [tmp_path / name for name in names]
    for path in paths:
        image = {'strip': scene[:, :3], 'large': np.zeros((101, 50, 3), np.uint8)}.get(path.stem, scene)
        write_bytes(path, b'no image' if path.stem == 'broken' else cv2.imencode('.png', image)[1].tobytes())
    drawn = draw_photos(FakeDetector(), paths, tmp_path / 'out', score=0.05)
    assert (drawn.images, drawn.boxes) == (3, 9) and drawn.unreadable == tuple(map(str, paths[1:4]))
    found = read_json(tmp_path / 'out')
    assert list(found['images']) == [str(paths[0]), *map(str, paths[4:])]
    assert [Path(path).name for path in found['unreadable']] == names[1:4]
    assert len(list((tmp_path / 'out').glob('*.png'))) == 3
    said = capsys.readouterr().out
    assert said.count('skipped: ') == 3 and 'strip.png: is a strip' in said and 'more memory than there is' in said
    with pytest.raises(InputError, match=r'none of the 2 images can be used; the first: .*strip\.png: is a strip'):
        draw_photos(FakeDetector(), paths[1:3], tmp_path / 'none')
    assert not (tmp_path / 'none').exists()


def test_what_was_found_is_on_the_disk_after_every_image(tmp_path, scene, monkeypatch):
    monkeypatch.setattr(demo.time, 'monotonic', lambda: 0.0)  # Writing takes no time.
    paths = [tmp_path / f'{number}.png' for number in range(4)]
    for path in paths:
        cv2.imwrite(str(path), scene)

    def look(path):
        if path != paths[0]:  # As if the process were killed here.
            assert list(read_json(tmp_path / 'out')['images']) == list(map(str, paths[: paths.index(path)]))
        if path == paths[3]:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        draw_photos(FakeDetector(look), paths, tmp_path / 'out')
    assert len(read_json(tmp_path / 'out')['images']) == 3
    # Where it takes long, it is not done every time, but at the end.
    monkeypatch.setattr(demo.time, 'monotonic', itertools.count().__next__)
    written = []
    monkeypatch.setattr(demo, 'atomic_write', lambda *args, **kwargs: written.append(kwargs) or atomic_write(*args))
    draw_photos(FakeDetector(), paths, tmp_path / 'slow')
    assert [kwargs['durable'] for kwargs in written] == [False, True]


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
