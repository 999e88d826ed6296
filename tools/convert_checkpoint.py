#!/usr/bin/env python3
"""Converts public GoogLeNet weights: ``det-inception convert``."""

from det_inception.cli.common import run
from det_inception.cli.convert import main

if __name__ == '__main__':
    run(main)
