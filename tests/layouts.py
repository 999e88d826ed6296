"""One small data set in every layout that is recognized: the same images, objects and parts each time.

Shape legend: a box is ``x1 y1 x2 y2``, continuous, in pixels of an image of ``SIZE``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from sets_on_disk import write, write_xml

SIZE = 96, 72  # width, height
CLASSES = ('cat', 'dog')
COLORS = {'cat': (30, 30, 220), 'dog': (220, 60, 30)}
WNIDS = {'cat': 'n02121808', 'dog': 'n02084071'}
PARTS = {'train': ('a', 'b', 'c', 'd'), 'val': ('e', 'f')}
NAMES = (*PARTS['train'], *PARTS['val'])


@cache
def objects(name: str) -> tuple[tuple[str, tuple[int, int, int, int]], ...]:
    """The objects of an image: a cat and a dog, side by side."""
    rng = np.random.default_rng(NAMES.index(name))
    places = [(4 + 46 * index + int(rng.integers(12)), 4 + int(rng.integers(34))) for index in range(2)]
    return tuple((label, (x, y, x + 30, y + 30)) for label, (x, y) in zip(CLASSES, places))


@cache
def picture(name: str) -> bytes:
    canvas = np.random.default_rng(100 + NAMES.index(name)).integers(90, 130, (SIZE[1], SIZE[0], 3), np.uint8)
    for label, (x1, y1, x2, y2) in objects(name):
        canvas[y1:y2, x1:x2] = COLORS[label]
    return cv2.imencode('.png', canvas)[1].tobytes()


def images(folder: Path, names: Iterable[str], suffix: str = '.png') -> None:
    for name in names:
        write(folder / f'{name}{suffix}', picture(name))


# ------------------------------------------------------------------------------------------------- one file an image


def voc_xml(folder: Path, names: Iterable[str], classes: dict[str, str] | None = None, first: int = 1) -> None:
    """XML files whose corners are counted from ``first``, the last pixel included."""
    for name in names:
        found = [
            ((classes or {}).get(label, label), x1 + first, y1 + first, x2 + first - 1, y2 + first - 1)
            for label, (x1, y1, x2, y2) in objects(name)
        ]
        write_xml(folder / f'{name}.xml', found, SIZE)


def labelme_json(folder: Path, names: Iterable[str]) -> None:
    """LabelMe's files: the cat is a rectangle, drawn from its lower right corner, the dog a polygon."""
    for name in names:
        shapes = []
        for label, (x1, y1, x2, y2) in objects(name):
            points = [[x2, y2], [x1, y1]] if label == 'cat' else [[x1, y1], [x2, y1 + 3], [x2 - 4, y2], [x1 + 1, y2]]
            kind = 'rectangle' if label == 'cat' else 'polygon'
            shapes.append(dict(label=label, points=points, group_id=None, shape_type=kind, flags={}))
        content = dict(version='5.4.1', flags={}, shapes=shapes, imagePath=f'..\\images\\{name}.png', imageData=None)
        write(folder / f'{name}.json', json.dumps(content | dict(imageHeight=SIZE[1], imageWidth=SIZE[0])))


def voc(root: Path) -> None:
    images(root / 'JPEGImages', NAMES)
    voc_xml(root / 'Annotations', NAMES)
    for part, names in PARTS.items():
        write(root / f'ImageSets/Main/{part}.txt', '\n'.join(names))


def voc_cvat(root: Path) -> None:
    images(root / 'JPEGImages', NAMES)
    voc_xml(root / 'Annotations', NAMES)
    write(root / 'ImageSets/Main/default.txt', '\n'.join(NAMES))
    write(root / 'labelmap.txt', '# label:color_rgb:parts:actions\nbackground:0,0,0::\ncat:1,2,3::\ndog:4,5,6::\n')


def beside(annotate: Callable) -> Callable[[Path], None]:
    def build(root: Path) -> None:
        images(root, NAMES)
        annotate(root, NAMES)

    return build


def in_parts(annotate: Callable, train: str = 'train/{}', val: str = 'valid/{}', *kinds: str) -> Callable:
    """Images and annotations in folders of the parts, whose names may hold the kind of file."""
    image_kind, annotation_kind = kinds or ('', '')

    def build(root: Path) -> None:
        for folder, names in zip((train, val), PARTS.values()):
            images(root / folder.format(image_kind), names)
            annotate(root / folder.format(annotation_kind), names)

    return build


def in_two_folders(annotate: Callable, annotations: str) -> Callable[[Path], None]:
    def build(root: Path) -> None:
        images(root / 'images', NAMES)
        annotate(root / annotations, NAMES)

    return build


# -------------------------------------------------------------------------------------------------------------- COCO


def coco_content(names: Iterable[str], file_name: str = '{}.png', grouped: bool = False) -> str:
    """A file in COCO format; ``grouped``: with Roboflow's category of id 0 that groups the others."""
    names = list(names)
    categories = [dict(id=0, name='pets', supercategory='none')] if grouped else []
    categories += [dict(id=number, name=name, supercategory='pets') for number, name in enumerate(CLASSES, start=1)]
    entries = [
        dict(id=number, file_name=file_name.format(name), width=SIZE[0], height=SIZE[1])
        for number, name in enumerate(names)
    ]
    annotations = [
        dict(image_id=number, category_id=1 + CLASSES.index(label), bbox=[x1, y1, x2 - x1, y2 - y1], iscrowd=0)
        for number, name in enumerate(names)
        for label, (x1, y1, x2, y2) in objects(name)
    ]
    annotations = [dict(item, id=number) for number, item in enumerate(annotations)]
    return json.dumps(dict(images=entries, categories=categories, annotations=annotations))


