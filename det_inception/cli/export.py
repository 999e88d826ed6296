"""Writes a trained detector for programs without PyTorch: as an ONNX file, or as .xml and .bin for OpenVINO."""

import argparse

from det_inception.cli.common import add_config_options, require_output


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__ + ' Fast and Faster R-CNN take an image (Fast R-CNN proposals, too) and give boxes, scores '
        "and labels. An R-CNN takes crops and gives scores and box deltas. The names of the classes and the image's or "
        "crops' size are in the file's metadata.",
        epilog='Example: det-inception export googlenet_faster-rcnn_voc2007 googlenet_faster-rcnn_voc2007 voc.onnx; '
        'examples/onnx_detector.py and examples/onnx_rcnn.py run such files.',
    )
    parser.add_argument('config', help='config file that the checkpoint was trained with')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('out', metavar='FILE', help='file to write, .onnx or .xml')
    add_config_options(parser, 'settings that override the config')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    require_output(args.out, 'FILE')
    from det_inception.config.loading import load_config
    from det_inception.config.options import read_options
    from det_inception.inference.acceleration.export import export_detector, require_suffix
    from det_inception.registry import MODELS
    from det_inception.weights.checkpoints import load_detectors, read_checkpoint, require_classes

    require_suffix(args.out)
    classes = require_classes(read_checkpoint(args.checkpoint), args.checkpoint)
    cfg = load_config(args.config, options=read_options(args.cfg_options), checkpoint=args.checkpoint)
    model = MODELS.build(cfg.model)
    load_detectors(model, [args.checkpoint])
    said = export_detector(model.eval(), args.out, classes, cfg.test_dataloader.dataset.pipeline)
    print(f'{args.out}: {len(classes)} classes, {said}')
