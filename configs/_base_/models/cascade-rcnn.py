"""Cascade R-CNN (Cai and Vasconcelos, arXiv 1712.00726) on GoogLeNet: three heads, each stricter than the one before.

On a feature pyramid. The network starts from that of the detector in checkpoints/. --weights FILE takes an ImageNet
classifier's instead.
"""

pretrained = dict(
    type='Pretrained', checkpoint='{{ fileDirname }}/../../../checkpoints/googlenet_faster-rcnn_voc2007.pth'
)
# Anchors are where the cells of conv2, inception 3b, 4e and 5b look.
anchors = dict(type='AnchorGenerator', scales=[8], ratios=[0.5, 1.0, 2.0], strides=[4, 8, 16, 32, 64])
centers = [(2.5, 2.5), (6.5, 6.5), (14.5, 14.5), (30.5, 30.5), (30.5, 30.5)]
# A region that is more than half inside a difficult object is neither an object nor background.
assigner = dict(type='IgnoringMaxIoUAssigner', ignore_iof_thr=0.5)
sampler = dict(type='RandomSampler', num=128, pos_fraction=0.25, neg_pos_ub=-1)
nms = dict(type='nms', iou_threshold=0.7)
# tools/train.py sets num_classes where it reads the classes from the data.
head = dict(
    type='Shared2FCBBoxHead',
    in_channels=256,
    fc_out_channels=1024,
    roi_feat_size=7,
    num_classes=20,
    reg_class_agnostic=True,
    loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0),
    loss_bbox=dict(type='SmoothL1Loss', beta=1.0, loss_weight=1.0),
)
model = dict(
    type='CascadeRCNN',
    data_preprocessor=dict(type='BackboneDataPreprocessor', pad_size_divisor=32),
    backbone=dict(
        type='GoogLeNet',
        variant='paper',
        out_indices=(1, 2, 3, 4),
        frozen_stages=1,
        norm_eval=True,
        init_cfg=pretrained,
    ),
    neck=dict(type='FPN', in_channels=[192, 480, 832, 1024], out_channels=256, num_outs=5),
    rpn_head=dict(
        type='RPNHead',
        in_channels=256,
        feat_channels=256,
        anchor_generator=dict(anchors, centers=centers),
        loss_bbox=dict(type='SmoothL1Loss', beta=1 / 9, loss_weight=1.0),
    ),
    roi_head=dict(
        type='CascadeRoIHead',
        num_stages=3,
        stage_loss_weights=[1, 0.5, 0.25],
        bbox_roi_extractor=dict(
            type='SingleRoIExtractor',
            roi_layer=dict(type='RoIAlign', output_size=7, sampling_ratio=2),
            out_channels=256,
            featmap_strides=[4, 8, 16, 32],
        ),
        bbox_head=[
            dict(head, bbox_coder=dict(type='DeltaXYWHBBoxCoder', target_stds=stds))
            for stds in ([0.1, 0.1, 0.2, 0.2], [0.05, 0.05, 0.1, 0.1], [0.033, 0.033, 0.067, 0.067])
        ],
    ),
    train_cfg=dict(
        rpn=dict(
            assigner=dict(assigner, pos_iou_thr=0.7, neg_iou_thr=0.3, min_pos_iou=0.3),
            sampler=dict(sampler, pos_fraction=0.5, add_gt_as_proposals=False),
            allowed_border=-1,
            pos_weight=-1,
            debug=False,
        ),
        rpn_proposal=dict(nms_pre=2000, max_per_img=500, nms=nms, min_bbox_size=0),
        rcnn=[
            dict(
                assigner=dict(assigner, pos_iou_thr=iou, neg_iou_thr=iou, min_pos_iou=iou, match_low_quality=False),
                sampler=dict(sampler, add_gt_as_proposals=True),
                pos_weight=-1,
                debug=False,
            )
            for iou in (0.5, 0.6, 0.7)
        ],
    ),
    test_cfg=dict(
        rpn=dict(nms_pre=1000, max_per_img=300, nms=nms, min_bbox_size=0),
        rcnn=dict(score_thr=0.01, nms=dict(type='nms', iou_threshold=0.5), max_per_img=100),
    ),
)
