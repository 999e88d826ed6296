"""A data set of your own in Pascal VOC's layout: JPEGImages, Annotations, ImageSets/Main/{train,val}.txt.

    python tools/train.py configs/googlenet_rcnn_voc.py --data-root MY_DATA --weights WEIGHTS

Classes are read from the training annotations. The schedule suits some hundred images; lengthen it for more.
"""

_base_ = ['./_base_/rcnn_googlenet.py', './_base_/runtime.py']

data_root = 'data/voc'
classes = None  # None: those that occur in the training annotations.

proposals = dict(type='LoadRegionProposals', method=dict(type='SelectiveSearch', mode='ilsvrc2014'))
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
# While it trains, a look at the best 300 proposals is enough to see where it goes; the test takes all of them.
val_pipeline = [
    dict(type='LoadAnyImage'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='LoadRegionProposals', method=dict(type='SelectiveSearch', mode='ilsvrc2014'), max_num=300),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'instances')),
]

train_dataloader = dict(
    batch_size=4,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='VOCFolderDataset',
        ann_file='ImageSets/Main/train.txt',
        pipeline=train_pipeline,
        filter_cfg=dict(filter_empty_gt=True),
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='VOCFolderDataset', ann_file='ImageSets/Main/val.txt', test_mode=True, pipeline=val_pipeline),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='VOCFolderDataset', ann_file='ImageSets/Main/val.txt', test_mode=True, pipeline=test_pipeline),
)
val_evaluator = dict(type='VOCBoxMetric', iou_thrs=0.5)
test_evaluator = val_evaluator

model = dict(
    # Few images: the layers up to inception 3b keep what they learned from a million.
    backbone=dict(frozen_stages=2),
    # R-CNN's SVMs, trained on tighter positives than its network, made the scores tell a good box from half of one.
    # Without SVMs the softmax must learn it: positives from 0.6 on, and as much background that overlaps an object by
    # a third to a half, or by less, as such that hardly does.
    train_cfg=dict(
        rcnn=dict(
            assigner=dict(pos_iou_thr=0.6, neg_iou_thr=0.5, min_pos_iou=0.6),
            sampler=dict(
                _delete_=True,
                type='CombinedSampler',
                num=32,
                pos_fraction=0.25,
                add_gt_as_proposals=True,
                pos_sampler=dict(type='InstanceBalancedPosSampler'),
                neg_sampler=dict(type='IoUBalancedNegSampler', floor_thr=-1, floor_fraction=0, num_bins=3),
            ),
        )
    ),
)
max_epochs = 8
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=2)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=20),
    dict(type='CosineAnnealingLR', by_epoch=True, T_max=max_epochs, convert_to_iter_based=True),
]
