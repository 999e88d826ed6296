"""A machine that fails or is switched off at a chosen step of what a program does to files.

A step is a ``write`` to a file, an ``fsync`` or a ``rename``, and, to be switched off at, the making and deleting of
files and folders. Python's own functions are replaced; a library that writes by itself, such as OpenCV, is not seen.
"""

from __future__ import annotations

import builtins
import contextlib
import errno
import io
import itertools
import os
import pathlib
from collections.abc import Callable, Iterator

import numpy as np

from det_inception.proposals.store_file import Sink

FAILING = ('write', 'fsync', 'rename')
"""What a disk refuses."""


class Machine:
    """Counts the steps below a folder, and goes wrong at one of them.

    Args:
        folder: Files elsewhere do not count.
        step: When, counted from 0; None: never.
        fault: ``'full'``: this and all further writes are refused. ``'broken'``: this step is refused. ``'killed'``:
            the process ends. Half of a write is done before.
        suffixes: Only files whose names end so count.
    """

    def __init__(
        self, folder: os.PathLike, step: int | None = None, fault: str = 'killed', suffixes: tuple[str, ...] = ('',)
    ) -> None:
        self.folder, self.step, self.fault = f'{os.path.realpath(folder)}{os.sep}', step, fault
        self.suffixes = suffixes
        self.steps: list[str] = []
        self.over = False

    def concerns(self, file: object) -> bool:
        if isinstance(file, int):
            file = os.readlink(f'/proc/self/fd/{file}')
        if not isinstance(file, (str, os.PathLike)) or not os.fspath(file).endswith(self.suffixes):
            return False
        return f'{os.path.realpath(file)}{os.sep}'.startswith(self.folder)

    def take(self, kind: str, file: object, halfway: Callable[[], object] = lambda: None) -> None:
        """Counts a step before it is done."""
        if self.over or not self.concerns(file):  # Files outlive it: a log's stays open until the next logger's.
            return
        number = len(self.steps)
        self.steps.append(kind)
        if self.step is None or number < self.step or (number > self.step and self.fault != 'full'):
            return
        if self.fault == 'full':
            if kind == 'write':
                halfway()
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        elif self.fault == 'broken':
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        else:
            halfway()
            os._exit(9)  # As with SIGKILL, nothing is flushed or cleaned up.

    @contextlib.contextmanager
    def running(self) -> Iterator[Machine]:
        machine, real_open = self, io.open

        class File(io.FileIO):
            def write(self, data):
                view = memoryview(data).cast('B')
                machine.take('write', self.fileno(), lambda: super(File, self).write(view[: len(view) // 2]))
                return super().write(data)

        def open_file(
            file, mode='r', buffering=-1, encoding=None, errors=None, newline=None, closefd=True, opener=None
        ):
            if not set(mode) & set('wax+') or not machine.concerns(file):
                return real_open(file, mode, buffering, encoding, errors, newline, closefd, opener)
            raw = File(file, mode.replace('b', '').replace('t', ''), closefd, opener)
            if buffering == 0:
                return raw
            buffered = io.BufferedRandom(raw) if '+' in mode else io.BufferedWriter(raw)
            return buffered if 'b' in mode else io.TextIOWrapper(buffered, encoding, errors, newline)

        def counted(kind, function):
            def step(file, *others, **named):
                machine.take(kind, file)
                return function(file, *others, **named)

            return step

        replaced = [
            (builtins, 'open', open_file),
            (io, 'open', open_file),
            (os, 'fsync', counted('fsync', os.fsync)),
            *((os, name, counted('rename', getattr(os, name))) for name in ('rename', 'replace')),
            *((os, name, counted('other', getattr(os, name))) for name in ('unlink', 'rmdir', 'mkdir')),
            (Sink, '__bases__', (File,)),
        ]
        kept = [(owner, name, getattr(owner, name)) for owner, name, _ in replaced]
        for owner, name, function in replaced:
            setattr(owner, name, function)
        try:
            yield self
        finally:
            self.over = True
            for owner, name, function in kept:
                setattr(owner, name, function)


def interesting(steps: list[str]) -> list[int]:
    """The numbers of the steps to go wrong at.

    All, but of many alike in a row the first two, a middle and the last; and a fourth of those far from both ends.
    """
    chosen, first = [], 0
    for _, group in itertools.groupby(steps):
        numbers = range(first, first := first + len(list(group)))
        few = [*numbers[:2], numbers[len(numbers) // 2], numbers[-1]]
        chosen += few if len(numbers) > len(few) else numbers
    return chosen if len(chosen) <= 24 else [*chosen[:8], *chosen[8:-8:4], *chosen[-8:]]


def in_a_child(work: Callable[[], object]) -> int:
    """Runs a function in a forked process; returns its exit status, 0 if it ended well, 9 if it was killed."""
    child = os.fork()
    if not child:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def content_of(folder: pathlib.Path) -> dict[str, bytes]:
    """The files below a folder, without those of a write that was cut off."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob('*'))
        if path.is_file() and not any(part.startswith('.') for part in path.relative_to(folder).parts)
    }


def one_box(image: np.ndarray) -> tuple[np.ndarray, None]:
    """A proposal method that workers import quickly."""
    return np.array([[0, 0, 1, 1]], np.float32), None
