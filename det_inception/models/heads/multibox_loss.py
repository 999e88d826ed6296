"""The loss of MultiBox (Erhan et al., arXiv 1312.2249, section 3.2) on bipartite matching.

Shape legend: B images in a batch, K predictions of each, G objects of an image. Boxes are fractions of the image.

With x_ij = 1 where prediction i is matched to object j, l the predicted boxes, g the objects, c the confidences::

    F = alpha * 1/2 sum_ij x_ij |l_i - g_j|^2  -  sum_ij x_ij log(c_i)  -  sum_i (1 - sum_j x_ij) log(1 - c_i)

and x is the matching of least F that gives every object one prediction.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import box_iou

from det_inception.proposals.multibox import match


def multibox_loss(
    boxes: Tensor,
    logits: Tensor,
    objects: Sequence[Tensor],
    *,
    alpha: float,
    scales: Tensor | None = None,
    match_boxes: Tensor | None = None,
    ignored: Sequence[Tensor] | None = None,
) -> tuple[Tensor, Tensor, int]:
    """Computes F, summed over the images of a batch.

    Args:
        boxes: (B, K, 4), predicted boxes l.
        logits: (B, K); their sigmoids are the confidences c.
        objects: For each image (G, 4), boxes g.
        alpha: Weight of the location term.
        scales: (K, 4), units in which a prediction's coordinates are measured; None: all 1.
        match_boxes: (K, 4), boxes to match the objects to, by location alone; None: to the predictions, by F.
        ignored: For each image (any number, 4), boxes of objects that do not count: a confidence counts neither where
            its box overlaps one by half or more and is not matched.

    Returns:
        The location term with its alpha, the confidence term, and the number of matched pairs.
    """
    scales = torch.ones_like(boxes[0]) if scales is None else scales
    location, targets, counted, matched = boxes.sum() * 0, torch.zeros_like(logits), torch.ones_like(logits), 0
    for image, image_objects in enumerate(objects):
        if ignored is not None and len(ignored[image]):
            with torch.no_grad():
                counted[image] = (box_iou(boxes[image], ignored[image]) < 0.5).all(1).to(counted)
        chosen_objects, chosen = match_objects(
            boxes[image] if match_boxes is None else match_boxes,
            logits[image] if match_boxes is None else None,
            image_objects,
            alpha,
            scales,
        )
        distance = (boxes[image, chosen] - image_objects[chosen_objects]) / scales[chosen]
        location = location + alpha / 2 * distance.square().sum()
        targets[image, chosen], counted[image, chosen] = 1, 1
        matched += len(chosen)
    confidence = functional.binary_cross_entropy_with_logits(logits, targets, counted, reduction='sum')
    return location, confidence, matched


@torch.no_grad()
def match_objects(
    boxes: Tensor, logits: Tensor | None, objects: Tensor, alpha: float, scales: Tensor
) -> tuple[Tensor, Tensor]:
    """Returns which objects of an image go with which of its predictions, both (min(G, K),), at the least F.

    What F changes by when prediction i is matched to object j is alpha / 2 |l_i - g_j|^2 - log(c_i) + log(1 - c_i), and
    the last two are minus the logit. Without logits, location alone decides.
    """
    distance = (boxes[None] - objects[:, None]) / scales  # (G, K, 4)
    costs = alpha / 2 * distance.square().sum(2)
    if logits is not None:
        costs = costs - logits
    pairs = match(costs.double().cpu().numpy())
    return tuple(torch.from_numpy(part).to(boxes.device) for part in pairs)
