#!/usr/bin/env python3
"""Says which of MMDetection's own configs work on this machine: ``det-inception zoo``."""

from det_inception.cli.common import run
from det_inception.cli.zoo import main

if __name__ == '__main__':
    run(main)
