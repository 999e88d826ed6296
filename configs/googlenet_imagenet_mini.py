"""The objects of the mini set as 12 classes: a small GoogLeNet classifier from random weights.

    python tools/make_mini.py data/mini --objects data/mini_objects
    python tools/train.py configs/googlenet_imagenet_mini.py

Half as wide as the paper's network, with batch norm and crops of 64 pixels: the network that googlenet_rcnn_mini.py
has, which can start from this one (--weights).
"""

_base_ = ['./_base_/googlenet_classifier.py', './_base_/runtime.py']

data_root = 'data/mini_objects'
size = 64

train_pipeline = [
    dict(type='LoadAnyImage'),
    # The paper's 8 % of an object leaves little to see where the object is the image.
    dict(type='RandomCropAndDistort', size=size, area=(0.25, 1.0)),
    dict(type='PackCrops'),
]
test_pipeline = [
    dict(type='LoadAnyImage'),
    dict(type='TestCrops', number=1, size=size),
    dict(type='PackCrops'),
]
train_dataloader = dict(batch_size=16, num_workers=0, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(num_workers=0, dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

model = dict(
    data_preprocessor=dict(mean=[127.5] * 3, std=[127.5] * 3, bgr_to_rgb=True),
    backbone=dict(variant='batch_norm', width=0.5),
    auxiliary=dict(crop_size=size),
)

max_epochs = 16
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=1)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.02, momentum=0.9, weight_decay=2e-4))
# The paper's step of 4 % every 8 epochs is for hundreds of them.
param_scheduler = [dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=50)]
custom_hooks = [
    dict(type='EMAHook', ema_type='StochasticWeightAverage', begin_epoch=max_epochs // 2 + 1, update_buffers=True)
]
