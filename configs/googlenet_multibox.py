"""MultiBox on ILSVRC DET, for the 200 proposals that the 2014 entry added to those of selective search.

Data: data/ILSVRC as for googlenet_rcnn.py. Names of classes play no part.
"""

_base_ = ['./_base_/multibox_googlenet.py', './_base_/runtime.py']

data_root = 'data/ILSVRC'
weights = 'torchvision://googlenet'

train_dataloader = dict(
    batch_size=32,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='ILSVRCDetDataset',
        # The positive images alone: partial ones lack boxes of the very class that they show.
        ann_file='ImageSets/DET',
        split='train',
        lists=('positive',),
        pipeline={{_base_.train_pipeline}},
        filter_cfg=dict(filter_empty_gt=True),
    ),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ILSVRCDetDataset',
        ann_file='ImageSets/DET/val2.txt',
        split='val',
        test_mode=True,
        pipeline={{_base_.test_pipeline}},
    ),
)
test_dataloader = val_dataloader

# Half a million images teach the early layers too.
model = dict(backbone=dict(frozen_stages=-1))
# About eight times through the images of train that have boxes.
max_iters = 90000
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=10000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=500),
    dict(type='CosineAnnealingLR', by_epoch=False, T_max=max_iters),
]
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=1000))
log_processor = dict(by_epoch=False)
