"""What is attacked: a reader, sound files to begin with, files with odd values, and what must hold of all that is read.

To add a target, add a class with the three methods to ``TARGETS``.
"""

import io
import json
from pathlib import Path

import cv2
import h5py
import numpy as np
import scipy.io
from mutations import ODD_FLOATS, ODD_NUMBERS, ODD_TEXTS, damaged, odd_array, odd_json, odd_text, pick
from PIL import Image

from det_inception.evaluation.report import Annotations, EvalResults, Predictions, bootstrap, read_run, write_run
from det_inception.formats.cache import read_annotations
from det_inception.ilsvrc import read_ground_truth
from det_inception.proposals import Proposals, ProposalStore, ProposalWriter, identify, selective_search
from det_inception.proposals.cache import Cached
from det_inception.proposals.interchange import import_rcnn
from det_inception.proposals.region_scores import ImageScores, RegionScores, RegionScoresWriter
from det_inception.proposals.selective_search import MODES, SelectiveSearch
from det_inception.proposals.sources import Images
from det_inception.proposals.store_file import INDEX_TYPES, index_digest
from det_inception.utils.errors import InputError
from det_inception.utils.images import decode_image, image_size

SOUND_BOXES = np.array([[1, 2, 30, 40], [0, 0, 50, 40], [3.5, 4, 9, 10]], np.float32)


class Target:
    """A reader of files.

    Attributes:
        allowed: The errors that bad input may cause.
        says_names: Errors quote names of the input, which may hold line feeds; the commands write those out.
    """

    allowed: tuple[type[Exception], ...] = (InputError,)
    says_names = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / 'input'
        self.seeds = self.sound_files()

    def sound_files(self) -> list[bytes]:
        """Files that are read without an error."""
        raise NotImplementedError

    def forged(self, random: np.random.Generator) -> bytes:
        """A whole file that says odd things; by default as damaged as any."""
        return damaged(random, self.seeds)

    def read(self) -> None:
        """Reads ``path``, and asserts what must hold of it then."""
        raise NotImplementedError

    def try_one(self, random: np.random.Generator) -> None:
        content = self.forged(random) if random.random() < 0.5 else damaged(random, self.seeds)
        self.path.write_bytes(content)
        self.read()

    def changed_hdf5(self, random: np.random.Generator, names: list[str], attributes: list[str]) -> bytes:
        """A sound file in which data sets and attributes are replaced."""
        self.path.write_bytes(pick(random, self.seeds))
        with h5py.File(self.path, 'r+') as file:
            for _ in range(int(random.integers(1, 4))):
                if random.random() < 0.5:
                    name = pick(random, attributes)
                    value = pick(random, [pick(random, ODD_TEXTS).replace('\0', ''), odd_array(random), None])
                    if value is None or (isinstance(value, np.ndarray) and value.dtype.kind == 'U'):
                        file.attrs.pop(name, None)
                    else:
                        file.attrs[name] = value
                    continue
                name = pick(random, names)
                array = odd_array(random, file[name][()] if name in file else None)
                if name in file:
                    del file[name]
                if array.dtype.kind != 'U':
                    chunks = True if random.random() < 0.5 and array.ndim and array.size else None
                    options = dict(compression='gzip', shuffle=True) if chunks and random.random() < 0.5 else {}
                    file.create_dataset(name, data=array, chunks=chunks, **options)
            self.finish_hdf5(random, file)
        return self.path.read_bytes()

    def finish_hdf5(self, random: np.random.Generator, file: h5py.File) -> None:
        """What a forger would do to be believed."""


