"""GoogLeNet Fast R-CNN (Girshick, arXiv 1504.08083): the network up to inception 4e once an image, the rest a region.

RoIAlign stands where the max-pool before 5a was, at stride 16. Sampling and schedule are Fast R-CNN's: 64 regions of
two images a step, background from IoU 0.1 to 0.5, positives from 0.5; images are scaled to a shorter side of 600.

"fast_rcnn" and the pipelines are for configs that build on one of R-CNN's, whose data they share.
"""

fast_rcnn = dict(
    _delete_=True,
    type='FastRCNN',
    data_preprocessor=dict(
        type='DetDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3, bgr_to_rgb=True, pad_size_divisor=1
    ),
    # The layers up to conv2 keep what they learned from a million images, as in Fast R-CNN.
    backbone=dict(type='GoogLeNet', variant='torchvision', out_indices=(3,), frozen_stages=1, norm_eval=True),
    roi_head=dict(
        type='SharedRoIHead',
        first_center=14.5,  # Where the first cell of inception 4e looks, see GoogLeNet.feature_info.
        bbox_roi_extractor=dict(
            type='SingleRoIExtractor',
            roi_layer=dict(type='RoIAlign', output_size=7, sampling_ratio=2),
            out_channels=832,
            featmap_strides=[16],
        ),
        shared_head=dict(type='GoogLeNetSharedHead', variant='torchvision', norm_eval=True),
        bbox_head=dict(
            type='RegionClassifierHead',
            num_classes=200,
            in_channels=1024,
            dropout=0.4,
            with_reg=True,
            bbox_coder=dict(type='DeltaXYWHBBoxCoder', target_means=[0.0] * 4, target_stds=[0.1, 0.1, 0.2, 0.2]),
            loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0),
            loss_bbox=dict(type='SmoothL1Loss', beta=1.0, loss_weight=1.0),
        ),
    ),
    train_cfg=dict(
        rcnn=dict(
            assigner=dict(
                type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0.5, match_low_quality=False
            ),
            sampler=dict(type='RandomSampler', num=64, pos_fraction=0.25, add_gt_as_proposals=True),
            pos_weight=-1,
        )
    ),
    test_cfg=dict(rcnn=dict(score_thr=0.001, nms=dict(type='nms', iou_threshold=0.3), max_per_img=-1)),
)

scale = (1000, 600)
fast_train_pipeline = [
    dict(type='LoadAnyImage'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='LoadRegionProposals', method=dict(type='SelectiveSearch', mode='ilsvrc2014')),
    dict(
        type='ProposalBroadcaster',
        transforms=[dict(type='Resize', scale=scale, keep_ratio=True), dict(type='RandomFlip', prob=0.5)],
    ),
    dict(type='PackDetInputs'),
]
# Annotations behind Resize: objects and boxes meet in the pixels of the image itself.
fast_test_pipeline = [
    dict(type='LoadAnyImage'),
    dict(type='LoadRegionProposals', method=dict(type='SelectiveSearch', mode='ilsvrc2014')),
    dict(type='ProposalBroadcaster', transforms=[dict(type='Resize', scale=scale, keep_ratio=True)]),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'instances')),
]
