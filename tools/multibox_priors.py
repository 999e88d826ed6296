#!/usr/bin/env python3
"""Computes the priors of MultiBox: ``det-inception priors``."""

from det_inception.cli.common import run
from det_inception.cli.priors import main

if __name__ == '__main__':
    run(main)
