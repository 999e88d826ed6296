"""Compressed text and damaged files."""

import bz2
import gzip
import lzma
from pathlib import Path

import pytest

from det_inception.utils.errors import InputError
from det_inception.utils.text_files import open_text

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
