"""R-CNN's region operation: every box becomes a crop of one size (Girshick et al., arXiv 1311.2524, appendix A).

Shape legend: B images in a batch, R regions, H and W of one image, S the side of a crop.

Coordinates are continuous: an image of width W covers [0, W], and its first pixel's center lies at 0.5.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from det_inception.registry import MODELS

INTERPOLATIONS = ('bilinear', 'bicubic', 'nearest')


@MODELS.register_module()
class RegionWarp(nn.Module):
    """Warps boxes to square crops: anisotropic, with context, the mean outside the image.

    The box is enlarged about its center so that, in the finished crop, ``context`` pixels lie around it on every
    side; then it is stretched to ``size`` x ``size`` whatever its aspect ratio. Crop pixels whose center falls outside
    the image are zero, which is the mean once an image is normalized.

    Args:
        size: Side of the crop in pixels.
        context: Pixels around the box, in crop coordinates: 16 in R-CNN, 0 for the tight box.
        interpolation: ``'bilinear'``, ``'bicubic'`` or ``'nearest'``.
        whole_pixels: Round the enlarged box as R-CNN's MATLAB code does (``rcnn_im_crop.m``): to whole pixels, the last
            of which belongs to it, so that it is one pixel wider and higher on average. False: exactly the box.
    """

    def __init__(
        self, size: int = 224, context: int = 16, interpolation: str = 'bilinear', whole_pixels: bool = False
    ) -> None:
        super().__init__()
        if size < 1 or not 0 <= 2 * context < size:
            raise ValueError(f'a crop of {size} pixels has no room for a context of {context} on both sides')
        if interpolation not in INTERPOLATIONS:
            raise ValueError(f'interpolation is one of {", ".join(INTERPOLATIONS)}, not {interpolation!r}')
        self.size, self.context, self.interpolation = size, context, interpolation
        self.whole_pixels = whole_pixels

    def extra_repr(self) -> str:
        said = f'size={self.size}, context={self.context}, interpolation={self.interpolation!r}'
        return f'{said}, whole_pixels=True' if self.whole_pixels else said

    def forward(self, images: Tensor, rois: Tensor, shapes: Sequence[tuple[int, int]]) -> Tensor:
        """Warps the regions of a batch.

        Args:
            images: (B, 3, H, W), normalized and padded to one size.
            rois: (R, 5): index of the image, then x1, y1, x2, y2 in its pixels.
            shapes: Height and width of each image without its padding, so that a crop does not depend on what else
                is in the batch.

        Returns:
            (R, 3, S, S), of the images' dtype, in channels-last memory layout.
        """
        crops = images.new_empty((len(rois), images.size(1), self.size, self.size))
        crops = crops.contiguous(memory_format=torch.channels_last)
        index = rois[:, 0].long()
        for number, (height, width) in enumerate(shapes):
            chosen = (index == number).nonzero().squeeze(1)
            if len(chosen):
                crops[chosen] = self._warp(images[number, :, :height, :width], rois[chosen, 1:])
        return crops

    def windows(self, boxes: Tensor) -> Tensor:
        """Returns what a crop of each box (R, 4) shows, with its context: float64 (R, 4), also beyond the image."""
        low, high = boxes.double().chunk(2, dim=1)  # A position of 10,000 pixels keeps its fraction.
        length = (high - low) * (self.size / (self.size - 2 * self.context))
        start = (low + high - length) / 2
        if self.whole_pixels:
            # MATLAB counts pixels from 1, and rounds halves away from zero.
            start, end = (_round_away(edge + 1) - 1 for edge in (start, start + length))
            length = end + 1 - start
        return torch.cat([start, start + length], dim=1)

    def _warp(self, image: Tensor, boxes: Tensor) -> Tensor:
        """Warps boxes (R, 4) of one image (3, H, W)."""
        height, width = image.shape[-2:]
        left, top, right, bottom = self.windows(boxes).unbind(dim=1)
        x, inside_x = self._positions(left, right, width)
        y, inside_y = self._positions(top, bottom, height)
        # grid_sample counts from -1 at the left edge of the first pixel to 1 at the right edge of the last.
        side = len(boxes), self.size, self.size
        grid = torch.stack(
            ((x / width * 2 - 1)[:, None, :].expand(side), (y / height * 2 - 1)[:, :, None].expand(side)), -1
        )
        crops = nn.functional.grid_sample(
            image.expand(len(boxes), -1, -1, -1),
            grid.to(image.dtype),
            mode=self.interpolation,
            padding_mode='border',
            align_corners=False,
        )
        inside = inside_y[:, None, :, None] & inside_x[:, None, None, :]
        return crops.masked_fill_(~inside, 0) if not crops.requires_grad else crops.masked_fill(~inside, 0)

    def _positions(self, low: Tensor, high: Tensor, extent: int) -> tuple[Tensor, Tensor]:
        """Returns where the windows' pixel centers fall along one axis, (R, S), and which are in the image."""
        steps = (torch.arange(self.size, device=low.device, dtype=low.dtype) + 0.5) / self.size
        positions = low[:, None] + (high - low)[:, None] * steps
        return positions, (positions >= 0) & (positions < extent)


def _round_away(values: Tensor) -> Tensor:
    return values.sign() * (values.abs() + 0.5).floor()
