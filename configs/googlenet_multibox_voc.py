"""MultiBox on a data set of your own in Pascal VOC's layout: JPEGImages, Annotations, ImageSets/Main/{train,val}.txt.

    python tools/train.py configs/googlenet_multibox_voc.py --data-root MY_DATA --weights WEIGHTS --amp

Names of classes play no part. The schedule suits some hundred images; lengthen it for fewer.
"""

_base_ = ['./_base_/multibox_googlenet.py', './_base_/runtime.py']

data_root = 'data/voc'

train_dataloader = dict(
    batch_size=4,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='VOCFolderDataset', ann_file='ImageSets/Main/train.txt', pipeline={{_base_.train_pipeline}}),
)
val_dataloader = dict(
    batch_size=4,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='VOCFolderDataset', ann_file='ImageSets/Main/val.txt', test_mode=True, pipeline={{_base_.test_pipeline}}
    ),
)
test_dataloader = val_dataloader

max_epochs = 15
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=5)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', by_epoch=True, T_max=max_epochs, convert_to_iter_based=True),
]
