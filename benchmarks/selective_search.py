"""Measures selective search against OpenCV's: seconds an image, boxes, recall, mean best overlap.

OpenCV's selective search is in opencv-contrib-python, which cannot be installed beside the opencv-python of this
project, so it runs in an environment of its own:

    python -m venv /tmp/contrib && /tmp/contrib/bin/pip install opencv-contrib-python-headless
    python benchmarks/selective_search.py data/coco128/annotations.json data/coco128/images \\
        --contrib /tmp/contrib/bin/python

Every image goes through all methods before the next image, in an order that changes from image to image, so that
a machine that is busy for a while is busy for all of them. Compiling and a first image are not counted. Boxes with
a side under 20 pixels are left out, counted in pixels of the image, and, in the columns marked "at width", in
pixels of the scaled image, as R-CNN does.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

SIDE = 20
# Name in the table, and the smaller k; the larger one is twice as large.
OPENCV = {'OpenCV fast': 50, 'OpenCV ilsvrc2014': 100}


def opencv_selective_search(image: np.ndarray, width: int, k: int) -> np.ndarray:
    """OpenCV's selective search with R-CNN's strategies: HSV and Lab x {C+T+S+F, T+S+F} x {k, 2 k}, min size = k."""
    library = cv2.ximgproc.segmentation
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    scaled = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    search = library.createSelectiveSearchSegmentation()
    search.setBaseImage(scaled)
    search.addImage(cv2.cvtColor(scaled, cv2.COLOR_BGR2HSV))
    search.addImage(cv2.cvtColor(scaled, cv2.COLOR_BGR2Lab))
    for scale in (k, 2 * k):
        search.addGraphSegmentation(library.createGraphSegmentation(0.8, float(scale), scale))
    size, fill, texture, color = (
        getattr(library, f'createSelectiveSearchSegmentationStrategy{name}')
        for name in ('Size', 'Fill', 'Texture', 'Color')
    )
    multiple = library.createSelectiveSearchSegmentationStrategyMultiple
    search.addStrategy(multiple(color(), texture(), size(), fill()))
    search.addStrategy(multiple(texture(), size(), fill()))
    boxes = np.asarray(search.process(), np.float64)
    boxes[:, 2:] += boxes[:, :2]
    return np.unique(boxes * np.array([image.shape[1] / width, image.shape[0] / height] * 2), axis=0)


def serve_opencv(width: int, threads: int) -> None:
    """In the other environment: takes k, an image and an output path a line, answers with the seconds."""
    cv2.setNumThreads(threads)
    for line in sys.stdin:
        k, path, out = line.rstrip('\n').split('\t')
        image = cv2.imread(path)
        start = time.perf_counter()
        boxes = opencv_selective_search(image, width, int(k))
        seconds = time.perf_counter() - start
        np.save(out, boxes)
        print(seconds, flush=True)


class OpenCV:
    """OpenCV's selective search in its own environment."""

    def __init__(self, python: str, width: int, threads: int) -> None:
        command = [python, __file__, '--serve', '--width', str(width), '--threads', str(threads)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.file = Path(os.environ.get('TMPDIR', '/tmp')) / f'opencv-boxes-{os.getpid()}.npy'

    def __call__(self, path: Path, k: int) -> tuple[float, np.ndarray]:
        self.process.stdin.write(f'{k}\t{path}\t{self.file}\n')
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit('OpenCV ended; does its environment have opencv-contrib-python-headless?')
        return float(answer), np.load(self.file)

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()
        self.file.unlink(missing_ok=True)


def read_coco(annotations: Path, folder: Path, count: int | None) -> list[tuple[Path, np.ndarray]]:
    """Paths of the images and their boxes x1, y1, x2, y2, float64 (G, 4)."""
    content = json.loads(annotations.read_text())
    boxes: dict[int, list] = {image['id']: [] for image in content['images']}
    for entry in content['annotations']:
        x, y, w, h = entry['bbox']
        boxes[entry['image_id']].append([x, y, x + w, y + h])
    images = content['images'][:count]
    return [(folder / image['file_name'], np.array(boxes[image['id']], float).reshape(-1, 4)) for image in images]


def compare(arguments: argparse.Namespace) -> None:
    from det_inception.proposals.recall import best_overlaps
    from det_inception.proposals.selective_search import selective_search

    images = read_coco(arguments.annotations, arguments.images, arguments.count)
    opencv = OpenCV(arguments.contrib, arguments.width, arguments.threads) if arguments.contrib else None

    def ours(mode: str) -> Callable:
        def run(path: Path) -> tuple[float, np.ndarray]:
            image = cv2.imread(str(path))
            start = time.perf_counter()
            boxes = selective_search(image, mode, arguments.width, threads=arguments.threads)
            return time.perf_counter() - start, boxes

        return run

    methods: dict[str, Callable] = {mode: ours(mode) for mode in arguments.modes}
    if opencv is not None:
        methods |= {name: lambda path, k=k: opencv(path, k) for name, k in OPENCV.items()}
    for run in methods.values():
        run(images[0][0])

    seconds: dict[str, list] = {name: [] for name in methods}
    boxes: dict[str, list] = {name: [] for name in methods}
    names = list(methods)
    for number, (path, _) in enumerate(images):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            elapsed, found = methods[name](path)
            seconds[name].append(elapsed)
            boxes[name].append(found)
    if opencv is not None:
        opencv.close()

    widths = [cv2.imread(str(path)).shape[1] for path, _ in images]
    truth = [gt for _, gt in images]
    objects = sum(map(len, truth))
    print(f'{len(images)} images, {objects} objects, width {arguments.width}, {arguments.threads} threads')
    print(
        f'{"":<20} s/image  boxes  recall 0.5  0.7    best overlap | at width: boxes  recall 0.5  0.7    best overlap'
    )
    for name in methods:
        cells = [f'{name:<20} {np.mean(seconds[name]):7.3f}']
        for scaled in (False, True):
            kept = []
            for found, width in zip(boxes[name], widths):
                side = SIDE * width / arguments.width - 1e-3 if scaled else SIDE
                kept.append(found[(found[:, 2:] - found[:, :2] >= side).all(axis=1)])
            best = best_overlaps(kept, truth, [max(map(len, kept))])
            cells.append(
                f'{np.mean([len(k) for k in kept]):9.0f} {np.mean(best >= 0.5):11.3f} {np.mean(best >= 0.7):6.3f} '
                f'{best.mean():12.3f}'
            )
        print('  '.join(cells))
    if opencv is not None:
        for name, other in (('fast', 'OpenCV fast'), ('ilsvrc2014', 'OpenCV ilsvrc2014')):
            if name in methods:
                ratio = np.sum(seconds[other]) / np.sum(seconds[name])
                each = np.median(np.array(seconds[other]) / np.array(seconds[name]))
                print(f'{other} takes {ratio:.1f} times as long as {name} ({each:.1f} on the median image)')


def profile(arguments: argparse.Namespace) -> None:
    """Where the time of `fast` goes, on one thread."""
    from det_inception.proposals import grouping, segmentation
    from det_inception.proposals.color_spaces import convert_color
    from det_inception.proposals.selective_search import MODES, _resized, selective_search

    total: dict[str, float] = {}

    def timed(name: str, function: Callable, *values):
        start = time.process_time()
        result = function(*values)
        total[name] = total.get(name, 0) + time.process_time() - start
        return result

    images = read_coco(arguments.annotations, arguments.images, arguments.count)
    first = cv2.imread(str(images[0][0]))
    selective_search(first, 'fast', arguments.width)
    mode = MODES['fast']
    for path, _ in images:
        image = cv2.imread(str(path))
        scaled = timed('resize', _resized, image, arguments.width)
        height, width = scaled.shape[:2]
        for space in mode['color_spaces']:
            converted = timed('color', convert_color, scaled, space)
            smoothed = timed('smooth', segmentation.smooth, converted)
            texture = timed('texture bins', grouping.texture_bins, smoothed)
            edges = timed('list edges', segmentation._list_edges, smoothed)
            edges = timed('sort edges', segmentation._sort_by_weight, edges)
            for k in mode['ks']:
                labels, count = timed('merge pixels', segmentation.merge_pixels, edges, height, width, k, k)
                sizes, _ = timed('sizes, boxes', grouping._sizes_and_boxes, labels, count)
                timed('color histograms', grouping._color_histograms, labels, sizes, converted)
                timed('texture histograms', grouping._texture_histograms, labels, sizes, texture)
                timed('neighbors', grouping._adjacent_pairs, labels, count)
                regions = grouping.describe_regions(labels, count, converted, texture)
                for similarity in mode['similarities']:
                    timed('grouping', grouping.group_regions, regions, similarity)
        timed('whole', functools.partial(selective_search, image, 'fast', arguments.width, threads=1))
    whole = total.pop('whole')
    total['all else'] = whole - sum(total.values())
    print(
        f'{len(images)} images, width {arguments.width}, processor time: {1000 * whole / len(images):.1f} ms an image'
    )
    for name, value in sorted(total.items(), key=lambda item: -item[1]):
        print(f'{name:<22} {1000 * value / len(images):7.2f} ms {100 * value / whole:6.1f} %')


def memory(arguments: argparse.Namespace) -> None:
    """Peak memory for 2000 x 2000 pixels, not scaled down."""
    from det_inception.proposals.selective_search import selective_search

    rng = np.random.default_rng(0)
    image = cv2.resize(rng.integers(0, 256, (250, 250, 3), np.uint8), (2000, 2000), interpolation=cv2.INTER_CUBIC)
    image = cv2.add(image, rng.integers(0, 12, image.shape, np.uint8))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = time.perf_counter()
    boxes = selective_search(image, 'fast', None, threads=arguments.threads)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f'2000 x 2000 pixels: {len(boxes)} boxes, {time.perf_counter() - start:.1f} s with compilation if not cached, '
        f'{after:.0f} MB at most, {before:.0f} MB of them before the call'
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('annotations', type=Path, nargs='?', help='a COCO annotation file')
    parser.add_argument('images', type=Path, nargs='?', help='the folder of its images')
    parser.add_argument('--contrib', metavar='PYTHON', help='the Python of an environment with opencv-contrib')
    parser.add_argument('--modes', nargs='+', default=['fast', 'ilsvrc2014', 'quality'], help='default: %(default)s')
    parser.add_argument('--count', type=int, help='only the first so many images')
    parser.add_argument('--width', type=int, default=500, help='default: %(default)s')
    parser.add_argument('--threads', type=int, default=2, help='default: %(default)s')
    parser.add_argument('--profile', action='store_true', help='says where the time goes instead')
    parser.add_argument('--memory', action='store_true', help='measures peak memory instead; needs no images')
    parser.add_argument('--serve', action='store_true', help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve_opencv(arguments.width, arguments.threads)
    elif arguments.memory:
        memory(arguments)
    elif arguments.images is None:
        parser.error('give a COCO annotation file and the folder of its images, or --memory')
    elif arguments.profile:
        profile(arguments)
    else:
        compare(arguments)


if __name__ == '__main__':
    main()
