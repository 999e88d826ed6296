"""Everything that the project writes, small: how it is written anew, and what must be there then."""

from __future__ import annotations

import itertools
import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import cv2
import numpy as np
import torch
from machine import content_of
from tiny_training import config

from det_inception.engine.resuming import find_last_checkpoint, require_state
from det_inception.engine.runner import build_runner, explain_disk_errors
from det_inception.evaluation.metrics.region_scores_metric import RegionScoresMetric
from det_inception.evaluation.report import Annotations, EvalResults, Predictions, write_report
from det_inception.formats.cache import read_annotations, read_image_sizes
from det_inception.ilsvrc import DetectionTable
from det_inception.ilsvrc.submission import write_detections
from det_inception.inference.detecting import Wanted, detect_all
from det_inception.inference.detections import Detections
from det_inception.mini_set import cut_objects, make_mini
from det_inception.mini_set.scene import CLASSES
from det_inception.proposals import Proposals, ProposalStore, ProposalWriter, identify
from det_inception.proposals.cache import Cached
from det_inception.proposals.interchange import export_by_suffix
from det_inception.proposals.merging import merge_stores
from det_inception.proposals.multibox import write_priors
from det_inception.utils.files import write_texts
from det_inception.weights.checkpoints import read_checkpoint
from det_inception.weights.export import publish

BOXES = np.array([[1, 2, 30, 40], [0, 0, 50, 40], [3, 4, 9, 10]], np.float32)


class Writer:
    """Writes version ``'old'`` or ``'new'`` of something into a folder.

    Attributes:
        never_fails: What cannot be written is left out.
        may_lack: Files that may be missing in between: those of a folder that is replaced by another, and what
            grows.
        suffixes: The files that are tried; others, such as logs, grow line by line.
        prepared: The folder that :meth:`prepare` was given.
    """

    prepared: Path
    never_fails = False
    may_lack: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ('',)

    def prepare(self, folder: Path) -> None:
        """Makes what is read, apart from the folder that is written to."""

    def write(self, folder: Path, version: str) -> None:
        raise NotImplementedError

    def content(self, folder: Path) -> dict[str, bytes]:
        """The finished files, by name."""
        return content_of(folder)


def store(path: Path, versions: tuple[str, ...], shard: tuple[int, int] | None = None) -> None:
    with ProposalWriter(path, {'method': 'none'}, shard=shard, flush_images=2) as writer:
        for version, number in itertools.product(versions, range(2)):
            if f'{version}/{number}.png' not in writer:
                proposals = Proposals(BOXES, np.ones(3, np.float32), 40, 50)
                writer.add(f'{version}/{number}.png', proposals, identify(b'%d' % number))


class Store(Writer):
    """A proposal store to which images are added, part after part."""

    def write(self, folder, version):
        store(folder / 'store.h5', ('old',) if version == 'old' else ('old', 'new'))

    def content(self, folder):
        return {name: data for name, data in content_of(folder).items() if '.parts/' not in name}


class MergedStore(Writer):
    def prepare(self, folder):
        for number in (1, 2):
            store(folder / f'{number}.h5', (str(number),), shard=(number, 2))

    def write(self, folder, version):
        if version == 'new':
            merge_stores([self.prepared / f'{number}.h5' for number in (1, 2)], folder / 'merged.h5')
        else:
            store(folder / 'merged.h5', ('old',))


class ExportedProposals(Writer):
    def prepare(self, folder):
        store(folder / 'store.h5', ('a',))
        (folder / 'a').mkdir()
        for number in range(2):
            cv2.imwrite(str(folder / f'a/{number}.png'), np.zeros((40, 50, 3), np.uint8))

    def write(self, folder, version):
        for name in ('a.pkl', 'a.mat'):
            if version == 'old':
                (folder / name).write_bytes(b'old')
            else:
                with ProposalStore(self.prepared / 'store.h5') as proposals:
                    export_by_suffix(proposals, self.prepared, folder / name)

    def content(self, folder):  # MATLAB's files begin with the time.
        return {name: data if len(data) < 99 else data[128:] for name, data in content_of(folder).items()}


class RegionScores(Writer):
    def write(self, folder, version):
        metric = RegionScoresMetric(folder / 'scores.h5')
        metric.dataset_meta = dict(classes=('cat', 'dog'))
        for name in 'abc':
            logits = np.full((3, 3), ord(version[0]), np.float32)
            regions = dict(boxes=BOXES, logits=logits)
            metric.process({}, [dict(img_id=name, img_shape=(40, 50), region_scores=regions)])
        metric.evaluate(3)


class ProposalCache(Writer):
    never_fails = True

    def write(self, folder, version):
        if version == 'new':
            method = Cached(lambda image: (BOXES, None), folder)
            object.__setattr__(method.method, 'parameters', {'method': 'none'})
            assert (method(np.zeros((9, 9, 3), np.uint8))[0] == BOXES).all()


class AnnotationCache(Writer):
    never_fails = True

    def prepare(self, folder):
        (folder / 'a.xml').write_text('<annotation><size><width>9</width><height>8</height></size></annotation>')
        cv2.imwrite(str(folder / 'a.png'), np.zeros((8, 9, 3), np.uint8))

    def write(self, folder, version):
        if version == 'new':
            assert read_annotations([self.prepared / 'a.xml'], folder)[0].width == 9
            assert read_image_sizes([self.prepared / 'a.png'], folder) == [(8, 9)]


