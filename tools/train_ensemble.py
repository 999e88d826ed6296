#!/usr/bin/env python3
"""Trains the members of an ensemble: ``det-inception train-ensemble``."""

from det_inception.cli.common import run
from det_inception.cli.train_ensemble import main

if __name__ == '__main__':
    run(main)
