"""Frames of videos and cameras."""

import cv2
import numpy as np
import pytest

from det_inception.inference import Video, video
from det_inception.inference.video import VideoWriter, is_video_source
from det_inception.utils.errors import InputError


def frame(number):
    """A frame whose brightness says its number."""
    return np.full((64, 96, 3), 10 + 10 * number, np.uint8)


def number_of(image):
    return round((image.mean() - 10) / 10)


@pytest.fixture(scope='module', params=['MJPG', 'mp4v'])
def clip(tmp_path_factory, request):
    path = tmp_path_factory.mktemp('clips') / {'MJPG': 'clip.avi', 'mp4v': 'clip.mp4'}[request.param]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*request.param), 10, (96, 64))
    for number in range(20):
        writer.write(frame(number))
    writer.release()
    return path


@pytest.mark.parametrize(('every', 'limit'), [(1, None), (3, None), (4, 2), (50, None), (1, 99)])
def test_frames(clip, every, limit):
    frames = Video(clip, every, limit)
    expected = list(range(0, 20, every))[:limit]
    assert frames.rate == 10 and frames.count == len(expected)
    found = list(frames)
    assert [item.number for item in found] == expected == [number_of(item.image) for item in found]
    assert [item.seconds for item in found] == pytest.approx([number / 10 for number in expected], abs=0.001)
    assert frames.ended_early is None and found[0].image.shape == (64, 96, 3)


def test_a_video_that_ends_early(clip, tmp_path, capfd):
    content = clip.read_bytes()
    short = tmp_path / clip.name
    short.write_bytes(content[: len(content) * 6 // 10])
    if clip.suffix == '.mp4':  # Its table of contents comes last.
        with pytest.raises(InputError, match=r'clip\.mp4: the video is damaged or cut off'):
            Video(short)
        return
    frames = Video(short)
    found = list(frames)
    assert 2 < len(found) < 18 and capfd.readouterr().err == ''
    assert frames.ended_early == f'{short}: ends after {len(found)} of 20 frames; the file is damaged or cut off.'


def test_no_videos(tmp_path):
    playlist = '#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n'
    for name, content in (('a.mp4', b''), ('b.mp4', b'text'), ('list.m3u8', playlist.encode()), ('c.avi', b'RIFF')):
        (tmp_path / name).write_bytes(content)
        assert not is_video_source(tmp_path / name)
        with pytest.raises(InputError, match=f'{name}: is no video'):
            Video(tmp_path / name)
    (tmp_path / 'd.mkv').write_bytes(b'\x1aE\xdf\xa3' + bytes(2000))
    with pytest.raises(InputError, match=r'd\.mkv: the video is damaged or cut off'):
        Video(tmp_path / 'd.mkv')
    for source in (tmp_path, 'none.mp4', 'a\0b', 5, None):
        assert not is_video_source(source)
    for every, limit in ((0, None), (-1, None), (1, 0)):
        with pytest.raises(InputError, match='must be 1 or more'):
            Video('clip.mp4', every, limit)


def test_frames_that_are_too_large(clip, monkeypatch):
    monkeypatch.setattr(video, 'MAX_PIXELS', 1000)
    with pytest.raises(InputError, match='its frames exceed the limit of 1000 pixels'):
        Video(clip)


class FakeCamera:
    """Has three frames, then somebody pulls its plug."""

    left = 3

    def __init__(self, number):
        assert number == 7

    def isOpened(self):
        return True

    def get(self, name):
        return 0.0

    def grab(self):
        self.left -= 1
        return self.left >= 0

    def retrieve(self):
        return True, frame(0)

    def release(self):
        self.left = 0


def test_a_camera(monkeypatch):
    monkeypatch.setattr(cv2, 'VideoCapture', FakeCamera)
    camera = Video('camera:7')
    assert [item.seconds for item in camera] == [0, 0.04, 0.08]  # As if it had 25 frames a second: it does not say.
    assert camera.ended_early.startswith('camera:7: gives no more images after 3 frames')
    assert len(list(Video('camera:7', limit=2))) == 2 and is_video_source('camera:7')


@pytest.mark.parametrize(
    ('name', 'said'),
    [('camera:99', 'no such camera'), ('camera:', 'its number follows'), ('camera:/dev/sda', 'its number follows')],
)
def test_a_camera_that_is_not_there(name, said, capfd):
    with pytest.raises(InputError, match=f'{name}: .*{said}'):
        Video(name)
    assert capfd.readouterr().err == ''


def test_writing(tmp_path):
    with VideoWriter(tmp_path / 'new/out.mp4', 12.5) as writer:
        for number in range(8):
            writer.add(frame(number))
    written = Video(tmp_path / 'new/out.mp4')
    assert written.rate == 12.5 and [number_of(item.image) for item in written] == list(range(8))
    with pytest.raises(ZeroDivisionError), VideoWriter(tmp_path / 'broken.mp4', 12.5) as writer:
        writer.add(frame(0))
        raise ZeroDivisionError
    assert [path.name for path in tmp_path.iterdir()] == ['new']
