#!/usr/bin/env python3
"""Draws the mini set, the detection set that the project makes itself: ``det-inception mini``."""

from det_inception.cli.common import run
from det_inception.cli.mini import main

if __name__ == '__main__':
    run(main)
