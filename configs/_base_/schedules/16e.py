"""A small network from random weights: 16 epochs at a larger rate than fine-tuning, and no faster head."""

adam = dict(type='AdamW', lr=0.002, weight_decay=0.02)
plain = dict(norm_decay_mult=0.0, bias_decay_mult=0.0)
optim_wrapper = dict(type='OptimWrapper', optimizer=adam, paramwise_cfg=plain, clip_grad=dict(max_norm=35, norm_type=2))
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=16, val_interval=4)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', by_epoch=True, convert_to_iter_based=True),
]
