"""The official score of the ILSVRC detection challenge (DET).

The rules are those of ``eval_detection.m`` in the 2014 development kit, whose readme (section 2.3) states them; see
O. Russakovsky et al., "ImageNet Large Scale Visual Recognition Challenge", IJCV 2015, section 4.3. They differ from
Pascal VOC in three points:

* small objects have a lower overlap threshold of their own;
* a detection whose best object is taken may still take another one;
* (image, class) pairs of a blacklist do not count at all.

Shape legend: N detections, M objects, I images, C classes, B blacklisted pairs, P points of a curve.

Boxes are ``xmin ymin xmax ymax`` with **inclusive** ends, as in the annotations: width = xmax - xmin + 1. Class ids run
from 1 to C, as in submission files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from det_inception.formats.synsets import DET_CLASSES
from det_inception.utils.compiled import compiled
from det_inception.utils.errors import InputError

Array = NDArray  # shapes and dtypes are in the docstrings

MAX_THRESHOLD = 0.5
PIXEL_TOLERANCE = 10  # an object may be missed by half of this on each side, whatever its size
# What DetectionScore.matches holds where there is no object.
FALSE_POSITIVE = -1
NOT_COUNTED = -2


@dataclass(frozen=True, eq=False)
class DetectionTable:
    """The detections of an entry, one row each.

    A reversed box (``xmax < xmin``) is allowed, because the official evaluator takes it: it overlaps nothing and so
    counts as a false positive.

    Attributes:
        image_ids: int64 (N,), the images' indices in the image list.
        class_ids: int64 (N,), 1 to C.
        scores: float64 (N,), confidences; any finite number, only their order matters.
        boxes: float64 (N, 4), inclusive.

    Raises:
        InputError: If lengths differ, an id is no integer, or a confidence or a coordinate is not finite.
    """

    image_ids: Array
    class_ids: Array
    scores: Array
    boxes: Array

    def __post_init__(self) -> None:
        image_ids = _integers(self.image_ids, 'image_ids')
        length = len(image_ids)
        _freeze(
            self,
            image_ids=image_ids,
            class_ids=_integers(self.class_ids, 'class_ids', length),
            scores=_floats(self.scores, 'scores', (length,)),
            boxes=_floats(self.boxes, 'boxes', (length, 4)),
        )
        bad = ~(np.isfinite(self.scores) & np.isfinite(self.boxes).all(axis=1))
        if bad.any():
            row = int(np.argmax(bad))
            raise InputError(
                f'{int(bad.sum())} detections have a confidence or a coordinate that is not finite, the '
                f'first in image {image_ids[row]}: {self.scores[row]}, {self.boxes[row].tolist()}.'
            )

    def __len__(self) -> int:
        return len(self.image_ids)


@dataclass(frozen=True, eq=False)
class AnnotationTable:
    """The annotated objects, one row each, and the evaluated images.

    Attributes:
        image_ids: int64 (I,), every evaluated image, with objects or without. Distinct.
        object_image_ids: int64 (M,), the image of each object.
        class_ids: int64 (M,), 1 to C.
        boxes: float64 (M, 4), inclusive, ``xmin <= xmax`` and ``ymin <= ymax``.
        class_names: The C classes in the order of their ids.
        image_names: The I images' names without extension, or empty where the source has none.

    Raises:
        InputError: If lengths differ, an image is listed twice, an object is in no listed image or of no
            listed class, or a box is reversed or not finite.
    """

    image_ids: Array
    object_image_ids: Array
    class_ids: Array
    boxes: Array
    class_names: Sequence[str] = DET_CLASSES
    image_names: Sequence[str] = ()

    def __post_init__(self) -> None:
        object_image_ids = _integers(self.object_image_ids, 'object_image_ids')
        length = len(object_image_ids)
        _freeze(
            self,
            image_ids=_integers(self.image_ids, 'image_ids'),
            object_image_ids=object_image_ids,
            class_ids=_integers(self.class_ids, 'class_ids', length),
            boxes=_floats(self.boxes, 'boxes', (length, 4)),
            class_names=tuple(self.class_names),
            image_names=tuple(self.image_names),
        )
        known, counts = np.unique(self.image_ids, return_counts=True)
        if (counts > 1).any():
            raise InputError(f'Image {known[counts > 1][0]} is listed more than once in the ground truth.')
        if self.image_names and len(self.image_names) != len(self.image_ids):
            raise InputError(f'{len(self.image_names)} image names for {len(self.image_ids)} images.')
        strangers = ~np.isin(object_image_ids, known)
        if strangers.any():
            raise InputError(f'Objects of image {object_image_ids[strangers][0]}, which is not among the images.')
        _check_class_ids(self.class_ids, len(self.class_names), 'the ground truth')
        ordered = (self.boxes[:, 2:] >= self.boxes[:, :2]).all(axis=1)  # false for NaN as well
        bad = ~(ordered & np.isfinite(self.boxes).all(axis=1))
        if bad.any():
            row = int(np.argmax(bad))
            raise InputError(
                f'An object of image {object_image_ids[row]} has the box {self.boxes[row].tolist()}, '
                'which is reversed or not finite.'
            )


@dataclass(frozen=True, eq=False)
class DetectionScore:
    """What :func:`evaluate` finds.

    Attributes:
        class_names: The C classes.
        ap: float64 (C,), average precision. Of a class without objects it is what the official formula gives:
            0 if nothing was detected, else NaN (0 / 0).
        mean_ap: The official score: the mean of ``ap`` over the classes up to the last one that has objects
            (in the validation set: all 200). NaN if a class without objects was detected;
            use :attr:`mean_ap_with_objects` then.
        median_ap: The median of the same values.
        num_objects: int64 (C,), objects that count, that is, without the blacklisted ones.
        num_detections: int64 (C,), all detections, blacklisted ones included.
        precision: C arrays float64 (P,); point p is the precision of the p + 1 most confident detections that
            count.
        recall: C arrays float64 (P,), likewise; NaN for a class without objects.
        confidence: C arrays float64 (P,), the confidence of the last detection of each point.
        matches: int64 (N,), for each detection the position of the object that it took; :data:`FALSE_POSITIVE` where
            it took none, :data:`NOT_COUNTED` where it is blacklisted.
    """

    class_names: tuple[str, ...]
    ap: Array
    mean_ap: float
    median_ap: float
    num_objects: Array
    num_detections: Array
    precision: tuple[Array, ...]
    recall: tuple[Array, ...]
    confidence: tuple[Array, ...]
    matches: Array

    @property
    def mean_ap_with_objects(self) -> float:
        """Mean of ``ap`` over the classes that have objects; equals ``mean_ap`` if all have some."""
        present = self.ap[self.num_objects > 0]
        return float(present.mean()) if present.size else float('nan')


def object_thresholds(boxes: ArrayLike) -> Array:
    """Overlap from which an object counts as found: ``min(0.5, w h / ((w + 10) (h + 10)))``.

    Args:
        boxes: (M, 4), inclusive.

    Returns:
        float64 (M,). Objects smaller than about 25 x 25 pixels get less than 0.5.

    Example:
        >>> object_thresholds([[0, 0, 9, 9], [0, 0, 99, 99]]).tolist()
        [0.25, 0.5]
    """
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    width = boxes[:, 2] - boxes[:, 0] + 1
    height = boxes[:, 3] - boxes[:, 1] + 1
    return np.minimum(MAX_THRESHOLD, width * height / ((width + PIXEL_TOLERANCE) * (height + PIXEL_TOLERANCE)))


def evaluate(
    detections: DetectionTable, ground_truth: AnnotationTable, blacklist: ArrayLike | None = None
) -> DetectionScore:
    """Scores detections as the official evaluator of the ILSVRC detection challenge does.

    In each image the detections of a class take one object each, the most confident detection first. It takes the
    object of greatest overlap among those of its class that are still free and whose own threshold
    (:func:`object_thresholds`) the overlap reaches. A detection that gets none is a false positive; so are duplicates,
    and detections in an image without objects.

    Ties: of equally confident detections the one in the image of lower index comes first, then the earlier one in
    ``detections``; of equally overlapping objects the earlier one in ``ground_truth`` is taken.

    AP is the area under the monotone precision envelope over all points.

    Args:
        detections: The entry. May be empty: every AP then is 0.
        ground_truth: The objects and the evaluated images.
        blacklist: Integers (B, 2), pairs of image index and class id whose detections count as neither right
            nor wrong and whose objects need not be found. Pairs of images that are not evaluated have no
            effect.

    Returns:
        The score and the curves behind it.

    Raises:
        InputError: If there is no image or no object to score against, a detection is in an image that is not
            evaluated, or a class id is out of range.

    Example:
        >>> truth = AnnotationTable([1, 2], [1], [1], [[0, 0, 9, 9]], class_names=['cat'])
        >>> found = DetectionTable([1, 2], [1, 1], [0.5, 0.9], [[0, 0, 9, 9], [0, 0, 9, 9]])
        >>> evaluate(found, truth).mean_ap  # the more confident one is wrong: precision 1/2 at recall 1
        0.5
    """
    num_classes = len(ground_truth.class_names)
    _check_matchable(detections, ground_truth)
    void = _checked_blacklist(blacklist, num_classes)
    detections_by_class = _by_class(detections.class_ids, num_classes)
    objects_by_class = _by_class(ground_truth.class_ids, num_classes)

    ap = np.zeros(num_classes)
    num_objects = np.zeros(num_classes, dtype=np.int64)
    precision, recall, confidence = [], [], []
    matches = np.full(len(detections), NOT_COUNTED)
    for label in range(num_classes):
        void_images = void[void[:, 1] == label + 1, 0]
        # lexsort is stable and its last key decides first; equal scores go by image, then by their own order.
        found = detections_by_class[label]
        found = found[np.lexsort((detections.image_ids[found], -detections.scores[found]))]
        found = found[~np.isin(detections.image_ids[found], void_images)]
        there = objects_by_class[label]
        there = there[np.argsort(ground_truth.object_image_ids[there], kind='stable')]
        there = there[~np.isin(ground_truth.object_image_ids[there], void_images)]

        found_images, object_images = detections.image_ids[found], ground_truth.object_image_ids[there]
        object_boxes = ground_truth.boxes[there]
        taken = _match(
            detections.boxes[found],
            np.searchsorted(object_images, found_images, side='left'),
            np.searchsorted(object_images, found_images, side='right'),
            object_boxes,
            object_thresholds(object_boxes),
        )
        is_true = taken >= 0
        matches[found] = FALSE_POSITIVE
        matches[found[is_true]] = there[taken[is_true]]
        class_precision, class_recall = _curve(is_true, len(there))
        num_objects[label] = len(there)
        if len(there):
            ap[label] = _area_under_envelope(class_precision, class_recall)
        elif len(detections_by_class[label]):
            ap[label] = np.nan
        precision.append(class_precision)
        recall.append(class_recall)
        confidence.append(detections.scores[found])

    # eval_detection.m counts its classes by the highest class id among the objects.
    official = ap[: ground_truth.class_ids.max()]
    return DetectionScore(
        class_names=ground_truth.class_names,
        ap=ap,
        mean_ap=float(official.mean()),
        median_ap=float(np.median(official)),
        num_objects=num_objects,
        num_detections=np.bincount(detections.class_ids - 1, minlength=num_classes),
        precision=tuple(precision),
        recall=tuple(recall),
        confidence=tuple(confidence),
        matches=matches,
    )


def format_table(score: DetectionScore) -> str:
    """Returns the table that the development kit's ``demo_eval_det.m`` prints, with every class, as lines of text."""
    names = [name.replace('_', ' ') for name in score.class_names]
    width = max(16, 2 + max(map(len, names)))
    lines = [f'{"Category":<{width}}AP']
    lines += [f'{name:<{width}}{_three_digits(ap)}' for name, ap in zip(names, score.ap)]
    lines += [
        ' - - - - - - - - ',
        f'{"Mean AP:":<{width}} {_three_digits(score.mean_ap)}',
        f'{"Median AP:":<{width}} {_three_digits(score.median_ap)}',
    ]
    present = int((score.num_objects > 0).sum())
    if present < len(names):
        lines.append(
            f'{present} of {len(names)} classes have objects; mean AP over these: '
            f'{_three_digits(score.mean_ap_with_objects)}'
        )
    return '\n'.join(lines)


