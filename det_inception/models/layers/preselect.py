"""Chooses the regions that R-CNN looks at closely, from one look at the whole image.

Nearly all of an image's proposals are background, and R-CNN spends a crop on each. The network that classifies crops
also runs on the whole image, for the price of some 16 crops. Its last map is averaged inside each region, as in SPP-net
(He et al., arXiv 1406.4729), and the same classifier says roughly what the region shows. A part of an object scores as
high there as the object, so a region is also compared with the map of its class (see
:mod:`~det_inception.models.layers.evidence`): the object fits it.

Shape legend: R regions, K classes, F channels of the backbone's last map, h and w its sides, G cells along each side of
a grid over the image.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.ops import nms

from det_inception.models.layers.class_maps import STRIDE, area_shares, image_maps, pool_boxes, sample_grid
from det_inception.models.layers.evidence import cam_iou, coverage
from det_inception.utils.errors import InputError

SETTINGS = dict(regions=-1, map_sides=(320, 640), iou_threshold=0.65)
"""How many regions are looked at closely (-1: all), the shorter sides at which the network sees the image, and by how
much two of the chosen regions may overlap."""
UNLIKELY = 0.1
"""A class whose best score is below this share of the image's best is not compared with its map."""
NO_FIT = 0.02
"""What a region that does not fit the map of a class keeps of its score."""
ORDER = 2.0
"""The first proposal is worth e to this power times as much as the last."""


def require_preselect(test_cfg: Mapping) -> None:
    """Refuses settings ``test_cfg.rcnn.preselect`` that :func:`most_promising` cannot use."""
    settings = test_cfg.get('preselect')
    if settings is None:
        return
    unknown = [] if not isinstance(settings, Mapping) else sorted(settings.keys() - SETTINGS.keys())
    if not isinstance(settings, Mapping) or unknown:
        raise InputError(
            f'test_cfg.rcnn.preselect is a dict of {", ".join(SETTINGS)}, not {unknown[0] if unknown else settings!r}; '
            'for example preselect=dict(regions=150).'
        )
    regions, sides, threshold = (settings.get(key, default) for key, default in SETTINGS.items())
    for right, key, value, wanted in (
        (isinstance(regions, int) and (regions == -1 or regions > 0), 'regions', regions, 'a number above 0, or -1'),
        (
            isinstance(sides, Sequence) and len(sides) and all(isinstance(s, (int, float)) and s > 0 for s in sides),
            'map_sides',
            sides,
            'a list of sides in pixels, such as (320, 640)',
        ),
        (
            isinstance(threshold, (int, float)) and 0 < threshold <= 1,
            'iou_threshold',
            threshold,
            'a number above 0, at most 1',
        ),
    ):
        if not right:
            raise InputError(f'test_cfg.rcnn.preselect.{key} is {wanted}, not {value!r}.')


class FirstLook(NamedTuple):
    """What one look at the whole image says."""

    scores: Tensor
    """float32 (R, K + 1): probabilities of the regions, background last."""
    evidence: Tensor
    """float32 (K, G, G): where a class is more likely than the background, it is positive (a difference of logits)."""


def most_promising(
    boxes: Tensor, look: Callable[[Sequence[float]], FirstLook], image_size: tuple[int, int], test_cfg: Mapping
) -> Tensor:
    """Selects the regions that the network is to look at closely.

    Args:
        boxes: (R, 4), best first, inside the image.
        look: Returns the first look for shorter sides of the image.
        image_size: Height and width of the image.
        test_cfg: ``preselect``, see :data:`SETTINGS`.

    Returns:
        (R', 4): at most ``regions`` of the boxes, in their order; all where ``preselect`` does not say how many.
    """
    settings = SETTINGS | dict(test_cfg.get('preselect') or {})
    if not 0 < settings['regions'] < len(boxes):
        return boxes
    promise = rate(boxes, *look(settings['map_sides']), image_size)
    chosen = nms(boxes.float(), promise, settings['iou_threshold'])[: settings['regions']]
    return boxes[chosen.sort().values]


def rate(boxes: Tensor, scores: Tensor, evidence: Tensor, image_size: tuple[int, int]) -> Tensor:
    """Says how much each region promises.

    The product of four: the score of a class; how well the region fits the map of that class; the square root of the
    region's share of the image; and what its place in the order of the proposals is worth.

    Args:
        boxes: (R, 4), best first, inside the image.
        scores: (R, K + 1), see :class:`FirstLook`.
        evidence: (K, G, G), likewise.
        image_size: Height and width of the image.

    Returns:
        float32 (R,), of the best class of each region.
    """
    height, width = image_size
    scores = scores[:, :-1].float()
    best = scores.amax(dim=0)  # (K,)
    covered = coverage(boxes.cpu().numpy(), width, height, evidence.shape[-1])
    fit = np.zeros(scores.shape, np.float32)
    for label in (best >= UNLIKELY * best.max()).nonzero().flatten().tolist():
        fit[:, label] = cam_iou(evidence[label].cpu().numpy(), covered)
    fit = torch.from_numpy(fit).to(scores.device).clamp(min=NO_FIT)
    order = torch.arange(len(boxes), device=scores.device) / len(boxes)
    return (scores * fit).amax(dim=1) * area_shares(boxes, height, width).sqrt() * (-ORDER * order).exp()


def first_look(
    backbone: nn.Module,
    classify: Callable[[Tensor], Tensor],
    image: Tensor,
    windows: Tensor,
    sides: Sequence[float],
    size: int,
) -> FirstLook:
    """Looks at the whole image.

    Args:
        backbone: A :class:`~det_inception.models.backbones.base.Backbone`.
        classify: Returns the logits (N, K + 1) of pooled features (N, F).
        image: Normalized, (1, 3, H, W).
        windows: (R, 4), in pixels of the image: what the crops of the regions show.
        sides: Shorter sides to which the image is scaled.
        size: The side of a crop: each window is read on the map on which it comes closest to that.
    """
    maps = image_maps(backbone, image, sides)
    # Only timm's networks do not say where their first cell looks.
    center = STRIDE / 2 if backbone.first_center is None else backbone.first_center
    with torch.autocast(image.device.type, enabled=False):
        scores = classify(pool_boxes(maps, windows.float(), size, center)).softmax(dim=1)
        grid = torch.stack([sample_grid(features, scale, *image.shape[2:], center) for scale, features in maps]).mean(0)
        logits = classify(grid.flatten(1).T)  # (G * G, K + 1)
    evidence = (logits[:, :-1] - logits[:, -1:]).T
    return FirstLook(scores, evidence.unflatten(1, grid.shape[1:]))
