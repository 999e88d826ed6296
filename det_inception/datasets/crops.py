"""Pipeline steps of the classifier: the training crop of GoogLeNet, the crops of a test, and their packing.

Shape legend: H and W of an image, S the side of a crop, V views (crops) of an image.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.structures import BaseDataElement

from det_inception.ilsvrc import CROPS, crop_plan
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
    """

    __test__ = False  # No test, whatever pytest makes of the name.

    def __init__(self, number: int = 1, size: int = 224) -> None:
        if number not in CROPS:
            raise InputError(f'an image is tested with {", ".join(map(str, CROPS))} crops, not {number!r}.')
        self.number, self.size = number, size

    def transform(self, results: dict) -> dict:
        """Replaces ``img`` (H, W, 3) by its crops (V, S, S, 3).

        Raises:
            InputError: The image is far longer than it is wide, or the other way round.
        """
        image = results['img']
        try:
            plan = crop_plan(*image.shape[:2], self.number, self.size)
        except InputError as error:
            raise InputError(f'{results.get("img_path", "the image")}: {error}') from error
        crops = np.empty((self.number, self.size, self.size, 3), np.uint8)
        scaled = None
        for number, ((height, width), (x1, y1, x2, y2), mirrored) in enumerate(zip(*plan)):
            if scaled is None or scaled.shape[:2] != (height, width):
                scaled = resize(image, height, width)
            if mirrored:
                cv2.flip(crops[number - 1], 1, dst=crops[number])
            else:
                crops[number] = resize(scaled[y1:y2, x1:x2], self.size, self.size)
        results['img'] = crops
        return results


def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resizes an image, averaging over areas where it shrinks; the image itself where there is nothing to do."""
    if image.shape[:2] == (height, width):
        return image
    shrinks = height < image.shape[0]
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


@TRANSFORMS.register_module()
class PackCrops(BaseTransform):
    """Packs an image or its crops as :class:`~det_inception.models.GoogLeNetClassifier` takes them."""

    def transform(self, results: dict) -> dict:
        """Returns ``inputs``, uint8 (3, S, S) or (V, 3, S, S) with channels-last strides, and ``data_samples``."""
        sample = BaseDataElement(metainfo={key: results[key] for key in ('img_path', 'ori_shape') if key in results})
        if 'gt_label' in results:
            sample.gt_label = torch.tensor([results['gt_label']])
        return dict(inputs=torch.from_numpy(results['img']).movedim(-1, -3), data_samples=sample)
