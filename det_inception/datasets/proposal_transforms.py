"""Augmentation of images that have external proposals: what moves the objects moves the proposals too.

Shape legend: M objects and N proposals of an image.
"""

from __future__ import annotations

import contextlib
import difflib
import inspect
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet.datasets.transforms import ProposalBroadcaster as MMDetectionBroadcaster
from mmdet.structures.bbox import HorizontalBoxes, get_box_tensor

from det_inception.registry import TRANSFORMS
from det_inception.utils.errors import InputError

LOADERS = ('LoadRegionProposals', 'LoadProposals')
MOVING = (
    'AutoAugment', 'BatchResize', 'CachedMixUp', 'CachedMosaic', 'CopyPaste', 'CutOut', 'Expand', 'FixScaleResize',
    'FixShapeResize', 'MinIoURandomCrop', 'MixUp', 'Mosaic', 'RandAugment', 'RandomAffine', 'RandomCenterCropPad',
    'RandomChoiceResize', 'RandomCrop', 'RandomErasing', 'RandomFlip', 'RandomResize', 'RandomShift', 'Resize',
    'ResizeShortestEdge', 'Rotate', 'ShearX', 'ShearY', 'TranslateX', 'TranslateY',
)  # fmt: skip
"""Steps of MMCV, MMDetection and this project that move or drop objects."""


class _Joined(NamedTuple):
    """Objects and proposals of an image as one list of boxes.

    Attributes:
        boxes: float32 (M + N, 4), objects first.
        objects: M.
    """

    boxes: torch.Tensor
    objects: int


def _join(results: Mapping[str, Any]) -> _Joined:
    objects, proposals = (_boxes(results.get(key)) for key in ('gt_bboxes', 'proposals'))
    return _Joined(torch.cat([objects, proposals]), len(objects))


def _boxes(values: Any) -> torch.Tensor:
    """Boxes of MMDetection, an array, or None, as float32 (N, 4)."""
    values = () if values is None else getattr(values, 'tensor', values)
    return torch.as_tensor(values, dtype=torch.float32).reshape(-1, 4)


def _put(
    results: dict, before: Mapping[str, Any], joined: _Joined, boxes: torch.Tensor, places: np.ndarray
) -> dict | None:
    """Puts boxes that have been moved into an image's results.

    Args:
        results: With the new image; changed.
        before: As they were before.
        joined: The boxes before.
        boxes: Those that are left, float32 (K, 4).
        places: int64 (K,), which of the boxes before these are.

    Returns:
        The results; None if there were objects and none is left.
    """
    is_object = places < joined.objects
    if joined.objects and not is_object.any():
        return None
    if before.get('gt_bboxes') is not None:
        results['gt_bboxes'] = HorizontalBoxes(boxes[torch.from_numpy(is_object)])
    for key in ('gt_bboxes_labels', 'gt_ignore_flags'):
        if before.get(key) is not None:
            results[key] = np.asarray(before[key])[places[is_object]]
        else:
            results.pop(key, None)
    if before.get('proposals') is not None:
        kept, numbers = boxes[torch.from_numpy(~is_object)], places[~is_object] - joined.objects
        scores = before.get('proposals_scores')
        scores = None if scores is None else np.asarray(scores)[numbers]
        if not len(kept) and len(joined.boxes) > joined.objects:
            # As in LoadRegionProposals: the image as a whole always is one.
            height, width = results['img'].shape[:2]
            kept = torch.tensor([[0, 0, width, height]], dtype=torch.float32)
            scores = None if scores is None else np.ones(1, np.float32)
        results['proposals'] = kept.numpy()
        if scores is not None:
            results['proposals_scores'] = scores
    return results