class Store(Target):
    def sound_files(self) -> list[bytes]:
        files = []
        for whole in (True, False):
            path = self.folder / f'{whole}.h5'
            with ProposalWriter(path, {'method': 'fuzz'}, shard=(1, 2) if whole else None) as writer:
                for number in range(4):
                    boxes = np.repeat(SOUND_BOXES, number, axis=0)
                    scores = np.linspace(1, 0, len(boxes), dtype=np.float32)
                    proposals = Proposals(np.rint(boxes) if whole else boxes, scores, 40, 50)
                    writer.add(f'a/{number}.jpg', proposals, identify(b'%d' % number))
            files.append(path.read_bytes())
        return files

    def forged(self, random):
        names = ['boxes', 'scores', *(f'images/{name}' for name in INDEX_TYPES)]
        return self.changed_hdf5(random, names, ['format', 'version', 'parameters', 'shard', 'index_digest'])

    def finish_hdf5(self, random, file):
        if 'parameters' not in file.attrs or random.random() < 0.2:
            return
        text = file.attrs['parameters'] = odd_text(random, {'method': 'fuzz'})
        if all(f'images/{name}' in file for name in INDEX_TYPES):
            index = {name: np.asarray(file[f'images/{name}'][()]) for name in INDEX_TYPES}
            if all(array.dtype.kind in 'iufb' for array in index.values()):
                with np.errstate(all='ignore'):
                    file.attrs['index_digest'] = index_digest(text, index)

    def read(self):
        with ProposalStore(self.path) as store:
            for key in store:
                proposals = store[key]
                assert proposals.boxes.shape == (store.count(key), 4) and len(proposals.scores) == store.count(key)
                assert np.isfinite(proposals.boxes).all() and (np.diff(proposals.scores) <= 0).all()
                assert store.find(f'/data/{key}') and store.size(key) == (proposals.height, proposals.width)
            assert store.number_of_proposals == sum(store.count(key) for key in store)


class Regions(Target):
    def sound_files(self) -> list[bytes]:
        files = []
        for deltas in (None, np.zeros((3, 8), np.float32)):
            writer = RegionScoresWriter(self.path, ['cat', 'dog'])
            for name in 'ab':
                writer.add(name, ImageScores(40, 50, SOUND_BOXES, np.ones((3, 3), np.float32), deltas))
            writer.close()
            files.append(self.path.read_bytes())
        return files

    def forged(self, random):
        names = ['boxes', 'logits', 'deltas', 'images']
        return self.changed_hdf5(random, names, ['format', 'version', 'classes', 'digest'])

    def finish_hdf5(self, random, file):
        if random.random() < 0.7:
            file.attrs.pop('digest', None)
        if random.random() < 0.5:
            file.attrs['classes'] = odd_text(random, ['cat', 'dog'])
        if random.random() < 0.5:
            if 'images' in file:
                del file['images']
            text = odd_text(random, [['a', 40, 50, 3], ['b', 40, 50, 3]])
            file['images'] = np.frombuffer(text.encode(), np.uint8)

    def read(self):
        scores = RegionScores(self.path)
        for name in scores:
            found = scores[name]
            rows, classes = len(found.boxes), len(scores.classes)
            assert found.boxes.shape == (rows, 4) and found.logits.shape == (rows, classes + 1)
            assert found.deltas is None or found.deltas.shape == (rows, 4 * classes)
            assert np.isfinite(found.boxes).all() and not np.isnan(found.logits).any()


class TestRun(Target):
    __test__ = False

    def sound_files(self) -> list[bytes]:
        files = []
        for rules, iou in (('coco', None), ('voc', np.array([0.5, 1, 0])), ('ilsvrc', None)):
            boxes = SOUND_BOXES.astype(np.float64)
            found = Predictions(np.array([0, 1, 1]), np.array([0, 0, 1]), np.array([0.9, 0.5, 0.4]), boxes)
            objects = Annotations(np.array([0, 1, 2]), np.array([0, 1, 0]), boxes, np.zeros(3, bool), iou)
            write_run(EvalResults(('cat', 'dog'), ('a', 'b', 'c'), found, objects, rules), self.path)
            files.append(self.path.read_bytes())
        return files

    def forged(self, random):
        with np.load(io.BytesIO(pick(random, self.seeds))) as file:
            content = dict(file)
        about = json.loads(str(content['about']))
        if random.random() < 0.3:
            content['about'] = np.array(odd_text(random, about).replace('\0', ''))
        for _ in range(int(random.integers(3))):
            name = pick(random, list(content))
            content[name] = odd_array(random, content[name])
        if random.random() < 0.1:
            del content[pick(random, list(content))]
        file = io.BytesIO()
        (np.savez if random.random() < 0.5 else np.savez_compressed)(file, **content)
        return file.getvalue()

    def read(self):
        with np.errstate(all='ignore'):
            bootstrap(read_run(self.path), resamples=2)


