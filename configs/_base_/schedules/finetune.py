"""Six epochs of AdamW from a trained detector, for some hundred images; --cfg-options max_epochs=N changes it."""

# The head learns twice as fast: it was made for other classes.
new = dict(custom_keys=dict(rpn_head=dict(lr_mult=2), bbox_head=dict(lr_mult=2)), bias_decay_mult=0)
adam = dict(type='AdamW', lr=1e-4, weight_decay=0.05)
optim_wrapper = dict(type='OptimWrapper', optimizer=adam, paramwise_cfg=new, clip_grad=dict(max_norm=10, norm_type=2))
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=6, val_interval=2)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=20),
    dict(type='CosineAnnealingLR', by_epoch=True, convert_to_iter_based=True),
]
