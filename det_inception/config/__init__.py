"""The project's configs: command-line overrides and their checks, classes that are read from data."""

import det_inception.compat  # noqa: F401  (first: MMDetection cannot be imported without it)
from det_inception.config.loading import ConfigError, load_config, read_config

__all__ = ['ConfigError', 'load_config', 'read_config']
