#!/usr/bin/env python3
"""Trains a detector or a classifier: ``det-inception train``."""

from det_inception.cli.common import run
from det_inception.cli.train import main

if __name__ == '__main__':
    run(main)
