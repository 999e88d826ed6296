#!/usr/bin/env python3
"""Trains R-CNN's linear SVMs and box regression on a network's features: ``det-inception train-svm``."""

from det_inception.cli.common import run
from det_inception.cli.train_svm import main

if __name__ == '__main__':
    run(main)
