"""GoogLeNet R-CNN as the 2014 entry had it, without box regression: model, optimizer.

What the paper leaves open, and what is chosen here: softmax instead of SVMs, R-CNN's context of 16 pixels, its sampling
(32 positive, 96 background regions a step), its NMS of 0.3 and its solver. "weights" carries variant and
normalization with it; see det_inception/config.py.
"""

weights = None  # None: random weights. A file, or 'torchvision://googlenet'.

model = dict(
    type='RCNN',
    data_preprocessor=dict(
        type='DetDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3, bgr_to_rgb=True, pad_size_divisor=1
    ),
    region_warp=dict(type='RegionWarp', size=224, context=16, interpolation='bilinear'),
    backbone=dict(type='GoogLeNet', variant='torchvision', frozen_stages=-1, norm_eval=True),
    bbox_head=dict(
        type='RegionClassifierHead',
        num_classes=200,
        in_channels=1024,
        dropout=0.4,
        with_reg=False,
        # R-CNN's targets: deltas of center and log size, divided by these.
        bbox_coder=dict(type='DeltaXYWHBBoxCoder', target_means=[0.0] * 4, target_stds=[0.1, 0.1, 0.2, 0.2]),
        loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0),
        loss_bbox=dict(type='SmoothL1Loss', beta=1.0, loss_weight=1.0),
    ),
    train_cfg=dict(
        rcnn=dict(
            assigner=dict(
                type='MaxIoUAssigner',
                pos_iou_thr=0.5,
                neg_iou_thr=0.5,
                min_pos_iou=0.5,
                match_low_quality=False,
            ),
            # 4 images a step: 128 regions, of them 32 positive.
            sampler=dict(type='RandomSampler', num=32, pos_fraction=0.25, add_gt_as_proposals=True),
            pos_weight=-1,
        )
    ),
    test_cfg=dict(
        rcnn=dict(
            score_thr=0.001,
            nms=dict(type='nms', iou_threshold=0.3),
            max_per_img=-1,
            max_per_class=100,
            chunk_size=128,
        )
    ),
)

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.001, momentum=0.9, weight_decay=0.0005),
    # The new layers start from random numbers and learn ten times as fast, as in R-CNN.
    paramwise_cfg=dict(custom_keys=dict(bbox_head=dict(lr_mult=10))),
    clip_grad=dict(max_norm=35, norm_type=2),
)