def _three_digits(value: float) -> str:
    return 'NaN' if np.isnan(value) else f'{value:.3f}'


def _by_class(class_ids: Array, num_classes: int) -> list[Array]:
    """For each of C classes, its positions, in ascending order."""
    labels = (class_ids - 1).astype(np.min_scalar_type(num_classes))  # up to 16 bits are sorted in linear time
    order = np.argsort(labels, kind='stable')
    return np.split(order, np.searchsorted(labels[order], np.arange(1, num_classes)))


@compiled()
def _match(boxes: Array, first_object: Array, end_object: Array, object_boxes: Array, thresholds: Array) -> Array:
    """Greedy matching; detection d may take one of the objects ``first_object[d]`` to ``end_object[d] - 1``, or -1."""
    matches = np.full(len(boxes), -1)
    taken = np.zeros(len(object_boxes), dtype=np.bool_)
    for d in range(len(boxes)):
        xmin, ymin, xmax, ymax = boxes[d, 0], boxes[d, 1], boxes[d, 2], boxes[d, 3]
        area = (xmax - xmin + 1) * (ymax - ymin + 1)
        best, best_overlap = -1, -np.inf
        for m in range(first_object[d], end_object[d]):
            if taken[m]:
                continue
            width = min(xmax, object_boxes[m, 2]) - max(xmin, object_boxes[m, 0]) + 1
            height = min(ymax, object_boxes[m, 3]) - max(ymin, object_boxes[m, 1]) + 1
            if width <= 0 or height <= 0:
                continue
            object_area = (object_boxes[m, 2] - object_boxes[m, 0] + 1) * (object_boxes[m, 3] - object_boxes[m, 1] + 1)
            overlap = width * height / (area + object_area - width * height)
            if overlap >= thresholds[m] and overlap > best_overlap:
                best, best_overlap = m, overlap
        if best >= 0:
            taken[best] = True
            matches[d] = best
    return matches


