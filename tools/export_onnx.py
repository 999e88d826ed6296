#!/usr/bin/env python3
"""Writes a trained region classifier as an ONNX file: crops in, scores and box deltas out."""

import argparse

from mmengine.config import DictAction

from det_inception.cli.common import run
from det_inception.config.loading import load_config
from det_inception.inference.acceleration.onnx_export import export_onnx
from det_inception.registry import MODELS
from det_inception.weights.checkpoints import load_detectors, read_checkpoint, require_classes


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__ + ' What makes such crops (size, context, mean, std) and the names of the classes are in '
        "the file's metadata.",
        epilog='Example: tools/export_onnx.py configs/googlenet_rcnn_mini.py checkpoints/googlenet_rcnn_mini.pth '
        'mini.onnx',
    )
    parser.add_argument('config', help='config file that the checkpoint was trained with')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('out', metavar='FILE.onnx', help='file to write')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='settings that override the config'
    )
    args = parser.parse_args()
    classes = require_classes(read_checkpoint(args.checkpoint), args.checkpoint)
    cfg = load_config(args.config, options=args.cfg_options, checkpoint=args.checkpoint)
    model = MODELS.build(cfg.model)
    load_detectors(model, [args.checkpoint])
    export_onnx(model.eval(), args.out, classes)
    print(f'{args.out}: {len(classes)} classes, crops of {model.region_warp.size} pixels')


if __name__ == '__main__':
    run(main)
