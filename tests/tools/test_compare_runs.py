"""tools/compare_runs.py: which folders and files it takes, and what it says of them."""

import numpy as np
import pytest

from det_inception.evaluation.report import RUN_FILE, Annotations, EvalResults, Predictions, write_run


def write(folder, found, images=30, rules='voc'):
    """The report of a run with an object in each image, of which those in the first ``found`` images are found."""
    boxes = np.tile([10.0, 10, 50, 50], (images, 1))
    everywhere, labels = np.arange(images), np.arange(images) % 2
    run = EvalResults(
        class_names=('dog', 'cat'),
        image_names=tuple(f'{image}.jpg' for image in everywhere),
        predictions=Predictions(everywhere[:found], labels[:found], 1 - everywhere[:found] / 100, boxes[:found]),
        annotations=Annotations(everywhere, labels, boxes, np.zeros(images, bool)),
        rules=rules,
    )
    write_run(run, folder / RUN_FILE)
    return folder


def cells(line):
    return [cell.strip() for cell in line.strip('|').split('|')]


def test_two_runs(tool, tmp_path):
    one, two = write(tmp_path / 'one', 12), write(tmp_path / 'two', 24)
    status, stdout, _ = tool('compare_runs', one, two / RUN_FILE, '--classes', '--resamples', '50')
    lines = stdout.splitlines()
    assert status == 0 and lines[0] == 'Pascal VOC, IoU 0.5: 30 images, 30 objects, 50 resamples'
    assert cells(lines[4])[:2] == [str(one), '0.400'] and cells(lines[4])[3:] == ['', '']
    name, score, margin, difference, of_difference = cells(lines[5])
    assert (name, score, difference) == (str(two / RUN_FILE), '0.800', '+0.400')
    assert 0 < float(margin) < 0.3 and 0 < float(of_difference) < 0.3
    assert [cells(line)[1:3] for line in lines[-2:]] == [['dog', '+0.400'], ['cat', '+0.400']]


def test_what_cannot_be_compared(tool, tmp_path):
    one = write(tmp_path / 'one', 12)
    other = write(tmp_path / 'other', 12, images=29)
    sentence = tool.refused('compare_runs', one, other)
    assert f'{one} and {other}: ' in sentence and 'different images; compare runs of the same test data' in sentence
    (tmp_path / 'empty').mkdir()
    assert f'holds no {RUN_FILE}; name the folder of a report' in tool.refused('compare_runs', tmp_path / 'empty')
    assert 'cannot be read' in tool.refused('compare_runs', tmp_path / 'nowhere')
    (tmp_path / 'one' / RUN_FILE).write_bytes(b'PK')
    assert 'is no file of a test run' in tool.refused('compare_runs', one)


@pytest.mark.parametrize(
    ('arguments', 'message'), [(['a', 'a'], 'named twice'), (['a', '--resamples', '0'], 'at least 1'), ([], 'required')]
)
def test_wrong_options(tool, arguments, message):
    status, _, stderr = tool('compare_runs', *arguments)
    assert status == 2 and message in stderr