def _curve(is_true: Array, num_objects: int) -> tuple[Array, Array]:
    """Precision and recall (P,) after each of P ranked detections."""
    found = np.cumsum(is_true, dtype=np.int64)
    precision = found / np.arange(1, len(found) + 1)
    recall = found / num_objects if num_objects else np.full(len(found), np.nan)
    return precision, recall


def _area_under_envelope(precision: Array, recall: Array) -> float:
    """Area under the smallest non-increasing curve above the points (VOC 2010 and later, ``VOCap.m``)."""
    recall = np.concatenate(([0.0], recall, [1.0]))
    envelope = np.concatenate((precision, [0.0]))
    envelope = np.maximum.accumulate(envelope[::-1])[::-1]
    return float(np.sum(np.diff(recall) * envelope))


def _check_matchable(detections: DetectionTable, ground_truth: AnnotationTable) -> None:
    if not len(ground_truth.image_ids):
        raise InputError('The ground truth has no images; there is nothing to score.')
    if not len(ground_truth.class_ids):
        raise InputError(
            f'The ground truth of {len(ground_truth.image_ids)} images has no object; there is nothing to score.'
        )
    _check_class_ids(detections.class_ids, len(ground_truth.class_names), 'the detections')
    strangers = np.unique(detections.image_ids[~np.isin(detections.image_ids, ground_truth.image_ids)])
    if strangers.size:
        raise InputError(
            f'The detections name {strangers.size} images that are not among the '
            f'{len(ground_truth.image_ids)} of the ground truth (the first has index {strangers[0]}); give the '
            'image list by which they were numbered.'
        )


