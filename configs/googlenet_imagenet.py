"""GoogLeNet on ImageNet-1k by the paper's recipe (arXiv 1409.4842, sections 5 and 6); see docs/classifier.md."""

_base_ = ['_base_/models/classifier.py', '_base_/datasets/imagenet.py', '_base_/runtime.py']

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=120, val_interval=1)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=2e-4))
param_scheduler = [dict(type='StepLR', step_size=8, gamma=0.96)]
average = dict(type='EMAHook', ema_type='StochasticWeightAverage', begin_epoch=91, update_buffers=True)
custom_hooks = [average, dict(type='BackboneNormalizationHook')]
