"""DINO (Zhang et al., arXiv 2203.03605) on GoogLeNet: a transformer that needs neither anchors nor NMS.

Half as deep as the paper's and with 300 queries instead of 900, for images of 480 pixels. The network starts from that
of the detector in checkpoints/. --weights FILE takes an ImageNet classifier's instead.
"""

pretrained = dict(
    type='Pretrained', checkpoint='{{ fileDirname }}/../../../checkpoints/googlenet_faster-rcnn_voc2007.pth'
)
attention, points = dict(embed_dims=256, num_heads=8, dropout=0.0), dict(embed_dims=256, num_levels=4, dropout=0.0)
feedforward = dict(embed_dims=256, feedforward_channels=1024, ffn_drop=0.0)
costs = [
    dict(type='FocalLossCost', weight=2.0),
    dict(type='BBoxL1Cost', weight=5.0, box_format='xywh'),
    dict(type='IoUCost', iou_mode='giou', weight=2.0),
]
model = dict(
    type='DINO',
    num_queries=300,
    with_box_refine=True,
    as_two_stage=True,
    data_preprocessor=dict(type='BackboneDataPreprocessor', pad_size_divisor=1),
    backbone=dict(
        type='GoogLeNet',
        variant='paper',
        out_indices=(2, 3, 4),
        frozen_stages=1,
        norm_eval=True,
        init_cfg=pretrained,
    ),
    neck=dict(
        type='ChannelMapper',
        in_channels=[480, 832, 1024],
        kernel_size=1,
        out_channels=256,
        act_cfg=None,
        norm_cfg=dict(type='GN', num_groups=32),
        num_outs=4,
    ),
    encoder=dict(num_layers=3, layer_cfg=dict(self_attn_cfg=points, ffn_cfg=feedforward)),
    decoder=dict(
        num_layers=3,
        return_intermediate=True,
        layer_cfg=dict(self_attn_cfg=attention, cross_attn_cfg=points, ffn_cfg=feedforward),
        post_norm_cfg=None,
    ),
    positional_encoding=dict(num_feats=128, normalize=True, offset=0.0, temperature=20),
    bbox_head=dict(
        type='DINOHead',
        # tools/train.py sets num_classes where it reads the classes from the data.
        num_classes=20,
        sync_cls_avg_factor=True,
        loss_cls=dict(type='FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=1.0),
        loss_bbox=dict(type='L1Loss', loss_weight=5.0),
        loss_iou=dict(type='GIoULoss', loss_weight=2.0),
    ),
    dn_cfg=dict(
        label_noise_scale=0.5,
        box_noise_scale=1.0,
        group_cfg=dict(dynamic=True, num_groups=None, num_dn_queries=100),
    ),
    train_cfg=dict(assigner=dict(type='HungarianAssigner', match_costs=costs)),
    test_cfg=dict(max_per_img=100),
)
