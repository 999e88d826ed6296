"""Draws the mini set: a small detection set in the layout of ILSVRC DET, without a download."""

from __future__ import annotations

import argparse
from pathlib import Path

from det_inception.cli.common import require_output

DESCRIPTION = """
Draws a small detection set in the folder layout of ILSVRC DET: twelve of its 200 classes, drawn by code in varying
shapes, colors, poses, light and size, at times half hidden or cut off, before cluttered textured backgrounds; 1 to 6
objects an image. It has ILSVRC's lists, so that the configs for ILSVRC DET work on it. Nothing is downloaded. Equal
parameters give equal files, whatever the number of workers. A set that lies there complete is left as it is.
"""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=DESCRIPTION)
    parser.add_argument(
        'root', nargs='?', default='data/mini', type=Path, help='folder of the set (default: data/mini)'
    )
    parser.add_argument('--train', type=int, default=800, metavar='N', help='training images (default: 800)')
    parser.add_argument('--val', type=int, default=150, metavar='N', help='validation images (default: 150)')
    parser.add_argument('--seed', type=int, default=2014, help='another seed gives another set (default: 2014)')
    parser.add_argument('--workers', type=int, metavar='N', help='processes (default: one a usable core, at most 8)')
    parser.add_argument('--force', action='store_true', help='make anew a set that lies there')
    parser.add_argument(
        '--objects',
        type=Path,
        metavar='DIR',
        help='also cut the objects out, as a classification set: DIR/{train,val}/CLASS/*.JPEG',
    )
    parser.add_argument('--quiet', action='store_true', help='show no progress bar')
    parser.add_argument(
        '--contact-sheet',
        type=Path,
        metavar='FILE.png',
        help='also draw 24 random samples with their boxes and names',
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    require_output(args.contact_sheet, '--contact-sheet')
    from det_inception.mini_set import CLASSES, contact_sheet, cut_objects, make_mini
    from det_inception.utils.files import write_image

    root = make_mini(args.root, args.train, args.val, args.seed, args.workers, not args.quiet, args.force)
    print(f'{root}: {args.train} training and {args.val} validation images of {len(CLASSES)} classes.')
    if args.objects:
        counts = cut_objects(root, args.objects, progress=not args.quiet)
        print(f'{args.objects}: {counts["train"]} training and {counts["val"]} validation objects.')
    if args.contact_sheet:
        write_image(args.contact_sheet, contact_sheet(root))
        print(f'{args.contact_sheet}: samples.')
