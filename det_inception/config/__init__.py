"""The project's configs: command-line overrides and their checks, classes that are read from data."""

import det_inception.compat  # noqa: F401  (first: MMDetection cannot be imported without it)