@TRANSFORMS.register_module(force=True)
class ProposalBroadcaster(MMDetectionBroadcaster):
    """Applies steps to objects and proposals at once; it takes the place of MMDetection's under the same name.

    MMDetection's runs the steps twice, for objects and for proposals, with the same random numbers as far as a step
    lets them be kept. ``RandomCrop`` and ``RandomAffine``, which drop boxes, fail in it. Here the steps run once, on
    all boxes together, and labels, flags and scores follow the boxes that are left. An image that loses its last object
    is left out.

    Args:
        transforms: The steps.

    Raises:
        InputError: A step needs other images, whose proposals are not known.
    """

    def __init__(self, transforms: Sequence[dict] = ()) -> None:
        super().__init__(list(transforms))
        for step in self.transforms.transforms:
            if hasattr(step, 'get_indices') or hasattr(step, 'get_indexes'):
                raise InputError(
                    f'ProposalBroadcaster: {type(step).__name__} puts images together, whose proposals it does not '
                    'move; leave it out.'
                )

    def transform(self, results: dict) -> dict | None:
        """Moves ``img``, ``gt_bboxes`` (M) and ``proposals`` (N), and what belongs to them.

        Raises:
            InputError: There are no proposals, or a step loses track of the boxes.
        """
        if results.get('proposals') is None:
            raise InputError('ProposalBroadcaster: the image has no proposals; put LoadRegionProposals before it.')
        if results.get('gt_masks') is not None:
            return super().transform(results)
        joined = _join(results)
        count = len(joined.boxes)
        moved = dict(
            results,
            gt_bboxes=HorizontalBoxes(joined.boxes.clone()),
            gt_bboxes_labels=np.arange(count),
            gt_ignore_flags=np.zeros(count, bool),
        )
        moved = self.transforms(moved)
        if moved is None:
            return None
        places, boxes = np.asarray(moved['gt_bboxes_labels'], np.int64), get_box_tensor(moved['gt_bboxes']).float()
        if (
            len(places) != len(boxes)
            or len({*places.tolist()}) != len(places)
            or not ((places >= 0) & (places < count)).all()
        ):
            raise InputError(
                f'ProposalBroadcaster: {", ".join(type(step).__name__ for step in self.transforms.transforms)}: a step '
                'changes labels, or drops boxes without them; leave it out, or put it where there are no proposals.'
            )
        if results.get('gt_bboxes') is None:
            moved.pop('gt_bboxes')
        return _put(moved, results, joined, boxes, places)


@TRANSFORMS.register_module()
class ProposalAlbu(BaseTransform):
    """Steps of Albumentations for image, objects and, where there are some, proposals: flips, crops, rotations, color.

    All boxes go through one call, so labels, ignore flags and proposals always fit the image. The random numbers are
    NumPy's, which MMEngine seeds in every worker. Images are turned to RGB for the steps and back. Place it behind the
    loading of annotations and proposals, and before ``Resize`` or ``BatchResize``.

    Args:
        transforms: Each ``dict(type=NAME, ...)`` with a name of Albumentations and its arguments; ``OneOf`` and the
            like have ``transforms`` of their own.
        min_visibility: A box of which less is left in the image is dropped.
        min_area: Likewise, in pixels.

    Raises:
        InputError: Albumentations has no such step, or it does not take these arguments or boxes.
    """

    def __init__(self, transforms: Sequence[dict], min_visibility: float = 0.25, min_area: float = 4.0) -> None:
        albumentations = _albumentations()
        boxes = albumentations.BboxParams(
            'pascal_voc', label_fields=['places'], min_visibility=min_visibility, min_area=min_area, clip=True
        )
        steps = [_build(settings) for settings in transforms]
        with _explained('ProposalAlbu'):
            self.compose = albumentations.Compose(steps, bbox_params=boxes, strict=True)
        self.transforms = list(transforms)

    def transform(self, results: dict) -> dict | None:
        """Changes ``img``, uint8 (H, W, 3), ``gt_bboxes`` (M), ``proposals`` (N) and what belongs to them.

        Returns:
            The results; None if there were objects and none is left, so that another image is taken.

        Raises:
            InputError: The image has other pixels than uint8.
        """
        if results['img'].dtype != np.uint8:
            raise InputError(f'ProposalAlbu: the image has {results["img"].dtype} pixels; load it as uint8.')
        joined = _join(results)
        _draw_seeds(self.compose)
        changed = self.compose(
            image=np.ascontiguousarray(results['img'][:, :, ::-1]),
            bboxes=joined.boxes.numpy(),
            places=np.arange(len(joined.boxes)),
        )
        image = np.ascontiguousarray(changed['image'][:, :, ::-1])
        boxes = torch.as_tensor(np.asarray(changed['bboxes'], np.float32).reshape(-1, 4))
        moved = dict(results, img=image, img_shape=image.shape[:2])
        return _put(moved, results, joined, boxes, np.asarray(changed['places']).astype(np.int64))

    def __repr__(self) -> str:
        return f'ProposalAlbu(transforms={self.transforms})'


