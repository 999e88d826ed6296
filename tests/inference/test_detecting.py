"""Going through images, videos and cameras: what the command ``detect`` does."""

import csv
import itertools
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from det_inception.inference import Detections, detecting
from det_inception.inference.detecting import Wanted, detect_all
from det_inception.inference.sources import Photo
from det_inception.inference.video import Frame
from det_inception.utils.errors import InputError
from det_inception.utils.files import write_bytes, write_text

CLASSES = ('cat', 'dog', 'owl')
DETECTIONS = Detections(
    boxes=np.array([[1, 2, 30.06, 40], [5, 5, 50, 50], [0, 0, 9, 9]], np.float32),
    scores=np.array([0.91234, 0.5, 0.1], np.float32),
    labels=np.array([2, 0, 1]),
    classes=CLASSES,
)


@pytest.fixture
def scene():
    return np.random.default_rng(1).integers(100, 130, (90, 140, 3), dtype=np.uint8)


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
    done = detect_all(FakeDetector(), paths, tmp_path / 'out', Wanted(score=0.05))
    assert (done.images, done.boxes) == (3, 9) and done.unreadable == tuple(map(str, paths[1:4]))
    found = read_json(tmp_path / 'out')
    assert list(found['images']) == [str(paths[0]), *map(str, paths[4:])]
    assert [Path(path).name for path in found['unreadable']] == names[1:4]
    assert len(list((tmp_path / 'out').glob('*.png'))) == 3
    said = capsys.readouterr().out
    assert said.count('skipped: ') == 3 and 'strip.png: is a strip' in said and 'more memory than there is' in said
    with pytest.raises(InputError, match=r'none of the 2 images can be used; the first: .*strip\.png: is a strip'):
        detect_all(FakeDetector(), paths[1:3], tmp_path / 'none')
    assert not (tmp_path / 'none').exists()


def test_what_was_found_is_on_the_disk_after_every_image(tmp_path, scene, monkeypatch):
    monkeypatch.setattr(detecting.time, 'monotonic', lambda: 0.0)  # Writing takes no time.
    paths = [tmp_path / f'{number}.png' for number in range(4)]
    for path in paths:
        cv2.imwrite(str(path), scene)

    def look(path):
        if path != paths[0]:  # As if the process were killed here.
            table = csv.DictReader((tmp_path / 'out/detections.csv').read_text().splitlines())
            assert list(dict.fromkeys(row['image'] for row in table)) == list(map(str, paths[: paths.index(path)]))
            assert list(read_json(tmp_path / 'out')['images']) == list(map(str, paths[: paths.index(path)]))
        if path == paths[3]:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        detect_all(FakeDetector(look), paths, tmp_path / 'out', Wanted(kinds=['csv']))
    assert len(read_json(tmp_path / 'out')['images']) == 3
    # Where it takes long, it is not done every time, but at the end.
    monkeypatch.setattr(detecting.time, 'monotonic', itertools.count().__next__)
    written = []
    monkeypatch.setattr(detecting, 'write_text', lambda *args, **kwargs: written.append(kwargs) or write_text(*args))
    detect_all(FakeDetector(), paths, tmp_path / 'slow')
    assert [kwargs['durable'] for kwargs in written] == [False, True]


def test_further_files(tmp_path, scene):
    for name in ('in/a.png', 'in/b/a.png'):
        write_bytes(tmp_path / name, cv2.imencode('.png', scene)[1].tobytes())
    paths = [tmp_path / 'in/a.png', tmp_path / 'in/b/a.png']
    out = tmp_path / 'out'
    detect_all(FakeDetector(), paths, out, Wanted(kinds=['coco', 'csv', 'yolo', 'voc']))
    names = sorted(path.relative_to(out).as_posix() for path in out.rglob('*') if path.is_file())
    assert names == sorted(
        ['a.png', 'a_2.png', 'detections.json', 'coco.json', 'detections.csv']
        + ['labels/a.txt', 'labels/a_2.txt', 'labels/classes.txt', 'Annotations/a.xml', 'Annotations/a_2.xml']
    )
    assert len(json.loads((out / 'coco.json').read_text())['annotations']) == 6
    assert len(list(csv.reader((out / 'detections.csv').open()))) == 7
    assert len((out / 'labels/a.txt').read_text().splitlines()) == 2  # Those of half a point or more.


class FakeVideo:
    """Six frames, of which the fourth may bring something about."""

    is_camera, rate, count, ended_early = False, 10.0, 6, None

    def __init__(self, source, every, limit):
        self.source = source
        self.is_camera = str(source).startswith('camera:')
        self.asked = every, limit

    def __iter__(self):
        for number in range(6):
            if number == 4 and self.is_camera:
                raise KeyboardInterrupt
            yield Frame(number, number / 10, np.full((64, 96, 3), 40 * number, np.uint8))
        self.ended_early = f'{self.source}: ends after 6 of 60 frames.'


