#!/usr/bin/env python3
"""Scores a submission file by the official rules: ``det-inception score``."""

from det_inception.cli.common import run
from det_inception.cli.score import main

if __name__ == '__main__':
    run(main)
