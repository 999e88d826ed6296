"""Runs a function in a process of its own, which may neither take too long nor too much memory."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection

from det_inception.utils.memory import limited_memory

START = 'fork' if 'fork' in multiprocessing.get_all_start_methods() else 'spawn'
"""A forked process has all imports already."""


def in_child(
    function: Callable[..., dict], *arguments: object, seconds: float, memory: int | None, folder: str
) -> dict:
    """Returns what a function returns, or ``error`` where its process ends before.

    Args:
        function: One that can be pickled.
        arguments: Its arguments.
        seconds: Longest time.
        memory: Most bytes beyond what this process has, on Linux alone; None: no limit.
        folder: Its working directory.
    """
    context = multiprocessing.get_context(START)
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_work, args=(sender, function, arguments, memory, folder), daemon=True)
    child.start()
    sender.close()
    try:
        if not receiver.poll(seconds):
            return dict(error=f'takes more than {seconds:g} seconds')
        return receiver.recv()
    except EOFError:
        child.join()
        return dict(error=_death(child.exitcode))
    finally:
        child.kill()
        child.join()
        receiver.close()


def _death(status: int) -> str:
    if status >= 0:
        return f'its process ended with status {status}'
    return f'its process was ended by {signal.Signals(-status).name}'


def _work(sender: Connection, function: Callable[..., dict], arguments: tuple, memory: int | None, folder: str) -> None:
    os.chdir(folder)
    # What models print is none of the survey's business.
    with open(os.devnull, 'w') as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        try:
            with limited_memory(memory) if memory else contextlib.nullcontext():
                result = function(*arguments)
        except MemoryError:
            result = dict(error='MemoryError: takes more memory than it may')
    sender.send(result)
    sender.close()
