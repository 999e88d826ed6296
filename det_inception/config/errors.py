"""The error of this room."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from det_inception.utils.errors import InputError, first_line


class ConfigError(InputError):
    """A config that cannot be used."""


@contextlib.contextmanager
def explain_config_errors(path: str | os.PathLike) -> Iterator[None]:
    """Turns what a setting of the wrong kind may raise, wherever it is used, into one sentence.

    Raises:
        ConfigError: Something was raised that names no file or setting.
    """
    try:
        yield
    except InputError:
        raise
    except (
        TypeError,
        ValueError,
        LookupError,
        AttributeError,
        ArithmeticError,
        AssertionError,
        RecursionError,
    ) as error:
        raise ConfigError(
            f'{path}: a setting of the config, or of --cfg-options, cannot be used ({type(error).__name__}: '
            f'{first_line(error)}); correct it (DET_INCEPTION_TRACEBACK=1 shows where).'
        ) from error
