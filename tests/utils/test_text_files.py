"""Compressed text and damaged files."""

import bz2
import gzip
import lzma
from pathlib import Path

import pytest

from det_inception.utils import text_files
from det_inception.utils.errors import InputError
from det_inception.utils.text_files import Inflated, open_text

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


@pytest.mark.parametrize('kind', ['gz', 'bz2', 'xz'])
def test_what_inflates_without_end_is_refused(tmp_path: Path, monkeypatch, kind: str):
    monkeypatch.setattr(text_files, 'ANY_INFLATION', 1 << 20)
    path = tmp_path / f'list.{kind}'
    path.write_bytes(COMPRESSORS[kind](b'1 1 0.5 1 1 2 2\n' * 200_000))
    with pytest.raises(InputError, match=rf'list\.{kind}: inflates to more than 100 times'), open_text(path) as text:
        for _ in text:
            pass
    path.write_bytes(COMPRESSORS[kind](b'1' * 1_100_000))
    with pytest.raises(InputError, match='has a line of more than|inflates to more'), open_text(path) as text:
        next(text)


def test_long_lines_of_plain_text_are_refused_wherever_they_are(tmp_path: Path):
    path = tmp_path / 'list.txt'
    for content in (b'1' * 3_000_000, b'a\n' * 700_000 + b'1' * 1_100_000 + b'\nb', b'1' * 1_048_577):
        path.write_bytes(content)
        with pytest.raises(InputError, match='has a line of more than'), open_text(path) as text:
            text.read()
    path.write_bytes(b'\n'.join([b'1' * 1_048_576] * 4))
    with open_text(path) as text:
        assert [len(line.rstrip()) for line in text] == [1_048_576] * 4


@pytest.mark.parametrize('compress', COMPRESSORS.values(), ids=COMPRESSORS)
def test_seeking(tmp_path: Path, compress):
    path, content = tmp_path / 'a', TEXT.encode()
    path.write_bytes(compress(content))
    with Inflated(path) as file:
        for offset in (5, 2000, 100, 0, len(content), len(content) + 5):
            file.seek(offset)
            assert file.read(10) == content[offset : offset + 10]
        file.seek(0)
        assert file.read() == content and file.read(5) == b''
