#!/usr/bin/env python3
"""Finds objects in images: draws their boxes, names and scores, and writes them as JSON."""

import argparse
import json
from pathlib import Path

import cv2
from mmengine.config import DictAction
from tqdm import tqdm

from det_inception.cli.common import add_speed_options, run
from det_inception.config.loading import read_config
from det_inception.ilsvrc import DET_CLASSES
from det_inception.ilsvrc.imagenet import leaves_of
from det_inception.inference.detector import Detector, draw, find_images
from det_inception.models import ImageNetRCNN
from det_inception.utils.errors import InputError
from det_inception.utils.files import output_names, require_apart, write_image, write_text
from det_inception.utils.images import ImageError, read_image
from det_inception.weights.pretrained import CheckpointError

REPO = Path(__file__).resolve().parent.parent
MINI_CONFIG = REPO / 'configs/googlenet_rcnn_mini.py'
MINI_CHECKPOINT = REPO / 'checkpoints/googlenet_rcnn_mini.pth'


DRAWN, DRAWN_UNTRAINED = 0.5, 0.05
"""Lowest scores that are drawn. Without training on boxes a score is no probability; see docs/photo.md."""


def make_detector(args: argparse.Namespace) -> Detector:
    """A trained detector where config or checkpoint is named, else the ImageNet classifier."""
    if args.config is None and args.checkpoint is None:
        try:
            config = REPO / 'configs/googlenet_rcnn_imagenet1k.py'
            return Detector(config, None, args.device, args.amp, args.cfg_options, args.engine, args.weights)
        except CheckpointError as error:
            if args.weights is not None:
                raise
            raise InputError(
                f'without --weights FILE (an ImageNet GoogLeNet), --config and --checkpoint: {error}'
            ) from error
    config, checkpoint = args.config or MINI_CONFIG, args.checkpoint
    if checkpoint is None and read_config(config).model.get('type') != 'ImageNetRCNN':
        checkpoint = MINI_CHECKPOINT
    return Detector(config, checkpoint, args.device, args.amp, args.cfg_options, args.engine, args.weights)


def blind_spots(detector: Detector) -> str:
    """Says of which of its classes such a detector knows a few kinds only, people above all."""
    if 'person' not in detector.classes:
        return 'people are not among its classes.'
    kinds = ', '.join(leaf.name for leaf in leaves_of(DET_CLASSES.index('person') + 1))
    return f'it knows people only as {kinds}.'


def main() -> int:
    parser = argparse.ArgumentParser(
        description='Finds objects in images, without annotations or a proposal file. Writes a picture with boxes for '
        'every image, and detections.json with all boxes. With --config and --checkpoint, by a trained detector; '
        "without, the 200 classes of ILSVRC DET by an ImageNet classifier: torchvision's GoogLeNet, which is "
        'downloaded, or the file that --weights names.',
        epilog='Examples: tools/demo.py photo.jpg; tools/demo.py holiday/*.jpg --config configs/googlenet_rcnn_voc.py '
        '--checkpoint work_dirs/googlenet_rcnn_voc/epoch_8.pth --out-dir found',
    )
    parser.add_argument('images', nargs='+', metavar='IMAGE', help='image files, folders or globs')
    parser.add_argument('--config', help="config of the checkpoint; default with a checkpoint: the mini set's")
    parser.add_argument(
        '--checkpoint',
        nargs='+',
        help='trained detector, or several as an ensemble; default with a config: the small one of the mini set',
    )
    parser.add_argument('--weights', metavar='FILE', help='ImageNet classifier to use in the place of a detector')
    parser.add_argument(
        '--out-dir', default='demo_out', metavar='DIR', help='for pictures and JSON (default: %(default)s)'
    )
    parser.add_argument(
        '--score',
        type=float,
        help=f'lowest score that is drawn (default: {DRAWN} of a trained detector, {DRAWN_UNTRAINED} without)',
    )
    parser.add_argument(
        '--max-boxes', type=int, default=30, help='at most so many boxes a picture (default: %(default)s)'
    )
    parser.add_argument('--device', help='cpu, cuda, cuda:1, ...; default: a GPU where there is one')
    add_speed_options(parser)
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='settings that override the config'
    )
    args = parser.parse_args()

    paths, out_dir = find_images(args.images), Path(args.out_dir)
    pictures = [out_dir / name for name in output_names(paths)]
    require_apart(paths, pictures, '--out-dir')
    detector = make_detector(args)
    trained = not isinstance(detector.model, ImageNetRCNN)
    lowest = args.score if args.score is not None else DRAWN if trained else DRAWN_UNTRAINED
    results, unreadable = {}, []
    for path, picture in tqdm(list(zip(paths, pictures)), unit='image', disable=None):
        try:
            image = read_image(path)
        except ImageError as error:  # One bad file is no reason to leave the others.
            tqdm.write(f'skipped: {error}')
            unreadable.append(str(path))
            continue
        found = detector.detect(image, path)
        results[str(path)] = found.above(min(0.05, lowest)).as_dicts()
        shown = found.above(lowest, args.max_boxes)
        if not len(shown):
            tqdm.write(f'{path}: nothing found with a score of {lowest} or more.')
        write_image(picture, draw(image, shown))
    if not results:
        raise InputError(f'{", ".join(args.images)}: none of the {len(paths)} images can be read; name others.')
    write_text(out_dir / 'detections.json', json.dumps(dict(images=results, unreadable=unreadable), indent=1))
    drawn = sum(sum(box['score'] >= lowest for box in boxes) for boxes in results.values())
    print(f'{len(results)} images, {drawn} boxes of score {lowest} or more; pictures and detections.json in {out_dir}')
    if not trained:
        print(f'Found by an ImageNet classifier that was never trained on boxes; {blind_spots(detector)}')
    return 1 if unreadable else 0


if __name__ == '__main__':
    cv2.setNumThreads(1)
    run(main)
