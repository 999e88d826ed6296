"""The console command: it finds its subcommands, answers at once, and says what it does not know."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from det_inception.cli import main as console
from det_inception.cli.common import run
from det_inception.version import __version__

REPO = Path(__file__).resolve().parent.parent.parent
TOOLS = sorted((REPO / 'tools').glob('*.py'))


def command(monkeypatch, capfd, *arguments):
    """Returns exit status, standard output and standard error of ``det-inception ARGUMENTS``."""
    monkeypatch.setattr(sys, 'argv', ['det-inception', *arguments])
    with pytest.raises(SystemExit) as stop:
        run(console.main)
    return stop.value.code, *capfd.readouterr()


@pytest.mark.parametrize('name', console.COMMANDS)
def test_every_command_explains_itself(name, monkeypatch, capfd):
    status, text, _ = command(monkeypatch, capfd, name, '--help')
    assert status == 0
    assert text.startswith(f'usage: det-inception {name} ')


def test_it_lists_its_commands_and_says_its_version(monkeypatch, capfd):
    for words in ((), ('--help',), ('-h',)):
        status, text, _ = command(monkeypatch, capfd, *words)
        assert status == 0 and all(f'  {name} ' in text for name in console.COMMANDS)
    assert command(monkeypatch, capfd, '--version')[:2] == (0, f'{__version__}\n')


@pytest.mark.parametrize(
    ('word', 'said'),
    [
        ('trian', "error: there is no command 'trian'; did you mean 'train'?\n"),
        ('7', "error: there is no command '7'; choose one of train, test, "),
        ('common', "error: there is no command 'common'; "),  # A module of the package that is no command.
    ],
)
def test_an_unknown_command_is_one_sentence(word, said, monkeypatch, capfd):
    status, _, error = command(monkeypatch, capfd, word)
    assert status == 2 and error.startswith(said)


@pytest.mark.parametrize('tool', TOOLS, ids=lambda path: path.stem)
def test_the_help_of_a_tool_costs_little(tool):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = subprocess.run([sys.executable, str(tool), '--help'], capture_output=True, text=True, timeout=60)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert result.returncode == 0, result.stderr
    # Processor time, which other processes do not lengthen much; a tool that imports torch takes six seconds.
    assert after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime < 1.5


@pytest.mark.parametrize('tool', TOOLS, ids=lambda path: path.stem)
def test_a_tool_is_a_thin_caller_of_a_command(tool):
    lines = [line for line in tool.read_text().splitlines() if line]
    module = next(line.split()[1] for line in lines if line.startswith('from det_inception.cli.') and 'main' in line)
    assert module.removeprefix('det_inception.cli.').replace('_', '-') in console.COMMANDS
    assert len(lines) <= 8


def test_names_that_the_terminal_cannot_show():
    """A name that is not UTF-8, a letter that ASCII lacks, and one that would color the terminal."""
    code = (
        'from det_inception.cli.common import run\n'
        'from det_inception.utils.errors import InputError\n'
        'def main():\n'
        '    print("caf\\udce9 \\u6f22")\n'
        '    raise InputError("a\\x1b[31m\\udce9.jpg: is none.")\n'
        'run(main)'
    )
    environment = dict(os.environ, PYTHONIOENCODING='ascii:strict')
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, env=environment, timeout=60)
    assert result.stdout == 'caf\\udce9 \\u6f22\n' and result.stderr == 'error: a\\x1b[31m\\udce9.jpg: is none.\n'
    assert result.returncode == 2
