"""Small data sets of every layout, sound or damaged."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import cv2
import numpy as np

WIDTH, HEIGHT = 40, 30


def picture(seed: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """A picture that looks like no other: large blots of random gray."""
    blots = np.random.default_rng(seed).integers(0, 256, (5, 5), np.uint8)
    return cv2.cvtColor(cv2.resize(blots, (width, height), interpolation=cv2.INTER_CUBIC), cv2.COLOR_GRAY2BGR)


def jpeg(seed: int, width: int = WIDTH, height: int = HEIGHT, quality: int = 90) -> bytes:
    return cv2.imencode('.jpg', picture(seed, width, height), [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def turned_jpeg(seed: int, orientation: int = 6, width: int = WIDTH) -> bytes:
    """A picture that its EXIF data turn, by a quarter unless said otherwise."""
    tiff = b'II*\0\x08\0\0\0\x01\0' + struct.pack('<HHII', 0x0112, 3, 1, orientation) + b'\0\0\0\0'
    exif = b'Exif\0\0' + tiff
    return b'\xff\xd8\xff\xe1' + struct.pack('>H', len(exif) + 2) + exif + jpeg(seed, width)[2:]


def write(path: Path, content: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def xml(objects, size: tuple[int, int] | None = (WIDTH, HEIGHT)) -> str:
    """An annotation of objects (name, xmin, ymin, xmax, ymax) and perhaps the flag "difficult"."""
    text = '<annotation>'
    if size is not None:
        text += f'<size><width>{size[0]}</width><height>{size[1]}</height></size>'
    for name, *box in objects:
        sides = ''.join(f'<{tag}>{value}</{tag}>' for tag, value in zip(('xmin', 'ymin', 'xmax', 'ymax'), box))
        text += (
            f'<object><name>{name}</name><difficult>{int(len(box) == 5)}</difficult><bndbox>{sides}</bndbox></object>'
        )
    return text + '</annotation>'


class VOC:
    """A data set in Pascal VOC's layout."""

    def __init__(self, root: Path) -> None:
        self.root, self.count = root, 0
        (root / 'JPEGImages').mkdir(parents=True, exist_ok=True)

    def add(self, split: str, name: str, *objects, size=(WIDTH, HEIGHT), content: bytes | None = None) -> VOC:
        self.count += 1
        write(self.root / f'JPEGImages/{name}.jpg', jpeg(self.count) if content is None else content)
        write(self.annotation(name), xml(objects or [('ant', 5, 5, 20, 20)], size))
        return self.list(split, name)

    def annotation(self, name: str) -> Path:
        return self.root / f'Annotations/{name}.xml'

    def image(self, name: str) -> Path:
        return self.root / f'JPEGImages/{name}.jpg'

    def list(self, split: str, *lines: str) -> VOC:
        path = self.root / f'ImageSets/Main/{split}.txt'
        write(path, (path.read_text() if path.exists() else '') + ''.join(f'{line}\n' for line in lines))
        return self


class COCO:
    """A data set in COCO's format; call :meth:`save` when it is complete."""

    def __init__(self, root: Path) -> None:
        self.root, self.count = root, 0
        self.content: dict[str, dict] = {}

    def add(self, split: str, name: str, *objects, content: bytes | None = None, **changes) -> COCO:
        """Objects are (name of a category, x, y, width, height)."""
        self.count += 1
        data = self.content.setdefault(split, dict(images=[], annotations=[], categories=[]))
        write(self.root / split / f'{name}.jpg', jpeg(self.count) if content is None else content)
        image = dict(id=self.count, file_name=f'{name}.jpg', width=WIDTH, height=HEIGHT)
        data['images'].append(image | changes)
        for kind, *box in objects or [('ant', 5, 5, 15, 15)]:
            number = next((item['id'] for item in data['categories'] if item['name'] == kind), None)
            if number is None:
                number = len(data['categories']) + 1
                data['categories'].append(dict(id=number, name=kind))
            identity = 1 + sum(len(other['annotations']) for other in self.content.values())
            data['annotations'].append(dict(id=identity, image_id=self.count, category_id=number, bbox=box))
        return self

    def save(self) -> COCO:
        for split, data in self.content.items():
            write(self.root / f'annotations/{split}.json', json.dumps(data))
        return self


class YOLO:
    """A data set in YOLO's layout; call :meth:`save` when it is complete."""

    def __init__(self, root: Path, names=('ant', 'bee')) -> None:
        self.root, self.count, self.names, self.parts = root, 0, names, {}

    def add(self, split: str, name: str, *objects, content: bytes | None = None) -> YOLO:
        """Objects are lines of labels."""
        self.count += 1
        self.parts[split] = f'images/{split}'
        write(self.image(split, name), jpeg(self.count) if content is None else content)
        write(self.label(split, name), '\n'.join(objects or ['0 0.5 0.5 0.4 0.4']))
        return self

    def image(self, split: str, name: str) -> Path:
        return self.root / f'images/{split}/{name}.jpg'

    def label(self, split: str, name: str) -> Path:
        return self.root / f'labels/{split}/{name}.txt'

    def save(self) -> YOLO:
        write(self.root / 'data.yaml', json.dumps({**self.parts, 'names': list(self.names)}))  # JSON is YAML.
        return self


class ILSVRC:
    """A data set in the folders of ILSVRC DET."""

    def __init__(self, root: Path) -> None:
        self.root, self.count = root, 0

    def add(self, split: str, name: str, *objects, size=(WIDTH, HEIGHT), content: bytes | None = None) -> ILSVRC:
        self.count += 1
        write(self.image(split, name), jpeg(self.count) if content is None else content)
        write(self.annotation(split, name), xml(objects or [('n02084071', 5, 5, 20, 20)], size))
        return self.list(split, f'{name} {self.count}')

    def annotation(self, split: str, name: str) -> Path:
        return self.root / f'Annotations/DET/{split}/{name}.xml'

    def image(self, split: str, name: str) -> Path:
        return self.root / f'Data/DET/{split}/{name}.JPEG'

    def list(self, split: str, *lines: str) -> ILSVRC:
        path = self.root / f'ImageSets/DET/{split}.txt'
        write(path, (path.read_text() if path.exists() else '') + ''.join(f'{line}\n' for line in lines))
        return self
