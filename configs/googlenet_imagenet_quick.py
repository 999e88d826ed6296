"""GoogLeNet on ImageNet-1k by Caffe's quick_solver, which trained the public BVLC weights.

    python tools/train.py configs/googlenet_imagenet_quick.py --data-root imagenet

Batches of 32, 2.4 million of them; the rate falls from 0.01 to 0 with the root of what is left; biases learn twice as
fast and do not decay.
"""

_base_ = ['./_base_/googlenet_classifier.py', './_base_/runtime.py']

data_root = 'data/imagenet'

max_iters = 2_400_000
train_dataloader = dict(batch_size=32, sampler=dict(type='InfiniteSampler'))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=40_000)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=2e-4),
    paramwise_cfg=dict(bias_lr_mult=2.0, bias_decay_mult=0.0),
)
param_scheduler = [dict(type='PolyLR', power=0.5, eta_min=0.0, begin=0, end=max_iters, by_epoch=False)]
default_hooks = dict(logger=dict(interval=100), checkpoint=dict(by_epoch=False, interval=40_000))
log_processor = dict(window_size=100, by_epoch=False)
