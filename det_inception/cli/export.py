"""Writes a trained region classifier as an ONNX file: crops in, scores and box deltas out."""

import argparse

from det_inception.cli.common import add_config_options, require_output


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__ + ' What makes such crops (size, context, mean, std) and the names of the classes are in '
        "the file's metadata.",
        epilog='Example: tools/export_onnx.py configs/googlenet_rcnn_mini.py checkpoints/googlenet_rcnn_mini.pth '
        'mini.onnx',
    )
    parser.add_argument('config', help='config file that the checkpoint was trained with')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('out', metavar='FILE.onnx', help='file to write')
    add_config_options(parser, 'settings that override the config')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    require_output(args.out, 'FILE.onnx')
    from det_inception.config.loading import load_config
    from det_inception.config.options import read_options
    from det_inception.inference.acceleration.onnx_export import export_onnx
    from det_inception.registry import MODELS
    from det_inception.weights.checkpoints import load_detectors, read_checkpoint, require_classes

    classes = require_classes(read_checkpoint(args.checkpoint), args.checkpoint)
    cfg = load_config(args.config, options=read_options(args.cfg_options), checkpoint=args.checkpoint)
    model = MODELS.build(cfg.model)
    load_detectors(model, [args.checkpoint])
    export_onnx(model.eval(), args.out, classes)
    print(f'{args.out}: {len(classes)} classes, crops of {model.region_warp.size} pixels')
