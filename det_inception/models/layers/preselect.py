"""Chooses the regions that R-CNN looks at closely, from one look at the whole image.

Nearly all of an image's proposals are background, and R-CNN spends a crop on each. The network that classifies crops
also runs on the whole image, for the price of some 16 crops. Its last map is averaged inside each region, as in SPP-net
(He et al., arXiv 1406.4729), and the same classifier says roughly what the region shows.

Shape legend: R regions, K classes, F channels of the backbone's last map, h and w its sides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torchvision.ops import nms

from det_inception.models.layers.class_maps import STRIDE, image_maps, pool_boxes
from det_inception.utils.errors import InputError

SETTINGS = dict(regions=-1, map_sides=(320, 640), iou_threshold=0.95)
"""How many regions are looked at closely (-1: all), the shorter sides at which the network sees the image, and by how
much two of the chosen regions may overlap."""


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


def most_promising(boxes: Tensor, rough: Callable[[Sequence[float]], Tensor], test_cfg: Mapping) -> Tensor:
    """Selects the regions that the network is to look at closely.

    Args:
        boxes: (R, 4), best first.
        rough: Returns the probabilities (R, K + 1) of the boxes, background last, for shorter sides of the image.
        test_cfg: ``preselect``, see :data:`SETTINGS`.

    Returns:
        (R', 4): at most ``regions`` of the boxes, in their order; all where ``preselect`` does not say how many.
    """
    settings = SETTINGS | dict(test_cfg.get('preselect') or {})
    if not 0 < settings['regions'] < len(boxes):
        return boxes
    promise = rough(settings['map_sides'])[:, :-1].amax(dim=1)
    chosen = nms(boxes.float(), promise.float(), settings['iou_threshold'])[: settings['regions']]
    return boxes[chosen.sort().values]


def pooled_features(backbone: nn.Module, image: Tensor, windows: Tensor, sides: Sequence[float], size: int) -> Tensor:
    """Averages the backbone's last map of the whole image inside windows.

    Args:
        backbone: A :class:`~det_inception.models.backbones.base.Backbone`.
        image: Normalized, (1, 3, H, W).
        windows: (R, 4), in pixels of the image.
        sides: Shorter sides to which the image is scaled.
        size: The side of a crop: each window is read on the map on which it comes closest to that.

    Returns:
        float32 (R, F).
    """
    maps = image_maps(backbone, image, sides)
    with torch.autocast(image.device.type, enabled=False):
        # Only timm's networks do not say where their first cell looks.
        center = STRIDE / 2 if backbone.first_center is None else backbone.first_center
        return pool_boxes(maps, windows.float(), size, center)
