"""Annotations, lists, submissions and pickles as targets; see ``targets``."""

import json
import lzma
import pickle
from collections.abc import Callable

import cv2
import numpy as np
from mutations import ODD_NUMBERS, ODD_TEXTS, odd_array, odd_json, odd_text, pick
from targets import Target

from det_inception.formats import FORMATS, Split, read_list, read_split, usable_objects
from det_inception.formats.annotation_xml import read_xml
from det_inception.ilsvrc import read_blacklist, read_class_names, read_detections, read_image_list
from det_inception.proposals.plain_pickle import load_plain_pickle

XML = """<?xml version="1.0"?><annotation><size><width>50</width><height>40</height><depth>3</depth></size>
<object><name>dog</name><difficult>0</difficult><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>30</xmax><ymax>40</ymax>
</bndbox></object><object><name>cat</name><bndbox><xmin>1.5</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox>
</object></annotation>"""


def odd_words(random: np.random.Generator, text: str) -> bytes:
    """A text in which words, and lines, are odd, or in another encoding."""
    words = text.replace('\n', ' \n ').split(' ')
    for _ in range(int(random.integers(1, 5))):
        words[int(random.integers(len(words)))] = pick(
            random, [pick(random, ODD_TEXTS), str(pick(random, ODD_NUMBERS))]
        )
    content = ' '.join(words)
    encoding = 'utf-8' if random.random() < 0.9 else pick(random, ['utf-16', 'latin-1', 'utf-8-sig', 'cp1252'])
    return content.encode(encoding, errors='replace')


class Xml(Target):
    def sound_files(self) -> list[bytes]:
        return [XML.encode(), XML.encode('utf-16'), b'<annotation/>']

    def forged(self, random):
        text = XML
        for _ in range(int(random.integers(1, 4))):
            old = pick(
                random, ['>1<', '>2<', '>30<', '>dog<', 'xmin', 'object', 'size', 'width', 'bndbox', 'annotation']
            )
            text = text.replace(
                old, pick(random, [f'>{pick(random, ODD_TEXTS)}<', '>1e999<', '<a>', 'name', '>-5<']), 1
            )
        return text.encode(errors='replace')

    def read(self):
        annotation = read_xml(self.path)
        assert annotation.width >= 0 and annotation.height >= 0
        assert all(item.name.strip() and np.isfinite(item.box).all() for item in annotation.objects)


class DataSet(Target):
    """A data set of one image, read in a format of ``det_inception.formats``."""

    says_names = True

    def sound_files(self) -> list[bytes]:
        for name in ('images', 'labels'):
            (self.folder / name).mkdir(exist_ok=True)
        cv2.imwrite(str(self.folder / 'images/a.png'), np.zeros((40, 50, 3), np.uint8))
        return []

    def splits(self) -> list[Split]:
        raise NotImplementedError

    def read(self):
        faults = []
        for split in self.splits():
            for record in read_split(split, on_error=lambda kind, path, error: faults.append(error)).records:
                for item in usable_objects(record):
                    assert np.isfinite(item.box).all() and item.box[2] > item.box[0] and item.box[3] > item.box[1]
        if faults:  # What is left beside the faults was tried as well.
            raise faults[0]


class Coco(DataSet):
    @staticmethod
    def content() -> dict:
        boxes = [[1, 2, 30, 20], [0, 0, 5.5, 5.5]]
        return dict(
            images=[dict(id=1, file_name='a.png', width=50, height=40)],
            categories=[dict(id=1, name='dog'), dict(id=7, name='cat')],
            annotations=[
                dict(id=number, image_id=1, category_id=7, bbox=box, area=9, iscrowd=number)
                for number, box in enumerate(boxes)
            ],
        )

    def sound_files(self):
        super().sound_files()
        return [json.dumps(self.content()).encode()]

    def forged(self, random):
        return odd_text(random, self.content()).encode()

    def splits(self):
        return FORMATS['coco'].split_of(self.folder, self.path, self.folder / 'images')

    def try_one(self, random):
        self.path = self.folder / 'input.json'
        super().try_one(random)


