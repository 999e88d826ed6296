"""The mini set that the project draws itself: 12 of the 200 DET classes, a small GoogLeNet from random weights.

    python tools/make_mini.py data/mini && python tools/train.py configs/googlenet_rcnn_mini.py

Half as wide as the paper's network, with batch norm and crops of 96 pixels, so that a laptop trains it in half an hour.
"""

_base_ = ['./_base_/rcnn_googlenet.py', './_base_/runtime.py']

data_root = 'data/mini'
classes = (
    'banana',
    'butterfly',
    'car',
    'cup_or_mug',
    'goldfish',
    'guitar',
    'ladybug',
    'pizza',
    'soccer_ball',
    'starfish',
    'traffic_light',
    'wine_bottle',
)

# The pictures are about 300 pixels wide; enlarging them to 500 finds no more.
proposals = dict(
    type='LoadRegionProposals',
    method=dict(type='SelectiveSearch', mode='ilsvrc2014', width=None, min_size=16),
    max_num=300,
)
train_pipeline = [
    dict(type='LoadAnyImage'),
    dict(type='LoadAnnotations', with_bbox=True),
    proposals,
    dict(type='ProposalBroadcaster', transforms=[dict(type='RandomFlip', prob=0.5)]),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadAnyImage'),
    dict(type='LoadAnnotations', with_bbox=True),
    proposals,
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'instances')),
]

train_dataloader = dict(
    batch_size=8,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='ILSVRCDetDataset',
        ann_file='ImageSets/DET/train.txt',
        split='train',
        pipeline=train_pipeline,
        filter_cfg=dict(filter_empty_gt=True),
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ILSVRCDetDataset', ann_file='ImageSets/DET/val.txt', split='val', test_mode=True, pipeline=test_pipeline
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='ILSVRCDetMetric')
test_evaluator = val_evaluator

channels = 512
model = dict(
    region_warp=dict(size=96, context=7),
    backbone=dict(variant='batch_norm', width=0.5, norm_eval=False),
    bbox_head=dict(in_channels=channels, with_reg=True),
    train_cfg=dict(rcnn=dict(sampler=dict(num=24, pos_fraction=0.33))),
    test_cfg=dict(rcnn=dict(score_thr=0.01, chunk_size=256)),
)

# Random weights want a larger rate than fine-tuning, and no faster head.
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=0.002, weight_decay=0.02),
    paramwise_cfg=dict(_delete_=True, norm_decay_mult=0.0, bias_decay_mult=0.0),
)
max_epochs = 16
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=4)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', by_epoch=True, T_max=max_epochs, convert_to_iter_based=True),
]
