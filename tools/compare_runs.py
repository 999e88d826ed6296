#!/usr/bin/env python3
"""Says whether one run is better than another: ``det-inception compare``."""

from det_inception.cli.common import run
from det_inception.cli.compare import main

if __name__ == '__main__':
    run(main)