class DrawnPhotos(Writer):
    """``detections.json`` and its pictures; the former holds the photos that are done."""

    may_lack = ('boxes of ',)

    def prepare(self, folder):
        for number in range(2):
            cv2.imwrite(str(folder / f'{number}.png'), np.full((20, 20, 3), number, np.uint8))

    def write(self, folder, version):
        score = {'old': 0.25, 'new': 0.75}[version]
        found = Detections(np.array([[1, 2, 9, 9]], np.float32), np.array([score], np.float32), np.array([0]), ('cat',))
        detector = SimpleNamespace(detect=lambda image, path: found, model=None, classes=('cat',))
        with mock.patch('time.monotonic', return_value=0.0):  # Writing takes no time, so it is done after every photo.
            detect_all(detector, sorted(self.prepared.iterdir()), folder, Wanted(score=0.1, kinds=('voc',)))

    def content(self, folder):
        files = content_of(folder)
        if 'detections.json' in files:
            photos = json.loads(files.pop('detections.json'))['images']
            files |= {f'boxes of {name}': json.dumps(boxes).encode() for name, boxes in photos.items()}
        return files


class Report(Writer):
    def write(self, folder, version):
        boxes = BOXES.astype(np.float64)
        score = {'old': 0.25, 'new': 0.75}[version]
        results = EvalResults(
            class_names=('cat', 'dog'),
            image_names=('a', 'b'),
            predictions=Predictions(np.array([0, 1, 1]), np.array([0, 0, 1]), np.full(3, score), boxes),
            annotations=Annotations(np.array([0, 1, 1]), np.array([0, 1, 0]), boxes, np.zeros(3, bool), None),
            rules='coco',
        )
        png = cv2.imencode('.png', np.zeros((2, 2, 3), np.uint8))[1].tobytes()
        module = 'det_inception.evaluation.report.write'
        with (  # Matplotlib takes a second for each figure.
            mock.patch(f'{module}.plot_precision_recall', return_value=png),
            mock.patch(f'{module}.plot_confidence', return_value=png),
        ):
            write_report(results, folder, title=version)


class Submission(Writer):
    def write(self, folder, version):
        ids = np.arange(1, 4)
        detections = DetectionTable(ids, ids, np.full(3, {'old': 0.25, 'new': 0.75}[version]), BOXES.astype(np.float64))
        for name in ('a.txt', 'a.txt.gz'):
            write_detections(folder / name, detections)


class Lists(Writer):
    """The parts of a split."""

    def write(self, folder, version):
        write_texts({folder / f'{name}.txt': f'{version} {name}\n' for name in ('train', 'val')})


class Priors(Writer):
    def write(self, folder, version):
        write_priors(folder / 'priors.json', np.array([[0, 0, 1, {'old': 0.25, 'new': 0.75}[version]]]))


class Published(Writer):
    def prepare(self, folder):
        for version in ('old', 'new'):
            state = {'backbone.conv1.weight': torch.full((9,), float(len(version) + ord(version[0])))}
            state |= {'data_preprocessor.mean': torch.zeros(3, 1, 1), 'data_preprocessor.std': torch.ones(3, 1, 1)}
            torch.save(dict(state_dict=state, meta=dict(epoch=1)), folder / f'{version}.pth')

    def write(self, folder, version):
        publish(self.prepared / f'{version}.pth', folder / 'published.pth')


class Checkpoints(Writer):
    """A training that is resumed for a second epoch; of checkpoints the last one is kept."""

    suffixes = ('.pth', 'last_checkpoint')

    def write(self, folder, version):
        last = find_last_checkpoint(folder)
        cfg = config(folder, epochs={'old': 1, 'new': 2}[version])
        cfg.default_hooks = dict(checkpoint=dict(type='CheckpointHook', interval=1, max_keep_ckpts=1))
        cfg.load_from, cfg.resume = last, last is not None
        runner = build_runner(cfg)
        with explain_disk_errors(cfg.work_dir):
            runner.train()

    def content(self, folder):
        for path in folder.glob('[a-z]*.pth'):
            require_state(read_checkpoint(path), path)
        last = read_checkpoint(find_last_checkpoint(folder))
        return {'the last': repr((last['meta']['epoch'], last['state_dict'], last['optimizer'])).encode()}


class MiniSet(Writer):
    may_lack = ('mini/',)

    def write(self, folder, version):
        make_mini(folder / 'mini', 1, 1, {'old': 1, 'new': 2}[version], 1, progress=False, force=True)


class CutObjects(Writer):
    """Objects of a set that has one of each class."""

    def prepare(self, folder):
        for split in ('train', 'val'):
            for kind in ('Data', 'Annotations'):
                (folder / kind / 'DET' / split).mkdir(parents=True)
            box = '<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>30</xmax><ymax>30</ymax></bndbox>'
            objects = ''.join(f'<object><name>{wnid}</name>{box}</object>' for wnid, _ in CLASSES)
            (folder / f'Annotations/DET/{split}/a.xml').write_text(f'<annotation>{objects}</annotation>')
            cv2.imwrite(str(folder / f'Data/DET/{split}/a.JPEG'), np.zeros((40, 50, 3), np.uint8))

    def write(self, folder, version):
        shutil.rmtree(folder / 'objects', ignore_errors=True)
        if version == 'new':
            cut_objects(self.prepared, folder / 'objects', progress=False)


WRITERS: dict[str, Writer] = {
    re.sub('(?<!^)([A-Z])', r' \1', kind.__name__).lower(): kind() for kind in Writer.__subclasses__()
}
