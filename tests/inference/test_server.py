"""The HTTP server, asked by the standard library."""

import http.client
import json
import re
import socket
import threading
import time

import cv2
import numpy as np
import pytest

from det_inception.inference import Detections, server
from det_inception.inference.server import DetectionServer
from det_inception.utils.errors import InputError

IMAGE = np.random.default_rng(1).integers(100, 130, (90, 140, 3), dtype=np.uint8)
PNG = cv2.imencode('.png', IMAGE)[1].tobytes()
DETECTIONS = Detections(
    boxes=np.array([[1, 2, 30.06, 40], [5, 5, 50, 50], [0, 0, 9, 9]], np.float32),
    scores=np.array([0.91234, 0.5, 0.1], np.float32),
    labels=np.array([2, 0, 1]),
    classes=('cat', 'dog', 'owl <b>'),
)


class FakeDetector:
    """Finds three things in every image, and is never asked by two at a time."""

    classes = DETECTIONS.classes

    def __init__(self):
        self.inside, self.seconds, self.fault = threading.Semaphore(1), 0, None

    def detect(self, image):
        assert self.inside.acquire(blocking=False)
        time.sleep(self.seconds)
        self.inside.release()
        if self.fault:
            raise self.fault
        self.image = image
        return DETECTIONS


@pytest.fixture
def served():
    with DetectionServer(port=0, score=0.4) as served:
        served.detector = FakeDetector()
        thread = threading.Thread(target=served.serve_forever, kwargs=dict(poll_interval=0.02), daemon=True)
        thread.start()
        yield served
        served.shutdown()


def ask(served, method, path, body=None, **headers):
    """Returns the status and what JSON says, or the answer as it is."""
    connection = http.client.HTTPConnection('127.0.0.1', served.server_port, timeout=10)
    connection.request(method, path, body, {name.replace('_', '-'): value for name, value in headers.items()})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, json.loads(content) if answer.headers['Content-Type'] == 'application/json' else answer


def test_an_image(served):
    status, answer = ask(served, 'POST', '/detect?score=0.5', PNG)
    assert status == 200 and (answer['width'], answer['height']) == (140, 90)
    assert answer['detections'] == DETECTIONS.above(0.5).as_dicts()
    assert np.array_equal(served.detector.image, IMAGE)
    assert len(ask(served, 'POST', '/detect', PNG)[1]['detections']) == 3
    assert ask(served, 'GET', '/classes') == (200, dict(classes=list(DETECTIONS.classes), score=0.4))


def test_the_page_loads_nothing_from_elsewhere(served):
    status, answer = ask(served, 'GET', '/')
    assert status == 200 and answer.headers['Content-Type'].startswith('text/html')
    assert "default-src 'none'" in answer.headers['Content-Security-Policy']
    page = served.page.decode()
    assert not re.search(r'https?:|(src|href)\s*=|innerHTML|eval\(', page)


@pytest.mark.parametrize(
    ('method', 'path', 'body', 'status', 'said'),
    [
        ('POST', '/detect', b'', 400, 'empty'),
        ('POST', '/detect', b'no image', 400, 'no image that OpenCV or Pillow can read'),
        ('POST', '/detect', b'<!DOCTYPE html>', 400, 'but a web page'),
        ('POST', '/detect', PNG[:-30], 400, 'truncated'),
        ('POST', '/detect?score=2', PNG, 400, 'scores are 0 to 1'),
        ('POST', '/detect?score=nan', PNG, 400, 'scores are 0 to 1'),
        ('POST', '/detect?score=high', PNG, 400, 'scores are 0 to 1'),
        ('GET', '/detect', None, 405, 'send an image with POST'),
        ('POST', '/', PNG, 404, 'send images to /detect'),
        ('GET', '/../../../etc/passwd', None, 404, 'there is only'),
        ('GET', '/%2e%2e/%2e%2e/etc/passwd', None, 404, 'there is only'),
        ('GET', '/page.html', None, 404, 'there is only'),
        ('GET', '/server.py', None, 404, 'there is only'),
        ('GET', '//etc/passwd', None, 404, 'there is only'),
        ('GET', 'file:///etc/passwd', None, 404, 'there is only'),
    ],
)
def test_bad_questions(served, method, path, body, status, said):
    found, answer = ask(served, method, path, body)
    assert found == status and said in answer['error'] and 'Traceback' not in answer['error']
    assert ask(served, 'POST', '/detect', PNG)[0] == 200  # It lives on.


