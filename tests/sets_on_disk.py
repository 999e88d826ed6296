"""Small data sets on disk: plain images of one size, annotations, and the layouts of Pascal VOC, COCO and YOLO."""

from __future__ import annotations

import json
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
