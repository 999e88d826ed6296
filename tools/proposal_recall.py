#!/usr/bin/env python3
"""Measures the recall of proposals: ``det-inception recall``."""

from det_inception.cli.common import run
from det_inception.cli.recall import main

if __name__ == '__main__':
    run(main)