def coco(root: Path, file: str = 'annotations/{}.json', folder: str = '{}', year: str = '') -> None:
    for part, names in PARTS.items():
        write(root / file.format(f'{part}{year}'), coco_content(names))
        images(root / folder.format(f'{part}{year}'), names)


def coco_2017(root: Path) -> None:
    coco(root, 'annotations/instances_{}.json', 'images/{}', '2017')
    write(root / 'annotations/captions_train2017.json', '{"images": []}')


def coco_in_the_folder(root: Path) -> None:
    coco(root, '{}.json', 'images')


def coco_roboflow(root: Path) -> None:
    for folder, names in zip(('train', 'valid'), PARTS.values()):
        write(root / folder / '_annotations.coco.json', coco_content(names, grouped=True))
        images(root / folder, names)
    write(root / 'README.roboflow.txt', 'x')


def coco_cvat(root: Path) -> None:
    write(root / 'annotations/instances_default.json', coco_content(NAMES))
    images(root / 'images/default', NAMES)


def coco_label_studio(root: Path) -> None:
    """As it writes it on Windows."""
    write(root / 'result.json', coco_content(NAMES, 'images\\{}.png'))
    images(root / 'images', NAMES)


# -------------------------------------------------------------------------------------------------------------- YOLO


def yolo_labels(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        lines = [
            f'{CLASSES.index(label)} {(x1 + x2) / 2 / SIZE[0]} {(y1 + y2) / 2 / SIZE[1]} {30 / SIZE[0]} {30 / SIZE[1]}'
            for label, (x1, y1, x2, y2) in objects(name)
        ]
        write(folder / f'{name}.txt', '\n'.join(lines))


def yolo(
    root: Path, train: str = 'train', val: str = 'val', place: str = '{kind}/{part}', description: str = ''
) -> None:
    for part, names in zip((train, val), PARTS.values()):
        images(root / place.format(kind='images', part=part), names)
        yolo_labels(root / place.format(kind='labels', part=part), names)
    write(root / 'data.yaml', description or 'path: .\ntrain: images/train\nval: images/val\nnames: [cat, dog]\n')


def yolo_roboflow(root: Path) -> None:
    text = 'train: ../train/images\nval: ../valid/images\ntest: ../test/images\n\nnc: 2\nnames: ["cat", "dog"]\n'
    yolo(root, val='valid', place='{part}/{kind}', description=text)


def yolo_ultralytics(root: Path) -> None:
    text = 'path: ../datasets/pets  # dataset root dir\ntrain: images/train\nval: images/val\ntest:\n'
    yolo(root, description=f'{text}\nnames:\n  0: cat\n  1: dog\n')


def yolo_cvat(root: Path) -> None:
    """Lists that begin with a folder that is not there."""
    yolo(root, description='path: .\ntrain: train.txt\nval: val.txt\nnames:\n  0: cat\n  1: dog\n')
    for part, names in PARTS.items():
        write(root / f'{part}.txt', ''.join(f'data/images/{part}/{name}.png\n' for name in names))


# ------------------------------------------------------------------------------------------------------------ ILSVRC


def ilsvrc(root: Path) -> None:
    for part, names in PARTS.items():
        images(root / f'Data/DET/{part}', names, '.JPEG')
        voc_xml(root / f'Annotations/DET/{part}', names, WNIDS, first=0)
        write(root / f'ImageSets/DET/{part}.txt', ''.join(f'{name} {NAMES.index(name) + 1}\n' for name in names))


class Layout(NamedTuple):
    format: str
    build: Callable[[Path], None]
    in_one: str | None = None  # Name of the only part.


LAYOUTS = {
    'voc': Layout('voc', voc),
    'voc of CVAT': Layout('voc', voc_cvat, 'default'),
    'voc of LabelImg': Layout('voc', beside(voc_xml), 'all'),
    'voc of Roboflow': Layout('voc', in_parts(voc_xml)),
    'voc of Kaggle': Layout('voc', in_two_folders(voc_xml, 'annotations'), 'all'),
    'voc, two folders a part': Layout('voc', in_parts(voc_xml, 'train/{}', 'val/{}', 'images', 'Annotations')),
    'voc, parts in two folders': Layout('voc', in_parts(voc_xml, '{}/train', '{}/val', 'Images', 'xmls')),
    'coco': Layout('coco', coco),
    'coco of 2017': Layout('coco', coco_2017),
    'coco, files in the folder': Layout('coco', coco_in_the_folder),
    'coco of Roboflow': Layout('coco', coco_roboflow),
    'coco of CVAT': Layout('coco', coco_cvat, 'default'),
    'coco of Label Studio': Layout('coco', coco_label_studio, 'result'),
    'yolo': Layout('yolo', yolo),
    'yolo of Roboflow': Layout('yolo', yolo_roboflow),
    'yolo of Ultralytics': Layout('yolo', yolo_ultralytics),
    'yolo of CVAT': Layout('yolo', yolo_cvat),
    'ilsvrc': Layout('ilsvrc', ilsvrc),
    'labelme': Layout('labelme', beside(labelme_json), 'all'),
    'labelme, parts': Layout('labelme', in_parts(labelme_json)),
    'labelme, two folders': Layout('labelme', in_two_folders(labelme_json, 'annotations'), 'all'),
}
