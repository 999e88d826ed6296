"""Our reader of HDF5 files: what h5py writes is read, and what is damaged or forged is refused at once."""

import time
import zlib

import h5py
import numpy as np
import pytest

from det_inception.utils.hdf5 import MAX_CHUNK_SIZE, HDF5Error, HDF5File

COMPRESSED = dict(compression='gzip', shuffle=True, fletcher32=True)


def write(path):
    """Every kind of data that is read."""
    random = np.random.default_rng(0)
    boxes = random.integers(0, 500, (20_003, 4)).astype(np.uint16)
    with h5py.File(path, 'w') as file:
        file.create_dataset('boxes', data=boxes, chunks=(8192, 4), maxshape=(None, 4), **COMPRESSED)
        file.create_dataset('checked', data=boxes[:999], chunks=(13, 4), fletcher32=True)
        file.create_dataset('bytes', data=boxes[:999].astype(np.uint8), chunks=(100, 4), fletcher32=True)
        # gzip leaves out chunks that it would only make larger.
        file.create_dataset('noise', data=random.integers(0, 256, 9999, np.uint8), chunks=(77,), compression='gzip')
        file.create_dataset('group/plain', data=random.normal(size=500).astype(np.float32))
        file.create_dataset('group/inner/big_endian', data=random.normal(size=(7, 3)).astype('>f8'))
        file.create_dataset('empty', (0, 4), np.float32, chunks=(8, 4), maxshape=(None, 4))
        for number in range(50):
            file.create_dataset(f'many/{number}', data=np.arange(number + 1))
        file.attrs.update(text='é' * 10_000, number=3, numbers=np.array([1, 2]), none='')
    return path


@pytest.fixture(scope='module')
def path(tmp_path_factory):
    return write(tmp_path_factory.mktemp('hdf5') / 'a.h5')


def names_of(file):
    names = []
    file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    return names


