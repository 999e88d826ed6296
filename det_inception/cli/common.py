"""What the command-line tools share: options, and that a user's mistake ends in one sentence, not in a traceback."""

from __future__ import annotations

import argparse
import difflib
import errno
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from det_inception.utils.errors import InputError, printable
from det_inception.utils.terminal import printable_output

_IN_WORKER = re.compile(r'^Caught \w+ in .*?\nOriginal Traceback.*\n[\w.]+: (.*)', re.DOTALL)
_UNKNOWN_TYPE = re.compile(r'([\w.]+) is not in the [\w: ]*registry')
# What a constructor raises when it gets a wrong argument.
_WRONG_ARGUMENT = (TypeError, ValueError, AssertionError, AttributeError, KeyError)
# What the machine refuses, and a user can mend.
_REFUSALS = tuple(getattr(errno, name) for name in 'ENOSPC EDQUOT EFBIG EIO EACCES EPERM EROFS ENAMETOOLONG'.split())


def add_speed_options(parser: argparse.ArgumentParser) -> None:
    """Adds ``--amp`` and ``--engine``, of which one may be given."""
    faster = parser.add_mutually_exclusive_group()
    faster.add_argument('--amp', action='store_true', help='mixed precision; bfloat16 on a CPU')
    faster.add_argument(
        '--engine',
        metavar='NAME[:PRECISION]',
        help='classify regions faster: auto (the fastest here), eager, fused, compile or openvino, in float32, '
        'bfloat16, float16 or int8, such as fused:bfloat16; see docs/speed.md',
    )


def add_detector_options(parser: argparse.ArgumentParser) -> None:
    """Adds what chooses a trained detector and where it computes; see :func:`chosen_detector`."""
    parser.add_argument('--config', help="config of the checkpoint; default with a checkpoint: the mini set's")
    parser.add_argument(
        '--checkpoint',
        nargs='+',
        help='trained detector, or several as an ensemble; default with a config: the included one of the same name',
    )
    parser.add_argument('--weights', metavar='FILE', help='ImageNet classifier for --classes det')
    parser.add_argument('--device', help='cpu, cuda, cuda:1, ...; default: a GPU where there is one')
    add_speed_options(parser)
    add_config_options(parser, 'settings that override the config')


def chosen_detector(args: argparse.Namespace) -> Any:
    """Builds the ``Detector`` that :func:`add_detector_options` and ``--classes`` describe."""
    from det_inception.config.options import read_options
    from det_inception.inference.demo import demo_detector

    return demo_detector(
        args.config,
        args.checkpoint,
        args.weights,
        args.classes,
        device=args.device,
        amp=args.amp,
        options=read_options(args.cfg_options),
        engine=args.engine,
    )


FORMAT_HELP = 'voc, coco, yolo, labelme or ilsvrc, where a folder may be several'


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """Adds ``--data-root`` and what may be said of the data in it; see :func:`data_options`."""
    parser.add_argument(
        '--data-root', metavar='DIR', help="folder of the data set, instead of the config's, in any known layout"
    )
    parser.add_argument('--format', metavar='NAME', help=FORMAT_HELP)
    parser.add_argument(
        '--val-share',
        type=float,
        metavar='SHARE',
        help='of a data set in one part, set this share of the images aside to validate on, such as 0.2; always the '
        'same ones',
    )


def data_options(args: argparse.Namespace) -> dict[str, Any]:
    """Returns ``--format`` and ``--val-share`` as options of a config."""
    given = dict(data_format=args.format, val_share=args.val_share)
    return {name: value for name, value in given.items() if value is not None}


def add_config_options(parser: argparse.ArgumentParser, help: str) -> None:
    """Adds ``--cfg-options``; :func:`det_inception.config.options.read_options` reads the words."""
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help=help)


def add_verbose_option(parser: argparse.ArgumentParser) -> None:
    """Adds ``--verbose``; :func:`det_inception.engine.console.quiet_console` takes it."""
    parser.add_argument('--verbose', action='store_true', help='print all that is in the log as well')


