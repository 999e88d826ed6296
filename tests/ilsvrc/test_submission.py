"""Submission files: exact round trips, and malformed lines by number."""

import gzip
import lzma
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from det_inception.ilsvrc import DetectionTable, read_detections, write_detections
from det_inception.utils.errors import InputError

GOOD = '1 159 0.884664 119.976089 104.969680 446.638915 196.629038\n'

finite = st.floats(allow_nan=False, allow_infinity=False)
rows = st.lists(st.tuples(st.integers(1, 2**31), st.integers(1, 200), finite, st.lists(finite, min_size=4, max_size=4)))


@settings(max_examples=50, deadline=None)
@given(rows.filter(bool), st.sampled_from(['txt', 'gz', 'xz']))
def test_reading_gives_back_what_was_written(tmp_path_factory: pytest.TempPathFactory, entries: list, suffix: str):
    path = tmp_path_factory.mktemp('submission') / f'entry.{suffix}'
    written = DetectionTable(*(list(column) for column in zip(*entries)))
    write_detections(path, written)
    read = read_detections(path)
    for name in ('image_ids', 'class_ids', 'scores', 'boxes'):
        np.testing.assert_array_equal(getattr(read, name), getattr(written, name))


def test_reads_the_demo_submission(shared_data: Path):
    detections = read_detections(shared_data / 'ilsvrc_devkit' / 'demo.val.pred.det.txt.xz')
    assert len(detections) == 49013
    assert (detections.image_ids[0], detections.class_ids[0], detections.scores[0]) == (1, 159, 0.884664)
    assert detections.boxes[0].tolist() == [119.976089, 104.969680, 446.638915, 196.629038]


@pytest.mark.parametrize(
    'text',
    [
        GOOD,
        GOOD.rstrip(),  # no final line break
        '\n\n' + GOOD + '  \n',  # empty lines
        GOOD.replace(' ', '\t '),
        GOOD.replace('\n', '\r\n'),
        '\ufeff' + GOOD,  # a byte order mark, as Windows writes it
    ],
)
def test_harmless_variations_are_read(tmp_path: Path, text: str):
    path = tmp_path / 'entry.txt'
    path.write_bytes(text.encode())
    assert read_detections(path).boxes.tolist() == [[119.976089, 104.969680, 446.638915, 196.629038]]


def test_exponents_and_whole_numbers_are_read(tmp_path: Path):
    path = tmp_path / 'entry.txt'
    path.write_text('2 3 1e-5 0 -1 2 .5\n')
    assert read_detections(path).scores.tolist() == [1e-5]


# fmt: off
MALFORMED = {
    # what stands in line 4 -> what is said of it
    'too few': ('1 159 0.5 1 2 3', '6 fields instead of 7'),
    'too many': ('1 159 0.5 1 2 3 4 5', '8 fields instead of 7'),
    'commas': ('1,159,0.5,1,2,3,4', '1 fields instead of 7'),
    'header': ('image class score x1 y1 x2 y2', "image_index 'image' is no integer"),
    'fractional index': ('1.0 159 0.5 1 2 3 4', "image_index '1.0' is no integer"),
    'fractional class': ('1 15.9 0.5 1 2 3 4', "class_id '15.9' is no integer"),
    'huge index': ('99999999999999999999 1 0.5 1 2 3 4', 'is no integer'),
    'word': ('1 159 high 1 2 3 4', "confidence 'high' is no number"),
    'hexadecimal': ('1 159 0x1p-1 1 2 3 4', "confidence '0x1p-1' is no number"),
    'underscore': ('1 159 0.5 1_0 2 3 4', "xmin '1_0' is no number"),
    'NaN confidence': ('1 159 nan 1 2 3 4', 'confidence is nan, not a finite number'),
    'infinite confidence': ('1 159 -inf 1 2 3 4', 'confidence is -inf, not a finite number'),
    'overflowing': ('1 159 0.5 1 2 1e999 4', 'xmax is 1e999, not a finite number'),
    'index 0': ('0 159 0.5 1 2 3 4', 'image_index 0 is below 1'),
    'class 0': ('1 0 0.5 1 2 3 4', 'class_id 0 is not between 1 and 200'),
    'class 201': ('1 201 0.5 1 2 3 4', 'class_id 201 is not between 1 and 200'),
    'comment': ('# 1 2 3 4 5 6', "image_index '#' is no integer"),
    'binary': ('\x00\xff\x01', '1 fields instead of 7'),
}
# fmt: on


@pytest.mark.parametrize(('line', 'message'), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_line_is_named(tmp_path: Path, line: str, message: str):
    path = tmp_path / 'entry.txt'
    path.write_text(f'{GOOD}\n{GOOD}{line}\n{GOOD}', encoding='latin-1')  # the second line is empty
    with pytest.raises(InputError) as caught:
        read_detections(path)
    sentence = str(caught.value)
    assert sentence.startswith(f'{path}: 1 malformed line (line 4: ')
    assert message in sentence
    assert sentence.endswith(
        'every line must read "<image_index> <class_id> <confidence> <xmin> <ymin> <xmax> <ymax>".'
    )


def test_many_malformed_lines_are_counted(tmp_path: Path):
    path = tmp_path / 'entry.txt.gz'
    path.write_bytes(gzip.compress((GOOD + 'x\n' * 8).encode()))
    with pytest.raises(
        InputError, match=r'8 malformed lines \(line 2: .*; line 6: 1 fields instead of 7; and 3 more\)'
    ):
        read_detections(path)


@pytest.mark.parametrize('content', [b'', b'\n \n', gzip.compress(b'', mtime=0), lzma.compress(b'\n')])
def test_an_empty_submission_is_an_error(tmp_path: Path, content: bytes):
    path = tmp_path / 'entry.txt'
    path.write_bytes(content)
    with pytest.raises(InputError, match='holds no detection'):
        read_detections(path)


def test_a_truncated_submission_is_an_error(tmp_path: Path):
    path = tmp_path / 'entry.txt.xz'
    path.write_bytes(lzma.compress(GOOD.encode() * 10000)[:-30])
    with pytest.raises(InputError, match='truncated or damaged'):
        read_detections(path)


def test_classes_are_as_many_as_one_says(tmp_path: Path):
    path = tmp_path / 'entry.txt'
    path.write_text(GOOD)
    assert len(read_detections(path, num_classes=159)) == 1
    with pytest.raises(InputError, match='class_id 159 is not between 1 and 158'):
        read_detections(path, num_classes=158)
