"""Settings as the command line gives them: ``KEY=VALUE`` words."""

from __future__ import annotations

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
    settings = {}
    for word in words or ():
        key, equals, value = word.partition('=')
        if not equals or not all(part.strip() for part in key.split('.')):
            raise InputError(f'--cfg-options {word}: is no KEY=VALUE, such as randomness.seed=1.')
        try:
            settings[key] = DictAction._parse_iterable(value)
        except (AssertionError, ValueError, RecursionError) as error:
            raise InputError(f'--cfg-options {word}: the value cannot be read; close its brackets.') from error
    return settings
