"""Runs a program of MMDetection, such as its tools, with the stand-in for MMCV's operators.

``python -m det_inception.compat.run tools/train.py configs/retinanet/retinanet_r50_fpn_1x_coco.py``
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

if __name__ == '__main__':  # A process that this one starts afresh imports the stand-in again, and runs nothing.
    if len(sys.argv) < 2 or not Path(sys.argv[1]).is_file():
        sys.exit('Usage: python -m det_inception.compat.run SCRIPT [ARGUMENT ...], where SCRIPT is a file of Python.')
    del sys.argv[0]
    __file__ = sys.argv[0]
    sys.path[0] = os.path.dirname(os.path.abspath(__file__))
    exec(compile(Path(__file__).read_bytes(), __file__, 'exec', dont_inherit=True))
