"""What a training or a test prints: a few lines, and one that moves. All else goes to the log file."""

from __future__ import annotations

import contextlib
import datetime
import logging
import os
import sys
import time
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from types import FrameType

import rich.console
from mmengine.dist import is_main_process
from mmengine.logging import MMLogger
from rich.progress import BarColumn, Progress, TextColumn

from det_inception.compat.warnings import is_silenced
from det_inception.utils.terminal import escape_controls, plain_stream

PLAIN_SECONDS = 60
"""Without a terminal, the state of a long run is printed this often at most, and a hundred times in all."""

TERMINAL_SECONDS = 0.25


class Console:
    """Lines for a person, and the state of a run: a line that moves on a terminal, now and then a line elsewhere.

    Only the first of several processes prints. A terminal obeys some characters of names: they are written out.

    Args:
        live: Whether the state may move; not where other lines come between.
    """

    def __init__(self, live: bool = True) -> None:
        self._console = rich.console.Console(file=plain_stream(sys.stdout), markup=False, highlight=False, emoji=False)
        self._live = live and self._console.is_terminal
        self._progress: Progress | None = None
        self._shown = self._started = time.monotonic()

    def say(self, text: str = '') -> None:
        """Prints a text of one line or more."""
        if _is_first():
            self._console.print(escape_controls(text), soft_wrap=True)

    def state(self, text: str, done: int, total: int, left: float | None = None) -> None:
        """Shows how far a run is, where it is time to.

        Args:
            text: What it does.
            done: Steps of ``total``.
            left: Seconds to the end, for the pace of plain lines.
        """
        now = time.monotonic()
        if self._live and _is_first():
            if self._progress is None or now - self._shown >= TERMINAL_SECONDS or done == total:
                self._shown = now
                self._move(escape_controls(text), done, total)
        elif now - self._shown >= max(PLAIN_SECONDS, (now - self._started + (left or 0)) / 100):
            self._shown = now
            self.say(text)

    def milestone(self, text: str) -> None:
        """Prints a line where no line moves: on a terminal, the state says it already."""
        if not self._live:
            self._shown = time.monotonic()
            self.say(text)

    def close(self) -> None:
        """Ends the line that moves."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def _move(self, text: str, done: int, total: int) -> None:
        if self._progress is None:
            # Without a thread of its own: workers of data loaders are forked from this process.
            self._progress = Progress(
                BarColumn(20),
                TextColumn('{task.description}', markup=False),
                console=self._console,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._progress.start()
            self._progress.add_task(text)
        self._progress.update(self._progress.task_ids[0], description=text, completed=done, total=total)
        self._progress.refresh()


def _is_first() -> bool:
    """Whether this is the first of several processes, also before they have met."""
    return is_main_process() and os.environ.get('RANK', '0') == '0'


def duration(seconds: float) -> str:
    """Returns a time as ``1:02:03``."""
    return str(datetime.timedelta(seconds=max(0, round(seconds))))


class _Sorter(logging.Handler):
    """Passes records on to the log file, once there is one, and the warnings of this project to the console as well."""

    def __init__(self, console: Console, noted: set[str]) -> None:
        super().__init__()
        self._console = console
        self._file: logging.Handler | None = None
        # Of several processes only the first has a log file.
        self._waiting: deque[logging.LogRecord] = deque(maxlen=10_000)
        self._noted = noted

    def emit(self, record: logging.LogRecord) -> None:
        if is_silenced(record.getMessage()):
            return
        self.keep(record)
        if record.levelno >= logging.WARNING:
            self._note(record.getMessage())

    def keep(self, record: logging.LogRecord) -> None:
        """Writes a record to the log file."""
        if self._file is None:
            self._waiting.append(record)
        else:
            self._file.handle(record)

    def open(self, file: logging.Handler) -> None:
        """Takes a log file, for what waits and what comes."""
        self._file = file
        for record in self._waiting:
            file.handle(record)
        self._waiting.clear()

    def _note(self, message: str) -> None:
        """Shows a warning that this project gives, once; a reader can act on it."""
        if message not in self._noted and _is_ours(sys._getframe(1)):
            self._noted.add(message)
            self._console.say(f'note: {message.strip()}')


class _ConsolePart(_Sorter):
    """Takes the place of a logger's own console, beside its log file."""

    def keep(self, record: logging.LogRecord) -> None:
        """Leaves the record to the log file's own handler."""


