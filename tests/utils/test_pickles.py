"""What pickles build, known beforehand."""

import collections
import io
import pickle

import numpy as np
import pytest

from det_inception.utils.pickles import PickleError, scan_pickle

CONTENTS = {
    'plain': dict(
        a=[1, 2.5, None, True, 'text', b'bytes', 10**30], b=dict(c=((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)))
    ),
    'arrays': [dict(boxes=np.zeros((3, 4), np.float32), scores=np.ones(3))] * 5 + [np.float64(3)],
    'objects': collections.OrderedDict(a={1, 2}, b=frozenset((3,)), c=range(5), d=int),
    'shared': [(text := 'name' * 10, text)] * 2000,
}


@pytest.mark.parametrize('protocol', range(6))
@pytest.mark.parametrize('name', CONTENTS)
def test_sound_pickles_pass(name, protocol):
    file = io.BytesIO(pickle.dumps(CONTENTS[name], protocol) + b'more')
    assert list(scan_pickle(file)) and file.read() == b'more'


def bomb(depth, how=b'\x86'):
    """Pairs of pairs, or pairs in sets, of the same halves."""
    content = b'\x80\x04K\x01'
    for level in range(depth):
        content += b'\x94h' + bytes([level]) + how
    return content


def test_the_values_of_tuples_are_counted_as_often_as_they_occur():
    parts = [item.parts for _, item in scan_pickle(io.BytesIO(bomb(10) + b'.'))]
    assert parts[-1] == 2**11 - 1


ENDLESS = {
    'a tuple of itself': bomb(60) + b'.',
    'a key': b'\x80\x04}' + bomb(60)[2:] + b'K\x01s.',
    'twos and threes': bomb(60, b'2\x87') + b'.',
    'many keys of middle size': b'\x80\x04}' + bomb(15)[2:] + b'\x94' + b'h\x0fK\x01s' * 1000 + b'0.',
    'a place in the memo': b'\x80\x04K\x01r\xff\xff\xff\x7f.',
}


@pytest.mark.parametrize('name', ENDLESS)
def test_values_without_end_are_refused(name):
    with pytest.raises(PickleError):
        list(scan_pickle(io.BytesIO(ENDLESS[name])))


def test_damaged_ones_are_refused():
    whole = pickle.dumps(CONTENTS['plain'], 4)
    for length in range(len(whole)):
        with pytest.raises(PickleError):
            list(scan_pickle(io.BytesIO(whole[:length])))
    for content in (b'\x80\x04h\x05.', b'.', b'0.', b't.', b'\xff', b'\x8e' + b'\xff' * 8 + b'.'):
        with pytest.raises(PickleError):
            list(scan_pickle(io.BytesIO(content)))