class Yolo(DataSet):
    """The labels of an image."""

    def sound_files(self):
        super().sound_files()
        (self.folder / 'data.yaml').write_text('path: .\ntrain: images\nval: images\nnames: {0: dog, 1: cat}\n')
        self.path = self.folder / 'labels/a.txt'
        return [b'0 0.5 0.5 0.2 0.2\n1 0.3 0.3 0.1 0.1\n', b'0 0.1 0.1 0.5 0.1 0.5 0.5\n', b'']

    def forged(self, random):
        return odd_words(random, '0 0.5 0.5 0.2 0.2\n1 0.3 0.3 0.1 0.1\n')

    def splits(self):
        return FORMATS['yolo'].split_of(self.folder, self.folder / 'data.yaml')


class YoloYaml(Yolo):
    """The file that describes the data set."""

    def sound_files(self):
        super().sound_files()
        self.path.write_text('0 0.5 0.5 0.2 0.2\n')
        self.path = self.folder / 'data.yaml'
        return [self.path.read_bytes(), b'train: images\nnc: 2\nnames: [dog, cat]\n']

    def forged(self, random):
        return odd_text(random, dict(path='.', train='images', val='images', nc=2, names=['dog', 'cat'])).encode()


class LabelMe(DataSet):
    """The shapes of an image. Images and annotations are named here, as damage can hide what a folder is."""

    @staticmethod
    def content() -> dict:
        shapes = [
            dict(label='dog', points=[[1, 2], [30, 20]], shape_type='rectangle', group_id=None),
            dict(label='cat', points=[[5, 5], [9, 5], [7, 9.5]], shape_type='polygon', group_id=3),
            dict(label='cat', points=[[20, 20], [25, 20]], shape_type='circle', group_id=3, difficult=True),
            dict(label='dog', points=[[3, 3]], shape_type='point'),
        ]
        return dict(version='5.4.1', flags={}, shapes=shapes, imagePath='a.png', imageHeight=40, imageWidth=50)

    def sound_files(self):
        super().sound_files()
        self.path = self.folder / 'labels/a.json'
        return [json.dumps(self.content()).encode()]

    def forged(self, random):
        return odd_text(random, self.content()).encode()

    def splits(self):
        (self.folder / 'a.txt').write_text('a.png\n')
        lists = (self.folder / 'a.txt',)
        return [Split('all', 'labelme', self.folder, lists, self.folder / 'images', self.folder / 'labels')]


class Lines(Target):
    """A file of lines, compressed or not."""

    text = ''
    reader: Callable
    compressed = True

    def sound_files(self):
        return [self.text.encode(), lzma.compress(self.text.encode())] if self.compressed else [self.text.encode()]

    def forged(self, random):
        return odd_words(random, self.text)

    def read(self):
        type(self).reader(self.path)


class ImageList(Lines):
    text, reader, compressed = 'val/a 1\nval/b 2\nc 3\n', read_image_list, False


class PlainList(Lines):
    text, reader, compressed = 'a.png\nb/c.png\n', read_list, False


class Blacklist(Lines):
    text, reader = '1 n02084071\n2 n02958343\n', read_blacklist


class ClassNames(Lines):
    text, reader = 'dog\ncat\n', read_class_names


class Submission(Lines):
    text, reader = '1 2 0.5 1 2 30.5 40\n1 200 1e-3 0 0 5 5\n2 7 0.1 3 4 5 6\n', read_detections

    def read(self):
        table = read_detections(self.path)
        assert len(table.scores) == len(table.boxes) > 0 and np.isfinite(table.boxes).all()


class ProposalPickle(Target):
    """Whatever it says, nothing is run."""

    def sound_files(self) -> list[bytes]:
        content = {'a/b.jpg': dict(bboxes=np.ones((3, 4), np.float32), scores=np.ones(3))}
        return [pickle.dumps(content, protocol) for protocol in (2, 4, 5)] + [pickle.dumps([np.ones((2, 5))], 2)]

    def forged(self, random):
        return pickle.dumps({pick(random, ODD_TEXTS): pick(random, [odd_array(random), odd_json(random), set, print])})

    def read(self):
        load_plain_pickle(self.path.read_bytes(), self.path)


ANNOTATION_TARGETS: dict[str, type[Target]] = {
    'XML': Xml,
    'COCO': Coco,
    'LabelMe': LabelMe,
    'YOLO labels': Yolo,
    'YOLO data.yaml': YoloYaml,
    'image list': ImageList,
    'plain list': PlainList,
    'blacklist': Blacklist,
    'class names': ClassNames,
    'submission': Submission,
    'proposals in a pickle': ProposalPickle,
}
