"""What makes Faster R-CNN (Ren et al., arXiv 1506.01497) of Fast R-CNN: MMDetection's RPN, on inception 4e.

"faster_rcnn" is merged into Fast R-CNN's model; the pipelines are those of a detector that makes its own proposals.
"""

faster_rcnn = dict(
    type='FasterRCNN',
    rpn_head=dict(
        type='RPNHead',
        in_channels=832,
        feat_channels=512,
        # Anchors stand where the cells of inception 4e look: the first at 14.5, not at 0.
        anchor_generator=dict(
            type='AnchorGenerator',
            scales=[2, 4, 8, 16, 32],
            ratios=[0.5, 1.0, 2.0],
            strides=[16],
            center_offset=14.5 / 16,
        ),
        bbox_coder=dict(type='DeltaXYWHBBoxCoder', target_means=[0.0] * 4, target_stds=[1.0] * 4),
        loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=True, loss_weight=1.0),
        loss_bbox=dict(type='SmoothL1Loss', beta=1 / 9, loss_weight=1.0),
    ),
    train_cfg=dict(
        rpn=dict(
            assigner=dict(type='MaxIoUAssigner', pos_iou_thr=0.7, neg_iou_thr=0.3, min_pos_iou=0.3, ignore_iof_thr=-1),
            sampler=dict(type='RandomSampler', num=256, pos_fraction=0.5, neg_pos_ub=-1, add_gt_as_proposals=False),
            allowed_border=0,
            pos_weight=-1,
        ),
        rpn_proposal=dict(nms_pre=6000, max_per_img=2000, nms=dict(type='nms', iou_threshold=0.7), min_bbox_size=0),
    ),
    test_cfg=dict(rpn=dict(nms_pre=3000, max_per_img=300, nms=dict(type='nms', iou_threshold=0.7), min_bbox_size=0)),
)

faster_train_pipeline = [
    dict(type='LoadAnyImage'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=(1000, 600), keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
# Annotations behind Resize: objects and boxes meet in the pixels of the image itself.
faster_test_pipeline = [
    dict(type='LoadAnyImage'),
    dict(type='Resize', scale=(1000, 600), keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'instances')),
]