class OfficialMat(Target):
    """The development kit's ground truth."""

    def sound_files(self) -> list[bytes]:
        return [self.encoded(self.content(), compressed) for compressed in (False, True)]

    @staticmethod
    def content() -> dict:
        labels, boxes = np.empty((1, 2), object), np.empty((1, 2), object)
        labels[0, :] = [np.array([[1, 2]], np.uint8), np.zeros((0, 0))]
        boxes[0, :] = [np.array([[1, 2], [3, 4], [9, 9], [9, 8]], np.uint16), np.zeros((0, 0))]
        counts = np.zeros((200, 1), np.uint8)
        counts[:2] = 1
        ids = np.array([[1, 2, 3]], np.uint16)
        return dict(gt_img_ids=ids, gt_obj_labels=labels, gt_obj_bboxes=boxes, num_pos_per_class=counts)

    @staticmethod
    def encoded(content: dict, compressed: bool) -> bytes:
        file = io.BytesIO()
        scipy.io.savemat(file, content, do_compression=compressed)
        return file.getvalue()

    def forged(self, random):
        content = self.content()
        for _ in range(int(random.integers(1, 3))):
            name = pick(random, list(content))
            value = content[name]
            is_cell = isinstance(value, np.ndarray) and value.dtype == object
            if is_cell and random.random() < 0.7:
                cell = int(random.integers(value.size))
                value.ravel()[cell] = self.odd(random, np.asarray(value.ravel()[cell]))
            else:
                content[name] = self.odd(random, value if isinstance(value, np.ndarray) and not is_cell else None)
        return self.encoded(content, random.random() < 0.5)

    @staticmethod
    def odd(random, sound):
        cell = np.empty((1, 2), object)
        cell[0, :] = [np.ones((1, 1)), 'a']
        array = odd_array(random, sound)
        return pick(random, [array.astype('f8') if array.dtype == np.float16 else array, cell, {'a': 1}])

    def read(self):
        table = read_ground_truth(self.path)
        assert table.boxes.shape == (len(table.class_ids), 4) and np.isfinite(table.boxes).all()
        assert not len(table.class_ids) or 1 <= table.class_ids.min() <= table.class_ids.max() <= 200

    def try_one(self, random):
        self.path = self.folder / 'input.mat'
        super().try_one(random)


class RCNNMat(OfficialMat):
    """Selective search boxes of R-CNN's authors."""

    def sound_files(self) -> list[bytes]:
        cv2.imwrite(str(self.folder / 'a.png'), np.zeros((40, 50, 3), np.uint8))
        return super().sound_files()

    @staticmethod
    def content() -> dict:
        images, boxes = np.empty((1, 1), object), np.empty((1, 1), object)
        images[0, 0], boxes[0, 0] = 'a', np.array([[1.0, 2, 30, 40], [1, 1, 40, 50]])
        return dict(images=images, boxes=boxes)

    def read(self):
        import_rcnn(self.path, Images(self.folder, ['a.png']), self.folder / 'out.h5')
        with ProposalStore(self.folder / 'out.h5') as store:
            assert list(store) == ['a.png']
        (self.folder / 'out.h5').unlink()