def add_launcher_options(parser: argparse.ArgumentParser) -> None:
    """Adds ``--launcher``, and the rank that PyTorch's former launcher passes on."""
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='job launcher')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


def require_output(path: str | Path | None, option: str) -> None:
    """Makes sure that a file can be written, before the work that it is for.

    Args:
        path: The file; None: nothing is to be written.
        option: What names it, for the message.

    Raises:
        InputError: It is a folder or a device, or its folder cannot be written to.
    """
    from det_inception.utils.files import require_no_device, require_writable

    if path is None:
        return
    if Path(path).is_dir():
        raise InputError(f'{path}: is a folder; name a file with {option}.')
    require_no_device(path, f'name a file with {option}')
    require_writable(Path(path).parent, f'{Path(path).name} cannot be written there', f'choose another {option}')


def run(main: Callable[[], int | None]) -> None:
    """Runs a tool and ends the process.

    Exit status 0 on success, 2 for an :class:`InputError`, 130 for Ctrl-C, 141 where nobody reads the output any more.
    Other exceptions are faults of the program: they keep their traceback, as they do for everything with
    ``DET_INCEPTION_TRACEBACK=1``.
    """
    logging.raiseExceptions = False  # A log on a full disk costs its lines, not a traceback for each.
    with printable_output():
        try:
            sys.exit(main() or 0)
        except KeyboardInterrupt:
            print('\nInterrupted.', file=sys.stderr)
            sys.exit(130)
        except BrokenPipeError:  # Of "... | head", which has read enough.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python writes the rest when it ends.
            sys.exit(141)
        except Exception as error:
            sentence = explain(error)
            if sentence is None or os.environ.get('DET_INCEPTION_TRACEBACK') == '1':
                raise
            print(f'error: {printable(sentence)}', file=sys.stderr)
            sys.exit(2)


def explain(error: BaseException) -> str | None:
    """Returns the sentence for a user's mistake, or None for a fault of the program.

    A user's mistakes are every :class:`InputError`, also one that another exception was raised for or that a data
    loader's worker sends, and what MMEngine raises while it builds something from a config.
    """
    for link in _chain(error):
        if isinstance(link, InputError):
            message = str(link.args[0]) if link.args else ''
            in_worker = _IN_WORKER.match(message)
            return in_worker.group(1).strip() if in_worker else message
        if getattr(link, 'explains_itself', False):  # As those of det_inception.compat, which imports no InputError.
            return str(link)
        if isinstance(link, KeyError) and (unknown := _UNKNOWN_TYPE.search(str(link))):
            return _unknown_type(unknown.group(1))
        if isinstance(link, OSError) and link.errno in _REFUSALS:
            room = '' if link.errno == errno.ENAMETOOLONG else 'make room, or '
            return f'{link.filename or "the disk"}: {link.strerror}; {room}choose another place.'
    if isinstance(error, _WRONG_ARGUMENT) and (built := _built_from_config(error)):
        reason = ' '.join(str(error).split())
        return (
            f"the config's {built} cannot be built ({type(error).__name__}: {reason}); correct its settings "
            '(DET_INCEPTION_TRACEBACK=1 shows more).'
        )
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _built_from_config(error: BaseException) -> str | None:
    """Names what MMEngine was building from the config when the error was raised in the constructor's arguments."""
    built = None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        function = frame.f_code.co_name
        if function == 'from_cfg':
            built = built or 'Runner'
        if frame.f_globals.get('__name__', '').startswith('mmengine.') and function.startswith('build_'):
            kind = frame.f_locals.get('obj_type')
            built = getattr(kind, '__name__', kind) or function.removeprefix('build_')
    return built


def _unknown_type(name: str) -> str:
    from mmengine.registry import Registry
    from mmengine.registry import root as registries

    known: set[str] = set()
    for registry in vars(registries).values():
        if isinstance(registry, Registry):
            known.update(registry.module_dict)
            for child in registry.children.values():
                known.update(child.module_dict)
    close = difflib.get_close_matches(name, known, n=1)
    hint = f'did you mean {close[0]!r}?' if close else 'correct it, or import the module that registers it.'
    return f'the config asks for type={name!r}, which nothing registers; {hint}'