class _Written:
    """A stream whose lines go to the log file: what other packages print."""

    def __init__(self, sorter: _Sorter) -> None:
        self._sorter = sorter

    def write(self, text: str) -> int:
        for line in text.splitlines():
            if line.strip():
                self._sorter.keep(logging.LogRecord('print', logging.INFO, '', 0, line, (), None))
        return len(text)

    def flush(self) -> None:
        """Does nothing: the log file is written line by line."""

    def isatty(self) -> bool:
        return False


_open: _Quiet | None = None


class _Quiet:
    """The places in which other packages speak, each turned to the log file, and turned back."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._noted: set[str] = set()
        self._sorter = _Sorter(console, self._noted)
        self._turned: list[tuple[list, logging.Handler, logging.Handler]] = []

    def turn(self, logger: logging.Logger, of_run: bool = True) -> None:
        """Takes the console from a logger; the log file of that of the run is the one for all."""
        files = [handler for handler in logger.handlers if of_run and isinstance(handler, logging.FileHandler)]
        part = _ConsolePart(self._console, self._noted) if files else self._sorter
        for number, handler in enumerate(logger.handlers):
            if type(handler) is logging.StreamHandler:
                logger.handlers[number] = part
                self._turned.append((logger.handlers, part, handler))
        for file in files:
            self._sorter.open(file)

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        root = logging.getLogger()
        with contextlib.ExitStack() as stack:
            self.turn(MMLogger.get_current_instance(), of_run=False)
            root.addHandler(self._sorter)
            stack.callback(self._turn_back)
            stack.callback(root.removeHandler, self._sorter)
            stack.enter_context(contextlib.redirect_stdout(_Written(self._sorter)))
            stack.enter_context(warnings.catch_warnings())
            warnings.showwarning = self._warn
            yield

    def _warn(self, message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: object) -> None:
        text = f'{filename}:{lineno}: {category.__name__}: {message}'
        self._sorter.emit(logging.LogRecord('warnings', logging.WARNING, filename, lineno, text, (), None))

    def _turn_back(self) -> None:
        for handlers, part, before in self._turned:
            handlers[handlers.index(part)] = before


@contextlib.contextmanager
def quiet_console(verbose: bool = False) -> Iterator[Console]:
    """Keeps the console for a few lines; what MMEngine and others say goes to the log file of the run.

    Warnings of this project are shown as well, each once.

    Args:
        verbose: Everything is printed, as MMEngine does.

    Yields:
        Where to print.
    """
    global _open
    console = Console(live=not verbose)
    try:
        if verbose:
            yield console
        else:
            _open = _Quiet(console)
            with _open():
                yield console
    finally:
        _open = None
        console.close()


def turn_to_file(logger: logging.Logger) -> None:
    """Lets a new logger leave the console alone, where :func:`quiet_console` asks for that."""
    logger.filters.append(lambda record: not is_silenced(record.getMessage()))
    if _open is not None:
        _open.turn(logger)


def _is_ours(frame: FrameType | None) -> bool:
    """Whether a record comes from this project: the first speaker that is no part of logging decides."""
    for name in _speakers(frame):
        if name != __name__ and name.split('.')[0] not in ('logging', 'warnings') and name != 'mmengine.logging.logger':
            return name.startswith('det_inception.')
    return False


def _speakers(frame: FrameType | None) -> Iterable[str]:
    while frame is not None:
        yield frame.f_globals.get('__name__', '')
        frame = frame.f_back