def _checked_blacklist(blacklist: ArrayLike | None, num_classes: int) -> Array:
    pairs = np.zeros((0, 2), dtype=np.int64) if blacklist is None else np.asarray(blacklist)
    if not pairs.size:
        return np.zeros((0, 2), dtype=np.int64)
    if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.dtype.kind not in 'iu':
        raise InputError(f'A blacklist is an integer array (B, 2), not {pairs.dtype} {pairs.shape}.')
    _check_class_ids(pairs[:, 1], num_classes, 'the blacklist')
    return pairs.astype(np.int64, copy=False)


def _check_class_ids(class_ids: Array, num_classes: int, where: str) -> None:
    outside = (class_ids < 1) | (class_ids > num_classes)
    if outside.any():
        raise InputError(
            f'Class id {class_ids[outside][0]} in {where} is out of range; the {num_classes} classes '
            f'are 1 to {num_classes}.'
        )


def _integers(values: ArrayLike, name: str, length: int | None = None) -> Array:
    array = np.asarray(values)
    if array.size == 0:
        array = array.astype(np.int64)  # an empty list is float64 to NumPy
    if array.ndim != 1 or array.dtype.kind not in 'iu' or length not in (None, len(array)):
        wanted = '' if length is None else f' of length {length}'
        raise InputError(f'{name} is a vector of integers{wanted}, not {array.dtype} {array.shape}.')
    return array.astype(np.int64, copy=False)


def _floats(values: ArrayLike, name: str, shape: tuple[int, ...]) -> Array:
    array = np.asarray(values, dtype=np.float64)
    if array.size == 0 and shape[0] == 0:
        array = array.reshape(shape)
    if array.shape != shape:
        raise InputError(f'{name} has the shape {array.shape} instead of {shape}.')
    return array


def _freeze(instance: object, **fields: object) -> None:
    for name, value in fields.items():
        object.__setattr__(instance, name, value)
