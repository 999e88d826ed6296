"""The proposal store keeps what it is given, and refuses what it cannot answer for."""

import contextlib
import errno
import json
import os
import pickle
import resource
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from det_inception.proposals import (
    ImageIdentity,
    ProposalError,
    Proposals,
    ProposalStore,
    ProposalWriter,
    StoreKeyError,
    StoreMismatchError,
    identify,
    merge_stores,
    rank_scores,
)
from det_inception.proposals.records import is_valid_key
from det_inception.utils.errors import InputError

PARAMETERS = {'method': 'random', 'ks': [50, 100], 'min_size': 0}


def random_proposals(seed: int, count: int, *, whole: bool = False, scored: bool = True) -> Proposals:
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 300, (2, count, 2))
    boxes = np.concatenate([corners.min(axis=0), corners.max(axis=0)], axis=1)
    scores = np.sort(rng.normal(size=count))[::-1] if scored else rank_scores(count)
    return Proposals((np.rint(boxes) if whole else boxes).astype(np.float32), scores.astype(np.float32), 300, 300)


def write_store(path: Path, seeds=range(5), parameters=PARAMETERS, **options) -> Path:
    with ProposalWriter(path, parameters, **options) as writer:
        for seed in seeds:
            writer.add(f'folder/{seed}.jpg', random_proposals(seed, 100 * seed), identify(b'%d' % seed))
    return path


def assert_equal(found: Proposals, expected: Proposals) -> None:
    assert found.boxes.dtype == found.scores.dtype == np.float32
    np.testing.assert_array_equal(found.boxes, expected.boxes)
    np.testing.assert_array_equal(found.scores, expected.scores)
    assert (found.height, found.width) == (expected.height, expected.width)


@settings(max_examples=25, deadline=None)
@given(
    data=st.dictionaries(
        st.from_regex(r'([a-z ]{1,5}/)?[a-zäöü]{1,5}\.jpg', fullmatch=True),
        st.tuples(
            st.sampled_from([np.uint8, np.float32]).flatmap(
                lambda dtype: hnp.arrays(
                    dtype,
                    st.tuples(st.integers(0, 30), st.just(4)),
                    elements=st.integers(0, 255) if dtype == np.uint8 else st.floats(0, 300, width=32),
                )
            ),
            st.booleans(),
        ),
        max_size=6,
    ),
    flush_images=st.integers(1, 4),
)
def test_what_is_written_is_read(tmp_path_factory, data, flush_images):
    path = tmp_path_factory.mktemp('store') / 'a.h5'
    written = {}
    with ProposalWriter(path, PARAMETERS, flush_images=flush_images) as writer:
        for key, (corners, scored) in data.items():
            corners = corners.astype(np.float32).reshape(-1, 2, 2)
            boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
            scores = np.linspace(1, -1, len(boxes), dtype=np.float32) if scored else rank_scores(len(boxes))
            written[key] = Proposals(boxes, scores, 310, 305)
            writer.add(key, written[key], identify(key.encode()))
    with ProposalStore(path) as store:
        assert list(store) == list(store.keys()) == sorted(written)
        assert store.parameters == PARAMETERS
        assert store.number_of_proposals == sum(map(len, written.values()))
        for key, expected in written.items():
            assert key in store
            assert store.count(key) == len(expected)
            assert store.identity(key) == identify(key.encode())
            assert_equal(store[key], expected)


def test_numbers_take_the_room_they_need(tmp_path):
    for name, whole, scored, expected in [('a.h5', True, False, np.uint16), ('b.h5', False, True, np.float32)]:
        with ProposalWriter(tmp_path / name, {}) as writer:
            writer.add('x.jpg', random_proposals(0, 50, whole=whole, scored=scored), identify(b''))
        with h5py.File(tmp_path / name) as file:
            assert file['boxes'].dtype == expected
            assert ('scores' in file) == scored
        assert_equal(ProposalStore(tmp_path / name)['x.jpg'], random_proposals(0, 50, whole=whole, scored=scored))


def test_proposals_come_best_first(tmp_path):
    boxes = np.arange(12).reshape(3, 4)
    with ProposalWriter(tmp_path / 'a.h5', {}) as writer:
        writer.add('x.jpg', Proposals(boxes, np.array([0.1, 0.9, 0.1]), 20, 20), identify(b''))
    np.testing.assert_array_equal(ProposalStore(tmp_path / 'a.h5')['x.jpg'].boxes, boxes[[1, 0, 2]])


