"""R-CNN's solver: 50,000 steps, a tenth of the rate every 20,000."""

sgd = dict(type='SGD', lr=0.001, momentum=0.9, weight_decay=0.0005)
# The new layers start from random numbers and learn ten times as fast, as in R-CNN.
new = dict(custom_keys=dict(bbox_head=dict(lr_mult=10), rpn_head=dict(lr_mult=10)))
optim_wrapper = dict(type='OptimWrapper', optimizer=sgd, paramwise_cfg=new, clip_grad=dict(max_norm=35, norm_type=2))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=50000, val_interval=10000)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=500),
    dict(type='MultiStepLR', by_epoch=False, milestones=[20000, 40000], gamma=0.1),
]
log_processor = dict(by_epoch=False)