class Photo(Target):
    """Images of all formats; the size of a header is that of the image."""

    _FORMATS = (
        ('JPEG', {}),
        ('JPEG', dict(progressive=True)),
        ('PNG', {}),
        ('PNG', dict(bits=4)),
        ('BMP', {}),
        ('GIF', {}),
        ('PPM', {}),
        ('TIFF', {}),
        ('TIFF', dict(compression='tiff_lzw')),
        ('WEBP', {}),
        ('WEBP', dict(lossless=True)),
        ('JPEG2000', {}),
    )

    def sound_files(self) -> list[bytes]:
        random = np.random.default_rng(0)
        return [self.image(random, *each) for each in self._FORMATS] + [self.image(random) for _ in range(30)]

    def image(self, random, format=None, options=None) -> bytes:
        if format is None:
            format, options = pick(random, self._FORMATS)
        shape = tuple(int(random.integers(1, 40)) for _ in range(2))
        mode = 'RGB' if format in ('JPEG2000', 'BMP') else pick(random, ['RGB', 'L'])
        image = Image.fromarray(random.integers(0, 256, (*shape, 3), dtype=np.uint8)).convert(mode)
        exif = Image.Exif()
        exif[0x0112] = int(random.integers(1, 9) if format == 'TIFF' else random.integers(10))
        if format in ('JPEG', 'PNG', 'WEBP', 'TIFF'):
            options = dict(options, exif=exif)
        file = io.BytesIO()
        image.save(file, format, **options)
        return file.getvalue()

    def forged(self, random):
        return self.image(random)

    def read(self):
        image = decode_image(self.path.read_bytes(), str(self.path))
        assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 and image.size
        assert image_size(self.path) == image.shape[:2]


class ProposalCache(Target):
    """An entry that is damaged is computed again: the boxes are always those of the method."""

    def sound_files(self) -> list[bytes]:
        self.image = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
        self.method = Cached(SelectiveSearch(width=None, min_size=0), self.folder / 'cache')
        self.expected = self.method(self.image)[0]
        (self.path,) = (self.folder / 'cache').rglob('*.npy')
        return [self.path.read_bytes()]

    def read(self):
        np.testing.assert_array_equal(self.method(self.image)[0], self.expected)


class AnnotationCache(Target):
    """Likewise for annotations."""

    def sound_files(self) -> list[bytes]:
        self.source = self.folder / 'a.xml'
        box = ''.join(f'<{name}>{value}</{name}>' for name, value in dict(xmin=1, ymin=2, xmax=9, ymax=9).items())
        self.source.write_text(f'<annotation><object><name>cat</name><bndbox>{box}</bndbox></object></annotation>')
        self.expected = read_annotations([self.source], self.folder / 'cache')
        (self.path,) = (self.folder / 'cache').glob('*.npz')
        return [self.path.read_bytes()]

    def read(self):
        assert read_annotations([self.source], self.folder / 'cache') == self.expected


class Search(Target):
    """Selective search on any array, with any parameters."""

    allowed = (ValueError, TypeError)

    def sound_files(self) -> list[bytes]:
        for mode in MODES:  # The first call compiles.
            selective_search(np.zeros((20, 20, 3), np.uint8), mode, None)
        return []

    def try_one(self, random):
        shape = (int(random.integers(1, 12)), int(random.integers(1, 12)), 3)
        image = random.integers(0, 256, shape, dtype=np.uint8)
        if random.random() < 0.2:
            image = odd_array(random, image)
        elif random.random() < 0.2:
            image = np.repeat(image, int(random.integers(200)), axis=int(random.integers(2)))
        options = dict(mode=pick(random, list(MODES)), width=pick(random, [None, 1, 3, 20]))
        for _ in range(int(random.integers(3))):
            name = pick(random, ['mode', 'width', 'color_spaces', 'ks', 'similarities', 'superpixel_size', 'sigma'])
            name = pick(random, [name, name, 'max_overlap', 'min_size', 'threads'])
            options[name] = pick(random, [odd_json(random), pick(random, ODD_NUMBERS), pick(random, ODD_FLOATS)])
        options.setdefault('threads', 1)
        boxes = selective_search(image, **options)
        assert boxes.dtype == np.float32 and boxes.ndim == 2 and boxes.shape[1] == 4
        assert (boxes[:, 2:] > boxes[:, :2]).all() and (boxes >= 0).all()
        assert (boxes[:, 2:] <= (image.shape[1], image.shape[0])).all()


TARGETS: dict[str, type[Target]] = {
    'store': Store,
    'region scores': Regions,
    'test run': TestRun,
    'ground truth .mat': OfficialMat,
    'R-CNN .mat': RCNNMat,
    'image': Photo,
    'proposal cache': ProposalCache,
    'annotation cache': AnnotationCache,
    'selective search': Search,
}
