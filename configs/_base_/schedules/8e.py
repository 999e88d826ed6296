"""Eight epochs of fine-tuning, for some hundred images; --cfg-options max_epochs=N changes it for more."""

sgd = dict(type='SGD', lr=0.001, momentum=0.9, weight_decay=0.0005)
# The new layers start from random numbers and learn ten times as fast, as in R-CNN.
new = dict(custom_keys=dict(bbox_head=dict(lr_mult=10), rpn_head=dict(lr_mult=10)))
optim_wrapper = dict(type='OptimWrapper', optimizer=sgd, paramwise_cfg=new, clip_grad=dict(max_norm=35, norm_type=2))
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=8, val_interval=2)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=20),
    dict(type='CosineAnnealingLR', by_epoch=True, convert_to_iter_based=True),
]
