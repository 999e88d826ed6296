"""Entries of a cache: what is read is what was written, or nothing."""

from pathlib import Path

from det_inception.utils.cache import read_entry, write_entry


def test_a_damaged_cache_entry_is_none(tmp_path: Path):
    path = tmp_path / 'a'
    assert read_entry(path) is None
    for content in (b'', b'content'):
        write_entry(path, content)
        assert read_entry(path) == content
        whole = path.read_bytes()
        for damaged in (
            *(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :] for place in range(len(whole))),
            *(whole[:size] for size in range(len(whole))),
            whole + b'x',
        ):
            path.write_bytes(damaged)
            assert read_entry(path) is None
    write_entry(tmp_path / 'a' / 'b', b'content')  # No folder can be made there.
    assert read_entry(tmp_path / 'a' / 'b') is None
    write_entry(path, b'content')
    path.rename(tmp_path / 'b')
    assert read_entry(tmp_path / 'b') is None
