#!/usr/bin/env python3
"""Draws loss and mAP of training runs: ``det-inception curves``."""

from det_inception.cli.common import run
from det_inception.cli.curves import main

if __name__ == '__main__':
    run(main)
