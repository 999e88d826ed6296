"""MultiBox on the mini set: a small GoogLeNet from random weights.

    python tools/make_mini.py data/mini && python tools/train.py configs/googlenet_multibox_mini.py --amp

The network is the mini detector's, half as wide, with batch norm. It may start from that detector's network
(--weights checkpoints/googlenet_rcnn_mini.pth).
"""

_base_ = ['./_base_/multibox_googlenet.py', './_base_/runtime.py']

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
image_size = (224, 224)

train_dataloader = dict(
    batch_size=8,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='ILSVRCDetDataset',
        ann_file='ImageSets/DET/train.txt',
        split='train',
        pipeline={{_base_.train_pipeline}},
    ),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ILSVRCDetDataset',
        ann_file='ImageSets/DET/val.txt',
        split='val',
        test_mode=True,
        pipeline={{_base_.test_pipeline}},
    ),
)
test_dataloader = val_dataloader

model = dict(
    backbone=dict(variant='batch_norm', width=0.5, frozen_stages=-1, norm_eval=False),
    bbox_head=dict(in_channels=(240, 416, 512), channels=64),
)
# All layers are new, so that none learns more slowly.
optim_wrapper = dict(
    optimizer=dict(lr=0.002), paramwise_cfg=dict(_delete_=True, norm_decay_mult=0.0, bias_decay_mult=0.0)
)
max_epochs = 16
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=4)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', by_epoch=True, T_max=max_epochs, convert_to_iter_based=True),
]
