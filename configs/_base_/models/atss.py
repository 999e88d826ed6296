"""ATSS (Zhang et al., arXiv 1912.02424) on GoogLeNet: one anchor a cell, and each object's own threshold of IoU.

The network starts from that of the detector in checkpoints/. --weights FILE takes an ImageNet classifier's instead.
"""

pretrained = dict(
    type='Pretrained', checkpoint='{{ fileDirname }}/../../../checkpoints/googlenet_faster-rcnn_voc2007.pth'
)
# Anchors are where the cells of inception 3b, 4e and 5b look, and those of two convolutions behind the last.
anchors = dict(type='AnchorGenerator', octave_base_scale=8, scales_per_octave=1, ratios=[1.0])
centers = [(6.5, 6.5), (14.5, 14.5), (30.5, 30.5), (30.5, 30.5), (30.5, 30.5)]
model = dict(
    type='ATSS',
    data_preprocessor=dict(type='BackboneDataPreprocessor', pad_size_divisor=32),
    backbone=dict(
        type='GoogLeNet',
        variant='paper',
        out_indices=(2, 3, 4),
        frozen_stages=1,
        norm_eval=True,
        init_cfg=pretrained,
    ),
    neck=dict(type='FPN', in_channels=[480, 832, 1024], out_channels=256, add_extra_convs='on_output', num_outs=5),
    bbox_head=dict(
        type='ATSSHead',
        # tools/train.py sets num_classes where it reads the classes from the data.
        num_classes=20,
        in_channels=256,
        stacked_convs=4,
        anchor_generator=dict(anchors, strides=[8, 16, 32, 64, 128], centers=centers),
        bbox_coder=dict(type='DeltaXYWHBBoxCoder', target_stds=[0.1, 0.1, 0.2, 0.2]),
        loss_cls=dict(type='FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=1.0),
        loss_bbox=dict(type='GIoULoss', loss_weight=2.0),
    ),
    # An anchor that is more than half inside a difficult object is neither an object nor background.
    train_cfg=dict(
        assigner=dict(type='ATSSAssigner', topk=9, ignore_iof_thr=0.5), allowed_border=-1, pos_weight=-1, debug=False
    ),
    test_cfg=dict(
        nms_pre=1000, min_bbox_size=0, score_thr=0.01, nms=dict(type='nms', iou_threshold=0.6), max_per_img=100
    ),
)