@pytest.mark.parametrize(
    ('key', 'change'),
    [
        ('/x.jpg', {}),  # absolute
        ('a/../x.jpg', {}),
        ('a//x.jpg', {}),
        ('a\nb.jpg', {}),  # would be two lines of the index
        ('x\udc80.jpg', {}),  # a name that is no UTF-8
        ('x.jpg', {'boxes': np.array([[0, 0, np.nan, 1]])}),
        ('x.jpg', {'boxes': np.array([[5, 0, 1, 1]])}),  # inside out
        ('x.jpg', {'boxes': np.array([[0, 0, 12, 1]])}),  # leaves the image
        ('x.jpg', {'boxes': np.array([0, 0, 1, 1])}),
        ('x.jpg', {'scores': np.array([1, 2])}),
        ('x.jpg', {'scores': np.array([np.inf])}),
        ('x.jpg', {'height': 0}),
    ],
)
def test_writer_refuses_what_cannot_be(tmp_path, key, change):
    proposals = Proposals(
        **{'boxes': np.array([[0, 0, 1, 1]]), 'scores': np.ones(1), 'height': 10, 'width': 10} | change
    )
    writer = ProposalWriter(tmp_path / 'a.h5', {})
    with pytest.raises(ValueError):
        writer.add(key, proposals, identify(b''))
    assert len(writer) == 0
    assert is_valid_key(key) == (key == 'x.jpg')


@pytest.mark.parametrize(
    ('path', 'key'),
    [
        ('/data/VOC/JPEGImages/a.jpg', 'JPEGImages/a.jpg'),  # the longer of two
        ('/elsewhere/a.jpg', 'a.jpg'),
        ('b.jpg', 'train/b.jpg'),  # shorter than the key, but there is only one
        ('/data/val/c.jpg', 'val/c.jpg'),
        ('./val/../train/b.jpg', 'train/b.jpg'),
        (Path('/x/train/c.jpg'), 'train/c.jpg'),
    ],
)
def test_find(found_in, path, key):
    assert found_in.find(path) == key


@pytest.mark.parametrize(
    ('path', 'words'),
    [
        ('c.jpg', 'train/c.jpg or val/c.jpg'),  # ambiguous
        ('/other/c.jpg', '/other/c.jpg'),  # an absolute path that ends in no key
        ('/data/val/cc.jpg', '/data/val/cc.jpg'),  # whole components only
        ('/data/xtrain/b.jpg', '/data/xtrain/b.jpg'),
        ('nothing.png', 'nothing.png'),
        ('', 'a.jpg'),
    ],
)
def test_find_refuses(found_in, path, words):
    with pytest.raises(KeyError) as caught:
        found_in.find(path)
    assert isinstance(caught.value, StoreKeyError) and isinstance(caught.value, InputError)
    assert words in str(caught.value) and str(found_in.path) in str(caught.value)
    assert not str(caught.value).startswith(('"', "'"))


@pytest.fixture
def found_in(tmp_path):
    with ProposalWriter(tmp_path / 'a.h5', {}) as writer:
        for key in ('JPEGImages/a.jpg', 'a.jpg', 'train/b.jpg', 'train/c.jpg', 'val/c.jpg'):
            writer.add(key, random_proposals(0, 3), identify(b''))
    return ProposalStore(tmp_path / 'a.h5')


def test_other_parameters_are_refused(tmp_path):
    store = ProposalStore(write_store(tmp_path / 'a.h5'))
    store.require({'method': 'random', 'ks': (50, 100)})
    for wanted in ({'method': 'other'}, {'ks': [50]}, {'mode': 'fast'}):
        with pytest.raises(StoreMismatchError, match=next(iter(wanted))):
            store.require(wanted)


def test_other_images_are_refused(tmp_path):
    store = ProposalStore(write_store(tmp_path / 'a.h5'))
    image = tmp_path / '3.jpg'
    image.write_bytes(b'3')
    store.check('folder/3.jpg', image)
    for content in (b'4', b'33', b''):
        image.write_bytes(content)
        with pytest.raises(StoreMismatchError, match=r'3\.jpg is not the file'):
            store.check('folder/3.jpg', image)
    with pytest.raises(InputError, match='nothing'):
        store.check('folder/3.jpg', tmp_path / 'nothing.jpg')


def test_other_processes_read_for_themselves(tmp_path):
    store = ProposalStore(write_store(tmp_path / 'a.h5'))
    expected = store['folder/4.jpg']
    assert_equal(pickle.loads(pickle.dumps(store))['folder/4.jpg'], expected)
    child = os.fork()
    if not child:
        with contextlib.suppress(BaseException):
            assert_equal(store['folder/4.jpg'], expected)
            os._exit(0)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert_equal(store['folder/4.jpg'], expected)


