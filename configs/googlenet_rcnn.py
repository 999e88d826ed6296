"""The entry itself on ILSVRC DET: 200 classes, no box regression, selective search with doubled superpixels.

Data: data/ILSVRC with Annotations/DET, Data/DET and ImageSets/DET as shipped. Proposals for 400,000 images are made
once, with tools/make_proposals.py --method mix, and named in proposal_store; without a store they are computed and
cached, with the entry's 200 boxes of MultiBox as soon as multibox.checkpoint names one that googlenet_multibox.py
trained.
"""

_base_ = './_base_/rcnn_googlenet.py'

data_root = 'data/ILSVRC'
weights = 'torchvision://googlenet'
proposal_store = None
multibox = dict(config='{{ fileDirname }}/googlenet_multibox.py', checkpoint=None, number=200)

proposals = dict(type='LoadRegionProposals', mode='ilsvrc2014')
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
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
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
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ILSVRCDetDataset',
        ann_file='ImageSets/DET/val.txt',
        split='val',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='ILSVRCDetMetric')
test_evaluator = val_evaluator

# R-CNN's solver: 50,000 steps, a tenth of the rate every 20,000.
train_cfg = dict(type='IterBasedTrainLoop', max_iters=50000, val_interval=10000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=500),
    dict(type='MultiStepLR', by_epoch=False, milestones=[20000, 40000], gamma=0.1),
]
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=1000))
log_processor = dict(by_epoch=False)
