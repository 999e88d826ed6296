"""Small files that say large things: refused before they fill the memory or take forever."""

import io
import os
import resource
import struct
import zipfile

import numpy as np
import pytest
import torch

from det_inception.weights.checkpoints import read_checkpoint
from det_inception.weights.files import CheckpointError, read_raw


def resave(source, target, change=lambda name, content: content, compression=zipfile.ZIP_STORED):
    """Writes the members of an archive anew."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, 'w', compression) as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))


def saved(path, **settings):
    torch.save(dict(state_dict=dict(a=torch.arange(5.0)), meta={}), path, **settings)
    return path


def with_pickle(content):
    """An archive of PyTorch with another pickle."""

    def write(path):
        saved(path.with_suffix('.good'))
        resave(path.with_suffix('.good'), path, lambda name, old: content if name.endswith('data.pkl') else old)

    return write


def nested(depth=60):
    content = b'\x80\x02}K\x01'
    for level in range(depth):
        content += b'q' + bytes([level]) + b'h' + bytes([level]) + b'\x86'
    return content + b'K\x01s.'


def packed(path):
    saved(path.with_suffix('.good'))
    zeros = b'\x80\x02X' + struct.pack('<I', 50_000_000) + bytes(50_000_000) + b'.'
    change = lambda name, old: zeros if name.endswith('data.pkl') else old  # noqa: E731
    resave(path.with_suffix('.good'), path, change, zipfile.ZIP_DEFLATED)


def overstated(path, old_format=False):
    """A storage of 5 numbers that says 2 billion."""
    saved(path, _use_new_zipfile_serialization=not old_format)
    count = b'K\x05'
    change = lambda content: content.replace(count, b'J' + struct.pack('<i', 2_000_000_000), 1)  # noqa: E731
    if old_format:
        whole = path.read_bytes()
        start = whole.index(b'storage')
        path.write_bytes(whole[:start] + change(whole[start:]))
    else:
        source = path.rename(path.with_suffix('.good'))
        resave(source, path, lambda name, old: change(old) if name.endswith('data.pkl') else old)


def expanded(path):
    torch.save(dict(state_dict=dict(a=torch.zeros(1).expand(5_000_000_000))), path)


def many_views(path):
    torch.save(dict(state_dict={str(number): torch.zeros(1000).expand(1000, 1000) for number in range(100)}), path)


def one_view_often(path):
    numbers = torch.zeros(250_000)
    torch.save(dict(state_dict={str(number): numbers[:] for number in range(200)}), path)


def sparse(path):
    torch.save(dict(state_dict=dict(a=torch.sparse_coo_tensor([[0]], [1.0], (10**12,)))), path)


def without_numbers(path):
    torch.save(dict(state_dict=dict(a=torch.empty(10**12, device='meta'))), path)


HUGE = {
    'nested keys': with_pickle(nested()),
    'a place in the memo': with_pickle(b'\x80\x02}r\xff\xff\xff\x7f.'),
    'compressed': packed,
    'an overstated storage': overstated,
    'an overstated storage of the old format': lambda path: overstated(path, old_format=True),
    'the old format with nested keys': lambda path: path.write_bytes(nested()),
    'stride 0': expanded,
    'many views': many_views,
    'one view often': one_view_often,
    'sparse': sparse,
    'without numbers': without_numbers,
}


@pytest.mark.parametrize('kind', HUGE)
@pytest.mark.filterwarnings('ignore')
def test_checkpoints(kind, tmp_path):
    path = tmp_path / 'a.pth'
    HUGE[kind](path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for read in (read_checkpoint, read_raw):
        with pytest.raises(CheckpointError) as caught:
            read(path)
        assert str(caught.value).startswith(f'{path}: ') and '\n' not in str(caught.value)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # kB


def test_complex_numbers_are_refused(tmp_path):
    torch.save(dict(state_dict=dict(a=torch.ones(3, dtype=torch.complex64))), tmp_path / 'a.pth')
    for read in (read_checkpoint, read_raw):
        with pytest.raises(CheckpointError, match='a.pth: holds complex numbers, torch.complex64'):
            read(tmp_path / 'a.pth')


def test_what_is_sound_passes(tmp_path):
    shared = torch.ones(3, 4)
    content = dict(
        state_dict=dict(a=shared, b=shared, c=shared.t(), d=torch.zeros(2, dtype=torch.bfloat16), e=torch.tensor(3)),
        optimizer=dict(state={0: dict(step=torch.tensor(1.0))}, param_groups=[dict(betas=(0.9, 0.999), params=[0])]),
    )
    for old_format in (False, True):
        torch.save(content, tmp_path / 'a.pth', _use_new_zipfile_serialization=not old_format)
        assert torch.equal(read_checkpoint(tmp_path / 'a.pth')['state_dict']['c'], shared.t())


def npy(shape, content=b'', dtype='<f4'):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, dict(descr=dtype, fortran_order=False, shape=shape))
    return file.getvalue() + content


ARRAYS = {
    'zeros without end': npy((25_000_000,), bytes(100_000_000)),
    'a shape without numbers': npy((10**11,)),
    'a shape of other numbers': npy((3,), bytes(8)),
    'negative': npy((-1, -3), bytes(12)),
    'overflowing': npy((2**40, 2**40)),
    'objects': npy((1,), b'\x80\x04N.', '|O'),
    'another version': b'\x93NUMPY\x07\x00' + bytes(20),
    'no array': b'text',
    'nothing': b'',
}


@pytest.mark.parametrize('kind', ARRAYS)
def test_npz(kind, tmp_path):
    path = tmp_path / 'a.npz'
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('a.npy', ARRAYS[kind])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CheckpointError, match='cannot be read as .npz|made to fill the memory') as caught:
        read_raw(path)
    assert str(caught.value).startswith(f'{path}: ') and '\n' not in str(caught.value)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def test_npz_in_every_layout(tmp_path):
    arrays = dict(
        a=np.arange(6.0).reshape(2, 3), b=np.asfortranarray(np.arange(6, dtype='>i2').reshape(2, 3)), c=np.float16(3),
        d=np.zeros((0, 4), np.uint8), text=np.array('x'),
    )  # fmt: skip
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / 'a.npz', **arrays)
        found = read_raw(tmp_path / 'a.npz').tensors
        assert found.keys() == arrays.keys() - {'text'}
        assert all(np.array_equal(found[key].numpy(), arrays[key]) for key in found)


@pytest.mark.parametrize('version', [15, 200])
def test_archives_of_the_future(version, tmp_path):
    np.savez(tmp_path / 'a.npz', a=np.zeros(3))
    whole = bytearray((tmp_path / 'a.npz').read_bytes())
    whole[whole.index(b'PK\1\2') + 6] = version * 10 % 256
    (tmp_path / 'a.npz').write_bytes(whole)
    with pytest.raises(CheckpointError, match='a.npz'):
        read_raw(tmp_path / 'a.npz')


def varint(number):
    coded = b''
    while number > 127:
        coded, number = coded + bytes([number & 127 | 128]), number >> 7
    return coded + bytes([number])


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


BLOBS = {
    'dimensions without end': field(7, field(1, b'\x01' * 5_000_000)) + field(5, bytes(4)),
    'dimensions one by one': field(7, b'\x08\x01' * 5_000_000) + field(5, bytes(4)),
    'scattered numbers': (b'\x2d' + bytes(4) + b'\x08\x01') * 1_000_000,
    'scattered fields': b'\x08\x01' * 1_000_000,
    'a huge shape': field(7, field(1, (b'\xff' * 9 + b'\x01') * 4)) + field(5, bytes(4)),
}


@pytest.mark.parametrize('kind', BLOBS)
def test_caffemodel(kind, tmp_path):
    path = tmp_path / 'a.caffemodel'
    path.write_bytes(field(100, field(1, b'conv1') + field(7, BLOBS[kind])))
    with pytest.raises(CheckpointError, match='no whole .caffemodel'):
        read_raw(path)


def test_names_that_no_file_can_have(tmp_path):
    for name in ('a\0b', 'a' * 300, 'none/a.pth'):
        with pytest.raises(CheckpointError):
            read_raw(tmp_path / name)
    (tmp_path / 'file').touch()
    with pytest.raises(CheckpointError):
        read_raw(tmp_path / 'file/a.pth')


@pytest.mark.skipif(not hasattr(os, 'mkfifo'), reason='there are no pipes')
def test_files_without_end(tmp_path):
    os.mkfifo(tmp_path / 'pipe')
    for path in (tmp_path / 'pipe', '/dev/zero'):
        for read in (read_raw, read_checkpoint):
            with pytest.raises(CheckpointError, match='is a device or a pipe'):
                read(path)


@pytest.mark.parametrize(
    'meta',
    [
        dict(dataset_meta='/etc/passwd'),
        dict(dataset_meta=dict(classes='cat')),
        dict(dataset_meta=dict(classes=[[1], 2])),
        dict(dataset_meta=dict(classes=5)),
        dict(normalization=5),
        dict(normalization=dict(mean='abc', std=[0, 0, 0])),
        dict(normalization=dict(mean=[float('nan')] * 3, std=[1.0] * 3)),
        dict(cfg='(' * 10_000),
    ],
)
def test_odd_words_about_a_network_are_taken_for_none(meta, tmp_path):
    from det_inception.weights.checkpoints import checkpoint_classes
    from det_inception.weights.normalization import stated_normalization

    odd = {'data_preprocessor.mean': torch.ones(7), 'data_preprocessor.bgr_to_rgb': torch.ones(2)}
    torch.save(dict(state_dict=odd, meta=meta), tmp_path / 'a.pth')
    content = read_checkpoint(tmp_path / 'a.pth')
    assert checkpoint_classes(content) is None
    assert stated_normalization(content['meta'], content['state_dict']) is None
