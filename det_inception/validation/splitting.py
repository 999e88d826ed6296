"""Splits a data set into balanced parts: lists of images, COCO files, and R-CNN's val1 and val2."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

import numpy as np

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
