"""The fixture that runs a tool."""

import importlib.util
import sys
from pathlib import Path

import pytest

from det_inception.cli import common as cli
from det_inception.engine.hooks import work_folder

REPO = Path(__file__).resolve().parent.parent.parent


class Tool:
    """Runs a tool in this process, as its script would run.

    Trainings write no report and draw no diagrams, to save the time.
    """

    def __init__(self, monkeypatch, capfd):
        self.monkeypatch, self.capfd = monkeypatch, capfd
        for name in ('plot_labels', 'plot_training'):
            monkeypatch.setattr(work_folder, name, lambda *_: None)

    def __call__(self, name, *arguments, options=(), folder='tools'):
        """Returns exit status, standard output and standard error."""
        module = self.load(name, folder)
        arguments = [*arguments, '--no-report'] if name == 'train' else arguments
        argv = [f'{folder}/{name}.py', *map(str, arguments), *(['--cfg-options', *options] if options else [])]
        self.monkeypatch.setattr(sys, 'argv', argv)
        self.capfd.readouterr()
        with pytest.raises(SystemExit) as stop:
            cli.run(module.main)
        return stop.value.code, *self.capfd.readouterr()

    def load(self, name, folder='tools'):
        """Returns a tool's script as a module."""
        path = REPO / folder / f'{name}.py'
        self.monkeypatch.syspath_prepend(path.parent)  # As Python does for a script.
        spec = importlib.util.spec_from_file_location(f'tool_{name}', path)
        module = importlib.util.module_from_spec(spec)
        self.monkeypatch.setitem(sys.modules, spec.name, module)  # Dataclasses look their module up.
        spec.loader.exec_module(module)
        return module

    def refused(self, name, *arguments, options=(), folder='tools'):
        """Returns the one sentence with which a tool refuses."""
        status, _, stderr = self(name, *arguments, options=options, folder=folder)
        assert status == 2, (status, stderr)
        assert 'Traceback' not in stderr
        sentence = [line for line in stderr.splitlines() if line.startswith('error: ')]
        assert len(sentence) == 1 and stderr.rstrip().endswith(sentence[0]), stderr
        return sentence[0].removeprefix('error: ')


@pytest.fixture
def tool(monkeypatch, capfd):
    return Tool(monkeypatch, capfd)
