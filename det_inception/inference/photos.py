"""The official DET score of a detector on photos that have ground truth, also on a few of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from det_inception.ilsvrc import (
    DET_CLASSES,
    AnnotationTable,
    DetectionScore,
    DetectionTable,
    evaluate,
    read_blacklist,
    read_ground_truth,
    read_image_list,
)
from det_inception.inference.detector import Detector
from det_inception.utils.boxes import pairwise_iou
from det_inception.utils.errors import InputError
from det_inception.utils.images import read_image

LOCALIZED = 0.5
"""IoU from which an object counts as localized, as in the ILSVRC localization task."""


@dataclass(frozen=True)
class PhotoSet:
    """Photos with their ground truth.

    Attributes:
        files: Index in the ground truth to file.
        truth: Ground truth of these images.
        blacklist: int64 (B, 2): image index and class id, of these images; None: none.
    """

    files: dict[int, Path]
    truth: AnnotationTable
    blacklist: np.ndarray | None = None


@dataclass(frozen=True)
class PhotoScore:
    """What :func:`score_photos` returns.

    Attributes:
        detections: All detections, in the numbering of the ground truth and with its inclusive boxes.
        score: The official score.
        localized: Images whose best detection has the class of an object and an IoU of at least 0.5 with one.
        named: Images whose best detection has the class of an object, wherever its box is.
        with_objects: Images that have an object.
    """

    detections: DetectionTable
    score: DetectionScore
    localized: int
    named: int
    with_objects: int


def read_photo_set(
    paths: Sequence[Path], ground_truth: str | Path, image_list: str | Path, blacklist: str | Path | None = None
) -> PhotoSet:
    """Finds the ground truth of photos; those that are not in the list are left out.

    Args:
        paths: Image files.
        ground_truth: The development kit's .mat file, or a folder or tar archive of XML files.
        image_list: Lines "<image name> <index>", such as the kit's val.txt.
        blacklist: The kit's, of the same list.

    Raises:
        InputError: A file cannot be read, or none of the photos is in the list.
    """
    indices = read_image_list(image_list)
    files = match_images(paths, indices)
    if Path(ground_truth).suffix != '.mat':  # XML files may be there for these images only.
        indices = {name: index for name, index in indices.items() if index in files}
    truth = part_of(read_ground_truth(ground_truth, indices), list(files))
    pairs = None if blacklist is None else read_blacklist(blacklist)
    return PhotoSet(files, truth, pairs if pairs is None else pairs[np.isin(pairs[:, 0], list(files))])


def match_images(paths: Sequence[Path], image_list: Mapping[str, int]) -> dict[int, Path]:
    """Finds which files are images of a list, by their names without suffix.

    Returns:
        Index to file, in the order of the list.

    Raises:
        InputError: None is, or two files are the same image.
    """
    found: dict[int, Path] = {}
    for path in paths:
        index = image_list.get(path.stem)
        if index is None:
            continue
        if index in found:
            raise InputError(f'{path}: {found[index]} is the same image of the list; name one of the two.')
        found[index] = path
    if not found:
        raise InputError(
            f'{paths[0]}: neither this nor any of the other files ({len(paths)} in all) is in the image list; name '
            'images of the list.'
        )
    return dict(sorted(found.items()))


def part_of(truth: AnnotationTable, images: Sequence[int]) -> AnnotationTable:
    """Returns the ground truth of some of its images."""
    kept = np.isin(truth.object_image_ids, images)
    ids, classes, boxes = truth.object_image_ids[kept], truth.class_ids[kept], truth.boxes[kept]
    return AnnotationTable(np.array(images), ids, classes, boxes, class_names=truth.class_names)


def score_photos(detector: Detector, photos: PhotoSet) -> PhotoScore:
    """Runs a detector on photos and scores it.

    Args:
        detector: Of the 200 DET classes, in any order.
        photos: See :func:`read_photo_set`.

    Raises:
        InputError: The detector has other classes, an image cannot be read, or nothing is found in any.
    """
    files, truth = photos.files, photos.truth
    official = {name: number for number, name in enumerate(DET_CLASSES, start=1)}
    if foreign := [name for name in detector.classes if name not in official]:
        raise InputError(f'the detector has the class {foreign[0]!r}, which is none of the 200 of DET; use another.')
    ids = np.array([official[name] for name in detector.classes])
    images, classes, scores, boxes = [], [], [], []
    named = localized = 0
    for index, path in tqdm(files.items(), unit='image', disable=None):
        found = detector.detect(read_image(path), path)
        # The ground truth's boxes end on their last pixel.
        ends = found.boxes.astype(np.float64) - [0, 0, 1, 1]
        images.append(np.full(len(found), index))
        classes.append(ids[found.labels])
        scores.append(found.scores)
        boxes.append(ends)
        if len(found):
            rival = truth.boxes[(truth.object_image_ids == index) & (truth.class_ids == classes[-1][0])]
            named += len(rival) > 0
            localized += bool((pairwise_iou(_continuous(ends[:1]), _continuous(rival)) >= LOCALIZED).any())
    if not sum(map(len, images)):
        raise InputError(f'{next(iter(files.values()))}: nothing was found in this or any other image; check weights.')
    detections = DetectionTable(*(np.concatenate(parts) for parts in (images, classes, scores, boxes)))
    return PhotoScore(
        detections=detections,
        score=evaluate(detections, truth, photos.blacklist),
        localized=localized,
        named=named,
        with_objects=len(np.unique(truth.object_image_ids)),
    )


def _continuous(boxes: np.ndarray) -> np.ndarray:
    """Boxes (N, 4) whose last row and column belong to them, as boxes that end at their edge."""
    return boxes + [0, 0, 1, 1]
