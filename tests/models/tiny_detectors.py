"""Detectors of a few channels with random weights, and images for them."""

import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from torch import nn

from det_inception.registry import MODELS

CLASSES = 3
WIDTH, CHANNELS = 0.125, 104
"""Of a GoogLeNet, and how many channels inception 4e then has."""
PREPROCESSOR = dict(type='DetDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3, bgr_to_rgb=True)
SAMPLING = dict(
    assigner=dict(type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.5, match_low_quality=False),
    sampler=dict(type='RandomSampler', num=32, pos_fraction=0.25),
    pos_weight=-1,
)
SELECTION = dict(score_thr=0.0, nms=dict(type='nms', iou_threshold=0.3), max_per_img=-1, max_per_class=100)


def rcnn_config(with_reg=True, **backbone) -> ConfigDict:
    """An R-CNN of 3 classes on crops of 32 pixels."""
    return ConfigDict(
        type='RCNN',
        data_preprocessor=PREPROCESSOR,
        region_warp=dict(type='RegionWarp', size=32, context=2),
        backbone=dict(dict(type='GoogLeNet', variant='batch_norm', width=WIDTH), **backbone),
        bbox_head=dict(
            type='RegionClassifierHead', num_classes=CLASSES, in_channels=128, dropout=0.0, with_reg=with_reg
        ),
        train_cfg=dict(rcnn=SAMPLING),
        test_cfg=dict(rcnn=dict(SELECTION, chunk_size=16)),
    )


def shared_head_config(with_reg=True, **settings) -> ConfigDict:
    """The region head of Fast and Faster R-CNN, 3 classes."""
    return ConfigDict(
        type='SharedRoIHead',
        bbox_roi_extractor=dict(
            type='SingleRoIExtractor',
            roi_layer=dict(type='RoIAlign', output_size=7, sampling_ratio=2),
            out_channels=CHANNELS,
            featmap_strides=[16],
        ),
        shared_head=dict(type='GoogLeNetSharedHead', variant='batch_norm', width=WIDTH),
        bbox_head=dict(type='RegionClassifierHead', num_classes=CLASSES, in_channels=128, with_reg=with_reg),
        **settings,
    )


def fast_rcnn_config() -> ConfigDict:
    """A Fast R-CNN."""
    return ConfigDict(
        type='FastRCNN',
        data_preprocessor=PREPROCESSOR,
        backbone=dict(type='GoogLeNet', variant='batch_norm', width=WIDTH, out_indices=(3,)),
        roi_head=shared_head_config(),
        train_cfg=dict(rcnn=SAMPLING),
        test_cfg=dict(rcnn=SELECTION),
    )


def faster_rcnn_config() -> ConfigDict:
    """A Faster R-CNN."""
    proposals = dict(nms_pre=200, max_per_img=60, nms=dict(type='nms', iou_threshold=0.7), min_bbox_size=0)
    rpn = dict(
        assigner=dict(type='MaxIoUAssigner', pos_iou_thr=0.7, neg_iou_thr=0.3, min_pos_iou=0.3),
        sampler=dict(type='RandomSampler', num=16, pos_fraction=0.5, add_gt_as_proposals=False),
        allowed_border=-1,
        pos_weight=-1,
    )
    return ConfigDict(
        fast_rcnn_config(),
        type='FasterRCNN',
        rpn_head=dict(
            type='RPNHead',
            in_channels=CHANNELS,
            feat_channels=16,
            anchor_generator=dict(type='AnchorGenerator', scales=[1, 2], ratios=[0.5, 1.0, 2.0], strides=[16]),
            bbox_coder=dict(type='DeltaXYWHBBoxCoder', target_means=[0.0] * 4, target_stds=[1.0] * 4),
        ),
        train_cfg=dict(rpn=rpn, rpn_proposal=proposals, rcnn=SAMPLING),
        test_cfg=dict(rpn=proposals, rcnn=SELECTION),
    )


def imagenet_config() -> ConfigDict:
    """An R-CNN with the 1000 classes of ImageNet."""
    voting = dict(type='nms_with_box_voting', iou_threshold=0.3, part=0.8, vote=0.4)
    return ConfigDict(
        type='ImageNetRCNN',
        data_preprocessor=PREPROCESSOR,
        region_warp=dict(type='RegionWarp', size=64, context=4),
        backbone=dict(type='GoogLeNet', variant='batch_norm', width=WIDTH),
        bbox_head=dict(type='ImageNetHead', in_channels=128),
        class_set='imagenet',
        test_cfg=dict(
            rcnn=dict(
                proposals=60,
                proposal_iou=0.9,
                map_sides=(64,),
                regions=40,
                nms=voting,
                score_thr=1e-5,
                max_per_img=-1,
                chunk_size=64,
            )
        ),
    )


DETECTORS = {
    'R-CNN': rcnn_config,
    'Fast R-CNN': fast_rcnn_config,
    'Faster R-CNN': faster_rcnn_config,
    'ImageNet': imagenet_config,
}


def build(config: ConfigDict, options: dict | None = None) -> nn.Module:
    """Builds a detector with settings that override its config's, dotted names under ``model`` allowed.

    Its weights are random, and such that regions get different scores.
    """
    whole = Config(dict(model=config))
    whole.merge_from_dict(options or {})
    init_default_scope('mmdet')  # Fixtures of a module run before that of conftest.
    torch.manual_seed(0)
    model = MODELS.build(whole.model)
    model.init_weights()
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity='relu')
    head = model.roi_head.bbox_head if hasattr(model, 'roi_head') else model.bbox_head
    if hasattr(head, 'fc_cls'):
        nn.init.normal_(head.fc_cls.weight, std=0.3)
        if head.with_reg:
            nn.init.normal_(head.fc_reg.weight, std=0.05)
    else:
        nn.init.normal_(head.fc.weight, std=0.3)
    return model


def batch(count=2, proposals=60, shapes=((80, 100), (60, 90))) -> dict:
    """Images of noise with two objects each and random proposals, eight of them on the first object."""
    generator = torch.Generator().manual_seed(1)
    inputs, samples = [], []
    for number in range(count):
        height, width = shapes[number]
        truth = torch.tensor([[10.0, 10, 50, 50], [40, 20, 80, 55]])
        corners = torch.rand(proposals, 4, generator=generator) * torch.tensor([width / 2, height / 2] * 2)
        boxes = torch.cat([corners[:, :2], corners[:, :2] + corners[:, 2:] + 4], 1)
        boxes[:8] = truth[0] + torch.rand(8, 4, generator=generator) * 6 - 3
        sample = DetDataSample(
            metainfo=dict(img_shape=(height, width), ori_shape=(height, width), scale_factor=(1.0, 1.0))
        )
        sample.gt_instances = InstanceData(bboxes=truth, labels=torch.tensor([0, 2]))
        sample.proposals = InstanceData(bboxes=boxes, scores=torch.linspace(1, 0, proposals))
        samples.append(sample)
        inputs.append(torch.randint(0, 255, (3, height, width), generator=generator, dtype=torch.uint8))
    return dict(inputs=inputs, data_samples=samples)
