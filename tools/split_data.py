#!/usr/bin/env python3
"""Splits a data set: ``det-inception split``."""

from det_inception.cli.common import run
from det_inception.cli.split import main

if __name__ == '__main__':
    run(main)
