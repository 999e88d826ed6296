"""Runs of a writer, and what must hold after each."""

from __future__ import annotations

import shutil
from pathlib import Path

from machine import Machine
from writers import Writer

from det_inception.utils.errors import InputError


class Trials:
    """Runs of a writer, each on a fresh copy of what is there before."""

    def __init__(self, writer: Writer, folder: Path) -> None:
        self.writer, self.before, self.out = writer, folder / 'before', folder / 'out'
        writer.prepared = folder / 'prepared'
        writer.prepared.mkdir()
        self.before.mkdir()
        writer.prepare(writer.prepared)
        writer.write(self.before, 'old')
        self.old = writer.content(self.before)
        self.reset()
        with self.machine().running() as machine:
            writer.write(self.out, 'new')
        self.steps = machine.steps
        self.new = writer.content(self.out)
        assert self.new != self.old

    def machine(self, step: int | None = None, fault: str = 'killed') -> Machine:
        return Machine(self.out, step, fault, self.writer.suffixes)

    def reset(self) -> None:
        shutil.rmtree(self.out, ignore_errors=True)
        shutil.copytree(self.before, self.out)

    def require_whole(self, where: str) -> None:
        found = self.writer.content(self.out)
        for name in found.keys() | self.old.keys():
            allowed = [self.old.get(name), self.new.get(name)]
            allowed += [None] if name.startswith(self.writer.may_lack) else []
            assert found.get(name) in allowed, f'{where}: {name} is neither what it was nor complete'

    def require_same_after_another_run(self, where: str) -> None:
        self.writer.write(self.out, 'new')
        assert self.writer.content(self.out) == self.new, f'{where}: a second run ends otherwise'
        left = [path for path in self.out.rglob('.*') if path.is_dir()]
        assert not left, f'{where}: {left} is left behind'

    def fail(self, where: str) -> bool:
        """Runs the writer on a disk that refuses; returns whether it got all done."""
        try:
            self.writer.write(self.out, 'new')
            succeeded = True
        except InputError as error:
            succeeded = False
            assert not self.writer.never_fails
            said = str(error)
            assert said.startswith(str(self.out)) and said.endswith('.') and '\n' not in said, f'{where}: {said}'
            assert '.tmp' not in said, f'{where}: {said}'
        left = list(self.out.rglob('.*'))
        assert not left, f'{where}: {left} is left behind'
        return succeeded
