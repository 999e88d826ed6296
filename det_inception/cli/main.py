"""The console command ``det-inception``: finds the subcommand and runs it.

Every subcommand is a module of this package with ``parse_args()`` and ``main()``. A module imports nothing but the
standard library at its top; ``main()`` imports the rest behind ``parse_args()``, so that ``--help`` answers at once.
"""

from __future__ import annotations

import difflib
import importlib
import sys

from det_inception.cli.common import run
from det_inception.utils.errors import InputError
from det_inception.version import __version__

COMMANDS = {
    'train': 'train a detector or a classifier',
    'test': 'test one and print its score',
    'detect': 'find objects in images and videos',
    'serve': 'serve a page and an HTTP address that find objects in photos',
    'check': 'say what is in a data set and what is wrong with it',
    'split': 'split a data set for training and validation',
    'propose': 'make, merge, import and export region proposals',
    'recall': 'measure how much of the ground truth proposals cover',
    'score': 'score a submission file by the official ILSVRC rules',
    'score-photos': 'score a detector on photos with DET ground truth',
    'report': 'write the report of a test once more, from its numbers',
    'compare': 'say whether one run is better than another',
    'zoo': "say which of MMDetection's configs work on this machine",
    'curves': 'draw loss and mAP of training runs',
    'train-ensemble': 'train the members of an ensemble',
    'train-svm': "train R-CNN's SVMs and box regression on a network's features",
    'priors': 'compute the priors of MultiBox',
    'convert': 'convert public GoogLeNet weights',
    'publish': 'reduce a training checkpoint to what is needed to use it',
    'export': 'write a detector as an ONNX or OpenVINO file',
    'mini': 'draw a small data set',
    'modules': 'print what inception modules cost, naive and reduced',
    'demo': 'show on photos and on a drawn data set what this can do',
}


def usage() -> str:
    """Returns the list of subcommands, one per line."""
    lines = '\n'.join(f'  {name:<16}{what}' for name, what in COMMANDS.items())
    return f'usage: det-inception COMMAND ...\n\n{lines}\n\nEvery command explains itself: det-inception COMMAND --help'


def main() -> int | None:
    """Runs the subcommand that the command line names."""
    name, *rest = sys.argv[1:] or ['--help']
    if name in ('-h', '--help'):
        print(usage())
        return 0
    if name == '--version':
        print(__version__)
        return 0
    if name not in COMMANDS:
        close = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f'did you mean {close[0]!r}?' if close else f'choose one of {", ".join(COMMANDS)}.'
        raise InputError(f'there is no command {name!r}; {hint}')
    sys.argv = [f'det-inception {name}', *rest]  # argparse takes the program's name from here.
    return importlib.import_module(f'det_inception.cli.{name.replace("-", "_")}').main()


def entry_point() -> None:
    """What the installed command calls."""
    run(main)


if __name__ == '__main__':
    entry_point()
