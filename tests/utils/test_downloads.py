"""Reading addresses, from a server of our own that answers in bad ways."""

import http.server
import threading
import time

import pytest

from det_inception.utils.downloads import is_address, read_address
from det_inception.utils.errors import InputError


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        getattr(self, self.path.strip('/'))()

    def log_message(self, *args):
        pass

    def _head(self, status=200, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace('_', '-'), value)
        self.end_headers()

    def good(self):
        self._head(Content_Length=5)
        self.wfile.write(b'bytes')

    def missing(self):
        self.send_error(404)

    def moved(self):
        self._head(302, Location='/good')

    def to_a_file(self):
        self._head(302, Location='file:///etc/hostname')

    def in_circles(self):
        self._head(302, Location='/in_circles')

    def large(self):
        self._head(Content_Length=10**12)

    def large_and_silent_about_it(self):
        self._head()
        for _ in range(200):
            self.wfile.write(b'x' * 65536)

    def short(self):
        self._head(Content_Length=9)
        self.wfile.write(b'bytes')

    def endless(self):
        self._head()
        for _ in range(40):
            time.sleep(0.05)
            self.wfile.write(b'x')

    def slow_to_begin(self):
        for _ in range(40):
            time.sleep(0.05)
            self.wfile.write(b'H')

    def no_http(self):
        self.wfile.write(b'SSH-2.0\r\n')


@pytest.fixture(scope='module')
def server():
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler) as server:
        server.daemon_threads = True
        server.handle_error = lambda *_: None  # Of clients that have heard enough.
        threading.Thread(target=server.serve_forever, kwargs=dict(poll_interval=0.02), daemon=True).start()
        yield f'http://127.0.0.1:{server.server_port}'
        server.shutdown()


def test_the_bytes_behind_an_address(server):
    assert read_address(f'{server}/good') == read_address(f'{server}/moved') == b'bytes'


@pytest.mark.parametrize(
    ('path', 'said'),
    [
        ('missing', 'the server answers 404 Not Found; check the address'),
        ('to_a_file', 'the server answers 302'),
        ('in_circles', 'the server answers 302'),
        ('large', 'is larger than 1 MiB; download it'),
        ('large_and_silent_about_it', 'is larger than 1 MiB; download it'),
        ('short', 'it ended after 5 of 9 bytes'),
        ('endless', r'takes more than 0\.4 seconds; download it'),
        ('slow_to_begin', r'takes more than 0\.4 seconds; download it|cannot be read'),
        ('no_http', 'cannot be read'),
    ],
)
def test_bad_answers(server, path, said):
    started = time.monotonic()
    with pytest.raises(InputError, match=f'^{server}/{path}: .*({said})'):
        read_address(f'{server}/{path}', max_size=1 << 20, max_seconds=0.4)
    assert time.monotonic() - started < 3


def test_nobody_answers():
    for address in ('http://127.0.0.1:1/a.jpg', 'http://', 'http://[/', 'https://no-such-host.invalid/a.jpg'):
        with pytest.raises(InputError, match='cannot be read'):
            read_address(address, max_seconds=5)


def test_what_is_an_address():
    assert is_address('http://a/b.jpg') and is_address('HTTPS://a')
    assert not any(is_address(other) for other in ('a.jpg', 'file:///etc/passwd', 'ftp://a', 'C:/a.jpg', None, 5))