def test_what_h5py_writes_is_read(path):
    with h5py.File(path) as expected, HDF5File(path) as file:
        names = names_of(expected)
        assert len(names) == 57
        for name in names:
            found = file.dataset(name)
            assert found.shape == expected[name].shape and found.dtype == expected[name].dtype
            for start, stop in ((0, len(found)), (0, 0), (len(found) // 3, len(found) // 2 + 1)):
                rows = found.read(start, min(stop, len(found)))
                assert rows.dtype == expected[name].dtype.newbyteorder('=')
                np.testing.assert_array_equal(rows, expected[name][start : min(stop, len(found))])
        assert file.dataset('group/plain').is_plain and not file.dataset('boxes').is_plain
        assert 'group' in file and 'plain' not in file
        assert file.attribute('text') == 'é' * 10_000 and file.attribute('none') == ''
        assert file.attribute('number') == 3 and file.attribute('numbers').tolist() == [1, 2]
        assert file.attribute('absent') is None
        for name in ('absent', 'group', 'group/absent', 'boxes/absent', ''):
            with pytest.raises(HDF5Error):
                file.dataset(name)
        with pytest.raises(HDF5Error, match='has no rows'):
            file.dataset('boxes').read(0, 20_004)


def read_all(path):
    """All data sets and attributes, and the errors of those that cannot be read."""
    content = {}
    with HDF5File(path) as file:
        for name in ('boxes', 'checked', 'noise', 'group/plain', 'group/inner/big_endian', 'empty', 'many/7'):
            try:
                content[name] = file.dataset(name).read()
            except HDF5Error as error:
                content[name] = error
        for name in ('text', 'number', 'numbers'):
            try:
                content[name] = file.attribute(name)
            except HDF5Error as error:
                content[name] = error
    return content


def test_damage_gives_one_error_at_once(path, tmp_path):
    """The library itself loops for ever on a few in 10,000 of such files."""
    content, random = path.read_bytes(), np.random.default_rng(1)
    marks = [place for mark in (b'TREE', b'SNOD', b'HEAP', b'GCOL') for place in find_all(content, mark)]
    for number in range(300):
        damaged = bytearray(content)
        for _ in range(int(random.integers(1, 4))):
            near = int(random.choice([0, *marks])) if number % 3 else int(random.integers(len(content)))
            place = min(near + int(random.integers(200)), len(content) - 1)
            damaged[place] = int(random.choice([0, 1, 255, random.integers(256)]))
        (tmp_path / 'a.h5').write_bytes(damaged[: int(random.integers(len(content))) if number % 10 == 0 else None])
        start = time.monotonic()
        try:
            found = read_all(tmp_path / 'a.h5')
        except HDF5Error:
            continue
        finally:
            assert time.monotonic() - start < 5
        for name in ('boxes', 'checked'):  # These carry checksums, and a shape that others check.
            expected = h5py.File(path)[name]
            if isinstance(found[name], np.ndarray) and found[name].shape == expected.shape:
                np.testing.assert_array_equal(found[name], expected[()])


def find_all(content, mark):
    place = content.find(mark)
    while place >= 0:
        yield place
        place = content.find(mark, place + 1)


def refused(path, name, make):
    with h5py.File(path, 'w') as file:
        make(file)
    with pytest.raises(HDF5Error) as caught, HDF5File(path) as file:
        file.dataset(name).read()
    return str(caught.value)


def test_other_files_are_never_opened(tmp_path):
    (tmp_path / 'secret').write_bytes(bytes(64))
    with h5py.File(tmp_path / 'other.h5', 'w') as file:
        file['a'] = np.zeros(16)
    virtual = h5py.VirtualLayout((16,), np.float64)
    virtual[:] = h5py.VirtualSource(tmp_path / 'other.h5', 'a', (16,))
    for make in (
        lambda file: file.create_dataset('a', (16,), np.float32, external=[(tmp_path / 'secret', 0, 64)]),
        lambda file: file.create_virtual_dataset('a', virtual),
        lambda file: file.__setitem__('a', h5py.ExternalLink(tmp_path / 'other.h5', 'a')),
        lambda file: file.__setitem__('a', h5py.SoftLink('/b')),
    ):
        refused(tmp_path / 'a.h5', 'a', make)


def test_sizes_are_checked_before_anything_is_read(tmp_path):
    huge = dict(shape=(2**40,), dtype=np.uint8)
    for options in (dict(chunks=(2**20,)), dict(chunks=(2**20,), compression='gzip'), dict(), dict(fillvalue=7)):
        message = refused(
            tmp_path / 'a.h5', 'a', lambda file, options=options: file.create_dataset('a', **huge, **options)
        )
        assert message == 'a promises more than the file holds'

    def bomb(file, rows, content):
        dataset = file.create_dataset('a', (3,), np.uint8, maxshape=(None,), chunks=(rows,), compression='gzip')
        dataset.id.write_direct_chunk((0,), zlib.compress(content))

    assert 'unknown way' in refused(tmp_path / 'a.h5', 'a', lambda file: bomb(file, 2 * MAX_CHUNK_SIZE, bytes(9)))
    assert 'inflates too far' in refused(tmp_path / 'a.h5', 'a', lambda file: bomb(file, 1000, bytes(10**7)))
    assert 'wrong size' in refused(tmp_path / 'a.h5', 'a', lambda file: bomb(file, 1000, bytes(999)))


def test_trees_end(tmp_path):
    """A node that is its own child, and nodes that share their children over and over."""
    with h5py.File(tmp_path / 'a.h5', 'w') as file:
        file.create_dataset('a', data=np.arange(10_000), chunks=(10,))
    content = bytearray((tmp_path / 'a.h5').read_bytes())
    inner = [place for place in find_all(content, b'TREE') if content[place + 4] == 1 and content[place + 5] == 1]
    assert len(inner) == 1
    child = inner[0] + 24 + 24
    content[child : child + 8] = inner[0].to_bytes(8, 'little')
    (tmp_path / 'a.h5').write_bytes(content)
    with HDF5File(tmp_path / 'a.h5') as file, pytest.raises(HDF5Error, match='a tree is damaged'):
        file.dataset('a').read()


@pytest.mark.parametrize('content', [b'', b'text', b'\x89HDF\r\n\x1a\n', b'\x89HDF\r\n\x1a\n' + b'\xff' * 200])
def test_what_is_no_hdf5(content, tmp_path):
    (tmp_path / 'a.h5').write_bytes(content)
    with pytest.raises(HDF5Error):
        HDF5File(tmp_path / 'a.h5')


def test_newer_versions_are_refused(tmp_path):
    with h5py.File(tmp_path / 'a.h5', 'w', libver='latest') as file:
        file['a'] = 1
    with pytest.raises(HDF5Error, match='of another version than h5py writes by default'):
        HDF5File(tmp_path / 'a.h5')
