"""How much of the ground truth proposals find: recall (what the 2014 entry calls coverage).

Shape legend: I images; N proposals and G ground-truth boxes of an image; T boxes of all images together; L limits on
the number of proposals; K thresholds. Boxes are x1, y1, x2, y2 in continuous coordinates: area = (x2 - x1) (y2 - y1).

A ground-truth box counts as found as soon as one proposal overlaps it enough; a proposal may find several.

From: Hosang et al., "What makes for effective detection proposals?", PAMI 2016, section 4.
"""

from collections.abc import Sequence

import numpy as np

from det_inception.proposals.errors import ProposalError
from det_inception.utils.boxes import pairwise_iou


def recall(
    proposals: Sequence[np.ndarray],
    ground_truth: Sequence[np.ndarray],
    iou_thresholds: Sequence[float],
    limits: Sequence[int],
) -> np.ndarray:
    """Share of the ground-truth boxes that a proposal finds.

    Args:
        proposals: For each of I images (N, 4), best first.
        ground_truth: For each of the same images (G, 4). Images without ground truth count for nothing.
        iou_thresholds: K thresholds, over 0 and up to 1; an intersection over union equal to one reaches it.
        limits: L numbers of proposals, at least 1; of each image the first so many are looked at.

    Returns:
        float64 (K, L), between 0 and 1.

    Raises:
        ProposalError: There is no ground-truth box at all, or see :func:`best_overlaps`.

    Example:
        >>> import numpy as np
        >>> proposals = [np.array([[0, 0, 10, 10], [0, 0, 10, 20]])]
        >>> recall(proposals, [np.array([[0, 0, 10, 20]])], iou_thresholds=[0.5, 0.7], limits=[1, 2])
        array([[1., 1.],
               [0., 1.]])
    """
    return recall_of(best_overlaps(proposals, ground_truth, limits), iou_thresholds)


def recall_of(best: np.ndarray, iou_thresholds: Sequence[float]) -> np.ndarray:
    """Returns the recall, float64 (K, L), from what ``best_overlaps`` gives, (T, L), at K thresholds.

    Raises:
        ProposalError: A threshold is out of range, or T is 0.
    """
    thresholds = np.asarray(iou_thresholds, dtype=np.float64)
    if thresholds.ndim != 1 or not ((thresholds > 0) & (thresholds <= 1)).all():
        raise ProposalError(f'IoU thresholds must be numbers over 0 and up to 1, not {iou_thresholds}.')
    _require_ground_truth(best)
    return np.stack([(best >= threshold).mean(axis=0) for threshold in thresholds]).reshape(-1, best.shape[1])


def average_recall(best: np.ndarray) -> np.ndarray:
    """Recall averaged over all IoU thresholds between 0.5 and 1.

    It is twice the mean of what the overlaps exceed 0.5 by: the area under the curve of recall over IoU, scaled to 1.
    (COCO's average recall samples the same curve at ten thresholds.)

    Args:
        best: (T, L), what ``best_overlaps`` gives; the result is float64 (L,).

    Raises:
        ProposalError: T is 0.
    """
    _require_ground_truth(best)
    return 2 * np.maximum(best - 0.5, 0).mean(axis=0)


def best_overlaps(
    proposals: Sequence[np.ndarray], ground_truth: Sequence[np.ndarray], limits: Sequence[int]
) -> np.ndarray:
    """For each ground-truth box, the greatest intersection over union that a proposal reaches.

    Its mean over the boxes is the mean best overlap.

    Args:
        proposals: For each of I images (N, 4), best first.
        ground_truth: For each of the same images (G, 4).
        limits: L numbers of proposals, at least 1; of each image the first so many are looked at.

    Returns:
        float64 (T, L), image by image in the order of the ground truth; 0 where an image has no proposals.

    Raises:
        ProposalError: The two sequences differ in length, or an argument has a wrong shape or range.
    """
    if len(proposals) != len(ground_truth):
        raise ProposalError(f'There are proposals of {len(proposals)} images but ground truth of {len(ground_truth)}.')
    counts = np.asarray(limits)
    if counts.ndim != 1 or counts.size == 0 or counts.dtype.kind not in 'iu' or (counts < 1).any():
        raise ProposalError(f'Limits must be whole numbers of at least 1, not {limits}.')
    best = [np.zeros((0, len(counts)))]
    for image_proposals, image_truth in zip(proposals, ground_truth, strict=True):
        image_proposals = _as_boxes(image_proposals, 'proposals')[: counts.max()]
        image_truth = _as_boxes(image_truth, 'ground truth')
        if len(image_truth) == 0:
            continue
        if len(image_proposals) == 0:
            best.append(np.zeros((len(image_truth), len(counts))))
            continue
        running = np.maximum.accumulate(pairwise_iou(image_truth, image_proposals), axis=1)  # (G, N)
        best.append(running[:, np.minimum(counts, len(image_proposals)) - 1])
    return np.concatenate(best)


def _as_boxes(boxes: np.ndarray, what: str) -> np.ndarray:
    boxes = np.asarray(boxes, dtype=np.float64)
    if boxes.size == 0:
        return boxes.reshape(0, 4)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ProposalError(f'The {what} of an image must have the shape (N, 4), not {boxes.shape}.')
    # Written so that a NaN is caught as well.
    if not (boxes[:, :2] <= boxes[:, 2:]).all():
        raise ProposalError(f'The {what} of an image must be x1, y1, x2, y2 with x1 <= x2 and y1 <= y2.')
    return boxes


def _require_ground_truth(best: np.ndarray) -> None:
    if len(best) == 0:
        raise ProposalError('There is no ground-truth box at all, so there is no recall.')
