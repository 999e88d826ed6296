#!/usr/bin/env python3
"""Finds objects in images: draws their boxes, names and scores, and writes them as JSON."""

import argparse
import json
from pathlib import Path

import cv2
from mmengine.config import DictAction
from tqdm import tqdm

from det_inception.cli import run
from det_inception.errors import InputError
from det_inception.files import output_names, write_image, write_text
from det_inception.images import ImageError, read_image
from det_inception.inference import Detector, draw, find_images

REPO = Path(__file__).resolve().parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(
        description='Finds objects in images, without annotations or a proposal file. Writes a picture with boxes for '
        'every image, and detections.json with all boxes.',
        epilog='Example: tools/demo.py holiday/*.jpg --config configs/googlenet_rcnn_voc.py --checkpoint '
        'work_dirs/googlenet_rcnn_voc/epoch_8.pth --out-dir found',
    )
    parser.add_argument('images', nargs='+', metavar='IMAGE', help='image files, folders or globs')
    parser.add_argument(
        '--config',
        default=str(REPO / 'configs/googlenet_rcnn_mini.py'),
        help="config of the checkpoint; default: the mini set's",
    )
    parser.add_argument(
        '--checkpoint',
        nargs='+',
        default=str(REPO / 'checkpoints/googlenet_rcnn_mini.pth'),
        help='trained detector, or several as an ensemble; default: the small one that comes with the project',
    )
    parser.add_argument(
        '--out-dir', default='demo_out', metavar='DIR', help='for pictures and JSON (default: %(default)s)'
    )
    parser.add_argument('--score', type=float, default=0.5, help='lowest score that is drawn (default: %(default)s)')
    parser.add_argument(
        '--max-boxes', type=int, default=30, help='at most so many boxes a picture (default: %(default)s)'
    )
    parser.add_argument('--device', help='cpu, cuda, cuda:1, ...; default: a GPU where there is one')
    faster = parser.add_mutually_exclusive_group()
    faster.add_argument('--amp', action='store_true', help='mixed precision; on a processor, bfloat16')
    faster.add_argument(
        '--engine',
        metavar='NAME[:PRECISION]',
        help='judge regions faster: auto (the fastest here), eager, fused, compile or openvino, in float32, bfloat16, '
        'float16 or int8, such as fused:bfloat16; see docs/speed.md',
    )
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='settings that override the config'
    )
    args = parser.parse_args()

    paths, out_dir = find_images(args.images), Path(args.out_dir)
    pictures = [out_dir / name for name in output_names(paths)]
    if overwritten := {path.resolve() for path in paths} & {picture.resolve() for picture in pictures}:
        raise InputError(f'{min(overwritten)}: its own drawing would overwrite it; choose another --out-dir.')
    detector = Detector(args.config, args.checkpoint, args.device, args.amp, args.cfg_options, args.engine)
    results, unreadable = {}, []
    for path, picture in tqdm(list(zip(paths, pictures)), unit='image', disable=None):
        try:
            image = read_image(path)
        except ImageError as error:  # One bad file is no reason to leave the others.
            tqdm.write(f'skipped: {error}')
            unreadable.append(str(path))
            continue
        found = detector.detect(image, path)
        results[str(path)] = found.above(min(0.05, args.score)).as_dicts()
        write_image(picture, draw(image, found.above(args.score, args.max_boxes)))
    if not results:
        raise InputError(f'{", ".join(args.images)}: none of the {len(paths)} images can be read; name others.')
    write_text(out_dir / 'detections.json', json.dumps(dict(images=results, unreadable=unreadable), indent=1))
    drawn = sum(sum(box['score'] >= args.score for box in boxes) for boxes in results.values())
    print(
        f'{len(results)} images, {drawn} boxes of score {args.score} or more; pictures and detections.json in {out_dir}'
    )
    return 1 if unreadable else 0


if __name__ == '__main__':
    cv2.setNumThreads(1)
    run(main)
