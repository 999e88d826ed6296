"""Other programs' proposal files: read back as they were written, and refused where they could run code."""

import os
import pickle
import pickletools
import subprocess
from collections import OrderedDict

import cv2
import numpy as np
import pytest
import scipy.io

from det_inception.proposals import (
    Images,
    ProposalError,
    Proposals,
    ProposalStore,
    ProposalWriter,
    export_mmdet,
    export_rcnn,
    identify,
    import_mmdet,
    import_rcnn,
    rank_scores,
)
from det_inception.proposals.plain_pickle import load_plain_pickle

KEYS = ['one/a.jpg', 'one/b.png', 'two/c.jpg']


@pytest.fixture
def images(tmp_path):
    root = tmp_path / 'root'
    for number, key in enumerate(KEYS):
        (root / key).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / key), np.full((40, 50 + number, 3), number, np.uint8))
    return Images(root, KEYS)


@pytest.fixture
def store(tmp_path, images):
    boxes = [
        np.array([[0, 0, 50, 40], [1.5, 2, 30, 39.25]]),
        np.zeros((0, 4)),
        np.array([[3, 4, 10, 12]]),
    ]
    with ProposalWriter(tmp_path / 'a.h5', {'method': 'mine'}) as writer:
        for number, key in enumerate(KEYS):
            count = len(boxes[number])
            identity = identify((images.root / key).read_bytes())
            writer.add(key, Proposals(boxes[number], rank_scores(count), 40, 50 + number), identity)
    return ProposalStore(tmp_path / 'a.h5')


def assert_same(found: ProposalStore, expected: ProposalStore) -> None:
    assert list(found) == list(expected)
    for key in found:
        np.testing.assert_array_equal(found[key].boxes, expected[key].boxes)
        np.testing.assert_array_equal(found[key].scores, expected[key].scores)
        assert (found[key].height, found[key].width) == (expected[key].height, expected[key].width)
        assert found.identity(key) == expected.identity(key)


def test_mmdet_and_back(tmp_path, images, store):
    export_mmdet(store, images.root, tmp_path / 'a.pkl')
    import_mmdet(tmp_path / 'a.pkl', images, tmp_path / 'b.h5')
    with ProposalStore(tmp_path / 'b.h5') as imported:
        assert_same(imported, store)
        imported.require({'method': 'imported', 'format': 'mmdet', 'file': 'a.pkl'})


def test_mmdet_reads_what_is_exported(tmp_path, images, store):
    from mmdet.datasets import CocoDataset
    from mmdet.datasets.transforms import LoadProposals
    from mmengine.fileio import dump

    export_mmdet(store, images.root, tmp_path / 'a.pkl')
    listed = [{'id': n, 'file_name': key, 'height': 40, 'width': 50} for n, key in enumerate(KEYS)]
    categories = [{'id': 1, 'name': 'thing'}]
    dump({'images': listed, 'annotations': [], 'categories': categories}, tmp_path / 'a.json')
    dataset = CocoDataset(
        ann_file=str(tmp_path / 'a.json'),
        data_prefix={'img': f'{images.root}/'},
        metainfo={'classes': ('thing',)},
        proposal_file=str(tmp_path / 'a.pkl'),
        test_mode=True,
    )
    loaded = LoadProposals()(dataset.get_data_info(0))
    np.testing.assert_array_equal(np.asarray(loaded['proposals']), store[KEYS[0]].boxes)
    np.testing.assert_array_equal(np.asarray(loaded['proposals_scores']), store[KEYS[0]].scores)


def test_what_mmdet_dumps_is_imported(tmp_path, images):
    import torch
    from mmdet.evaluation import DumpProposals
    from mmengine.structures import InstanceData

    metric = DumpProposals(output_dir=str(tmp_path), proposals_file='dumped.pkl')
    for key in KEYS:
        found = {'bboxes': torch.tensor([[0.0, 0, 9, 9], [1, 1, 20, 30]]), 'scores': torch.tensor([0.25, 0.75])}
        metric.process([], [{'pred_instances': InstanceData(**found), 'img_path': str(images.root / key)}])
    metric.evaluate(len(KEYS))
    import_mmdet(tmp_path / 'dumped.pkl', images, tmp_path / 'b.h5')
    proposals = ProposalStore(tmp_path / 'b.h5')[KEYS[2]]
    np.testing.assert_array_equal(proposals.boxes, [[1, 1, 20, 30], [0, 0, 9, 9]])
    np.testing.assert_array_equal(proposals.scores, np.float32([0.75, 0.25]))


