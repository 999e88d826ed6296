#!/usr/bin/env python3
"""Finds objects in images: ``det-inception detect``."""

from det_inception.cli.common import run
from det_inception.cli.detect import main

if __name__ == '__main__':
    run(main)
