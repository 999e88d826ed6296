"""Files are written whole or not at all, whoever writes them."""

import contextlib
import errno
import os
import resource
import secrets
import signal
from pathlib import Path

import pytest

from det_inception.cli.common import require_output
from det_inception.proposals import ProposalError
from det_inception.utils.errors import InputError
from det_inception.utils.files import atomic_write, reason, write_bytes, write_cache, write_text, write_texts
from det_inception.utils.text_files import open_text

TEXT = ''.join(f'line {number} {number * 7919 % 1009}\n' for number in range(3000))


@pytest.mark.parametrize('suffix', ['.txt', '.gz', '.bz2', '.xz'])
def test_writes_what_it_reads(tmp_path: Path, suffix: str):
    for content in (TEXT + 'ä\r\n', iter([TEXT, 'ä\r\n'])):
        path = tmp_path / 'new' / f'list{suffix}'
        write_text(path, content)
        with open_text(path) as text:
            assert text.buffer.read() == (TEXT + 'ä\r\n').encode()
        assert (path.read_bytes()[:4] == b'line') == (suffix == '.txt')
        assert list(path.parent.iterdir()) == [path]


def test_a_name_that_is_not_utf_8(tmp_path: Path):
    with pytest.raises(InputError, match=r'list\.txt: cannot hold a name that is not UTF-8 \(\.\.\. a/caf\\udce9\.jpg'):
        write_text(tmp_path / 'list.txt', ['a/caf\udce9.jpg 1\n'])
    assert list(tmp_path.iterdir()) == []


def test_texts_that_belong_together_are_written_when_all_are_complete(tmp_path: Path):
    def no_end():
        yield 'half'
        assert list(tmp_path.glob('[a-z]*')) == []
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_texts({tmp_path / 'train.txt': 'a\n', tmp_path / 'val.txt': no_end()})
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path):
    path = tmp_path / 'list.txt'
    path.write_text('old')

    def chunks():
        yield 'half'
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_text(path, chunks())
    assert path.read_text() == 'old'
    assert list(tmp_path.iterdir()) == [path]


def test_the_content_is_on_the_disk_before_it_gets_its_name(tmp_path: Path, monkeypatch):
    path, done = tmp_path / 'a.txt', []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, 'fsync', lambda descriptor: (done.append('flush'), fsync(descriptor)))
    monkeypatch.setattr(os, 'replace', lambda *names: (done.append('rename'), replace(*names)))
    write_bytes(path, b'new')
    assert done == ['flush', 'rename', 'flush'] and path.read_bytes() == b'new'


def test_a_killed_process_leaves_the_old_file_and_no_obstacle(tmp_path: Path):
    path = tmp_path / 'a.tar.png'
    write_bytes(path, b'old')
    child = os.fork()
    if not child:
        with atomic_write(path) as temporary:
            temporary.write_bytes(b'half')
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    (left,) = set(tmp_path.iterdir()) - {path}
    assert left.suffix == '.png' and left.name.startswith('.a.tar.') and path.read_bytes() == b'old'
    write_bytes(path, b'whole')
    assert path.read_bytes() == b'whole' and left.read_bytes() == b'half'


def write_slowly(path: Path, letter: bytes, times: int) -> None:
    for _ in range(times):
        with atomic_write(path) as temporary, open(temporary, 'wb') as file:
            for _ in range(50):
                file.write(letter * 100)
                file.flush()


def test_two_writers_of_a_file_never_mix(tmp_path: Path):
    path, children, seen = tmp_path / 'a.txt', [], set()
    for letter in (b'a', b'b'):
        child = os.fork()
        if not child:
            status = 1
            with contextlib.suppress(BaseException):
                write_slowly(path, letter, 100)
                status = 0
            os._exit(status)
        children.append(child)
    statuses = []
    while children:
        seen.add(path.read_bytes() if path.exists() else b'')
        child, status = os.waitpid(children[0], os.WNOHANG)
        if child:
            statuses.append(status)
            children.pop(0)
    assert statuses == [0, 0]
    assert seen - {b''} <= {b'a' * 5000, b'b' * 5000} and list(tmp_path.iterdir()) == [path]


def test_the_temporary_name_cannot_be_prepared(tmp_path: Path, monkeypatch):
    """A link under the very name is not followed; and two names are never the same."""
    names = []
    for _ in range(2):
        with atomic_write(tmp_path / 'a.txt') as temporary:
            names.append(temporary.name)
    assert names[0] != names[1]
    (tmp_path / 'victim').write_text('precious')
    monkeypatch.setattr(secrets, 'token_hex', lambda size: 'guessed')
    link = tmp_path / '.a.guessed.tmp.txt'
    link.symlink_to(tmp_path / 'victim')
    with pytest.raises(InputError, match='file exists'):
        write_bytes(tmp_path / 'a.txt', b'new')
    assert (tmp_path / 'victim').read_text() == 'precious' and link.is_symlink()


@pytest.mark.skipif(not hasattr(os, 'mkfifo'), reason='there are no pipes')
def test_a_pipe_is_not_replaced_by_a_file(tmp_path: Path):
    """Nor a device: whoever may do anything would do away with /dev/null."""
    pipe = tmp_path / 'pipe'
    os.mkfifo(pipe)
    for write in (lambda: write_text(pipe, 'a'), lambda: require_output(pipe, '--json')):
        with pytest.raises(InputError, match=r'pipe: is a device or pipe, .*; name a file'):
            write()
    assert pipe.is_fifo() and [path.name for path in tmp_path.iterdir()] == ['pipe']


def test_a_file_is_as_readable_as_any_other(tmp_path: Path):
    (tmp_path / 'plain').write_text('')
    write_text(tmp_path / 'ours', '')
    assert (tmp_path / 'ours').stat().st_mode == (tmp_path / 'plain').stat().st_mode


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path):
    (tmp_path / 'file').write_text('')
    write_cache(tmp_path / 'file' / 'a', b'1')
    write_cache(tmp_path / 'new' / 'a', b'1')
    assert (tmp_path / 'new' / 'a').read_bytes() == b'1' and (tmp_path / 'file').read_text() == ''


def test_a_full_disk(tmp_path: Path):
    """The system itself refuses to let any file grow."""
    path = tmp_path / 'a.bin'
    write_bytes(path, b'old')
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(InputError, match='no space is left on the disk .*; free some') as caught:
            write_bytes(path, bytes(5000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert 'choose another place' not in str(caught.value) and str(caught.value).endswith('again.')
    assert list(tmp_path.iterdir()) == [path] and path.read_bytes() == b'old'


def test_places_that_cannot_be_written_are_named(tmp_path: Path):
    (tmp_path / 'file').write_text('')
    (tmp_path / 'folder').mkdir()
    for path in (tmp_path / 'file' / 'list.txt', tmp_path / 'folder'):
        with pytest.raises(InputError, match='cannot be written: .*; choose another place') as caught:
            write_text(path, 'text')
        assert str(caught.value).startswith(f'{path}: ')
    with pytest.raises(ProposalError), atomic_write(tmp_path / 'a', ProposalError):
        raise OSError(errno.EACCES, 'Permission denied')
    assert sorted(path.name for path in tmp_path.rglob('*')) == ['file', 'folder']


def test_reasons():
    assert reason(OSError(errno.EACCES, 'Permission denied')) == 'permission denied'
    assert reason(OSError(errno.EDQUOT, 'Quota exceeded')).startswith('no space is left')
    assert reason(ValueError('two\n lines')) == 'two lines' and reason(ValueError()) == 'ValueError'
