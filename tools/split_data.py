"""Splits a data set for training and validation."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

import numpy as np

from det_inception.cli import common as cli
from det_inception.datasets.coco import category_names, coco_records, read_json
from det_inception.datasets.voc import list_entry
from det_inception.formats.annotation_xml import read_xml
from det_inception.ilsvrc import (
    balanced_split,
    imbalance,
    rcnn_val_split,
    read_blacklist,
    read_image_list,
)
from det_inception.utils.errors import InputError
from det_inception.utils.files import write_text
from det_inception.utils.text_files import open_text

DESCRIPTION = """
Splits a data set into parts that are balanced: every class is spread over them as the images are. The lists
(or COCO files) are written beside the one that is split, named after the parts.
"""
EPILOG = """
examples:
  a list of images in Pascal VOC's or ILSVRC's layout, 80 %% for training:
    %(prog)s my_voc/ImageSets/Main/trainval.txt --parts train=80 val=20
  a file in COCO's format:
    %(prog)s my_coco/annotations/all.json --parts train=80 val=20
  ILSVRC DET: R-CNN's val1 and val2, val2 being the published list:
    %(prog)s data/ILSVRC/ImageSets/DET/val.txt --rcnn-val2 ilsvrc13_val2.txt \\
        --blacklist ILSVRC2014_det_validation_blacklist.txt
"""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('source', type=Path, help='list of images (.txt) or COCO file (.json)')
    parser.add_argument(
        '--parts',
        nargs='+',
        type=part,
        default=[('train', 80.0), ('val', 20.0)],
        metavar='NAME=SHARE',
        help='names of the parts and their shares of the images (default: train=80 val=20)',
    )
    parser.add_argument('--seed', type=int, default=0, help='another seed gives another split (default: 0)')
    parser.add_argument(
        '--annotations',
        type=Path,
        metavar='DIR',
        help='folder of the XML files; default: found in the layout of the data set',
    )
    parser.add_argument('--rcnn-val2', type=Path, metavar='FILE', help="the published list of R-CNN's val2")
    parser.add_argument('--blacklist', type=Path, metavar='FILE', help='the official blacklist, for --rcnn-val2')
    parser.add_argument('--force', action='store_true', help='write over lists that are there')
    args = parser.parse_args()
    if args.rcnn_val2 is not None and args.blacklist is None:
        parser.error('--rcnn-val2 needs --blacklist, whose images are in neither half')
    if len({name for name, _ in args.parts}) < len(args.parts) or len(args.parts) < 2:
        parser.error('--parts needs two or more different names')
    return args


def part(text: str) -> tuple[str, float]:
    name, _, share = text.partition('=')
    try:
        value = float(share)
    except ValueError:
        value = 0
    if not name or not 0 < value < float('inf'):
        raise argparse.ArgumentTypeError(f'{text!r} is not NAME=SHARE, such as train=80')
    return name, value


def annotation_folder(source: Path) -> Path:
    """The folder of the XML files of a list in ``ImageSets/Main`` or ``ImageSets/DET``."""
    root = source.resolve().parent.parent.parent
    folders = [root / 'Annotations' / 'DET' / source.stem, root / 'Annotations' / 'DET', root / 'Annotations']
    for folder in folders:
        if folder.is_dir():
            return folder
    raise InputError(f'{source}: its annotations are not in {folders[-1]}; name their folder with --annotations.')


def counts_of(names: list[Counter]) -> tuple[np.ndarray, list[str]]:
    """Objects of each class in each image (I, C), and the classes."""
    classes = sorted({name for counter in names for name in counter})
    return np.array([[counter[name] for name in classes] for counter in names], np.int64).reshape(
        len(names), len(classes)
    ), classes


def write(path: Path, content: str, force: bool) -> None:
    if path.exists() and not force:
        raise InputError(f'{path}: is there already; write over it with --force, or name the parts otherwise.')
    write_text(path, content)
    print(path)


def split_list(args: argparse.Namespace) -> None:
    """Splits a list of images; numbers behind the names stay what they are."""
    with open_text(args.source) as text:
        lines = [line.strip() for line in text if line.strip()]
    if len(set(lines)) < len(lines):
        raise InputError(f'{args.source}: lists an image twice; it could come into two parts. Remove one of the two.')
    folder = args.annotations or annotation_folder(args.source)
    files = [folder / f'{list_entry(line)}.xml' for line in lines]
    objects = [Counter(item.name for item in read_xml(path).objects) for path in files]
    counts, classes = counts_of(objects)
    shares = [share for _, share in args.parts]
    parts = balanced_split(counts, shares, args.seed)
    for number, (name, _) in enumerate(args.parts):
        chosen = [line for line, own in zip(lines, parts) if own == number]
        write(args.source.with_name(f'{name}.txt'), '\n'.join(chosen) + '\n', args.force)
    report(counts, classes, parts, args.parts)


def split_coco(args: argparse.Namespace) -> None:
    """Splits a COCO file into complete ones."""
    content = read_json(args.source)
    category_names(content, args.source)  # Complains of categories that are none.
    records = coco_records(content, args.source, Path())
    objects = {record.image_id: Counter(name for name, _, _ in record.objects) for record in records}
    counts, classes = counts_of(list(objects.values()))
    parts = balanced_split(counts, [share for _, share in args.parts], args.seed)
    part_of = dict(zip(objects, parts.tolist()))
    for number, (name, _) in enumerate(args.parts):
        piece = dict(
            content,
            images=[image for image in content['images'] if part_of[image['id']] == number],
            annotations=[item for item in content.get('annotations', ()) if part_of[item['image_id']] == number],
        )
        write(args.source.with_name(f'{name}.json'), json.dumps(piece), args.force)
    report(counts, classes, parts, args.parts)


def split_rcnn(args: argparse.Namespace) -> None:
    """Writes R-CNN's val1 and val2, each with the official indices."""
    val = read_image_list(args.source)
    halves = rcnn_val_split(val, read_image_list(args.rcnn_val2), read_blacklist(args.blacklist))
    for name, half in zip(('val1', 'val2'), halves):
        lines = ''.join(f'{image} {index}\n' for image, index in half.items())
        write(args.source.with_name(f'{name}.txt'), lines, args.force)
    print(f'val1: {len(halves[0])} images, val2: {len(halves[1])} images.')


def report(counts: np.ndarray, classes: list[str], parts: np.ndarray, named: list[tuple[str, float]]) -> None:
    worst = imbalance(counts, parts, [share for _, share in named])
    width = max([len('class'), *map(len, classes)])
    print(f'{"class":{width}}' + ''.join(f'{name:>9}' for name, _ in named) + '  furthest from its share')
    for label in np.argsort(-worst, kind='stable')[:20]:
        numbers = ''.join(f'{counts[parts == number, label].sum():9d}' for number in range(len(named)))
        print(f'{classes[label]:{width}}{numbers}  {worst[label]:.1%}')
    if len(classes) > 20:
        print(f'... and {len(classes) - 20} classes that are closer to it')
    images = ', '.join(f'{name} {np.sum(parts == number)}' for number, (name, _) in enumerate(named))
    print(f'images: {images}')


def main() -> None:
    args = parse_args()
    if not args.source.is_file():
        raise InputError(f'{args.source}: no such file; give a list of images or a COCO file.')
    if args.rcnn_val2 is not None:
        split_rcnn(args)
    elif args.source.suffix.lower() == '.json':
        split_coco(args)
    else:
        split_list(args)


if __name__ == '__main__':
    cli.run(main)
