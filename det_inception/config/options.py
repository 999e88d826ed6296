"""Settings as the command line gives them: ``KEY=VALUE`` words."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence

from mmengine.config import DictAction

from det_inception.utils.errors import InputError


def read_options(words: Sequence[str] | None) -> dict:
    """Returns the settings that words such as ``model.bbox_head.num_classes=3`` give, read as MMEngine reads them.

    Args:
        words: Each ``KEY=VALUE``; the value is a number, ``True``, ``None``, text, or a list or tuple of these.

    Raises:
        InputError: A word is no ``KEY=VALUE``, or its brackets do not close.
    """
    reader = ArgumentParser()
    reader.add_argument('--cfg-options', nargs='*', action=DictAction)
    settings = {}
    for word in words or ():
        key, equals, _ = word.partition('=')
        if not key or not equals:
            raise InputError(f'--cfg-options {word}: is no KEY=VALUE, such as randomness.seed=1.')
        try:
            settings.update(reader.parse_args(['--cfg-options', word]).cfg_options)
        except (AssertionError, ValueError) as error:
            raise InputError(f'--cfg-options {word}: the value cannot be read; close its brackets.') from error
    return settings
