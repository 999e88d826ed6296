"""What a report is made of: the objects and detections of a test run, as plain arrays.

Shape legend: I images, N detections, M objects, C classes, B blacklisted pairs.

Boxes are x1, y1, x2, y2 in continuous coordinates, width = x2 - x1; labels run from 0 to C - 1; images are known by
their position in the run.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from det_inception.ilsvrc import AnnotationTable, DetectionTable
from det_inception.utils.errors import InputError

RECALLS = np.linspace(0, 1, 101)
"""Those of COCO."""
TENTHS = np.arange(0, 1.001, 0.1)
"""Those of Pascal VOC until 2009."""
WHOLE_AREA = np.empty(0)


@dataclass(frozen=True, eq=False)
class Rules:
    """By which rules detections take objects and AP is computed.

    Attributes:
        name: As the page says it.
        sentence: What is particular about them.
        recalls: AP is the mean of the precisions at these recalls; empty: it is the whole area.
        retries: A detection whose best object is taken may take another.
        crowds: Ignored objects are crowds: a detection is measured by the share of it that lies inside.
    """

    name: str
    sentence: str
    recalls: NDArray
    retries: bool
    crowds: bool


RULES = {
    'ilsvrc': Rules(
        'official ILSVRC DET score',
        'Small objects have a lower overlap threshold of their own, the others 0.5; AP is the whole area under the '
        'precision envelope; difficult objects count like all others.',
        recalls=WHOLE_AREA,
        retries=True,
        crowds=False,
    ),
    'voc': Rules(
        'Pascal VOC, IoU 0.5',
        'A second detection of an object is false; difficult objects count neither way; AP is the whole area under '
        'the precision envelope.',
        recalls=WHOLE_AREA,
        retries=False,
        crowds=False,
    ),
    'voc2007': Rules(
        'Pascal VOC 2007, IoU 0.5',
        'A second detection of an object is false; difficult objects count neither way; AP is the mean of the '
        'precisions at 11 recalls, from 0 to 1.',
        recalls=TENTHS,
        retries=False,
        crowds=False,
    ),
    'coco': Rules(
        'COCO, IoU 0.5',
        'AP is the mean of the precisions at 101 recalls; crowds count neither way. This is COCO’s AP50, not its mean '
        'over ten thresholds.',
        recalls=RECALLS,
        retries=True,
        crowds=True,
    ),
}


@dataclass(frozen=True, eq=False)
class Predictions:
    """The N detections of all images, image by image, in each the most confident first.

    Attributes:
        images: int64 (N,), positions of their images, ascending.
        labels: int64 (N,).
        scores: float64 (N,), finite.
        boxes: float64 (N, 4).
    """

    images: NDArray
    labels: NDArray
    scores: NDArray
    boxes: NDArray

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, rows: NDArray) -> Predictions:
        return Predictions(self.images[rows], self.labels[rows], self.scores[rows], self.boxes[rows])


@dataclass(frozen=True, eq=False)
class Annotations:
    """The M annotated objects of all images, image by image.

    Attributes:
        images: int64 (M,), positions of their images, ascending.
        labels: int64 (M,).
        boxes: float64 (M, 4).
        ignored: bool (M,), objects that count neither for nor against: difficult ones, crowds, blacklisted ones.
        proposal_iou: float64 (M,), the IoU that the best proposal reaches; None where there are no proposals at hand.
    """

    images: NDArray
    labels: NDArray
    boxes: NDArray
    ignored: NDArray
    proposal_iou: NDArray | None = None

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, rows: NDArray) -> Annotations:
        arrays = (self.images, self.labels, self.boxes, self.ignored, self.proposal_iou)
        return Annotations(*(None if array is None else array[rows] for array in arrays))

    @property
    def areas(self) -> NDArray:
        """float64 (M,), in square pixels."""
        return (self.boxes[:, 2] - self.boxes[:, 0]) * (self.boxes[:, 3] - self.boxes[:, 1])


class ClassCounts(NamedTuple):
    """What a run has of each class, int64 (C,) each: images with objects that count, such objects, other objects, and
    detections."""

    images: NDArray
    objects: NDArray
    ignored_objects: NDArray
    detections: NDArray


@dataclass(frozen=True, eq=False)
class EvalResults:
    """A test run.

    The arrays may be in any order; they are sorted as :class:`Predictions` and :class:`Annotations` say, and equally
    confident detections keep their order.

    Attributes:
        class_names: The C classes.
        image_names: The I images, as the page names them.
        predictions: The detections.
        annotations: The objects.
        rules: A key of :data:`RULES`.
        image_paths: The I image files, None for each that is not at hand; empty: none is.
        blacklist: int64 (B, 2), pairs of image and label that do not count at all.
        proposals_per_image: Mean number of proposals, where they are at hand.

    Raises:
        InputError: There is no image or no object that counts, a number is not finite, or an array does not fit.
    """

    class_names: tuple[str, ...]
    image_names: tuple[str, ...]
    predictions: Predictions
    annotations: Annotations
    rules: str
    image_paths: tuple[Path | None, ...] = ()
    blacklist: NDArray = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    proposals_per_image: float | None = None

    def __post_init__(self) -> None:
        predictions, annotations = self.predictions, self.annotations
        if not self.image_names:
            raise InputError('There is no image to report on; check the data set.')
        self._require_fitting()
        if not (np.isfinite(predictions.scores).all() and np.isfinite(predictions.boxes).all()):
            raise InputError(
                'A detection has a confidence or a coordinate that is not finite; did the training diverge?'
            )
        for names in ('class_names', 'image_names'):  # a file may have a name that is no text
            object.__setattr__(self, names, tuple(_as_text(name) for name in getattr(self, names)))
        order = np.lexsort((-predictions.scores, predictions.images))
        object.__setattr__(self, 'predictions', predictions[order])
        excluded = np.isin(_pairs(annotations, len(self.class_names)), self._blacklisted_pairs)
        annotations = replace(annotations, ignored=annotations.ignored | excluded)
        annotations = annotations[np.argsort(annotations.images, kind='stable')]
        object.__setattr__(self, 'annotations', annotations)
        if annotations.ignored.all():
            raise InputError(
                f'None of the {len(self.image_names)} images has an object that counts, so there is nothing to report '
                'on; check the annotations.'
            )

    def _require_fitting(self) -> None:
        """Compiled code looks nothing up twice: an index out of range would read, or write, anywhere in memory."""
        for part in (self.predictions, self.annotations):
            for name, array in vars(part).items():
                if array is not None and array.shape != (len(part), 4)[: 2 if name == 'boxes' else 1]:
                    raise _unfitting(name)
        if self.blacklist.shape != (len(self.blacklist), 2):
            raise _unfitting('blacklist')
        images, labels = len(self.image_names), len(self.class_names)
        for part in (self.predictions, self.annotations):
            if _leaves(part.images, images) or _leaves(part.labels, labels):
                raise _unfitting('images or labels')
        if _leaves(self.blacklist[:, 0], images) or _leaves(self.blacklist[:, 1], labels):
            raise _unfitting('blacklist')
        for array in (self.annotations.boxes, self.annotations.proposal_iou):
            if array is not None and not np.isfinite(array).all():
                raise _unfitting('objects')

    @property
    def num_objects(self) -> NDArray:
        """int64 (C,), objects that count."""
        return np.bincount(self.annotations.labels[~self.annotations.ignored], minlength=len(self.class_names))

    @property
    def class_counts(self) -> ClassCounts:
        """What there is of each class."""
        annotations, size = self.annotations, len(self.class_names)
        pairs = np.unique(_pairs(annotations[~annotations.ignored], size))  # of image and class
        return ClassCounts(
            np.bincount(pairs % size, minlength=size),
            self.num_objects,
            np.bincount(annotations.labels[annotations.ignored], minlength=size),
            np.bincount(self.predictions.labels, minlength=size),
        )

    @property
    def counted_proposal_iou(self) -> NDArray | None:
        """``annotations.proposal_iou`` of the objects that count."""
        best = self.annotations.proposal_iou
        return None if best is None else best[~self.annotations.ignored]

    @property
    def blacklisted(self) -> NDArray:
        """bool (N,), detections that do not count because their image and class are blacklisted."""
        return np.isin(_pairs(self.predictions, len(self.class_names)), self._blacklisted_pairs)

    @property
    def _blacklisted_pairs(self) -> NDArray:
        return self.blacklist[:, 0] * len(self.class_names) + self.blacklist[:, 1]


def from_submission(
    detections: DetectionTable,
    truth: AnnotationTable,
    blacklist: NDArray | None = None,
    image_files: dict[str, Path] | None = None,
) -> EvalResults:
    """Makes a run of a submission file and the official ground truth.

    Args:
        detections: As :func:`det_inception.ilsvrc.read_detections` gives them; inclusive boxes.
        truth: As :func:`det_inception.ilsvrc.read_ground_truth` gives it.
        blacklist: Integers (B, 2), image index and class id.
        image_files: Image files by name without suffix.

    Raises:
        InputError: A detection is in an image that is not evaluated, or see :class:`EvalResults`.
    """
    order = np.argsort(truth.image_ids)
    ids = truth.image_ids[order]
    if not np.isin(detections.image_ids, ids).all():
        raise InputError('The detections name images that are not among the ground truth; give the right image list.')
    names = [truth.image_names[i] for i in order] if truth.image_names else [f'image {index}' for index in ids]
    pairs = np.zeros((0, 2), np.int64) if blacklist is None else np.asarray(blacklist).reshape(-1, 2)
    pairs = pairs[np.isin(pairs[:, 0], ids)]
    return EvalResults(
        class_names=tuple(truth.class_names),
        image_names=tuple(names),
        predictions=Predictions(
            np.searchsorted(ids, detections.image_ids),
            detections.class_ids - 1,
            detections.scores,
            detections.boxes + [0, 0, 1, 1],
        ),
        annotations=Annotations(
            np.searchsorted(ids, truth.object_image_ids),
            truth.class_ids - 1,
            truth.boxes + [0, 0, 1, 1],
            np.zeros(len(truth.class_ids), bool),
        ),
        rules='ilsvrc',
        image_paths=tuple(image_files.get(name) for name in names) if image_files else (),
        blacklist=np.stack([np.searchsorted(ids, pairs[:, 0]), pairs[:, 1] - 1], axis=1),
    )


def _leaves(array: NDArray, end: int) -> bool:
    return array.size > 0 and not 0 <= array.min() <= array.max() < end


def _unfitting(name: str) -> InputError:
    return InputError(f'The {name} of the test run do not fit to its other parts; test again.')


def _as_text(name: str) -> str:
    return name.encode('utf-8', errors='replace').decode('utf-8')


def _pairs(things: Predictions | Annotations, num_classes: int) -> NDArray:
    return things.images * num_classes + things.labels
