"""MultiBox on half a million images: 90,000 steps, about eight times through those of train that have boxes."""

_base_ = '15e.py'

train_cfg = dict(_delete_=True, type='IterBasedTrainLoop', max_iters=90000, val_interval=10000)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=500),
    dict(type='CosineAnnealingLR', by_epoch=False),
]
log_processor = dict(by_epoch=False)
