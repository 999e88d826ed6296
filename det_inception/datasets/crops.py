"""Pipeline steps of the classifier: the training crop of GoogLeNet, the crops of a test, and their packing.

Shape legend: H and W of an image, S the side of a crop, V views (crops) of an image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.structures import BaseDataElement

from det_inception.ilsvrc import CROPS, RULES, crop_plan, require_rule
from det_inception.registry import TRANSFORMS
from det_inception.utils.errors import InputError

INTERPOLATIONS = {
    'nearest': cv2.INTER_NEAREST,
    'bilinear': cv2.INTER_LINEAR,
    'area': cv2.INTER_AREA,
    'bicubic': cv2.INTER_CUBIC,
}


@TRANSFORMS.register_module()
class RandomCropAndDistort(BaseTransform):
    """GoogLeNet's training crop (arXiv 1409.4842, section 6): a random part of the image, distorted and mirrored.

    The steps are Albumentations'; they take their random numbers from NumPy's generator, which MMEngine seeds in every
    worker.

    Args:
        size: S; a part of fewer pixels is enlarged to it.
        area: Least and greatest share of the image's area.
        aspect: Least and greatest ratio of width to height.
        interpolations: One of these is drawn for every image; the paper: all four alike.
        distortion: Brightness, contrast and saturation are multiplied by 1 - distortion to 1 + distortion, in random
            order (Howard, arXiv 1312.5402); 0: not at all.
        mirror: Share of crops that are mirrored.
    """

    def __init__(
        self,
        size: int = 224,
        area: tuple[float, float] = (0.08, 1.0),
        aspect: tuple[float, float] = (3 / 4, 4 / 3),
        interpolations: Sequence[str] = tuple(INTERPOLATIONS),
        distortion: float = 0.5,
        mirror: float = 0.5,
    ) -> None:
        import albumentations  # Here alone, because it takes a second.

        if not interpolations or any(name not in INTERPOLATIONS for name in interpolations):
            raise ValueError(f'interpolations are some of {", ".join(INTERPOLATIONS)}, not {interpolations}')
        if not 0 <= distortion <= 1:
            raise ValueError(f'distortion lies between 0 and 1, not {distortion}')
        self.crops = [
            albumentations.RandomResizedCrop(
                (size, size), scale=tuple(area), ratio=tuple(aspect), interpolation=INTERPOLATIONS[name], p=1
            )
            for name in interpolations
        ]
        factors = (1 - distortion, 1 + distortion)
        self.distort = albumentations.ColorJitter(factors, factors, factors, hue=(0, 0), p=1) if distortion else None
        self.mirror = albumentations.HorizontalFlip(p=mirror)

    def transform(self, results: dict) -> dict:
        """Replaces ``img`` (H, W, 3) by the crop (S, S, 3)."""
        steps = [self.crops[np.random.randint(len(self.crops))], self.mirror]
        image = results['img'][:, :, ::-1]  # Saturation is about RGB.
        for step in steps if self.distort is None else [*steps, self.distort]:
            # A seed each: given one in common they would draw alike, and the smallest crops be the darkest.
            step.set_random_seed(int(np.random.randint(2**31)))
            image = step(image=np.ascontiguousarray(image))['image']
        results['img'] = np.ascontiguousarray(image[:, :, ::-1])
        results['img_shape'] = results['img'].shape[:2]
        return results


@TRANSFORMS.register_module()
class TestCrops(BaseTransform):
    """The crops that an image is tested with; see :func:`det_inception.ilsvrc.crop_plan`.

    Args:
        number: V: 1, 10 or 144.
        size: S.
        rule: How 1 and 10 crops are taken, a name of :data:`det_inception.ilsvrc.RULES` or a dict of that kind; for
            another S than its own, its ``side`` changes in proportion. None: as the weights say, which
            ``det-inception test`` fills in, and ``'paper'`` where they say nothing. 144 crops are always the paper's.

    Raises:
        InputError: ``number`` or ``rule`` is another.
    """

    __test__ = False  # No test, whatever pytest makes of the name.

    def __init__(self, number: int = 1, size: int = 224, rule: str | Mapping | None = None) -> None:
        if number not in CROPS:
            raise InputError(f'an image is tested with {", ".join(map(str, CROPS))} crops, not {number!r}.')
        if not isinstance(size, int) or size < 1:
            raise InputError(f'the side of a crop is a number of pixels of at least 1, not {size!r}.')
        rule = require_rule(rule or 'paper')
        self.number, self.size = number, size
        self.rule = RULES['paper'] if number == 144 else rule

    def transform(self, results: dict) -> dict:
        """Replaces ``img`` (H, W, 3) by its crops (V, S, S, 3).

        Raises:
            InputError: The image is far longer than it is wide, or the other way round.
        """
        image = results['img']
        try:
            share = self.rule['crop'] / self.rule['side']
            plan = crop_plan(*image.shape[:2], self.number, self.size, self.rule['resize'], share)
        except InputError as error:
            raise InputError(f'{results.get("img_path", "the image")}: {error}') from error
        crops = np.empty((self.number, self.size, self.size, 3), np.uint8)
        scaled, interpolation = None, self.rule['interpolation']
        for number, ((height, width), (x1, y1, x2, y2), mirrored) in enumerate(zip(*plan)):
            if scaled is None or scaled.shape[:2] != (height, width):
                scaled = resize(image, height, width, interpolation)
            if mirrored:
                cv2.flip(crops[number - 1], 1, dst=crops[number])
            else:
                crops[number] = resize(scaled[y1:y2, x1:x2], self.size, self.size, interpolation)
        results['img'] = crops
        return results


def resize(image: np.ndarray, height: int, width: int, interpolation: str = 'area') -> np.ndarray:
    """Resizes an image; returns the image itself where there is nothing to do.

    Args:
        image: uint8 (H, W, 3).
        height: Of the result.
        width: Likewise.
        interpolation: One of :data:`det_inception.ilsvrc.crops.INTERPOLATIONS`.
    """
    if image.shape[:2] == (height, width):
        return image
    if interpolation.endswith('_antialias'):
        pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None]
        mode = interpolation.removesuffix('_antialias')
        resized = torch.nn.functional.interpolate(pixels, (height, width), mode=mode, antialias=True)
        return resized[0].permute(1, 2, 0).numpy()
    if interpolation == 'bilinear_tensorflow':
        return (
            _between_pixels(_between_pixels(image.astype(np.float32), height), width, axis=1).round().astype(np.uint8)
        )
    if interpolation == 'area' and height >= image.shape[0]:
        interpolation = 'bilinear'
    return cv2.resize(image, (width, height), interpolation=INTERPOLATIONS[interpolation])


def _between_pixels(image: np.ndarray, length: int, axis: int = 0) -> np.ndarray:
    """Interpolates along an axis; pixel i of the result is at i times the ratio, where others add half a pixel."""
    last = image.shape[axis] - 1
    places = np.arange(length, dtype=np.float32) * np.float32(image.shape[axis] / length)
    before = places.astype(np.int64)
    first, second = image.take(before, axis), image.take(np.minimum(before + 1, last), axis)
    share = (places - before).reshape([-1 if number == axis else 1 for number in range(image.ndim)])
    return first + (second - first) * share


@TRANSFORMS.register_module()
class PackCrops(BaseTransform):
    """Packs an image or its crops as :class:`~det_inception.models.ImageClassifier` takes them."""

    def transform(self, results: dict) -> dict:
        """Returns ``inputs``, uint8 (3, S, S) or (V, 3, S, S) with channels-last strides, and ``data_samples``."""
        sample = BaseDataElement(metainfo={key: results[key] for key in ('img_path', 'ori_shape') if key in results})
        if 'gt_label' in results:
            sample.gt_label = torch.tensor([results['gt_label']])
        return dict(inputs=torch.from_numpy(results['img']).movedim(-1, -3), data_samples=sample)
