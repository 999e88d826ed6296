"""A detector behind HTTP: a page to try it in a browser, and an address that answers images with JSON.

It uses the standard library alone. Only three paths exist, so no file of the server can be asked for:

* ``GET /``: the page. It loads nothing from elsewhere.
* ``GET /classes``: ``{"classes": [...], "score": 0.5}``.
* ``POST /detect?score=0.5``: the body is the bytes of an image; the answer is ``{"width": ..., "height": ...,
  "detections": [{"label": ..., "score": ..., "box": [x1, y1, x2, y2]}, ...]}``, in pixels of the image as it is seen
  (turned as its EXIF data ask for).

Errors are ``{"error": "one sentence"}`` with a status of 400, 403, 404, 405, 411, 413, 408 or 503.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from urllib.parse import parse_qs, urlsplit

import cv2
import numpy as np

from det_inception.inference.detections import Detections
from det_inception.inference.detector import Detector, require_score
from det_inception.utils.errors import InputError, is_out_of_memory
from det_inception.utils.files import reason
from det_inception.utils.images import decode_image

MAX_UPLOAD = 16 << 20
"""Larger uploads are refused before they are read."""
MAX_IMAGE = 50_000_000
"""Images of more pixels are refused."""
MAX_WAITING = 8
"""So many images may be waited for at a time; others are told to come back."""
MAX_VISITORS = 64
"""So many connections may be open at a time; others are closed at once."""
TIMEOUT = 30
"""Seconds without a byte after which a connection is closed."""
MAX_SECONDS = 60
"""Seconds that an upload may take."""
LOWEST = 0.05
"""Lowest score that is answered where the question names none: the page hides what is below its threshold."""

_LOCAL = ('127.0.0.1', 'localhost', '::1')


class Refusal(Exception):
    """An answer that is an error: its status and one sentence."""

    def __init__(self, status: HTTPStatus, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def require_port(port: int) -> None:
    """Raises an InputError if there is no such port; 0 stands for any."""
    if not 0 <= port < 65536:
        raise InputError(f'port {port}: ports are 0 to 65535, such as 8000.')


def detect_upload(detector: Detector, content: bytes) -> tuple[np.ndarray, Detections]:
    """Returns the image that a stranger sent, uint8 (H, W, 3) BGR, and what was found in it.

    Raises:
        Refusal: It is no image, or too large.
    """
    try:
        image = decode_image(content, 'the upload', MAX_IMAGE)
        return image, detector.detect(image)
    except InputError as error:
        raise Refusal(HTTPStatus.BAD_REQUEST, str(error)) from error
    except (MemoryError, RuntimeError, cv2.error) as error:
        if not is_out_of_memory(error):
            raise
        sentence = 'the image takes more memory than there is; make it smaller.'
        raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, sentence) from error


class DetectionServer(ThreadingHTTPServer):
    """Serves a detector until :meth:`shutdown`.

    Args:
        host: ``'127.0.0.1'``: this machine alone; ``'0.0.0.0'``: everybody who can reach it.
        port: 0: any that is free; :attr:`server_port` has it.
        score: The threshold that the page begins with.

    Attributes:
        detector: To be set before it serves: loading it takes long, and that a port is in use is known at once. It
            takes one image at a time; others wait.

    Raises:
        InputError: The port is in use or may not be used, there is no such host, or the score is none.
    """

    daemon_threads = True
    allow_reuse_address = os.name == 'posix'  # On Windows, two servers would share the port.
    allow_reuse_port = False

    detector: Detector

    def __init__(self, host: str = '127.0.0.1', port: int = 8000, score: float = 0.5) -> None:
        require_score(score)
        require_port(port)
        try:
            super().__init__((host, port), _Handler)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise InputError(
                    f'port {port}: is in use; stop the other program, or choose another --port.'
                ) from error
            raise InputError(f'{host}, port {port}: cannot be used ({reason(error)}); choose others.') from error
        self.host, self.score = host, score
        self.page = resources.files(__package__).joinpath('page.html').read_bytes()
        self._one_at_a_time = threading.Lock()
        self._waiting = threading.BoundedSemaphore(MAX_WAITING)
        self._visitors = threading.BoundedSemaphore(MAX_VISITORS)

    @property
    def address(self) -> str:
        """Where the page is."""
        host = f'[{self.host}]' if ':' in self.host else self.host
        return f'http://{host}:{self.server_port}/'

    def detect(self, content: bytes, score: float) -> dict:
        """Returns the answer to an image.

        Raises:
            Refusal: It is no image, or too large, or too many are waiting.
        """
        if not self._waiting.acquire(blocking=False):
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, 'the server is busy; try again in a moment.')
        try:
            with self._one_at_a_time:
                image, found = detect_upload(self.detector, content)
        finally:
            self._waiting.release()
        height, width = image.shape[:2]
        return dict(width=width, height=height, detections=found.above(score).as_dicts())

    def may_ask(self, host: str) -> bool:
        """Whether the name by which the server was called is one of this machine, where it serves this machine alone:
        a page of a stranger may have its own name point here."""
        name = urlsplit(f'//{host}').hostname
        return self.host not in _LOCAL or name in _LOCAL

    def process_request(self, request: socket.socket, client_address: object) -> None:
        """Starts a thread for a visitor, unless there are too many."""
        if self._visitors.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: socket.socket, client_address: object) -> None:
        """Answers a visitor."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._visitors.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """Says nothing of visitors who go away; faults of the program are printed."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Answers one visitor."""

    server: DetectionServer
    server_version, sys_version = 'det_inception', ''
    timeout = TIMEOUT

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def _answer(self, method) -> None:
        try:
            if not self.server.may_ask(self.headers.get('Host', '')):
                raise Refusal(HTTPStatus.FORBIDDEN, 'this server is called by another name than its own.')
            kind, content = method(urlsplit(self.path))
            self._send(HTTPStatus.OK, kind, content)
        except Refusal as refusal:
            self._send_json(refusal.status, dict(error=str(refusal)))
        except TimeoutError:
            self._send_json(HTTPStatus.REQUEST_TIMEOUT, dict(error='the upload takes too long.'))
        except Exception:
            self._send_json(HTTPStatus.INTERNAL_SERVER_ERROR, dict(error='a fault of the server; its log says more.'))
            raise

    def _get(self, address) -> tuple[str, bytes]:
        if address.path == '/':
            return 'text/html; charset=utf-8', self.server.page
        if address.path == '/classes':
            content = dict(classes=list(self.server.detector.classes), score=self.server.score)
            return 'application/json', json.dumps(content).encode()
        if address.path == '/detect':
            raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, 'send an image with POST.')
        raise Refusal(HTTPStatus.NOT_FOUND, 'there is only /, /classes and /detect.')

    def _post(self, address) -> tuple[str, bytes]:
        if address.path != '/detect':
            raise Refusal(HTTPStatus.NOT_FOUND, 'send images to /detect.')
        score = self._score(address.query)
        content = self._body()
        return 'application/json', json.dumps(self.server.detect(content, score)).encode()

    @staticmethod
    def _score(query: str) -> float:
        text = parse_qs(query).get('score', [str(LOWEST)])[-1]
        try:
            score = float(text)
            require_score(score)
        except ValueError as error:  # An InputError is one.
            raise Refusal(HTTPStatus.BAD_REQUEST, f'score={text[:20]!r}: scores are 0 to 1, such as 0.5.') from error
        return score

    def _body(self) -> bytes:
        length = self.headers.get('Content-Length', '')
        if not length.isdecimal() or len(length) > 20:
            raise Refusal(HTTPStatus.LENGTH_REQUIRED, 'the length of the image is missing (Content-Length).')
        if int(length) > MAX_UPLOAD:
            sentence = f'the upload is larger than {MAX_UPLOAD >> 20} MiB; make it smaller.'
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, sentence)
        content, deadline = bytearray(), time.monotonic() + MAX_SECONDS
        while len(content) < int(length):
            part = self.rfile.read1(min(1 << 16, int(length) - len(content)))
            if not part:
                raise Refusal(HTTPStatus.BAD_REQUEST, 'the upload ended early; send it again.')
            if time.monotonic() > deadline:
                raise TimeoutError
            content += part
        return bytes(content)

    def _send_json(self, status: HTTPStatus, content: dict) -> None:
        self._send(status, 'application/json', json.dumps(content).encode())

    def _send(self, status: HTTPStatus, kind: str, content: bytes) -> None:
        self.close_connection = True  # Of a refused upload, the rest would be taken for the next question.
        self.send_response(status)
        self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(len(content)))
        self.send_header('Connection', 'close')
        self.send_header('X-Content-Type-Options', 'nosniff')
        policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src blob: data:; "
        self.send_header('Content-Security-Policy', policy + "connect-src 'self'; frame-ancestors 'none'")
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Keeps quiet: the visitors are the user's own."""
