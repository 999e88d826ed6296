#!/usr/bin/env python3
"""Scores a detector on photos with DET ground truth: ``det-inception score-photos``."""

from det_inception.cli.common import run
from det_inception.cli.score_photos import main

if __name__ == '__main__':
    run(main)
