"""FCOS (Tian et al., arXiv 1904.01355) on GoogLeNet: a feature pyramid, distances to the sides instead of anchors.

With the paper's later improvements: center sampling, GIoU, distances in strides, centerness beside the distances. The
network starts from that of the detector in checkpoints/. --weights FILE takes an ImageNet classifier's instead.
"""

pretrained = dict(
    type='Pretrained', checkpoint='{{ fileDirname }}/../../../checkpoints/googlenet_faster-rcnn_voc2007.pth'
)
model = dict(
    type='FCOS',
    data_preprocessor=dict(type='BackboneDataPreprocessor', pad_size_divisor=32),
    backbone=dict(
        type='GoogLeNet',
        variant='paper',
        out_indices=(2, 3, 4),
        frozen_stages=1,
        norm_eval=True,
        init_cfg=pretrained,
    ),
    neck=dict(
        type='FPN',
        in_channels=[480, 832, 1024],
        out_channels=256,
        add_extra_convs='on_output',
        num_outs=5,
        relu_before_extra_convs=True,
    ),
    bbox_head=dict(
        type='FCOSHead',
        # tools/train.py sets num_classes where it reads the classes from the data.
        num_classes=20,
        in_channels=256,
        strides=[8, 16, 32, 64, 128],
        norm_on_bbox=True,
        centerness_on_reg=True,
        center_sampling=True,
        conv_bias=True,
        loss_bbox=dict(type='GIoULoss', loss_weight=1.0),
    ),
    test_cfg=dict(
        nms_pre=1000, min_bbox_size=0, score_thr=0.01, nms=dict(type='nms', iou_threshold=0.6), max_per_img=100
    ),
)
