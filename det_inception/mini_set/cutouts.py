"""Cuts the objects out of a made set, as a classification set in the folder layout of ImageNet.

OUT/{train,val}/banana/mini_train_000001_1.JPEG     the image's name and the object's number in its annotation
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import cv2
from tqdm import tqdm

from det_inception.mini_set.folder import SPLITS, MiniSetError, folder_beside
from det_inception.mini_set.scene import CLASSES


def cut_objects(
    root: str | Path, out: str | Path, context: float = 0.15, least_side: int = 24, progress: bool = True
) -> dict[str, int]:
    """Writes one image an object, with some of what is around it.

    The set is written beside ``out`` and renamed when it is complete.

    Args:
        root: Folder of a set that :func:`make_mini` made.
        out: Folder to write; it must not exist yet.
        context: What is added on each side of the box, as a share of its sides; cut off where the image ends.
        least_side: Objects whose box has a side of fewer pixels are left out.
        progress: Whether to show a progress bar.

    Returns:
        Number of objects a split.

    Raises:
        MiniSetError: ``out`` exists, or ``root`` holds no set, an image is missing, a class has no object, or the disk
            refuses.
    """
    root, out = Path(root), Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise MiniSetError(f'{out} exists already: choose another folder, or remove it yourself.')
    files = [(split, file) for split in SPLITS for file in sorted((root / 'Annotations/DET' / split).glob('*.xml'))]
    if not files:
        raise MiniSetError(f'There are no annotations under {root / "Annotations/DET"}: make the set first.')
    names, counts = dict(CLASSES), dict.fromkeys(SPLITS, 0)
    with folder_beside(out) as beside:
        fresh = beside / 'new'
        for split, file in tqdm(files, desc=f'making {out}', unit='image', disable=not progress):
            image_file = root / 'Data/DET' / split / f'{file.stem}.JPEG'
            image = cv2.imread(str(image_file))
            if image is None:
                raise MiniSetError(f'{image_file} is missing or not an image: make the set anew.')
            for number, thing in enumerate(ElementTree.parse(file).iter('object'), start=1):
                x1, y1, x2, y2 = (int(thing.findtext(f'bndbox/{key}')) for key in ('xmin', 'ymin', 'xmax', 'ymax'))
                width, height = x2 - x1 + 1, y2 - y1 + 1
                if min(width, height) < least_side:
                    continue
                dx, dy = round(context * width), round(context * height)
                cut = image[max(y1 - dy, 0) : y2 + 1 + dy, max(x1 - dx, 0) : x2 + 1 + dx]
                folder = fresh / split / names[thing.findtext('name')]
                folder.mkdir(parents=True, exist_ok=True)
                (folder / f'{file.stem}_{number}.JPEG').write_bytes(cv2.imencode('.JPEG', cut)[1].tobytes())
                counts[split] += 1
        for name in names.values():
            if not (fresh / 'train' / name).is_dir():
                raise MiniSetError(
                    f'{root} has no {name} of at least {least_side} pixels among its training images: make it with '
                    'more (--train).'
                )
        if out.exists():
            out.rmdir()
        fresh.rename(out)
    return counts
