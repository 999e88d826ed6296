"""The detector in checkpoints/: Faster R-CNN with the paper's GoogLeNet on Pascal VOC 2007, for two cores.

Start it with --weights and Caffe's GoogLeNet. Images are smaller and regions fewer than in published recipes: a step of
two images takes 1.2 s on two cores, of which about half is the network up to inception 4e and half the last stage of 40
regions. googlenet_faster-rcnn_voc2007_finish.py and, on a GPU, googlenet_faster-rcnn_voc2007_gpu.py go on from there.
"""

_base_ = ['_base_/models/faster-rcnn_small.py', '_base_/datasets/voc.py', '_base_/runtime.py']

load_from = None
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='BatchResize', sides=[256, 288, 320, 352, 384], batch_size=2),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
# The last part of the training has images of this size.
test_resize = dict(type='Resize', scale=(933, 560), keep_ratio=True)
pack = dict(type='PackDetInputs', meta_keys={{_base_.meta_keys}})
test_pipeline = [{{_base_.load}}, test_resize, {{_base_.annotations}}, pack]
model = dict(train_cfg=dict(rcnn=dict(sampler=dict(num=20))))
train_dataloader = dict(
    batch_size=2,
    num_workers=1,
    sampler=dict(_delete_=True, type='InfiniteSampler', shuffle=True),
    batch_sampler=dict(type='AspectRatioBatchSampler'),
    dataset=dict(pipeline=train_pipeline),
)
val_dataloader = test_dataloader = dict(num_workers=1, dataset=dict(pipeline=test_pipeline))
val_evaluator = test_evaluator = dict(type='VOCBoxMetric', iou_thrs=0.5, eval_mode='11points')

# A custom key overrides bias_decay_mult, so the heads' biases need keys of their own; the longest key counts.
new, bias = dict(lr_mult=2), dict(lr_mult=2, decay_mult=0)
biases = ('rpn_head.rpn_conv', 'rpn_head.rpn_cls', 'rpn_head.rpn_reg', 'bbox_head.fc_cls', 'bbox_head.fc_reg')
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-4, weight_decay=0.05),
    paramwise_cfg=dict(
        bias_decay_mult=0, custom_keys=dict(rpn_head=new, bbox_head=new) | {f'{name}.bias': bias for name in biases}
    ),
    clip_grad=dict(max_norm=10, norm_type=2),
)
train_cfg = dict(type='ReshufflingTrainLoop', max_iters=20000, val_interval=100000)
param_scheduler = [dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=300)]
# The average looks at the last fifth of the training until that is 2,500 steps.
average = dict(type='EMAHook', ema_type='MomentumAnnealingEMA', momentum=0.0004, gamma=4, priority='ABOVE_NORMAL')
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=200, max_keep_ckpts=2), average=average)
log_processor = dict(by_epoch=False, window_size=20)
