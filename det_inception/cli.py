"""What the command-line tools share: a user's mistake ends in one sentence, not in a traceback."""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Callable

from det_inception.errors import InputError

_IN_WORKER = re.compile(r'^Caught \w+ in .*?\nOriginal Traceback.*\n[\w.]+: (.*)', re.DOTALL)
_UNKNOWN_TYPE = re.compile(r"'?\"?([\w.]+) is not in the ([\w:]+)? ?registry")


def run(main: Callable[[], int | None]) -> None:
    """Runs a tool and ends the process.

    Exit status 0 on success, 2 for an :class:`InputError`, 130 for Ctrl-C. Other exceptions are faults of the program:
    they keep their traceback, as they do for everything with ``DET_INCEPTION_TRACEBACK=1``.
    """
    try:
        sys.exit(main() or 0)
    except KeyboardInterrupt:
        print('\nInterrupted.', file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        sentence = explain(error)
        if sentence is None or os.environ.get('DET_INCEPTION_TRACEBACK') == '1':
            raise
        print(f'error: {sentence}', file=sys.stderr)
        sys.exit(2)


def explain(error: BaseException) -> str | None:
    """Returns the sentence for a user's mistake, or None for a fault of the program.

    MMEngine's registries raise a new exception of the same type around the original, and a data loader's worker sends
    its traceback as the message; both are looked through.
    """
    chain = [error]
    while chain[-1].__cause__ or chain[-1].__context__:
        chain.append(chain[-1].__cause__ or chain[-1].__context__)
    for link in reversed(chain):
        if isinstance(link, InputError):
            message = link.args[0] if link.args else ''
            in_worker = _IN_WORKER.match(str(message))
            return in_worker.group(1).strip() if in_worker else str(message)
        if isinstance(link, KeyError) and (unknown := _UNKNOWN_TYPE.search(str(link))):
            return _unknown_type(unknown.group(1))
    return None


def _unknown_type(name: str) -> str:
    from mmengine.registry import MODELS as ROOT
    from mmengine.registry import root as registries

    known: set[str] = set()
    for attribute in vars(registries).values():
        if hasattr(attribute, 'module_dict'):
            known.update(attribute.module_dict)
            for child in attribute.children.values():
                known.update(child.module_dict)
    del ROOT
    close = difflib.get_close_matches(name, known, n=1)
    hint = f'did you mean {close[0]!r}?' if close else 'correct it, or import the module that registers it.'
    return f'the config asks for type={name!r}, which nothing registers; {hint}'
