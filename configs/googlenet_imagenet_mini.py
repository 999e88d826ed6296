"""The objects of the mini set as 12 classes: a small GoogLeNet classifier, the network of googlenet_rcnn_mini.py."""

_base_ = ['_base_/models/classifier_mini.py', '_base_/datasets/imagenet_mini.py', '_base_/runtime.py']

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=16, val_interval=1)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.02, momentum=0.9, weight_decay=2e-4))
# The paper's step of 4 % every 8 epochs is for hundreds of them.
param_scheduler = [dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=50)]
average = dict(type='EMAHook', ema_type='StochasticWeightAverage', begin_epoch=9, update_buffers=True)
custom_hooks = [average, dict(type='BackboneNormalizationHook')]
