"""Our reader of .mat files: it reads what SciPy's reads, and damage gives one error, never the end of the process."""

import io
import struct
import zlib

import numpy as np
import pytest
import scipy.io

from det_inception.utils.mat_files import MatError, read_mat


def cells(*items):
    array = np.empty((1, len(items)), object)
    array[0, :] = items
    return array


CONTENT = {
    'double': np.arange(6.0).reshape(2, 3),
    'single': np.array([[1.5, -2.5]], np.float32),
    **{f'{name}s': np.array([[1, 2, 3]], name) for name in ('uint8', 'int16', 'uint16', 'int32', 'int64', 'uint64')},
    'empty': np.zeros((0, 4)),
    'deep': np.arange(24.0).reshape(2, 3, 4),
    'text': 'häßlich',
    'cells': cells('a', 'b/2', np.arange(8.0).reshape(2, 4), np.zeros((0, 0)), cells(np.array([[7]], np.uint8))),
}


def encoded(content, **options):
    file = io.BytesIO()
    scipy.io.savemat(file, content, **options)
    return file.getvalue()


def require_equal(found, expected):
    if isinstance(expected, str):
        assert found == expected
        return
    assert found.shape == expected.shape and found.dtype == expected.dtype
    if expected.dtype == object:
        for one, other in zip(found.ravel(), expected.ravel(), strict=True):
            require_equal(one, other)
    else:
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize('compressed', [False, True])
def test_what_scipy_writes_is_read(compressed):
    content = encoded({**CONTENT, 'other': {'a': 1}, 'complex': 1j}, do_compression=compressed)
    found = read_mat(content, CONTENT)
    assert found.keys() == CONTENT.keys()
    for name, expected in CONTENT.items():
        require_equal(found[name], expected)
    assert read_mat(content, ['text', 'absent']).keys() == {'text'}
    for name in ('other', 'complex'):
        with pytest.raises(MatError, match='kind that is not read'):
            read_mat(content, [name])


def element(kind, content, order='<'):
    return struct.pack(order + 'II', kind, len(content)) + content + bytes(-len(content) % 8)


def array(name, class_number, dims, kind, content, order='<'):
    inside = element(6, struct.pack(order + 'II', class_number, 0), order)
    inside += element(5, struct.pack(f'{order}{len(dims)}i', *dims), order) + element(1, name, order)
    return element(14, inside + element(kind, content, order), order)


def mat(*arrays, order='<', version=0x0100):
    mark = b'IM' if order == '<' else b'MI'
    return b'MATLAB 5.0 MAT-file'.ljust(124) + struct.pack(order + 'H', version) + mark + b''.join(arrays)


def test_what_matlab_writes_is_read():
    """Numbers in the narrowest type that fits, text in UTF-16, the bytes of a big-endian machine."""
    for order in '<>':
        text = 'ab'.encode('utf-16-le' if order == '<' else 'utf-16-be')
        narrow = array(b'n', 6, (2, 2), 4, struct.pack(order + '4H', 1, 2, 3, 400), order)
        found = read_mat(mat(narrow, array(b't', 4, (1, 2), 17, text, order), order=order), ['n', 't'])
        assert found['n'].tolist() == [[1, 3], [2, 400]] and found['n'].dtype == np.float64 and found['t'] == 'ab'


def nested(depth):
    inside = b''
    for _ in range(depth):
        inside = (
            element(6, struct.pack('<II', 1, 0)) + element(5, struct.pack('<ii', 1, 1)) + element(1, b'n')
        ) + element(14, inside)
    return element(14, inside)


def compressed(content, size=None):
    tag = content[:8] if size is None else struct.pack('<II', 14, size)
    inside = zlib.compress(tag + content[8:])
    return struct.pack('<II', 15, len(inside)) + inside


@pytest.mark.parametrize(
    'content, said',
    [
        (b'', 'is no .mat file'),
        (b'MATLAB', 'is no .mat file'),
        (mat(version=0x0200), 'version 7.3'),
        (mat(array(b'n', 6, (2**31 - 1, 2**31 - 1), 9, b'')), 'has 0 bytes'),
        (mat(array(b'n', 6, (-1, 1), 9, b'')), 'negative size'),
        (mat(array(b'n', 1, (2**31 - 1, 1), 14, b'')), 'has no items'),
        (mat(array(b'n', 6, (1, 2), 9, bytes(8))), r'shape \(1, 2\) has 8 bytes'),
        (mat(array(b'n', 8, (1, 1), 9, bytes(8))), 'as if they were none'),
        (mat(array(b'n', 5, (1, 1), 9, bytes(8))), 'kind that is not read'),
        (mat(array(b'n', 4, (2, 2), 2, b'abcd')), 'kind that is not read'),
        (mat(nested(900)), 'in too many others'),
        (mat(struct.pack('<II', 14, 2**32 - 8)), 'cut off'),
        (mat(compressed(array(b'n', 9, (1, 10**8), 2, bytes(10**8)))), 'inflates to 100000056 bytes, and the limit'),
        (mat(compressed(array(b'n', 9, (1, 10**7), 2, bytes(10**7)), 1000)), 'compressed variable is damaged'),
        (mat(compressed(array(b'n', 9, (1, 8), 2, bytes(8)), 10**6)), 'compressed variable is damaged'),
    ],
)
def test_damaged_and_forged_files(content, said):
    with pytest.raises(MatError, match=said):
        read_mat(content, ['n'])


def test_only_the_wanted_variables_are_inflated():
    bomb = compressed(array(b'bomb', 9, (1, 10**8), 2, bytes(10**8)))
    assert read_mat(mat(bomb, array(b'n', 9, (1, 1), 2, b'\7')), ['n'])['n'].tolist() == [[7]]


@pytest.mark.parametrize('is_compressed', [False, True])
def test_any_damage_gives_the_one_error(is_compressed):
    content, random = encoded(CONTENT, do_compression=is_compressed), np.random.default_rng(0)
    refused = 0
    for _ in range(2000):
        damaged = bytearray(content)
        for _ in range(int(random.integers(1, 4))):
            damaged[int(random.integers(len(content)))] = int(random.choice([0, 1, 255, random.integers(256)]))
        try:
            read_mat(bytes(damaged), CONTENT)
        except MatError as error:
            assert '\n' not in str(error)
            refused += 1
    assert refused > 300
