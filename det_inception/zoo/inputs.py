"""Small random images with what any of MMDetection's models asks for: boxes, masks, semantic maps, videos, texts.

Shape legend: (H, W) an image.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from mmdet.models.detectors import SemiBaseDetector
from mmdet.models.mot import BaseMOTModel
from mmdet.models.reid import BaseReID
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample, ReIDDataSample, TrackDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData, PixelData

IMAGES, SIDE = 2, 128
LIMITS = dict(nms_pre=200, max_per_img=20, num_proposals=20, num=64, num_queries=100)
"""The most candidates, detections, sampled regions and queries that a small input is worth."""


def shrink(node: object) -> None:
    """Changes a model's settings in place: fewer regions, no batches of large images, and all scores count."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in LIMITS and isinstance(value, int) and value > 0:
                node[key] = min(value, LIMITS[key])
            elif key == 'score_thr' and isinstance(value, float):
                node[key] = 0.0
            elif key == 'batch_augments':
                node[key] = None
            else:
                shrink(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            shrink(value)


def make_batch(model: Mapping, training: bool) -> dict:
    """Returns ``inputs`` and ``data_samples`` as a data loader gives them to a model's preprocessor.

    Args:
        model: Its settings.
        training: For a step of training, to which some trackers take images instead of videos.
    """
    kind = MODELS.get(model['type'])
    if issubclass(kind, BaseMOTModel) and not (training and model['data_preprocessor'].get('use_det_processor')):
        return _video(model)
    if issubclass(kind, BaseReID):
        samples = [ReIDDataSample().set_gt_label(number) for number in (0, 0, 1, 1)]
        return dict(inputs=[_image(256, 128) for _ in samples], data_samples=samples)
    batch = _images(model)
    if issubclass(kind, SemiBaseDetector):
        branches = ('sup', 'unsup_teacher', 'unsup_student')
        return {key: dict.fromkeys(branches, value) for key, value in batch.items()}
    return batch


def settings_of(node: object, name: str) -> Iterator[object]:
    """Yields every value that settings have under a name, at any depth."""
    if isinstance(node, Mapping):
        if name in node:
            yield node[name]
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for value in node:
            yield from settings_of(value, name)


def _images(model: Mapping) -> dict:
    # SSD's maps have a fixed number of halvings, which a smaller image would not survive.
    side = max([SIDE, *(size for size in settings_of(model, 'input_size') if isinstance(size, int))])
    samples = [_sample(model, side, number) for number in range(IMAGES)]
    return dict(inputs=[_image(side, side) for _ in samples], data_samples=samples)


def _image(height: int, width: int) -> torch.Tensor:
    return torch.randint(0, 256, (3, height, width), dtype=torch.uint8)


def _sample(model: Mapping, side: int, number: int) -> DetDataSample:
    sample = DetDataSample(
        metainfo=dict(
            img_id=number,
            img_path=f'{number}.png',
            img_shape=(side, side),
            ori_shape=(side, side),
            scale_factor=(1.0, 1.0),
            flip=False,
            flip_direction=None,
            border=[0, 0, 0, 0],
            homography_matrix=np.eye(3, dtype=np.float32),
            text='cat . dog .',
            custom_entities=True,
            frame_id=0,
        )
    )
    boxes = torch.tensor([[0.1, 0.1, 0.5, 0.6], [0.4, 0.3, 0.95, 0.9]]) * side
    classes = min((one for one in settings_of(model, 'num_classes') if isinstance(one, int)), default=2)
    labels = torch.tensor([0, min(1, max(classes - 1, 0))])
    sample.gt_instances = InstanceData(bboxes=boxes, labels=labels, masks=_masks(boxes, side))
    none = torch.zeros(0, 4)
    sample.ignored_instances = InstanceData(bboxes=none, labels=labels[:0], masks=_masks(none, side))
    kinds = {kind for kind in settings_of(model, 'type') if isinstance(kind, str)}
    # This assigner takes masks where there are some, and only RTMDet's heads of instances make tensors of them.
    if 'DynamicSoftLabelAssigner' in kinds and not any(kind.startswith('RTMDetIns') for kind in kinds):
        del sample.gt_instances.masks, sample.ignored_instances.masks
    if not any(settings_of(model, 'rpn_head')):  # A model that makes proposals would use these instead.
        sample.proposals = InstanceData(bboxes=boxes.repeat(10, 1) + torch.rand(20, 4), scores=torch.rand(20))
    # Stuff is counted behind the things.
    things = max((one for one in settings_of(model, 'num_things_classes') if isinstance(one, int)), default=0)
    # Heads of HTC see the map of classes at an eighth of the size.
    stride = 8 if any(kind in ('FusedSemanticHead', 'SCNetSemanticHead') for kind in settings_of(model, 'type')) else 1
    classes = torch.randint(things, things + 2, (1, side // stride, side // stride))
    sample.gt_sem_seg = PixelData(sem_seg=classes)
    return sample


def _masks(boxes: torch.Tensor, side: int) -> BitmapMasks:
    masks = np.zeros((len(boxes), side, side), np.uint8)
    for mask, (left, top, right, bottom) in zip(masks, boxes.int().tolist()):
        mask[top:bottom, left:right] = 1
    return BitmapMasks(masks, side, side)


def _video(model: Mapping) -> dict:
    """One video of two frames, the first of which is to be learned from."""
    frames = [_sample(model, SIDE, number) for number in range(2)]
    for number, frame in enumerate(frames):
        frame.set_metainfo(dict(frame_id=number, video_length=len(frames)))
        frame.gt_instances.instances_ids = torch.tensor([1, 2])
    video = TrackDataSample(metainfo=dict(key_frames_inds=[0], ref_frames_inds=[1], video_length=len(frames)))
    video.video_data_samples = frames
    return dict(inputs=[torch.stack([_image(SIDE, SIDE) for _ in frames])], data_samples=[video])
