#!/usr/bin/env python3
"""Writes a region classifier as an ONNX file: ``det-inception export``."""

from det_inception.cli.common import run
from det_inception.cli.export import main

if __name__ == '__main__':
    run(main)