def test_list_of_mmdet_2(tmp_path, images):
    arrays = [np.array([[0, 0, 5, 5 + n, 0.5]], np.float32) for n in range(3)]
    (tmp_path / 'a.pkl').write_bytes(pickle.dumps(arrays))
    import_mmdet(tmp_path / 'a.pkl', images, tmp_path / 'b.h5')
    assert ProposalStore(tmp_path / 'b.h5')[KEYS[2]].boxes.tolist() == [[0, 0, 5, 7]]
    with pytest.raises(ProposalError, match='3 images, not of 2'):
        import_mmdet(tmp_path / 'a.pkl', Images(images.root, KEYS[:2]), tmp_path / 'c.h5')


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_pickles_of_every_protocol(protocol):
    content = {
        'floats': np.arange(6, dtype='>f4').reshape(2, 3),
        'columns': np.asfortranarray(np.arange(6).reshape(2, 3)),
        'empty': np.zeros((0, 4), np.float64),
        'flags': np.array([True, False]),
        'number': np.float64(1.5),
        'rest': [1, 'zwei', (3.0, None), {4}, OrderedDict(a=b'5')],
    }
    loaded = load_plain_pickle(pickle.dumps(content, protocol=protocol), 'x.pkl')
    for name in ('floats', 'columns', 'empty', 'flags'):
        np.testing.assert_array_equal(loaded[name].array, content[name])
        assert loaded[name].array.dtype == content[name].dtype.newbyteorder('=')
    assert loaded['number'] == 1.5 and loaded['rest'] == content['rest']


