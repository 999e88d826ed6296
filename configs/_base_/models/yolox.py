"""YOLOX's neck, head and assignment (Ge et al., arXiv 2107.08430) on GoogLeNet; widths are those of YOLOX-s.

Without its mosaics of several images. The network starts from that of the detector in checkpoints/. --weights FILE
takes an ImageNet classifier's instead.
"""

pretrained = dict(
    type='Pretrained', checkpoint='{{ fileDirname }}/../../../checkpoints/googlenet_faster-rcnn_voc2007.pth'
)
model = dict(
    type='YOLOX',
    data_preprocessor=dict(type='BackboneDataPreprocessor', pad_size_divisor=32),
    backbone=dict(
        type='GoogLeNet',
        variant='paper',
        out_indices=(2, 3, 4),
        frozen_stages=1,
        norm_eval=True,
        init_cfg=pretrained,
    ),
    neck=dict(type='YOLOXPAFPN', in_channels=[480, 832, 1024], out_channels=128, num_csp_blocks=1),
    # tools/train.py sets num_classes where it reads the classes from the data.
    bbox_head=dict(type='YOLOXHead', num_classes=20, in_channels=128, feat_channels=128, strides=(8, 16, 32)),
    train_cfg=dict(assigner=dict(type='SimOTAAssigner', center_radius=2.5)),
    test_cfg=dict(score_thr=0.01, nms=dict(type='nms', iou_threshold=0.65)),
)