def require_moved_proposals(pipeline: Sequence[Any]) -> None:
    """Refuses a pipeline in which a step moves the objects and leaves the proposals where they were.

    Raises:
        InputError: A step of :data:`MOVING`, or MMDetection's ``Albu`` with geometry, follows the loading of proposals
            outside of a ``ProposalBroadcaster``.
    """
    types = [_type(step) for step in pipeline]
    loaded = next((number for number, kind in enumerate(types) if kind in LOADERS), len(types))
    for step in pipeline[loaded + 1 :]:
        if (moving := _moving(step)) is not None:
            raise InputError(
                f'the pipeline has {moving} behind {types[loaded]}, which moves the objects and not the proposals; put '
                'it into a ProposalBroadcaster, or use ProposalAlbu.'
            )


def _moving(step: Any) -> str | None:
    """Names what a step outside of a ``ProposalBroadcaster`` moves objects with; None if nothing."""
    kind = _type(step)
    if kind in MOVING:
        return kind
    if kind in ('ProposalBroadcaster', 'ProposalAlbu') or not isinstance(step, Mapping):
        return None
    if kind == 'Albu':
        return next((f'Albu with {name}' for name in _names(step.get('transforms')) if _moves_boxes(name)), None)
    return next((moving for part in _parts(step.get('transforms')) if (moving := _moving(part))), None)


def _type(step: Any) -> str:
    kind = step.get('type') if isinstance(step, Mapping) else type(step)
    return (kind if isinstance(kind, str) else getattr(kind, '__name__', '')).rpartition('.')[2]


def _parts(transforms: Any) -> list[Mapping]:
    """The steps of a step, of which ``RandomChoice`` has lists."""
    parts = transforms if isinstance(transforms, (list, tuple)) else [transforms]
    nested = [_parts(part) if isinstance(part, (list, tuple)) else [part] for part in parts]
    return [part for group in nested for part in group if isinstance(part, Mapping)]


def _names(transforms: Any) -> list[str]:
    """The names of all steps of Albumentations, also of those inside others."""
    return [name for part in _parts(transforms) for name in (_type(part), *_names(part.get('transforms')))]


def _moves_boxes(name: str) -> bool:
    kind = getattr(_albumentations(), name, None)
    return inspect.isclass(kind) and issubclass(kind, _albumentations().DualTransform)


def _albumentations() -> Any:
    """Imports Albumentations, which takes a second."""
    import albumentations

    return albumentations


def _build(settings: Mapping[str, Any]) -> Any:
    """Builds a step of Albumentations."""
    package, arguments = _albumentations(), dict(settings)
    name = arguments.pop('type', None)
    kind = getattr(package, str(name), None)
    if not inspect.isclass(kind) or not issubclass(kind, (package.BasicTransform, package.BaseCompose)):
        close = difflib.get_close_matches(str(name), dir(package), n=1)
        hint = f'did you mean {close[0]!r}?' if close else 'see its documentation for the names.'
        raise InputError(f'ProposalAlbu: Albumentations has no step {name!r}; {hint}')
    if 'transforms' in arguments:
        arguments['transforms'] = [_build(part) for part in arguments['transforms']]
    with _explained(str(name)):
        return kind(**arguments)


@contextlib.contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turns what Albumentations says of wrong settings into one sentence."""
    try:
        yield
    except (TypeError, ValueError) as error:
        reason = ' '.join(str(error).split())[:200].rstrip('.')
        raise InputError(f'{name} of Albumentations cannot be built ({reason}); correct its settings.') from error


def _draw_seeds(step: Any) -> None:
    """Gives every step random numbers of its own: with a seed in common they would draw alike."""
    seed = int(np.random.randint(2**31))
    step.random_generator, step.py_random = np.random.default_rng(seed), random.Random(seed)
    for part in getattr(step, 'transforms', ()):
        _draw_seeds(part)
