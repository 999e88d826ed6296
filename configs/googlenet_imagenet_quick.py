"""GoogLeNet on ImageNet-1k by Caffe's quick_solver, which trained the public BVLC weights."""

_base_ = ['_base_/models/classifier.py', '_base_/datasets/imagenet.py', '_base_/runtime.py']

train_dataloader = dict(sampler=dict(type='InfiniteSampler'))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=2_400_000, val_interval=40_000)
sgd, biases = dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=2e-4), dict(bias_lr_mult=2.0, bias_decay_mult=0.0)
optim_wrapper = dict(type='OptimWrapper', optimizer=sgd, paramwise_cfg=biases)
param_scheduler = [dict(type='PolyLR', power=0.5, eta_min=0.0, by_epoch=False)]
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=40_000))
log_processor = dict(by_epoch=False)
