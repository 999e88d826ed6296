"""Small data sets on disk: plain images of one size, annotations, and the layouts of Pascal VOC, COCO and YOLO."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import cv2
import numpy as np

WIDTH, HEIGHT = 60, 40


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def write_image(path: Path, width: int = WIDTH, height: int = HEIGHT) -> Path:
    return write(path, cv2.imencode('.jpg', np.full((height, width, 3), 90, np.uint8))[1].tobytes())


def xml(*objects: tuple, size: tuple[int, int] | None = (WIDTH, HEIGHT)) -> str:
    """An annotation; objects are (name, xmin, ymin, xmax, ymax) and perhaps the flag "difficult"."""
    text = '<annotation><filename>elsewhere.jpg</filename>'  # It is often wrong, and not to be read.
    if size is not None:
        text += f'<size><width>{size[0]}</width><height>{size[1]}</height></size>'
    for name, *box in objects:
        sides = ''.join(f'<{tag}>{value}</{tag}>' for tag, value in zip(('xmin', 'ymin', 'xmax', 'ymax'), box))
        flag = f'<difficult>{int(len(box) == 5)}</difficult>'
        text += f'<object><name>{name}</name>{flag}<bndbox>{sides}</bndbox></object>'
    return text + '</annotation>'


def write_xml(path: Path, objects: list[tuple], size: tuple[int, int] | None = (WIDTH, HEIGHT)) -> Path:
    return write(path, xml(*objects, size=size))


def make_voc(root: Path, images: dict[str, list[tuple]], **lists: str | bytes) -> Path:
    """Pascal VOC's layout: objects by the file names of the images, and the contents of the lists."""
    for name, objects in images.items():
        write_image(root / 'JPEGImages' / name)
        write((root / 'Annotations' / name).with_suffix('.xml'), xml(*objects))
    for name, content in lists.items():
        write(root / f'ImageSets/Main/{name}.txt', content)
    return root


def make_coco(root: Path, images: dict[str, list[dict]], names: tuple[str, ...] = ('cat', 'dog')) -> Path:
    """COCO's format: annotations, without ids, by the file names of the images; returns the file."""
    content = dict(
        images=[
            dict(id=number, file_name=name, width=WIDTH, height=HEIGHT) for number, name in enumerate(images, start=1)
        ],
        annotations=[
            dict(id=10 * number + place, image_id=number, category_id=1) | annotation
            for number, annotations in enumerate(images.values(), start=1)
            for place, annotation in enumerate(annotations)
        ],
        categories=[dict(id=number, name=name) for number, name in enumerate(names, start=1)],
    )
    for name in images:
        write_image(root / 'train' / name)
    return write(root / 'annotations/train.json', json.dumps(content))


def make_yolo(root: Path, description: str = 'train: images/train\nval: images/val\nnames: [cat, dog]\n') -> Path:
    """YOLO's layout with two training images, one of them empty, and one to validate."""
    for name in ('train/a', 'train/b', 'val/c'):
        write_image(root / f'images/{name}.jpg')
    write(root / 'labels/train/a.txt', '0 0.5 0.5 0.5 0.5\n1 0.25 0.25 0.1 0.2\n')
    write(root / 'labels/val/c.txt', '1 0.5 0.5 1 1\n')
    write(root / 'data.yaml', description)
    return root


SIZE = 120, 90  # width, height
THINGS = {'red thing': (30, 30, 220), 'blue thing': (220, 60, 30)}


def draw_sets(root: Path) -> Path:
    """Draws six images with two things each, as a VOC set and as a COCO file a split, with swapped categories."""
    rng = np.random.default_rng(5)
    for folder in ('JPEGImages', 'Annotations', 'ImageSets/Main', 'annotations'):
        (root / folder).mkdir(parents=True)
    splits = {'train': ['one', 'two words', 'three', 'four'], 'val': ['five', 'six']}
    categories = [dict(id=7, name='red thing'), dict(id=3, name='blue thing')]
    for split, names in splits.items():
        (root / f'ImageSets/Main/{split}.txt').write_text('\n'.join(names) + '\n')
        images, annotations = [], []
        for number, name in enumerate(names, start=1):
            canvas = rng.integers(90, 130, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
            annotation = ElementTree.Element('annotation')
            ElementTree.SubElement(annotation, 'filename').text = 'wrong.jpg'
            for index, (thing, color) in enumerate(THINGS.items()):
                x, y = 5 + 60 * index + int(rng.integers(15)), 5 + int(rng.integers(40))
                canvas[y : y + 36, x : x + 36] = color
                thing_xml = ElementTree.SubElement(annotation, 'object')
                ElementTree.SubElement(thing_xml, 'name').text = thing
                box = ElementTree.SubElement(thing_xml, 'bndbox')
                for tag, value in zip(('xmin', 'ymin', 'xmax', 'ymax'), (x + 1, y + 1, x + 36, y + 36)):
                    ElementTree.SubElement(box, tag).text = str(value)
                category = next(item['id'] for item in categories if item['name'] == thing)
                annotations.append(
                    dict(
                        id=len(annotations) + 1,
                        image_id=number,
                        category_id=category,
                        bbox=[x, y, 36, 36],
                        iscrowd=0,
                        area=1296,
                    )
                )
            cv2.imwrite(str(root / f'JPEGImages/{name}.jpg'), canvas, [cv2.IMWRITE_JPEG_QUALITY, 95])
            (root / f'Annotations/{name}.xml').write_bytes(ElementTree.tostring(annotation))
            images.append(dict(id=number, file_name=f'{name}.jpg', width=SIZE[0], height=SIZE[1]))
        content = dict(images=images, annotations=annotations, categories=categories)
        (root / f'annotations/{split}.json').write_text(json.dumps(content))
        (root / split).symlink_to('JPEGImages')
    return root
