#!/usr/bin/env python3
"""Tests a detector or a classifier: ``det-inception test``."""

from det_inception.cli.common import run
from det_inception.cli.test import main

if __name__ == '__main__':
    run(main)
