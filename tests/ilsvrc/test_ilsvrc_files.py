"""Compressed text, and files that are written whole or not at all."""

import bz2
import gzip
import lzma
from pathlib import Path

import pytest

from det_inception.errors import InputError
from det_inception.ilsvrc.files import open_text, write_text

COMPRESSORS = {'plain': bytes, 'gz': gzip.compress, 'bz2': bz2.compress, 'xz': lzma.compress}
TEXT = ''.join(f'line {number} {number * 7919 % 1009}\n' for number in range(3000))


@pytest.mark.parametrize('compress', COMPRESSORS.values(), ids=COMPRESSORS)
def test_reads_by_content_not_by_name(tmp_path: Path, compress):
    path = tmp_path / 'list.txt'
    path.write_bytes(compress(TEXT.encode()))
    with open_text(path) as text:
        assert text.read() == TEXT


@pytest.mark.parametrize('kind', ['gz', 'bz2', 'xz'])
def test_a_truncated_or_damaged_file_is_named(tmp_path: Path, kind: str):
    data = COMPRESSORS[kind](TEXT.encode())
    for damaged in (data[:-20], data[:200] + bytes(50) + data[250:]):
        path = tmp_path / f'list.{kind}'
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=rf'list\.{kind}: the file is .*damaged'), open_text(path) as text:
            text.read()


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(InputError, match='nowhere: cannot be read'), open_text(tmp_path / 'nowhere'):
        pass


@pytest.mark.parametrize('suffix', ['.txt', '.gz', '.bz2', '.xz'])
def test_writes_what_it_reads(tmp_path: Path, suffix: str):
    path = tmp_path / 'new' / f'list{suffix}'
    write_text(path, iter([TEXT, 'ä\n']))
    with open_text(path) as text:
        assert text.read() == TEXT + 'ä\n'
    assert (path.read_bytes()[:4] == b'line') == (suffix == '.txt')


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


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(InputError, match='cannot be written'):
        write_text(tmp_path / 'file' / 'list.txt', ['text'])
