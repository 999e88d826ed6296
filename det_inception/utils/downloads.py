"""Reads what is behind an address on the web, within limits of size and time."""

from __future__ import annotations

import http.client
import re
import threading
import time
import urllib.error
import urllib.request

from det_inception.utils.errors import InputError
from det_inception.utils.files import reason

MAX_SIZE = 64 << 20
"""Larger answers are refused."""
MAX_SECONDS = 60
"""Slower ones too."""

_ADDRESS = re.compile('https?://', re.IGNORECASE)
_HANDLERS = (
    urllib.request.ProxyHandler,
    urllib.request.HTTPHandler,
    urllib.request.HTTPSHandler,
    urllib.request.HTTPRedirectHandler,
    urllib.request.HTTPDefaultErrorHandler,
    urllib.request.HTTPErrorProcessor,
)


def is_address(source: object) -> bool:
    """Whether something is the text of an http or https address."""
    return isinstance(source, str) and _ADDRESS.match(source) is not None


def read_address(address: str, max_size: int = MAX_SIZE, max_seconds: float = MAX_SECONDS) -> bytes:
    """Returns the bytes behind an address.

    Redirections are followed to http and https alone: an answer cannot point to a file of this machine.

    Args:
        address: Begins with ``http://`` or ``https://``.
        max_size: In bytes.
        max_seconds: From the first question to the last byte.

    Raises:
        InputError: There is no answer, or another one than 200, or it is too large, too slow, or ends early.
    """
    answer: list[bytes | Exception] = []

    def work() -> None:
        try:
            answer.append(_read(address, max_size, time.monotonic() + max_seconds))
        except Exception as error:
            answer.append(error)

    # A thread of its own: no time limit of a socket covers a server that sends its headers letter by letter.
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(max_seconds + 1)
    content = answer[0] if answer else TimeoutError()
    if isinstance(content, bytes):
        return content
    raise _explained(address, content, max_seconds) from content


def _read(address: str, max_size: int, deadline: float) -> bytes:
    opener = urllib.request.OpenerDirector()
    for handler in _HANDLERS:
        opener.add_handler(handler())
    request = urllib.request.Request(address, headers={'User-Agent': 'det_inception'})
    with opener.open(request, timeout=max(1, deadline - time.monotonic())) as response:
        length = response.headers.get('Content-Length')
        too_large = InputError(f'{address}: is larger than {max_size >> 20} MiB; download it and name its file.')
        if length is not None and int(length) > max_size:
            raise too_large
        content = bytearray()
        while part := response.read1(1 << 16):
            content += part
            if len(content) > max_size:
                raise too_large
            if time.monotonic() > deadline:
                raise TimeoutError
        if length is not None and len(content) < int(length):
            raise ConnectionError(f'it ended after {len(content)} of {length} bytes')
        return bytes(content)


def _explained(address: str, error: Exception, max_seconds: float) -> InputError:
    if isinstance(error, InputError):
        return error
    if isinstance(error, urllib.error.HTTPError):
        return InputError(f'{address}: the server answers {error.code} {error.reason}; check the address.')
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, Exception):
        error = error.reason
    if isinstance(error, TimeoutError):
        return InputError(f'{address}: takes more than {max_seconds:g} seconds; download it and name its file.')
    if isinstance(error, (OSError, http.client.HTTPException, ValueError)):
        return InputError(f'{address}: cannot be read ({reason(error)}); check the address and the connection.')
    raise error
