"""GoogLeNet on ImageNet-1k by the paper's recipe (arXiv 1409.4842, sections 5 and 6).

    python tools/train.py configs/googlenet_imagenet.py --data-root imagenet
    python tools/test.py configs/googlenet_imagenet.py CHECKPOINT... --data-root imagenet --crops 144

From the paper: SGD with momentum 0.9, a learning rate that falls by 4 % every 8 epochs, Polyak averaging of the
weights, two auxiliary classifiers, its crops. It leaves open, and chosen here are: the rate to begin with, the batch
and the weight decay, which are those of Caffe's GoogLeNet; the number of epochs; and that the last quarter of them is
averaged.
"""

_base_ = ['./_base_/googlenet_classifier.py', './_base_/runtime.py']

data_root = 'data/imagenet'

max_epochs = 120
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=1)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=2e-4))
param_scheduler = [dict(type='StepLR', step_size=8, gamma=0.96)]
# Polyak's average is the plain mean of the weights of all steps; validation and checkpoints have it, see
# docs/classifier.md.
custom_hooks = [
    dict(type='EMAHook', ema_type='StochasticWeightAverage', begin_epoch=3 * max_epochs // 4 + 1, update_buffers=True)
]
default_hooks = dict(logger=dict(interval=100))
log_processor = dict(window_size=100)