class _Runs:
    """Pickles as a call of any function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def test_malicious_pickles_do_not_run(tmp_path, images):
    trace = tmp_path / 'trace'
    call = f'open({str(trace)!r}, "w")'
    attacks = [
        _Runs(os.system, f'touch {trace}'),
        _Runs(eval, call),
        _Runs(exec, call),
        _Runs(subprocess.check_output, ['touch', str(trace)]),
        _Runs(np.load, str(trace)),
        _Runs(getattr, [], 'append'),
        _Runs(__import__, 'this'),
        {'one/a.jpg': {'bboxes': np.array([_Runs(os.system, f'touch {trace}')], dtype=object)}},
        {'one/a.jpg': np.array([None, 1], dtype=object)},
    ]
    for attack in attacks:
        for protocol in (0, 2, 4):
            path = tmp_path / 'bad.pkl'
            path.write_bytes(pickle.dumps(attack, protocol=protocol))
            with pytest.raises(ProposalError, match=r'bad\.pkl is refused'):
                import_mmdet(path, images, tmp_path / 'b.h5')
            assert not trace.exists()
    assert not list(tmp_path.glob('b.h5*'))
    # The attack works where it is let: otherwise this test would show nothing.
    with pytest.raises(FileNotFoundError):
        pickle.loads(pickle.dumps(attacks[4]))
    pickle.loads(pickle.dumps(attacks[0]))
    assert trace.exists()


def test_pickle_cannot_change_its_reader():
    """BUILD with a pair as state sets attributes of whatever lies on the stack, classes included."""
    for name in (b'numpy\nndarray', b'numpy\ndtype', b'mmengine.structures.instance_data\nInstanceData'):
        attack = b'\x80\x02c' + name + b'\nN}X\x05\x00\x00\x00arrayK\x01s\x86b.'
        pickletools.dis(attack, out=open(os.devnull, 'w'))
        with pytest.raises(ProposalError):
            load_plain_pickle(attack, 'bad.pkl')
    array = np.arange(3)
    assert load_plain_pickle(pickle.dumps(array), 'x.pkl').array.tolist() == [0, 1, 2]


def test_names_in_a_pickle_stay_in_one_line():
    attack = b'\x80\x04\x8c\x06o\nsys\x1b\x8c\x05pop\nn\x93.'
    with pytest.raises(ProposalError, match=r'asks for o\\nsys\\x1b\.pop\\nn, which'):
        load_plain_pickle(attack, 'bad.pkl')


def test_damaged_pickles(tmp_path, images, store):
    export_mmdet(store, images.root, tmp_path / 'a.pkl')
    content = (tmp_path / 'a.pkl').read_bytes()
    path = tmp_path / 'cut.pkl'
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        with pytest.raises(ProposalError, match=r'cut\.pkl'):
            import_mmdet(path, images, tmp_path / 'b.h5')
    rng = np.random.default_rng(0)
    for position in rng.integers(0, len(content), 300):
        damaged = bytearray(content)
        damaged[position] = rng.integers(256)
        try:
            load_plain_pickle(bytes(damaged), path)
        except ProposalError:
            pass


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        ('text', 'no MMDetection proposal file'),
        ({}, 'no proposals for one/a.jpg'),
        ({key: [1, 2] for key in KEYS}, 'no boxes in an array'),
        ({key: np.zeros((3, 7)) for key in KEYS}, 'shape'),
        ({key: np.array([[0, 0, 90, 90]]) for key in KEYS}, 'leaves the image'),  # another image's
    ],
)
def test_pickles_that_do_not_fit(tmp_path, images, content, words):
    (tmp_path / 'a.pkl').write_bytes(pickle.dumps(content))
    with pytest.raises(ProposalError, match=words):
        import_mmdet(tmp_path / 'a.pkl', images, tmp_path / 'b.h5')
    assert not list(tmp_path.glob('b.h5*'))


def test_export_of_images_that_mmdet_cannot_tell_apart(tmp_path):
    with ProposalWriter(tmp_path / 'a.h5', {}) as writer:
        for key in ('a/x/1.jpg', 'b/x/1.jpg', 'b/x/1.png'):
            writer.add(key, Proposals(np.zeros((0, 4)), np.zeros(0), 5, 5), identify(b''))
    with ProposalStore(tmp_path / 'a.h5') as store:
        with pytest.raises(ProposalError, match=r'x/1\.jpg'):
            export_mmdet(store, tmp_path, tmp_path / 'a.pkl')
        with pytest.raises(ProposalError, match='extension'):
            export_rcnn(store, tmp_path / 'a.mat')
    assert [file.name for file in tmp_path.iterdir()] == ['a.h5']


def test_rcnn_and_back(tmp_path, images, store):
    export_rcnn(store, tmp_path / 'a.mat')
    content = scipy.io.loadmat(tmp_path / 'a.mat')
    assert [str(cell.item()) for cell in content['images'].ravel()] == ['a', 'b', 'c']
    # A box over the whole image, from pixel 1 to the last, rows first.
    assert content['boxes'][0, 0][0].tolist() == [1, 1, 40, 50]
    import_rcnn(tmp_path / 'a.mat', images, tmp_path / 'b.h5')
    assert_same(ProposalStore(tmp_path / 'b.h5'), store)


def test_rcnn_files_that_do_not_fit(tmp_path, images, store):
    path = tmp_path / 'a.mat'
    export_rcnn(store, path)
    whole = path.read_bytes()
    for content, words in [
        (b'', 'no selective search file'),
        (whole[:200], 'no selective search file'),
        (b'MATLAB 7.3 MAT-file'.ljust(124) + b'\x00\x02IM', '7.3'),
    ]:
        path.write_bytes(content)
        with pytest.raises(ProposalError, match=words):
            import_rcnn(path, images, tmp_path / 'b.h5')
    scipy.io.savemat(path, {'boxes': np.zeros((3, 4))})
    with pytest.raises(ProposalError, match='no selective search file'):
        import_rcnn(path, images, tmp_path / 'b.h5')
    path.write_bytes(whole)
    with pytest.raises(ProposalError, match='no boxes for two/d'):
        import_rcnn(path, Images(images.root, ['two/d.jpg']), tmp_path / 'b.h5')
    assert not list(tmp_path.glob('b.h5*'))


def test_odd_pickles_are_one_sentence(tmp_path, images):
    pairs = b''.join(b'q' + bytes([level]) + b'h' + bytes([level]) + b'\x86' for level in range(60))
    instance = b'cmmengine.structures.instance_data\nInstanceData\n)\x81}'
    named = b'X\x09\x00\x00\x00one/a.jpg'
    attacks = {
        'a key that is never hashed': b'\x80\x02}K\x01' + pairs + b'K\x01s.',
        'a place in the memo': b'\x80\x02}r\xff\xff\xff\x7f.',
        'an attribute that is no text': b'\x80\x02}' + named + instance + b'K\x01K\x02\x86K\x03sbs.',
        'an attribute that is a number': b'\x80\x02}' + named + instance + b'K\x01K\x03sbs.',
    }
    for attack in attacks.values():
        path = tmp_path / 'bad.pkl'
        path.write_bytes(attack)
        with pytest.raises(ProposalError, match=r'bad\.pkl') as caught:
            import_mmdet(path, images, tmp_path / 'b.h5')
        assert '\n' not in str(caught.value)