def test_closed_store(tmp_path):
    with ProposalStore(write_store(tmp_path / 'a.h5')) as store:
        pass
    with pytest.raises(ProposalError, match='closed'):
        store['folder/1.jpg']


def test_damage_to_one_image_is_noticed_and_spares_the_others(tmp_path):
    path = tmp_path / 'a.h5'
    with ProposalWriter(path, {}) as writer:
        for seed in range(10):
            writer.add(f'{seed}.jpg', random_proposals(seed, 8192), identify(b''))
    with h5py.File(path) as file:
        chunk = file['boxes'].id.get_chunk_info(5)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset + chunk.size // 2] ^= 16
    path.write_bytes(content)
    store = ProposalStore(path)
    for seed in (0, 4, 6, 9):
        assert_equal(store[f'{seed}.jpg'], random_proposals(seed, 8192))
    with pytest.raises(ProposalError, match='damaged'):
        store['5.jpg']


def test_store_that_is_cut_off(tmp_path):
    content = write_store(tmp_path / 'a.h5').read_bytes()
    cut = tmp_path / 'cut.h5'
    for length in [*range(0, len(content), max(1, len(content) // 40)), len(content) - 1]:
        cut.write_bytes(content[:length])
        with pytest.raises(ProposalError, match='cut off'):
            ProposalStore(cut)


def test_damaged_bytes_never_give_other_boxes(tmp_path):
    path = write_store(tmp_path / 'a.h5')
    content = path.read_bytes()
    expected = {key: ProposalStore(path)[key] for key in ProposalStore(path)}
    rng = np.random.default_rng(0)
    for position in rng.integers(0, len(content), 150):
        damaged = bytearray(content)
        damaged[position] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        with contextlib.suppress(ProposalError):
            for key, proposals in ProposalStore(path).items():
                np.testing.assert_array_equal(proposals.boxes, expected[key].boxes)


def test_what_is_no_store(tmp_path):
    (tmp_path / 'text.h5').write_text('no store')
    (tmp_path / 'empty.h5').touch()
    with h5py.File(tmp_path / 'other.h5', 'w') as file:
        file['boxes'] = np.zeros((3, 4))
    shutil.copy(write_store(tmp_path / 'a.h5'), tmp_path / 'newer.h5')
    with h5py.File(tmp_path / 'newer.h5', 'r+') as file:
        file.attrs['version'] = 2
    for name, words in {
        'text.h5': 'cut off, damaged or another kind',
        'empty.h5': 'cut off, damaged or another kind',
        'other.h5': 'no proposal store',
        'newer.h5': 'version 2',
        'missing.h5': 'no proposal store',
        '': 'no proposal store',  # a folder
    }.items():
        with pytest.raises(ProposalError, match=words) as caught:
            ProposalStore(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)


def _forge(path: Path, name: str, make) -> None:
    with h5py.File(path, 'r+') as file:
        del file[name]
        make(file)


def test_forged_stores(tmp_path):
    """What a stranger can write into an HDF5 file to reach another file or all the memory."""
    secret = write_store(tmp_path / 'secret.h5')
    rows = ProposalStore(secret).number_of_proposals
    layout = h5py.VirtualLayout((rows, 4), np.float32)
    layout[:] = h5py.VirtualSource(secret, 'boxes', (rows, 4))
    raw = tmp_path / 'raw'
    raw.write_bytes(bytes(rows * 16))
    huge = 2**44
    forgeries = {
        'boxes': [
            lambda file: file.__setitem__('boxes', h5py.ExternalLink(secret, 'boxes')),
            lambda file: file.__setitem__('boxes', h5py.SoftLink('/scores')),
            lambda file: file.create_dataset('boxes', (rows, 4), np.float32, external=[(raw, 0, rows * 16)]),
            lambda file: file.create_virtual_dataset('boxes', layout),
            lambda file: file.create_dataset('boxes', (rows, 4), h5py.string_dtype()),
            lambda file: file.create_dataset('boxes', (rows + 1, 4), np.float32),
        ],
        'images/keys': [
            lambda file: file.create_dataset('images/keys', (huge,), np.uint8),
            lambda file: file.create_dataset('images/keys', (huge,), np.uint8, chunks=(1024,), compression='gzip'),
            lambda file: file.create_dataset('images/keys', (0,), np.uint8),
        ],
        'images/first': [
            lambda file: file.create_dataset('images/first', data=np.array([0, huge], np.int64)),
            lambda file: file.create_dataset('images/first', (6,), h5py.ref_dtype),
        ],
        'images': [lambda file: file.__setitem__('images', h5py.ExternalLink(secret, 'images'))],
    }
    for name, makers in forgeries.items():
        for make in makers:
            forged = tmp_path / 'forged.h5'
            shutil.copy(secret, forged)
            _forge(forged, name, make)
            with pytest.raises(ProposalError, match='forged'):
                ProposalStore(forged)


def test_writer_goes_on_and_the_result_is_the_same(tmp_path):
    expected = write_store(tmp_path / 'whole.h5', range(12)).read_bytes()
    path = tmp_path / 'a.h5'
    writer = ProposalWriter(path, PARAMETERS, flush_images=2)
    for seed in (7, 3, 11, 0, 5):
        writer.add(f'folder/{seed}.jpg', random_proposals(seed, 100 * seed), identify(b'%d' % seed))
    # As after kill -9: nothing is closed, only the system takes the lock back.
    os.close(writer._lock)
    assert not path.exists()
    with ProposalWriter(path, PARAMETERS) as writer:
        assert len(writer) == 4 and 'folder/5.jpg' not in writer
        for seed in range(12):
            if f'folder/{seed}.jpg' not in writer:
                writer.add(f'folder/{seed}.jpg', random_proposals(seed, 100 * seed), identify(b'%d' % seed))
    assert path.read_bytes() == expected
    assert [file.name for file in sorted(tmp_path.iterdir())] == ['a.h5', 'whole.h5']


def test_finished_store_is_extended(tmp_path):
    path = write_store(tmp_path / 'a.h5', range(3))
    before = path.read_bytes()
    write_store(path, [])
    assert path.read_bytes() == before
    write_store(path, range(3, 6))
    assert path.read_bytes() == write_store(tmp_path / 'b.h5', range(6)).read_bytes()


def test_exception_keeps_what_was_added(tmp_path):
    path = tmp_path / 'a.h5'
    with pytest.raises(RuntimeError, match='mine'), ProposalWriter(path, {}) as writer:
        writer.add('x.jpg', random_proposals(0, 5), identify(b''))
        raise RuntimeError('mine')
    assert not path.exists()
    with ProposalWriter(path, {}) as writer:
        assert 'x.jpg' in writer
    assert list(ProposalStore(path)) == ['x.jpg']
    # Where nothing was added, nothing is left.
    with pytest.raises(RuntimeError), ProposalWriter(tmp_path / 'b.h5', {}):
        raise RuntimeError
    assert [file.name for file in tmp_path.iterdir()] == ['a.h5']


def test_writer_refuses_another_run(tmp_path):
    path = tmp_path / 'a.h5'
    with ProposalWriter(path, {'mode': 'fast'}, shard=(1, 2)) as writer:
        writer.add('x.jpg', random_proposals(0, 5), identify(b''))
        with pytest.raises(ProposalError, match='another process'):
            ProposalWriter(path, {'mode': 'fast'}, shard=(1, 2))
    for parameters, shard, words in [
        ({'mode': 'quality'}, (1, 2), 'mode "fast" instead of "quality"'),
        ({'mode': 'fast'}, (2, 2), 'shard 1/2'),
        ({'mode': 'fast'}, None, 'shard 1/2'),
    ]:
        with pytest.raises(StoreMismatchError, match=words):
            ProposalWriter(path, parameters, shard=shard)
    assert [file.name for file in tmp_path.iterdir()] == ['a.h5']


def test_unfinished_run_with_other_parameters_or_version(tmp_path):
    path = tmp_path / 'a.h5'
    writer = ProposalWriter(path, {'mode': 'fast'})
    writer.add('x.jpg', random_proposals(0, 5), identify(b''))
    writer.close()
    with pytest.raises(StoreMismatchError, match='mode'):
        ProposalWriter(path, {'mode': 'quality'})
    run = tmp_path / 'a.h5.parts' / 'run.json'
    run.write_text(json.dumps(json.loads(run.read_text()) | {'version': 7}))
    with pytest.raises(ProposalError, match='version 7'):
        ProposalWriter(path, {'mode': 'fast'})
    run.write_text('{')
    with pytest.raises(ProposalError, match=r'run\.json is damaged'):
        ProposalWriter(path, {'mode': 'fast'})


def test_damaged_part_is_made_again(tmp_path):
    path = tmp_path / 'a.h5'
    writer = ProposalWriter(path, {}, flush_images=1)
    for name in 'xy':
        writer.add(f'{name}.jpg', random_proposals(0, 50), identify(b''))
    writer.close()
    part = tmp_path / 'a.h5.parts' / 'part-000001.h5'
    part.write_bytes(part.read_bytes()[:-100])
    with ProposalWriter(path, {}) as writer:
        assert writer.dropped_parts == [part]
        assert 'x.jpg' in writer and 'y.jpg' not in writer


def test_full_disk_while_flushing(tmp_path, monkeypatch):
    def refuse(self, data):
        self.touch()
        raise OSError(errno.ENOSPC, 'No space left on device')

    path = tmp_path / 'a.h5'
    writer = ProposalWriter(path, {}, flush_images=2)
    for name in 'abc':
        writer.add(f'{name}.jpg', random_proposals(0, 50), identify(b''))
    with monkeypatch.context() as patch:
        patch.setattr(Path, 'write_bytes', refuse)
        with pytest.raises(ProposalError, match='no space is left'):
            writer.add('d.jpg', random_proposals(0, 50), identify(b''))
    assert sorted(file.name for file in (tmp_path / 'a.h5.parts').iterdir()) == ['part-000000.h5', 'run.json']
    # Once there is room, nothing was lost.
    writer.finish()
    assert list(ProposalStore(path)) == ['a.jpg', 'b.jpg', 'c.jpg', 'd.jpg']


def test_full_disk_while_finishing(tmp_path):
    """The system itself refuses to let any file grow, so HDF5 meets the error where it really happens."""
    path = write_store(tmp_path / 'a.h5', range(3))
    before = path.read_bytes()
    writer = ProposalWriter(path, PARAMETERS, flush_images=1)
    for seed in range(3, 30):
        writer.add(f'folder/{seed}.jpg', random_proposals(seed, 1000), identify(b'%d' % seed))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in (10_000, 60_000, 120_000):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            with pytest.raises(ProposalError, match='no space is left'):
                writer.finish()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert path.read_bytes() == before
        assert sorted(file.name for file in tmp_path.iterdir()) == ['a.h5', 'a.h5.parts']
    writer.finish()
    assert len(ProposalStore(path)) == 30


def test_merge_gives_the_same_as_one_run(tmp_path):
    expected = write_store(tmp_path / 'whole.h5', range(9)).read_bytes()
    shards = [
        write_store(tmp_path / f'{number}.h5', range(3 * number - 3, 3 * number), shard=(number, 3))
        for number in (1, 2, 3)
    ]
    merge_stores(shards[::-1], tmp_path / 'new' / 'merged.h5')
    assert (tmp_path / 'new' / 'merged.h5').read_bytes() == expected
    # An image may be in two stores, and the result may take the place of one of them.
    merge_stores([tmp_path / 'whole.h5', *shards], tmp_path / 'whole.h5')
    assert (tmp_path / 'whole.h5').read_bytes() == expected


def test_merge_refuses(tmp_path):
    one, two = (write_store(tmp_path / f'{n}.h5', [n], shard=(n, 3)) for n in (1, 2))
    other = write_store(tmp_path / 'other.h5', [3], {'method': 'other'})
    fourth = write_store(tmp_path / 'fourth.h5', [4], shard=(1, 4))
    with ProposalWriter(tmp_path / 'changed.h5', PARAMETERS) as writer:
        writer.add('folder/1.jpg', random_proposals(1, 100), ImageIdentity(5, bytes(8)))
    with ProposalWriter(tmp_path / 'differs.h5', PARAMETERS) as writer:
        writer.add('folder/1.jpg', random_proposals(9, 100), identify(b'1'))
    cut = tmp_path / 'cut.h5'
    cut.write_bytes(one.read_bytes()[:-10])
    whole = write_store(tmp_path / 'whole.h5', [1])
    for paths, words in [
        ([], 'nothing to merge'),
        ([one, two], '1 are missing: 3'),
        ([one, fourth], 'different divisions'),
        ([whole, other], 'equal parameters'),
        ([whole, tmp_path / 'changed.h5'], 'another image'),
        ([whole, tmp_path / 'differs.h5'], 'other proposals'),
        ([whole, cut], 'cut off'),
        ([whole, tmp_path / 'missing.h5'], 'missing'),
    ]:
        with pytest.raises(ProposalError, match=words):
            merge_stores(paths, tmp_path / 'out.h5')
        assert not list(tmp_path.glob('*out*'))
