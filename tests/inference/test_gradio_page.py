"""The page of Gradio: what it answers, and what it says where Gradio is missing."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from det_inception.inference import Detections
from det_inception.inference.gradio_page import gradio_page, require_gradio, serve_gradio
from det_inception.utils.errors import InputError

IMAGE = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
FOUND = Detections(
    boxes=np.array([[1, 2, 30, 40], [5, 5, 50, 50]], np.float32),
    scores=np.array([0.91234, 0.4], np.float32),
    labels=np.array([1, 0]),
    classes=('cat', 'dog'),
)


class FakeDetector:
    classes = FOUND.classes

    def detect(self, image):
        assert np.array_equal(image, IMAGE)
        return FOUND


def test_without_gradio_a_sentence_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, 'gradio', None)
    with pytest.raises(InputError, match=r"pip install 'det_inception\[serve\]'"):
        require_gradio()


def test_a_threshold_that_is_none():
    with pytest.raises(InputError, match='score'):
        gradio_page(None, score=1.5)


def test_a_port_that_is_none():
    with pytest.raises(InputError, match='port 70000: ports are 0 to 65535'):
        serve_gradio(FakeDetector(), '127.0.0.1', 70000, 0.5)


@pytest.fixture
def client():
    pytest.importorskip('gradio', reason='the extra serve is not installed')
    from gradio_client import Client

    page = serve_gradio(FakeDetector(), '127.0.0.1', 0, 0.5)
    yield Client(page.local_url, verbose=False)
    page.close()


def test_a_photo_is_answered_with_a_drawing_and_its_boxes(client, tmp_path):
    from gradio_client import handle_file

    cv2.imwrite(str(tmp_path / 'photo.png'), IMAGE)
    for score, found in ((0.0, FOUND), (0.5, FOUND.above(0.5)), (1.0, FOUND.above(1.0))):
        drawn, rows = client.predict(handle_file(tmp_path / 'photo.png'), score, api_name='/detect')
        assert cv2.imread(drawn).shape == IMAGE.shape and rows == found.as_dicts()


def test_what_is_no_image_gets_a_sentence_and_no_file_is_given_away(client, tmp_path):
    import httpx
    from gradio_client import handle_file

    (tmp_path / 'photo.png').write_bytes(b'no image')
    with pytest.raises(Exception, match='the upload: this is no image'):
        client.predict(handle_file(tmp_path / 'photo.png'), 0.5, api_name='/detect')
    own = Path(__file__).resolve()
    assert httpx.get(f'{client.src}gradio_api/file={own}').status_code == 403


def test_a_port_in_use(client):
    port = int(client.src.rstrip('/').rpartition(':')[2])
    with pytest.raises(InputError, match=f'port {port}: cannot be used'):
        serve_gradio(FakeDetector(), '127.0.0.1', port, 0.5)
