#!/usr/bin/env python3
"""Makes, merges, imports and exports proposal stores: ``det-inception propose``."""

from det_inception.cli.common import run
from det_inception.cli.propose import main

if __name__ == '__main__':
    run(main)
