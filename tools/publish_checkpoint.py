#!/usr/bin/env python3
"""Reduces a training checkpoint to what is needed to use it: ``det-inception publish``."""

from det_inception.cli.common import run
from det_inception.cli.publish import main

if __name__ == '__main__':
    run(main)
