"""RetinaNet (Lin et al., arXiv 1708.02002) on GoogLeNet: a feature pyramid, anchors and the focal loss.

The network starts from that of the detector in checkpoints/. --weights FILE takes an ImageNet classifier's instead.
"""

pretrained = dict(
    type='Pretrained', checkpoint='{{ fileDirname }}/../../../checkpoints/googlenet_faster-rcnn_voc2007.pth'
)
# Anchors are where the cells of inception 3b, 4e and 5b look, and those of two convolutions behind the last.
anchors = dict(type='AnchorGenerator', octave_base_scale=4, scales_per_octave=3, ratios=[0.5, 1.0, 2.0])
centers = [(6.5, 6.5), (14.5, 14.5), (30.5, 30.5), (30.5, 30.5), (30.5, 30.5)]
# An anchor that is more than half inside a difficult object is neither an object nor background.
assigner = dict(type='IgnoringMaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.4, min_pos_iou=0, ignore_iof_thr=0.5)
model = dict(
    type='RetinaNet',
    data_preprocessor=dict(type='BackboneDataPreprocessor', pad_size_divisor=32),
    backbone=dict(
        type='GoogLeNet',
        variant='paper',
        out_indices=(2, 3, 4),
        frozen_stages=1,
        norm_eval=True,
        init_cfg=pretrained,
    ),
    neck=dict(type='FPN', in_channels=[480, 832, 1024], out_channels=256, add_extra_convs='on_input', num_outs=5),
    bbox_head=dict(
        type='RetinaHead',
        # tools/train.py sets num_classes where it reads the classes from the data.
        num_classes=20,
        in_channels=256,
        anchor_generator=dict(anchors, strides=[8, 16, 32, 64, 128], centers=centers),
    ),
    train_cfg=dict(
        assigner=assigner, sampler=dict(type='PseudoSampler'), allowed_border=-1, pos_weight=-1, debug=False
    ),
    test_cfg=dict(
        nms_pre=1000, min_bbox_size=0, score_thr=0.01, nms=dict(type='nms', iou_threshold=0.5), max_per_img=100
    ),
)
