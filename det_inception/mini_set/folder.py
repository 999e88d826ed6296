"""Writes the set as ILSVRC ships DET, and shows samples of it.

ROOT/Annotations/DET/{train,val}/mini_train_000001.xml     WNIDs; 0-based inclusive indices: xmax < width
ROOT/Data/DET/{train,val,test}/mini_train_000001.JPEG
ROOT/ImageSets/DET/{train,val,test}.txt                    "mini_train_000001 1" a line
ROOT/ImageSets/DET/train_{1..200}.txt                      of each class: 1 where an image shows it, -1 where not
ROOT/ImageSets/DET/{val1,val2}.txt                         R-CNN's halves of val, with val's numbers
ROOT/ilsvrc13_val2.txt, ILSVRC2014_det_validation_blacklist.txt    what R-CNN and the organizers ship beside
ROOT/mini.json                                             what it was made with

Images of the test have no annotations, as in ILSVRC.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from det_inception.formats.synsets import DET_WNIDS
from det_inception.mini_set.canvas import Array
from det_inception.mini_set.scene import CLASSES, Box, compose
from det_inception.utils.cores import available_cores
from det_inception.utils.errors import InputError
from det_inception.utils.files import reason
from det_inception.utils.locks import lock_folder, unlock

GENERATOR_VERSION = 1
"""Raised whenever the same seed gives other pictures than before."""

LISTS_VERSION = 1
"""Raised whenever the lists, or the files beside them, are others. Sets that lack them are made anew."""

SPLITS = ('train', 'val')
TEST = 'test'
VAL2, BLACKLIST = 'ilsvrc13_val2.txt', 'ILSVRC2014_det_validation_blacklist.txt'
RECORD = 'mini.json'


class MiniSetError(InputError):
    """Says in one sentence why the set cannot be made or shown."""


def make_mini(
    root: str | Path,
    train: int = 800,
    val: int = 150,
    seed: int = 2014,
    workers: int | None = None,
    progress: bool = True,
    force: bool = False,
) -> Path:
    """Makes the set, or returns at once where it already lies there complete.

    The set is written beside `root` and renamed when it is complete, so nothing half-made ever has its name.

    Args:
        root: folder of the set, e.g. `data/mini`.
        train: number of training images.
        val: number of validation images; a fifth as many are for the test.
        seed: non-negative; each image's own seed follows from it, the split and the index.
        workers: number of processes; None: one a usable core, at most 8. It has no influence on the result.
        progress: whether to show a progress bar.
        force: whether to make anew a set that lies there, whatever it was made with.

    Returns:
        The path of the folder.

    Raises:
        MiniSetError: a parameter is out of range; `root` holds a set made with other parameters (and not
            `force`) or files of another origin; the disk refuses; or a worker process failed.
    """
    root = Path(root)
    if train < 1 or val < 1:
        raise MiniSetError(f'train and val must each be at least 1 image, not {train} and {val}.')
    if seed < 0:
        raise MiniSetError(f'The seed must not be negative, but it is {seed}.')
    workers = min(available_cores(), 8) if workers is None else workers
    if workers < 1:
        raise MiniSetError(f'There must be at least 1 worker, not {workers}.')
    wanted = {'generator': GENERATOR_VERSION, 'seed': seed, 'train': train, 'val': val}
    counts = {'train': train, 'val': val, TEST: max(1, val // 5)}
    if _is_made(root, wanted, force):
        return root

    with folder_beside(root) as beside:
        fresh = beside / 'new'
        for split in counts:
            (fresh / 'Data/DET' / split).mkdir(parents=True)
        for split in SPLITS:
            (fresh / 'Annotations/DET' / split).mkdir(parents=True)
        tasks = [(split, i) for split, count in counts.items() for i in range(1, count + 1)]
        with tqdm(total=len(tasks), desc=f'making {root}', unit='image', disable=not progress) as bar:
            if workers == 1:
                for split, index in tasks:
                    _write_image(fresh, seed, split, index)
                    bar.update()
            else:
                _run_workers(fresh, seed, tasks, min(workers, len(tasks)), bar)
        _write_lists(fresh, counts)
        # The libraries are noted for whoever compares two machines; they do not decide whether the set is the
        # wanted one.
        record = {**wanted, 'lists': LISTS_VERSION, 'classes': dict(CLASSES)}
        record |= {'opencv': cv2.__version__, 'numpy': np.__version__}
        (fresh / RECORD).write_text(json.dumps(record, indent=2) + '\n')
        old = beside / 'old'
        if root.exists():
            root.rename(old)
        try:
            fresh.rename(root)
        except OSError:
            if old.exists():
                old.rename(root)
            raise
    return root


@contextlib.contextmanager
def folder_beside(root: Path) -> Iterator[Path]:
    """Makes a temporary folder beside a folder to be, and removes those that killed processes have left there.

    Nothing stays behind, also none of the folders above that had to be made, where the block fails.

    Raises:
        MiniSetError: The disk refuses.
    """
    new = [folder for folder in root.parents if not folder.exists()]
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        for left in root.parent.glob(f'.{root.name}-*'):
            with contextlib.suppress(BlockingIOError):  # Its process is at work.
                unlock(lock_folder(left))
                shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=f'.{root.name}-', dir=root.parent) as beside:
            lock = lock_folder(beside)
            try:
                yield Path(beside)
            finally:
                unlock(lock)
    except BaseException as error:
        for folder in new:
            with contextlib.suppress(OSError):
                folder.rmdir()
        if isinstance(error, OSError):
            raise MiniSetError(f'{root}: cannot be made: {reason(error)}.') from error
        raise


def contact_sheet(root: str | Path, count: int = 24, columns: int = 6, seed: int = 0) -> Array:
    """Reads random images of a made set back and draws them on one sheet with their boxes and names.

    Args:
        root: folder of the set.
        count: number of images, of both splits together.
        columns: images a row.
        seed: chooses the images.

    Returns:
        (height, width, 3) uint8 BGR.

    Raises:
        MiniSetError: there are no annotations in the folder, or an image of it is missing.
    """
    files = sorted(Path(root, 'Annotations/DET').glob('*/*.xml'))
    if not files:
        raise MiniSetError(f'There are no annotations under {Path(root, "Annotations/DET")}: make the set first.')
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(files), min(count, len(files)), replace=False)
    names = dict(CLASSES)
    cell = 366
    rows = -(-len(chosen) // columns)
    sheet = np.full((rows * cell, columns * cell, 3), 255, np.uint8)
    for k, i in enumerate(chosen):
        image_file = Path(root, 'Data/DET', files[i].parent.name, files[i].stem + '.JPEG')
        image = cv2.imread(str(image_file))
        if image is None:
            raise MiniSetError(f'{image_file} is missing or not an image: make the set anew.')
        for thing in ElementTree.parse(files[i]).iter('object'):
            x1, y1, x2, y2 = (int(thing.findtext(f'bndbox/{key}')) for key in ('xmin', 'ymin', 'xmax', 'ymax'))
            cv2.rectangle(image, (x1, y1), (x2, y2), (0, 255, 255), 1)
            name = names.get(thing.findtext('name'), thing.findtext('name'))
            (wide, tall), _ = cv2.getTextSize(name, cv2.FONT_HERSHEY_SIMPLEX, 0.4, 1)
            # The label stands on the box, or hangs in it where there is no room above.
            left, base = max(min(x1, image.shape[1] - wide - 2), 0), max(y1 - 2, tall + 2)
            cv2.rectangle(image, (left, base - tall - 2), (left + wide + 2, base + 2), (0, 255, 255), -1)
            cv2.putText(image, name, (left + 1, base), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
        y, x = k // columns * cell + 3, k % columns * cell + 3
        sheet[y : y + image.shape[0], x : x + image.shape[1]] = image
    return sheet


def _is_made(root: Path, wanted: dict[str, int], force: bool) -> bool:
    """Whether the wanted set lies there complete.

    Raises:
        MiniSetError: what lies there must not be replaced.
    """
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    try:
        record = json.loads((root / RECORD).read_text())
        found = {key: record[key] for key in wanted}
    except (OSError, ValueError, KeyError, TypeError):
        # Also with `force`: these may be somebody's own files.
        raise MiniSetError(
            f'{root} is not a set made by this tool (it has no readable {RECORD}): '
            'choose another folder, or remove it yourself.'
        ) from None
    if force or (found == wanted and record.get('lists') != LISTS_VERSION):
        return False
    if found != wanted:
        changed = ', '.join(
            f'{key} {found[key]} instead of {wanted[key]}' for key in wanted if found[key] != wanted[key]
        )
        raise MiniSetError(f'{root} was made with other parameters ({changed}): replace it with --force (force=True).')
    complete = all((root / 'ImageSets/DET' / f'{split}.txt').is_file() for split in SPLITS) and all(
        sum(1 for _ in (root / kind / 'DET' / split).glob(f'*.{suffix}')) == wanted[split]
        for split in SPLITS
        for kind, suffix in (('Annotations', 'xml'), ('Data', 'JPEG'))
    )
    if not complete:
        raise MiniSetError(f'{root} lacks some of its files: make it anew with --force (force=True).')
    return True


def _write_lists(root: Path, counts: dict[str, int]) -> None:
    """Writes the lists that ILSVRC has, and the two files beside them that R-CNN's halves follow from."""
    folder = root / 'ImageSets/DET'
    folder.mkdir(parents=True)
    numbers = {split: {_name(split, i): i for i in range(1, count + 1)} for split, count in counts.items()}
    shown = {name: _classes_of(root / f'Annotations/DET/train/{name}.xml') for name in numbers['train']}
    for number, wnid in enumerate(DET_WNIDS, start=1):
        # As there, a class that no image shows has no negative images either.
        seen = any(wnid in classes for classes in shown.values())
        lines = [f'{name} {1 if wnid in classes else -1}\n' for name, classes in shown.items()] if seen else []
        (folder / f'train_{number}.txt').write_text(''.join(lines))
    # The last image of the first half is on the blacklist, for a class that it does not show, and so in neither half.
    odd, even = ({name: i for name, i in numbers['val'].items() if i % 2 == rest} for rest in (1, 0))
    blacklisted = [odd.popitem()[1]] if len(odd) > 1 else []
    numbers |= {'val1': odd, 'val2': even or odd}  # Of a single image, there is but one half.
    for name, images in numbers.items():
        (folder / f'{name}.txt').write_text(''.join(f'{image} {index}\n' for image, index in images.items()))
    (root / VAL2).write_text(''.join(f'{name}\n' for name in numbers['val2']))
    (root / BLACKLIST).write_text(''.join(f'{index} {DET_WNIDS[0]}\n' for index in blacklisted))