def test_uploads_that_are_too_large(served, monkeypatch):
    monkeypatch.setattr(server, 'MAX_IMAGE', 1000)
    status, answer = ask(served, 'POST', '/detect', PNG)
    assert status == 400 and 'the upload: the image exceeds the limit of 1000 pixels' in answer['error']
    # Its size is enough to refuse it: not a byte of it is sent.
    with socket.create_connection(('127.0.0.1', served.server_port), timeout=10) as connection:
        connection.sendall(b'POST /detect HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999999\r\n\r\n')
        answer = connection.makefile('rb').read()
    assert b' 413 ' in answer.splitlines()[0] and b'larger than 16 MiB' in answer
    for length in (b'', b'Content-Length: -5\r\n', b'Content-Length: many\r\n', b'Transfer-Encoding: chunked\r\n'):
        with socket.create_connection(('127.0.0.1', served.server_port), timeout=10) as connection:
            connection.sendall(b'POST /detect HTTP/1.1\r\nHost: 127.0.0.1\r\n' + length + b'\r\n')
            assert b' 411 ' in connection.makefile('rb').readline()


def test_uploads_that_do_not_come(served, monkeypatch):
    monkeypatch.setattr(server._Handler, 'timeout', 0.2)
    for sent, status in ((b'half', b' 408 '), (b'', b' 408 ')):
        with socket.create_connection(('127.0.0.1', served.server_port), timeout=10) as connection:
            connection.sendall(b'POST /detect HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 999\r\n\r\n' + sent)
            assert status in connection.makefile('rb').readline()
    with socket.create_connection(('127.0.0.1', served.server_port), timeout=10) as connection:
        connection.sendall(b'POST /detect HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 999\r\n\r\nhalf')
        connection.shutdown(socket.SHUT_WR)
        assert b' 400 ' in connection.makefile('rb').readline()
    monkeypatch.setattr(server, 'MAX_SECONDS', 0)
    assert ask(served, 'POST', '/detect', PNG)[0] == 408


def test_faults(served, capfd):
    served.detector.fault = InputError('the image is a strip; cut it.')
    assert ask(served, 'POST', '/detect', PNG) == (400, dict(error='the image is a strip; cut it.'))
    served.detector.fault = MemoryError()
    status, answer = ask(served, 'POST', '/detect', PNG)
    assert status == 413 and 'takes more memory than there is' in answer['error']
    served.detector.fault = KeyError('secret')
    status, answer = ask(served, 'POST', '/detect', PNG)
    assert status == 500 and 'secret' not in answer['error']
    served.shutdown()
    assert "KeyError: 'secret'" in capfd.readouterr().err


def test_many_at_a_time(served, monkeypatch):
    served._waiting = threading.BoundedSemaphore(2)
    served.detector.seconds = 0.3
    found = []
    threads = [threading.Thread(target=lambda: found.append(ask(served, 'POST', '/detect', PNG)[0])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [200, 200, 503, 503]
    served.detector.seconds = 0
    assert ask(served, 'POST', '/detect', PNG)[0] == 200
    while served._visitors._value < served._visitors._initial_value:  # Who leaves late would leave the new one.
        time.sleep(0.01)
    served._visitors = threading.BoundedSemaphore(1)
    with socket.create_connection(('127.0.0.1', served.server_port), timeout=10) as first:
        time.sleep(0.1)
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            ask(served, 'GET', '/')
        first.sendall(b'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
        assert b' 200 ' in first.makefile('rb').readline()


def test_a_name_of_a_stranger_that_points_here(served):
    assert ask(served, 'GET', '/classes', Host='evil.example')[0] == 403
    assert ask(served, 'POST', '/detect', PNG, Host='evil.example:8000')[0] == 403
    assert ask(served, 'GET', '/classes', Host=f'localhost:{served.server_port}')[0] == 200


def test_a_port_in_use(served):
    with pytest.raises(InputError, match=f'port {served.server_port}: is in use; stop the other program'):
        DetectionServer(port=served.server_port)
    for arguments, said in (
        (dict(port=70000), 'ports are 0 to 65535'),
        (dict(host='no-such-host.invalid', port=0), 'no-such-host.invalid, port 0: cannot be used'),
        (dict(score=1.5), 'scores are 0 to 1'),
    ):
        with pytest.raises(InputError, match=said):
            DetectionServer(**arguments)
