"""MultiBox on some hundred images: 15 epochs; --cfg-options max_epochs=N changes it for fewer."""

adam = dict(type='AdamW', lr=0.001, weight_decay=0.01)
# The head starts from random numbers; the network knows much already.
old = dict(custom_keys=dict(backbone=dict(lr_mult=0.1)))
optim_wrapper = dict(type='OptimWrapper', optimizer=adam, paramwise_cfg=old, clip_grad=dict(max_norm=35, norm_type=2))
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=15, val_interval=5)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', by_epoch=True, convert_to_iter_based=True),
]
