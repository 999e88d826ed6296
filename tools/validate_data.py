#!/usr/bin/env python3
"""Says what is in a data set and what is wrong with it: ``det-inception check``."""

from det_inception.cli.check import main
from det_inception.cli.common import run

if __name__ == '__main__':
    run(main)
