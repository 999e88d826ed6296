"""The schedule of Inception v3 and Inception-ResNet (arXiv 1512.00567, section 8; arXiv 1602.07261, section 4)."""

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=100, val_interval=1)
rmsprop = dict(type='RMSprop', lr=0.045, alpha=0.9, eps=1.0)
optim_wrapper = dict(type='OptimWrapper', optimizer=rmsprop, clip_grad=dict(max_norm=2.0))
param_scheduler = [dict(type='StepLR', step_size=2, gamma=0.94)]