@pytest.fixture
def videos(monkeypatch):
    made = []
    monkeypatch.setattr(detecting, 'is_video_source', lambda source: 'image' not in Path(source).name)
    monkeypatch.setattr(detecting, 'Video', lambda *args: made.append(FakeVideo(*args)) or made[-1])
    return made


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_video_and_an_image(videos, tmp_path, scene):
    cv2.imwrite(str(tmp_path / 'image.png'), scene)
    sources = [tmp_path / 'clip.avi', tmp_path / 'image.png']
    done = detect_all(FakeDetector(), sources, tmp_path / 'out', Wanted(every=2, frames=40, save_video=True))
    assert (done.images, done.frames, done.boxes) == (1, 6, 14) and videos[0].asked == (2, 40)
    assert done.ended_early == (f'{tmp_path}/clip.avi: ends after 6 of 60 frames.',)
    found = lines(tmp_path / 'out/clip.jsonl')
    assert [(line['frame'], line['seconds']) for line in found] == [(number, number / 10) for number in range(6)]
    assert found[0]['detections'] == DETECTIONS.as_dicts()
    drawn = cv2.VideoCapture(str(tmp_path / 'out/clip.mp4'))
    assert drawn.get(cv2.CAP_PROP_FPS) == 5 and drawn.get(cv2.CAP_PROP_FRAME_COUNT) == 6
    first = drawn.read()[1]
    assert first.max() > 100  # Boxes on black.
    assert read_json(tmp_path / 'out')['videos'] == {str(sources[0]): dict(file='clip.jsonl', frames=6, complete=False)}


def test_lines_are_there_while_a_video_is_read(videos, tmp_path):
    counts = []
    look = FakeDetector(lambda path: counts.append(len(lines(tmp_path / 'out/clip.jsonl'))))
    detect_all(look, [tmp_path / 'clip.mp4'], tmp_path / 'out')
    assert counts == list(range(6))


def test_a_disk_that_fills_ends_the_run_and_names_the_file(videos, tmp_path, full_disk):
    sources = [tmp_path / 'clip.mp4', tmp_path / 'other.mp4']
    with full_disk(1000), pytest.raises(InputError, match=r'clip\.jsonl: cannot be written: no space is left'):
        detect_all(FakeDetector(), sources, tmp_path / 'out')
    assert not (tmp_path / 'out/other.jsonl').exists()
    (tmp_path / 'file').write_text('')
    with pytest.raises(InputError, match=r'file/clip\.jsonl: cannot be written'):
        detect_all(FakeDetector(), sources, tmp_path / 'file')


def test_a_camera_until_ctrl_c(videos, tmp_path):
    done = detect_all(FakeDetector(), ['camera:0'], tmp_path / 'out', Wanted(save_video=True))
    assert done.frames == 4 and len(lines(tmp_path / 'out/camera_0.jsonl')) == 4
    assert cv2.VideoCapture(str(tmp_path / 'out/camera_0.mp4')).get(cv2.CAP_PROP_FRAME_COUNT) == 4


def test_a_video_that_the_detector_refuses(videos, tmp_path, monkeypatch):
    monkeypatch.setattr(FakeVideo, '__iter__', lambda self: iter(()))
    with pytest.raises(InputError, match=r'none of the 1 images can be used; the first: .*not one frame can be read'):
        detect_all(FakeDetector(), [tmp_path / 'clip.mp4'], tmp_path / 'out')


def test_addresses_and_standard_input(tmp_path, scene, monkeypatch):
    monkeypatch.setattr(detecting, 'open_image', lambda source: Photo(scene, source))
    monkeypatch.setattr(detecting, 'read_standard_input', lambda: Photo(scene, '-'))
    sources = ['https://a.example/x/cat%20one.jpg?w=3', 'https://a.example/', 'http://a.example/..%2F..%2Fetc', '-']
    done = detect_all(FakeDetector(), sources, tmp_path / 'out')
    assert done.images == 4 and list(read_json(tmp_path / 'out')['images']) == sources
    names = sorted(path.name for path in (tmp_path / 'out').glob('*.png'))
    assert names == ['cat_one.png', 'etc.png', 'image.png', 'stdin.png']
    assert [path.name for path in tmp_path.iterdir()] == ['out']


@pytest.mark.parametrize(
    ('setting', 'said'),
    [
        (dict(score=1.5), r'a lowest score of 1\.5: scores are 0 to 1'),
        (dict(score=-0.1), 'scores are 0 to 1'),
        (dict(score=float('nan')), 'scores are 0 to 1'),
        (dict(max_boxes=-1), 'at most -1 boxes a picture'),
        (dict(every=0), 'must be 1 or more'),
        (dict(kinds=['xls']), "no kind of file 'xls'; choose coco"),
    ],
)
def test_settings_that_make_no_sense(setting, said):
    with pytest.raises(InputError, match=said):
        Wanted(**setting)
