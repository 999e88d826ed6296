"""The entry itself on ILSVRC DET: 200 classes, no box regression, selective search with doubled superpixels.

Data: data/ILSVRC with Annotations/DET, Data/DET and ImageSets/DET as shipped. As in R-CNN, training is on val1 and on
at most 1000 objects a class of the training set, whose images are no source of background; the test is on val2.
tools/split_data.py writes the lists of val1 and val2. Proposals are made once, with tools/make_proposals.py --method
mix, and named in proposal_store; without a store they are computed and cached, with the entry's 200 boxes of MultiBox
as soon as multibox.checkpoint names one that googlenet_multibox.py trained.
"""

_base_ = ['./_base_/rcnn_googlenet.py', './_base_/runtime.py']

data_root = 'data/ILSVRC'
weights = 'torchvision://googlenet'
proposal_store = None
multibox = dict(config='{{ fileDirname }}/googlenet_multibox.py', checkpoint=None, number=200)

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

train_dataloader = dict(
    # Four images of val1, 128 regions as in R-CNN, and the objects of one training image: by R-CNN's numbers (10,000
    # images with proposals around every object, up to 200,000 objects without) about its mix of positive examples.
    batch_size=5,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='MultiSourceSampler', batch_size=5, source_ratio=[4, 1]),
    batch_sampler=None,
    dataset=dict(
        type='ConcatDataset',
        datasets=[
            dict(
                type='ILSVRCDetDataset',
                ann_file='ImageSets/DET/val1.txt',
                split='val',
                pipeline=train_pipeline,
                filter_cfg=dict(filter_empty_gt=True),
            ),
            dict(
                type='ILSVRCDetDataset',
                ann_file='ImageSets/DET',
                split='train',
                lists=('positive', 'partial'),
                max_objects_per_class=1000,
                pipeline=train_pipeline,
                filter_cfg=dict(filter_empty_gt=True),
            ),
        ],
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ILSVRCDetDataset',
        ann_file='ImageSets/DET/val2.txt',
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
