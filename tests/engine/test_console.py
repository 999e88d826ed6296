"""What a person sees of a run, and what goes to the log file alone."""

import io
import logging
import sys
import warnings

import pytest
from mmengine.logging import MMLogger, print_log

from det_inception.compat.warnings import is_silenced
from det_inception.engine import console as module
from det_inception.engine.console import Console, duration, quiet_console, turn_to_file
from det_inception.engine.hooks.console import class_table
from det_inception.evaluation.metrics.samples import ClassScore
from det_inception.utils.terminal import PrintableStream


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets."""
    now = [1000.0]
    monkeypatch.setattr(module.time, 'monotonic', lambda: now[0])
    return now


@pytest.fixture
def output(monkeypatch):
    """Takes standard output over, as a command has it; pytest does so itself between fixtures and test."""

    def take() -> io.StringIO:
        below = io.StringIO()
        monkeypatch.setattr(sys, 'stdout', PrintableStream(below))
        return below

    return take


def make_logger(folder):
    logger = MMLogger.get_instance(f'test {folder}', log_file=str(folder / 'run.log'))
    turn_to_file(logger)
    return logger


def test_what_others_say_goes_to_the_log_file(output, tmp_path):
    out = output()
    before = sys.stdout, warnings.showwarning, list(logging.getLogger().handlers)
    first_logger = MMLogger.get_current_instance()
    handlers = list(first_logger.handlers)
    # As from a package of others, whose names these would be.
    others = dict(print_log=print_log, logging=logging, warnings=warnings, __name__='some.package')
    with quiet_console() as console:
        exec("print_log('before there is a file', 'current')", others)
        logger = make_logger(tmp_path)
        print('printed by others, 100 %s')
        exec("warnings.warn('a warning of others')", others)
        exec("logging.getLogger('some.package').warning('a log of others')", others)
        exec("print_log('another %s', 'current', logging.WARNING)", others)
        print_log('backbone.conv1.conv.weight is skipped since its requires_grad=False', 'current', logging.WARNING)
        print_log('3 boxes were dropped', 'current', logging.INFO)
        console.say('model')
    text = (tmp_path / 'run.log').read_text()
    said = [
        'before there is a file',
        'printed by others, 100 %s',
        'a warning of others',
        'a log of others',
        'another %s',
    ]
    assert [text.count(part) for part in said] == [1] * 5 and [text.index(part) for part in said] == sorted(
        text.index(part) for part in said
    )
    assert '3 boxes were dropped' in text and 'requires_grad' not in text
    assert out.getvalue() == 'model\n'
    # All is as it was, and what comes later is printed again.
    assert (sys.stdout, warnings.showwarning, list(logging.getLogger().handlers)) == before
    assert first_logger.handlers == handlers
    assert [type(handler) for handler in logger.handlers] == [logging.StreamHandler, logging.FileHandler]


def test_warnings_of_this_project_are_shown_once(output, tmp_path):
    out = output()
    speaker = dict(print_log=print_log, logging=logging, warnings=warnings, __name__='det_inception.datasets.detection')
    with quiet_console():
        exec("print_log('voc: 3 boxes\\x1b[2J were dropped', 'current', logging.WARNING)", speaker)
        make_logger(tmp_path)
        exec("print_log('voc: 3 boxes\\x1b[2J were dropped', 'current', logging.WARNING)", speaker)
        exec("logging.getLogger('det_inception.utils').warning('Numba compiles')", speaker)
        exec("warnings.warn('odd')", speaker)
    assert out.getvalue().splitlines() == [
        r'note: voc: 3 boxes\x1b[2J were dropped',
        'note: Numba compiles',
        'note: <string>:1: UserWarning: odd',
    ]
    assert 'voc: 3 boxes' in (tmp_path / 'run.log').read_text()


def test_verbose_leaves_everything_as_it_is(output, tmp_path):
    out = output()
    with quiet_console(verbose=True) as console:
        logger = make_logger(tmp_path)
        logger.handlers[0].stream = sys.stdout
        logger.info('the dump')
        logger.warning('"FileClient" will be deprecated in future. Please use io functions')
        console.say('model')
        print('printed')
    assert 'the dump' in out.getvalue() and 'FileClient' not in out.getvalue()
    assert out.getvalue().endswith('model\nprinted\n')


def test_an_error_ends_the_quiet(output):
    out = output()
    with pytest.raises(ZeroDivisionError), quiet_console():
        print(1 / 0)
    print('printed')
    assert out.getvalue() == 'printed\n'


def test_without_a_terminal_a_line_a_minute(output, clock):
    out = output()
    console = Console()
    for step in range(1, 301):
        clock[0] += 1
        console.state(f'step {step}', step, 300, 300 - step)
    console.milestone('epoch 1/1')
    console.close()
    assert out.getvalue().splitlines() == [*(f'step {step}' for step in (60, 120, 180, 240, 300)), 'epoch 1/1']


def test_of_a_long_training_a_hundred_lines(output, clock):
    out = output()
    console = Console()
    for minute in range(1, 50 * 60 + 1):
        clock[0] += 60
        console.state(f'minute {minute}', minute, 3000, 60 * (3000 - minute))
    assert len(out.getvalue().splitlines()) == 100


@pytest.mark.parametrize('rank, said', [('0', 'model\nstate\n'), ('1', '')])
def test_of_several_processes_the_first_speaks(rank, said, output, clock, monkeypatch):
    """A launcher says in RANK which one it is, also before they have met."""
    out = output()
    monkeypatch.setenv('RANK', rank)
    console = Console()
    console.say('model')
    clock[0] += 1000
    console.state('state', 1, 2, 0)
    assert out.getvalue() == said


def test_on_a_terminal_one_line_moves(monkeypatch, clock):
    terminal = Terminal()
    monkeypatch.setattr(sys, 'stdout', PrintableStream(terminal))
    monkeypatch.setenv('TERM', 'xterm')
    monkeypatch.setenv('COLUMNS', '80')
    console = Console()
    console.say('model\x1b[2J of cats')
    for step in range(1, 101):
        clock[0] += 0.05
        console.state(f'step {step} of 100, \x1b]0;title\x07', step, 100)
    console.milestone('never seen')
    console.close()
    text = terminal.getvalue()
    assert text.startswith('model\\x1b[2J of cats\n') and '\x1b]0;' not in text and 'never seen' not in text
    drawn = text.count('\\x1b]0;title\\x07')
    assert 15 <= drawn <= 30  # Four times a second of 5, and twice at the end.
    assert 'step 1 of 100' in text and 'step 100 of 100' in text and text.count('\n') <= 3
    assert len(Console(live=False)._console.file.getvalue().splitlines()) == len(text.splitlines())


@pytest.mark.parametrize(
    'message, silenced',
    [
        ('backbone.conv1.conv.weight is skipped since its requires_grad=False', True),
        ('"FileClient" will be deprecated in future. Please use io functions in https://x', True),
        ('"HardDiskBackend" is the alias of "LocalBackend" and the former will be deprecated in future.', True),
        ('own/train.txt: 3 boxes are empty or leave their image', False),
        ('the image is skipped since its requires_grad=False is wrong', False),
    ],
)
def test_what_is_silenced(message, silenced):
    assert is_silenced(message) == silenced


def test_times():
    assert [duration(seconds) for seconds in (-1, 0.4, 61, 3723.6, 90000)] == [
        '0:00:00', '0:00:00', '0:01:01', '1:02:04', '1 day, 1:00:00',
    ]  # fmt: skip


def test_of_many_classes_the_best_and_the_worst():
    scores = [ClassScore(f'class {number}', 1000 * number, number / 200) for number in range(200)]
    lines = class_table(scores).splitlines()
    assert len(lines) == 23 and lines[2].startswith('| class 199 | 199,000 | 0.995') and '| class 0 ' in lines[-2]
    assert lines[-1] == '180 classes between these are in the log.'
    assert len(class_table(scores[:20]).splitlines()) == 22