def _classes_of(annotation: Path) -> set[str]:
    return {item.findtext('name') for item in ElementTree.parse(annotation).iter('object')}


def _name(split: str, index: int) -> str:
    return f'mini_{split}_{index:06d}'


def _write_image(root: Path, seed: int, split: str, index: int) -> None:
    # The index is never 0: NumPy's seeds ignore zeros at the end.
    own_seed = (seed, (*SPLITS, TEST).index(split), index)
    scene = compose(own_seed)
    quality = int(np.random.default_rng((*own_seed, 1)).integers(70, 97))
    name = _name(split, index)
    _, data = cv2.imencode('.JPEG', scene.image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    (root / 'Data/DET' / split / f'{name}.JPEG').write_bytes(data.tobytes())
    if split == TEST:
        return
    height, width = scene.image.shape[:2]
    (root / 'Annotations/DET' / split / f'{name}.xml').write_text(_annotation(split, name, width, height, scene.boxes))


def _annotation(split: str, name: str, width: int, height: int, boxes: list[Box]) -> str:
    """The text of an annotation file, laid out as the shipped ones are (tabs; xmin, xmax, ymin, ymax)."""
    lines = ['<annotation>', f'\t<folder>mini_{split}</folder>', f'\t<filename>{name}</filename>']
    lines += ['\t<source>', '\t\t<database>det_inception_mini</database>', '\t</source>']
    lines += ['\t<size>', f'\t\t<width>{width}</width>', f'\t\t<height>{height}</height>', '\t</size>']
    for wnid, x1, y1, x2, y2 in boxes:
        lines += ['\t<object>', f'\t\t<name>{wnid}</name>', '\t\t<bndbox>']
        lines += [
            f'\t\t\t<{key}>{value}</{key}>' for key, value in (('xmin', x1), ('xmax', x2), ('ymin', y1), ('ymax', y2))
        ]
        lines += ['\t\t</bndbox>', '\t</object>']
    return '\n'.join([*lines, '</annotation>']) + '\n'


# A new interpreter a worker: a forked process could hang on the threads that OpenCV had in its parent.
_WORKER = 'import sys; from det_inception.mini_set.folder import work; work(*sys.argv[1:])'


def _run_workers(root: Path, seed: int, tasks: list[tuple[str, int]], workers: int, bar: tqdm) -> None:
    """Deals the tasks out to processes; each puts one byte into a common pipe for each image written."""
    reading, writing = os.pipe()
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(map(os.path.abspath, sys.path))}  # What is found here.
    processes: list[subprocess.Popen] = []
    try:
        for k in range(workers):
            share = json.dumps(tasks[k::workers])
            command = [sys.executable, '-c', _WORKER, str(root.resolve()), str(seed)]
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=writing, text=True, env=environment)
            processes.append(process)
            process.stdin.write(share)
            process.stdin.close()
        os.close(writing)
        writing = -1
        # The pipe ends when the last worker has.
        while signs := os.read(reading, 4096):
            bar.update(len(signs))
        if any([process.wait() for process in processes]):
            raise MiniSetError('A worker process failed; its message stands above.')
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        os.close(reading)
        if writing >= 0:
            os.close(writing)


def work(root: str, seed: str) -> None:
    """What a worker process does: reads its tasks from standard input and writes their files."""
    cv2.setNumThreads(1)
    for split, index in json.load(sys.stdin):
        _write_image(Path(root), int(seed), split, index)
        os.write(1, b'.')
