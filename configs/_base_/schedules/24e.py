"""24 epochs of AdamW for detectors whose neck and head start from random numbers, on some hundred images."""

adam = dict(type='AdamW', lr=2e-4, weight_decay=0.05)
# The network knows much already.
old = dict(custom_keys=dict(backbone=dict(lr_mult=0.5)), bias_decay_mult=0, norm_decay_mult=0)
optim_wrapper = dict(type='OptimWrapper', optimizer=adam, paramwise_cfg=old, clip_grad=dict(max_norm=10, norm_type=2))
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=24, val_interval=4)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', by_epoch=True, convert_to_iter_based=True),
]
