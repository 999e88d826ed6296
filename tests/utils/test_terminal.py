"""What reaches the terminal."""

import io
import subprocess
import sys

import pytest

from det_inception.cli.common import require_output, run
from det_inception.utils.errors import InputError
from det_inception.utils.terminal import escape_controls, printable_output

ESCAPES = ['\x1b]0;owned\x07', '\x1b[2J', '\x9b2J', '\x07', '\x08', '\u202e', '\x1bc', 'a\rb', '\x7f']


@pytest.mark.parametrize('escape', ESCAPES)
def test_controls_are_written_out(escape):
    said = escape_controls(f'name {escape}.jpg\n')
    assert said.isascii() and all(letter.isprintable() or letter == '\n' for letter in said)
    assert said.startswith('name ') and said.endswith('.jpg\n') and '\\' in said


def test_what_is_left_alone():
    for text in ('', 'plain\n', 'tab\tÄ 語 😀\r\n', '\r 50%|#####     | 1/2', '\r      \r'):
        assert escape_controls(text) == text
    assert escape_controls('\x1b[1m\x1b[31mINFO\x1b[0m') == 'INFO'


def test_a_command_prints_them_so(monkeypatch):
    bytes_out, bytes_err = io.BytesIO(), io.BytesIO()
    monkeypatch.setattr(sys, 'stdout', io.TextIOWrapper(bytes_out, 'ascii', write_through=True))
    monkeypatch.setattr(sys, 'stderr', io.TextIOWrapper(bytes_err, 'latin1', write_through=True))

    def main():
        print('dog \x1b[2J語')
        sys.stdout.writelines(['\x07', '\ud800'])
        raise InputError('r\x1b]0;x\x07語.jpg: is bad.')

    with pytest.raises(SystemExit) as stop:
        run(main)
    assert stop.value.code == 2
    assert bytes_out.getvalue() == b'dog \\x1b[2J\\u8a9e\n\\x07\\ud800'
    assert bytes_err.getvalue() == b'error: r\\x1b]0;x\\x07\\u8a9e.jpg: is bad.\n'


def test_streams_are_given_back(monkeypatch):
    before = sys.stdout, sys.stderr
    with printable_output():
        assert sys.stdout is not before[0] and sys.stdout.isatty() == before[0].isatty()
    assert (sys.stdout, sys.stderr) == before
    monkeypatch.setattr(sys, 'stdout', None)  # A program without a console.
    with printable_output():
        assert sys.stdout is None


def test_outputs_are_checked_before_the_work(tmp_path):
    require_output(None, '--out')
    require_output(tmp_path / 'new/a.json', '--out')
    with pytest.raises(InputError, match=r'is a folder; name a file with --out\.'):
        require_output(tmp_path, '--out')
    (tmp_path / 'file').touch()
    with pytest.raises(InputError, match=r'a\.json cannot be written there .*; choose another --out\.'):
        require_output(tmp_path / 'file/a.json', '--out')


def test_nobody_reads_the_output():
    main = 'for number in range(100_000): print(number)'
    program = f'from det_inception.cli.common import run\ndef main():\n    {main}\nrun(main)'
    with subprocess.Popen([sys.executable, '-c', program], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()
    assert process.returncode == 141 and not said
