"""Three passes over Pascal VOC 2007 for a GPU: 16 images a step, AdamW, a rate that falls to 0. Start it with --amp."""

adam = dict(type='AdamW', lr=2e-4, weight_decay=0.05)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=adam,
    paramwise_cfg=dict(bias_decay_mult=0, norm_decay_mult=0),
    clip_grad=dict(max_norm=10, norm_type=2),
)
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=3, val_interval=3)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', by_epoch=True, convert_to_iter_based=True),
]
