"""The error of this room."""

from det_inception.utils.errors import InputError


class ConfigError(InputError):
    """A config that cannot be used."""
